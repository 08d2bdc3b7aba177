/** Removing what a process that is gone has left in an engine: what its leash starts. */
import { setTimeout } from 'node:timers/promises';
import { open } from './connect.ts';
import { removeContainer } from './client.ts';
import { removeByCommand } from './command-client.ts';
import type { Endpoint } from './endpoint.ts';
import { removeImage } from './image.ts';

/** A container that was being made when its client was killed may appear a little later. */
const ATTEMPTS = 10;
const PAUSE_MS = 500;

export interface Removal {
  readonly endpoint: Endpoint;
  readonly what: 'container' | 'image';
  /** Of a container its name, of an image the digest of its configuration. */
  readonly name: string;
}

/** Removes a container or an image, and waits some seconds for one that is not there yet, or is in use. */
export async function removeAbandoned({ endpoint, what, name }: Removal, env: NodeJS.ProcessEnv): Promise<void> {
  const api = endpoint.via === 'command' ? null : await open(endpoint);
  const remove = () => {
    if (what === 'image') return removeImage(api, name, env);
    return api ? removeContainer(api, name) : removeByCommand(name, env);
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await remove().catch(() => false)) return;
    await setTimeout(PAUSE_MS);
  }
}
