/** SIF files that Apptainer builds from a registry, as DataLad lets Singularity do it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Apptainer } from '../containers/apptainer/presence.ts';
import { lastWords } from '../containers/said.ts';
import { RepriseError } from '../core/errors.ts';
import { start } from '../sys/proc.ts';
import type { ImageWork } from './engine-images.ts';
import { endOf } from './program.ts';

/**
 * Builds the image at a URI into a file. Everything temporary is in the work folder.
 *
 * @throws `image-unavailable` with Apptainer's reason
 */
export async function buildSif(
  uri: string,
  file: string,
  host: Apptainer,
  workFolder: string,
  { context, signal }: ImageWork,
): Promise<void> {
  context.emit({ kind: 'info', text: `Building a SIF image from ${uri} (this may take some time)` });
  const tmp = join(workFolder, 'tmp');
  mkdirSync(tmp);
  const process = start([host.program, 'build', file, uri], {
    cwd: workFolder,
    env: { ...context.env, APPTAINER_TMPDIR: tmp, SINGULARITY_TMPDIR: tmp },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  process.stderr?.on('data', (chunk: Buffer) => {
    for (const [, stage = ''] of plain(chunk.toString('utf8')).matchAll(/^INFO:\s+(.+)\.\.\.$/gm))
      context.emit({ kind: 'info', text: `${stage} of ${uri}` });
  });
  const { code, stderr } = await endOf({ process, signal });
  if (code === 0) return;
  throw new RepriseError(
    'image-unavailable',
    `${host.flavour} could not build an image from ${uri}: ${lastWords(stderr)}`,
    {
      data: { url: uri, stderr },
    },
  );
}

/** Apptainer colours its words. */
function plain(text: string): string {
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}
