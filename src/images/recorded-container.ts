/** What is recorded of a container: in words that any runner understands, for as long as the image itself lasts. */
import { posix } from 'node:path';
import type { ImageIdentity } from '../containers/identity.ts';
import type { KnownIdentity } from '../containers/identity-match.ts';
import { type ContainerPlan, DATASET_PATH } from '../containers/plan.ts';
import { relativeTo } from '../dataset/targets.ts';
import type { ImageLayer, RecordedContainer } from '../record/run-record.gen.ts';
import type { Runner } from './choose-runner.ts';
import type { ImageContent } from './image-content.ts';
import { readMount } from './container-options.ts';
import type { ContainerCase } from './container-case.ts';

/** What is known when the container is about to start; without runner and plan for a line that the shell executes as it is. */
export interface ContainerFacts {
  readonly identity: ImageIdentity;
  readonly content: readonly ImageContent[];
  readonly runner: Runner | null;
  readonly plan: ContainerPlan | null;
}

/** More files than this are told by the digests of the image alone. */
const MOST_FILES = 200;

/** The block `reprise.container` of a record (schemas/run-record.schema.json). */
export function recordedContainer(given: ContainerCase, facts: ContainerFacts): RecordedContainer {
  const { identity, content, runner, plan } = facts;
  // What a line lets in that is executed as it stands, only the line itself says.
  const options = plan === null ? {} : given.options;
  const prefix = relativeTo(given.repo.root, given.owner.root);
  const keys = content.flatMap(({ path, key }) =>
    key === null ? [] : [{ path: posix.join(prefix, path), digest: `annex:${key}` }],
  );
  return {
    ...(given.name === null ? {} : { name: given.name }),
    image: given.recordedPath,
    format: identity.format,
    ...(identity.config === undefined ? {} : { config: identity.config }),
    ...(identity.manifest === undefined ? {} : { manifest: identity.manifest }),
    ...(identity.layers === undefined ? {} : { layers: identity.layers.map(layer) }),
    ...(identity.partitions === undefined
      ? {}
      : { partitions: identity.partitions.map(({ kind, digest }) => ({ kind, digest })) }),
    ...(identity.digest === undefined ? {} : { digest: identity.digest }),
    ...(keys.length === 0 || keys.length > MOST_FILES ? {} : { content: keys }),
    ...(identity.architecture === undefined ? {} : { architecture: identity.architecture }),
    ...(identity.variant === undefined ? {} : { variant: identity.variant }),
    ...(identity.os === undefined ? {} : { os: identity.os }),
    ...(runner === null ? {} : { runner: runner.name }),
    command: given.command,
    ...(given.callFormat === undefined ? {} : { call_format: given.callFormat }),
    ...(plan === null
      ? {}
      : {
          root: DATASET_PATH,
          workdir: plan.workdir,
          network: plan.network,
          ...(options.mounts?.length ? { mounts: options.mounts.map((text) => mount(text, given.mountsFrom)) } : {}),
          ...(options.env?.length ? { env: [...options.env] } : {}),
          ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
          ...(options.writableRoot ? { writable_root: true } : {}),
        }),
  };
}

function layer({ digest, diffId }: { readonly digest: string; readonly diffId: string }): ImageLayer {
  return digest === diffId ? { digest } : { digest, diff_id: diffId };
}

/** A mount with its source as it was asked for: an absolute one would name a place of this machine only. */
function mount(text: string, from: string) {
  const { target, readonly } = readMount(text, from);
  const [source = ''] = text.split(':');
  return { source, target, ...(readonly ? {} : { writable: true }) };
}

/** What a record says about its image, for comparing it with what is there. */
export function knownIdentity(container: RecordedContainer): KnownIdentity {
  const { config, digest, layers, partitions } = container;
  return {
    ...(config === undefined ? {} : { config: config as `sha256:${string}` }),
    ...(digest === undefined ? {} : { digest: digest as `sha256:${string}` }),
    ...(layers === undefined
      ? {}
      : {
          layers: layers.map((one) => ({
            digest: one.digest as `sha256:${string}`,
            diffId: (one.diff_id ?? one.digest) as `sha256:${string}`,
            size: 0,
          })),
        }),
    ...(partitions === undefined
      ? {}
      : {
          partitions: partitions.map(({ kind, digest: of }) => ({ kind, digest: of as `sha256:${string}`, size: 0 })),
        }),
  };
}
