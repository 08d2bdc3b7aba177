/** The name that an image is configured under, as DataLad gives it to the command. */
import { configFrom } from '../core/config.ts';
import { parseConfigList, readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { installed, readSubdatasets, subdatasetOnPath } from '../dataset/subdatasets.ts';
import { CONFIG_PATH, type Container, readContainers } from './config.ts';
import { objectAt } from './image-at.ts';

/**
 * `NAME`, or `sub/NAME` for an image that a subdataset configures; null where no dataset does.
 *
 * @param image relative to the root of `repo`
 * @param commit what it had configured counts where it is configured no more
 */
export async function configuredName(repo: Repo, image: string, commit: string): Promise<string | null> {
  const named = (containers: readonly Container[]) => containers.find((container) => container.image === image)?.name;
  const own = named(readContainers(repo.root, await readConfig(repo))) ?? named(await containersAt(repo, commit));
  if (own !== undefined) return own;
  const sub = subdatasetOnPath(await readSubdatasets(repo), image);
  const below = sub && installed(repo, sub);
  if (!below) return null;
  const name = await configuredName(
    below,
    image.slice(sub.path.length + 1),
    (await objectAt(repo, commit, sub.path)) ?? 'HEAD',
  );
  return name === null ? null : `${sub.name}/${name}`;
}

async function containersAt(repo: Repo, commit: string): Promise<readonly Container[]> {
  const args = ['config', '-z', '--list', '--no-includes', `--blob=${commit}:${CONFIG_PATH}`];
  const listed = await git(repo, args, { accept: [0, 1, 128] });
  return readContainers(repo.root, configFrom(parseConfigList(listed.stdout)));
}
