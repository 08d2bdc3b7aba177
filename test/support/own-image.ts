/** Images of one test alone: the busybox image with one layer more, so that no engine has them before. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineSocket, testImage } from './engines.ts';

export interface OwnImage {
  /** An unpacked `docker save`. */
  readonly archive: string;
  readonly configDigest: string;
}

/**
 * Makes an image whose file `/mark` says which it is.
 *
 * @param folder absolute; made now
 * @param ballast bytes of a second new file, so that loading it takes its time
 */
export function ownImage(folder: string, mark: string, ballast: Buffer = Buffer.alloc(0)): OwnImage {
  const archive = join(folder, 'docker');
  cpSync(testImage('busybox').archive, archive, { recursive: true });
  const [entry] = JSON.parse(readFileSync(join(archive, 'manifest.json'), 'utf8'));
  const config = JSON.parse(readFileSync(join(archive, entry.Config), 'utf8'));
  const layer = join(folder, 'layer');
  mkdirSync(layer);
  writeFileSync(join(layer, 'mark'), `${mark}\n`);
  if (ballast.length > 0) writeFileSync(join(layer, 'ballast'), ballast);
  mkdirSync(join(archive, 'top'));
  const tar = spawnSync('tar', ['--sort=name', '-C', layer, '-cf', join(archive, 'top/layer.tar'), '.']);
  if (tar.status !== 0) throw new Error(tar.stderr.toString());
  config.rootfs.diff_ids.push(`sha256:${sha(readFileSync(join(archive, 'top/layer.tar')))}`);
  const text = JSON.stringify(config);
  rmSync(join(archive, entry.Config));
  writeFileSync(join(archive, `${sha(text)}.json`), text);
  const layers = [...entry.Layers, 'top/layer.tar'];
  const manifest = [{ Config: `${sha(text)}.json`, RepoTags: ['somebody/else:1'], Layers: layers }];
  writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest));
  return { archive, configDigest: `sha256:${sha(text)}` };
}

/** Takes an image out of an engine again, if it is there, with all its tags. */
export function forgetImage(engine: 'docker' | 'podman', { configDigest }: OwnImage): void {
  const url = `http://localhost/v1.40/images/${configDigest}?force=true`;
  spawnSync('curl', ['-sS', '--max-time', '60', '--unix-socket', engineSocket(engine), '-X', 'DELETE', url]);
}

function sha(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
