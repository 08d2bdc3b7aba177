/** What the configuration of a dataset says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitNul } from '../core/bytes.ts';
import { canonicalKey, type Config, configFrom } from '../core/config.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { git, type Repo } from './repo.ts';

/**
 * Reads a dataset's configuration.
 *
 * Rising precedence as DataLad's: the dataset's committed `.datalad/config`, then Git's own (system, global, local, environment),
 * then DATALAD_* variables, then `-c`. A key given with `-c` replaces all its other values.
 */
export async function readConfig(repo: Repo): Promise<Config> {
  const { branch, own } = (await readBoth(repo)) ?? (await readEach(repo));
  const replaced = new Set(repo.context.overrides.map(([key]) => canonicalKey(key)));
  const pairs = [...branch.filter(([key]) => mayBeCommitted(key)), ...own, ...fromDataladEnv(repo.context.env)];
  return configFrom([...pairs.filter(([key]) => !replaced.has(canonicalKey(key))), ...repo.context.overrides]);
}

interface Sources {
  /** What the dataset's commit says. */
  readonly branch: readonly Setting[];
  /** What Git says. */
  readonly own: readonly Setting[];
}

type Setting = readonly [key: string, value: string];

const COMMITTED = '.datalad/config';

/** Both sources from one process, told apart by the file that each setting is from; null where one of them has to be asked alone. */
async function readBoth(repo: Repo): Promise<Sources | null> {
  const path = join(repo.root, COMMITTED);
  const committed = lstatOrNull(path)?.isFile() ? readFileSync(path, 'latin1') : '';
  // A foreign dataset does not choose which other files are read.
  if (/include/i.test(committed)) return null;
  // No file is called that where the user includes it.
  const origin = `${join(repo.root, '.datalad')}/./config`;
  const asked = committed === '' ? [] : ['-c', `include.path=${origin}`];
  const { code, stdout } = await git(repo, [...asked, 'config', '-z', '--list', '--includes', '--show-origin'], {
    env: withoutOverrides(repo.context),
    accept: [0, 128],
  });
  if (code !== 0) return null;
  const words = splitNul(stdout);
  const [branch, own]: [Setting[], Setting[]] = [[], []];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const setting = settingOf(words[at + 1] as string);
    if (words[at] === `file:${origin}`) branch.push(setting);
    else if (words[at] !== 'command line:' || setting[1] !== origin) own.push(setting);
  }
  return { branch, own };
}

async function readEach(repo: Repo): Promise<Sources> {
  const committed = join(repo.root, COMMITTED);
  const [branch, own] = await Promise.all([
    lstatOrNull(committed)?.isFile() ? git(repo, ['config', '-z', '--list', '--no-includes', '-f', committed]) : null,
    git(repo, ['config', '-z', '--list', '--includes'], { env: withoutOverrides(repo.context) }),
  ]);
  return { branch: branch ? parseConfigList(branch.stdout) : [], own: parseConfigList(own.stdout) };
}

/**
 * Whether a setting counts when it comes from the dataset's own, possibly foreign, commit: DataLad's and ours do, Git's and git-annex's do not
 * (neither tool reads them there), and never those of `LOCAL_ONLY`.
 */
function mayBeCommitted(key: string): boolean {
  return /^(datalad|reprise)\./.test(key) && !LOCAL_ONLY.has(canonicalKey(key));
}

/** Which variables of the user's environment are recorded, and what is given up for a clone, is not for a dataset's author to say. */
const LOCAL_ONLY: ReadonlySet<string> = new Set(['reprise.record.environment', 'datalad.clone.reckless']);

function withoutOverrides(context: Context): NodeJS.ProcessEnv {
  return { GIT_CONFIG_COUNT: context.env['GIT_CONFIG_COUNT'] };
}

/** Parses `git config -z --list`. */
export function parseConfigList(output: Buffer): readonly Setting[] {
  return splitNul(output).map(settingOf);
}

function settingOf(entry: string): Setting {
  const at = entry.indexOf('\n');
  // A key without "=" means true, as in Git.
  return at === -1 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** DATALAD_RUN_RECORD__SIDECAR -> datalad.run.record-sidecar (DataLad's rule: two underscores are a hyphen, one is a dot). */
function fromDataladEnv(env: NodeJS.ProcessEnv): (readonly [string, string])[] {
  return Object.entries(env)
    .filter((entry): entry is [string, string] => entry[0].startsWith('DATALAD_') && entry[1] !== undefined)
    .map(([name, value]) => [name.replaceAll('__', '-').replaceAll('_', '.').toLowerCase(), value]);
}
