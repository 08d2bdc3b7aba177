/** The configuration of a repository in a workspace: its source's, but for what belongs to a place, to an identity, or would reach the source. */
import { decodeName, encodeName } from '../core/bytes.ts';

export interface Setting {
  readonly scope: string;
  readonly key: string;
  /** Null for a key without a value, which means true. */
  readonly value: string | null;
}

/** Parses `git config -z --show-scope --list` (git-config(1)). */
export function parseScoped(output: Buffer): Setting[] {
  const words = decodeName(output).split('\0');
  const settings: Setting[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [scope = '', entry = ''] = words.slice(at, at + 2);
    const end = entry.indexOf('\n');
    settings.push({
      scope,
      key: end === -1 ? entry : entry.slice(0, end),
      value: end === -1 ? null : entry.slice(end + 1),
    });
  }
  return settings;
}

/** Settings that describe the source's own place and state. */
const OF_THE_SOURCE =
  /^(?:core\.(?:worktree|bare|fsmonitor|splitindex|untrackedcache|sparsecheckout(?:cone)?)|include\.|includeif\.|extensions\.(?:worktreeconfig|refstorage|relativeworktrees)|index\.sparse$|annex\.(?:uuid|thin|hardlink)$|gc\.|maintenance\.)/;

/** Who commits may depend on where the repository is (`includeIf gitdir:`). */
const OF_THE_USER = /^(?:user|author|committer)\./;

/** The remote that stands for the source of a workspace. */
export const SOURCE_REMOTE = 'reprise-source';

export interface SourcePlace {
  readonly root: string;
  readonly hooks: string;
  /** Identifier of the workspace's own annex, where the source has one. */
  readonly uuid: string;
  /** Turns a local path that starts from the source's root into an absolute one. */
  readonly absolute: (url: string) => string;
}

/** What is written into the workspace's own configuration file. */
export function workspaceSettings(settings: readonly Setting[], source: SourcePlace): Setting[] {
  const own = settings.filter(({ scope }) => scope === 'local' || scope === 'worktree');
  const get = (key: string) => settings.findLast((setting) => setting.key === key)?.value ?? null;
  const kept = own
    .filter(({ key }) => !OF_THE_SOURCE.test(key))
    .map((setting) =>
      /^remote\..*\.(?:push)?url$/s.test(setting.key) && setting.value !== null
        ? { ...setting, value: source.absolute(setting.value) }
        : setting,
    );
  const users = settings.filter(
    ({ scope, key }) => (scope === 'global' || scope === 'system') && OF_THE_USER.test(key),
  );
  const remotes = new Set(kept.flatMap(({ key }) => /^remote\.(.+)\.[^.]+$/s.exec(key)?.[1] ?? []));
  const annex = own.findLast(({ key }) => key === 'annex.uuid')?.value ?? null;
  const set = (key: string, value: string): Setting => ({ scope: 'local', key, value });
  return [
    ...users,
    ...kept,
    set('core.bare', 'false'),
    // Commits that a command makes itself go through the same hooks as in the source.
    ...(get('core.hookspath') === null ? [set('core.hookspath', source.hooks)] : []),
    set('gc.auto', '0'),
    set('maintenance.auto', 'false'),
    set(`remote.${SOURCE_REMOTE}.url`, source.root),
    ...(annex === null ? [set(`remote.${SOURCE_REMOTE}.annex-ignore`, 'true')] : []),
    ...(annex === null
      ? []
      : [
          set('annex.uuid', source.uuid),
          // Either would let a command that unlocks a file write into the source's object.
          set('annex.thin', 'false'),
          set('annex.hardlink', 'false'),
          set(`remote.${SOURCE_REMOTE}.annex-uuid`, annex),
          // Nothing of a throw-away annex may get to anybody.
          ...[...remotes, SOURCE_REMOTE].flatMap((name) => [
            set(`remote.${name}.annex-readonly`, 'true'),
            set(`remote.${name}.annex-sync`, 'false'),
          ]),
        ]),
  ];
}

/** Settings as the text of a configuration file (git-config(1), "Syntax"). */
export function renderSettings(settings: readonly Setting[]): Buffer {
  const lines = settings.map(({ key, value }) => {
    const first = key.indexOf('.');
    const last = key.lastIndexOf('.');
    const sub = first === last ? '' : ` "${key.slice(first + 1, last).replace(/["\\]/g, '\\$&')}"`;
    return `[${key.slice(0, first)}${sub}]\n\t${key.slice(last + 1)}${value === null ? '' : ` = ${quoteValue(value)}`}\n`;
  });
  return encodeName(lines.join(''));
}

function quoteValue(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}
