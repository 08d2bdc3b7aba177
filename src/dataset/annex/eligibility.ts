/**
 * Whether content may be added to a repository's annex without git-annex: only where every setting that changes what `git annex add` does
 * is known to be at a value whose effect is reproduced here.
 *
 * Sources: the configuration section of git-annex's manual, versions 10.20230126 to 10.2026, and its `Types/GitConfig.hs`.
 */
import { readdirSync, statSync } from 'node:fs';
import { fsPath } from '../../core/bytes.ts';
import type { Config } from '../../core/config.ts';
import { lstatOrNull } from '../../sys/files.ts';
import { type Backend, isNativeBackend } from './keys.ts';

export interface AnnexFacts {
  /** Branch that is checked out, without `refs/heads/`; undefined when HEAD is detached. */
  readonly branch: string | undefined;
  /** What `.git` at the top of the work tree is; git-annex turns a file into a symbolic link before its first use. */
  readonly dotGit: 'folder' | 'symlink' | 'other';
  /** Whether `.git/annex` is a folder. */
  readonly initialised: boolean;
  /** Whether `.git/annex/journal` holds changes that are not in the `git-annex` branch yet. */
  readonly journalled: boolean;
  /** Names of the files in the hooks folder. */
  readonly hooks: readonly string[];
  /** What `git annex config` set for all clones (`config.log` of the `git-annex` branch), by name. */
  readonly branchConfig: ReadonlyMap<string, string>;
}

export interface NativeAdd {
  readonly ok: true;
  readonly uuid: string;
  /** For files without an `annex.backend` attribute. */
  readonly defaultBackend: Backend;
  readonly maxExtensionLength: number;
  /** `annex.dotfiles` as configured; DataLad overrides it with true. */
  readonly dotfiles: boolean;
  /** Whether only keys of SHA-2 may be made. */
  readonly secureHashesOnly: boolean;
  /** Whether small files may be given to Git; otherwise `git annex add` leaves them alone. */
  readonly addSmallFiles: boolean;
}

export type NativeAddDecision = NativeAdd | { readonly ok: false; readonly reason: string };

/** Settings that must be off or absent, and what each would change. */
const MUST_BE_OFF: readonly (readonly [string, string])[] = [
  ['core.bare', 'the repository has no work tree'],
  ['annex.direct', 'the repository is of a kind that git-annex no longer supports'],
  ['annex.crippledfilesystem', 'the file system has no permissions or symbolic links'],
  ['annex.private', 'locations are kept out of the git-annex branch'],
  ['annex.genmetadata', 'metadata are recorded with each file'],
  ['annex.thin', 'objects may be hard links to files that are being modified'],
];

/** Settings that must be absent, and what each would change. */
const MUST_BE_ABSENT: readonly (readonly [string, string])[] = [
  ['annex.freezecontent-command', 'a command protects objects'],
  ['annex.thawcontent-command', 'a command makes objects writable'],
  ['annex.secure-erase-command', 'a command removes duplicate content'],
  ['annex.commitmessage', 'commits to the git-annex branch carry another message'],
  ['annex.commitmessage-command', 'a command writes the messages of the git-annex branch'],
  ['annex.post-update-command', 'a command runs after the git-annex branch is updated'],
  ['annex.pre-commit-command', 'a command runs before each commit'],
];

const HOOKS: ReadonlySet<string> = new Set([
  'freezecontent-annex',
  'thawcontent-annex',
  'secure-erase-annex',
  'commitmessage-annex',
  'post-update-annex',
  'pre-commit-annex',
]);

/**
 * Decides whether files may be added natively.
 * @returns what the repository's settings say about keys, or a reason in words why git-annex has to do it
 */
export function nativeAddPossible(config: Config, facts: AnnexFacts): NativeAddDecision {
  const no = (reason: string): NativeAddDecision => ({ ok: false, reason });
  const version = config.get('annex.version');
  if (version === undefined || !['8', '9', '10'].includes(version)) {
    return no(`annex.version is ${version ?? 'not set'}`);
  }
  const uuid = config.get('annex.uuid');
  if (uuid === undefined || !/^\S+$/.test(uuid)) return no('annex.uuid is not set');
  if (!facts.initialised) return no('git-annex has not been initialised here');
  if (facts.dotGit === 'other') return no('.git is a file, which git-annex will turn into a symbolic link');
  if (facts.journalled) return no('git-annex has changes that are not in its branch yet');
  if (facts.branch?.startsWith('adjusted/')) return no(`${facts.branch} is an adjusted branch`);

  for (const [key, effect] of MUST_BE_OFF) if (!isOff(config.get(key))) return no(`${key}: ${effect}`);
  for (const [key, effect] of MUST_BE_ABSENT) if (config.get(key) !== undefined) return no(`${key}: ${effect}`);
  if (config.section('annex.tune').size > 0) return no('annex.tune: objects or logs have other places');
  const hook = facts.hooks.find((name) => HOOKS.has(name));
  if (hook !== undefined) return no(`hook ${hook}: it changes what git-annex does`);
  if (!isOn(config.get('core.symlinks'))) return no('core.symlinks: files are added unlocked');
  if (!isOn(config.get('annex.alwayscommit'))) return no('annex.alwayscommit: locations stay in the journal');
  const shared = config.get('core.sharedrepository');
  if (shared !== undefined && shared !== 'umask' && !isOff(shared)) {
    return no('core.sharedRepository: objects have other permissions');
  }
  if (!isOff(config.get('annex.allowsign')) && !isOff(config.get('commit.gpgsign'))) {
    return no('annex.allowsign: commits to the git-annex branch are signed');
  }
  const unlocked = config.get('annex.addunlocked') ?? facts.branchConfig.get('annex.addunlocked');
  if (!isOff(unlocked)) return no('annex.addunlocked: files may be added unlocked');
  return settingsOfKeys(config, facts, uuid);
}

function settingsOfKeys(config: Config, facts: AnnexFacts, uuid: string): NativeAddDecision {
  const no = (reason: string): NativeAddDecision => ({ ok: false, reason });
  const words =
    config
      .get('annex.backends')
      ?.split(/\s+/)
      .filter((word) => word !== '') ?? [];
  const defaultBackend = config.get('annex.backend') ?? words[0] ?? 'SHA256E';
  if (!isNativeBackend(defaultBackend)) return no(`annex.backend: ${defaultBackend} is not known here`);
  const maxExtensionLength = config.get('annex.maxextensionlength') ?? '4';
  if (!/^\d{1,2}$/.test(maxExtensionLength)) return no('annex.maxextensionlength is unusual');
  // git-annex before 2024 does not know this setting, and which version made the other keys is not known.
  if (!['2', undefined].includes(config.get('annex.maxextensions'))) return no('annex.maxextensions is set');
  const secure = [config.get('annex.securehashesonly'), facts.branchConfig.get('annex.securehashesonly')];
  const dotfiles = config.get('annex.dotfiles') ?? facts.branchConfig.get('annex.dotfiles');
  const addSmallFiles = config.get('annex.addsmallfiles');
  for (const value of [...secure, dotfiles, addSmallFiles]) {
    if (value !== undefined && !isOff(value) && !isOn(value)) return no(`${value} is neither true nor false`);
  }
  return {
    ok: true,
    uuid,
    defaultBackend,
    maxExtensionLength: Number(maxExtensionLength),
    dotfiles: !isOff(dotfiles),
    secureHashesOnly: !secure.every(isOff),
    addSmallFiles: isOn(addSmallFiles),
  };
}

/** Only the words that Git and every version of git-annex read alike; any other word is neither on nor off. */
function isOff(value: string | undefined): boolean {
  return value === undefined || /^(|0|no|off|false)$/i.test(value);
}

function isOn(value: string | undefined): boolean {
  return value === undefined || /^(1|yes|on|true)$/i.test(value);
}

/**
 * The backend for one file.
 * @param attribute the file's `annex.backend` as `git check-attr` prints it, or undefined
 * @returns null where its keys have to be made by git-annex
 */
export function backendFor(settings: NativeAdd, attribute: string | undefined): Backend | null {
  const unspecified = attribute === undefined || attribute === '' || attribute === 'unspecified';
  const name = unspecified ? settings.defaultBackend : attribute;
  if (!isNativeBackend(name)) return null;
  return settings.secureHashesOnly && !/^SHA(256|512)E?$/.test(name) ? null : name;
}

/**
 * Parses `config.log` of the `git-annex` branch: `<seconds>s <name> <value>` per line, the newest line of a name counts.
 * @returns null where a line has another form
 */
export function parseBranchConfig(text: string): ReadonlyMap<string, string> | null {
  const newest = new Map<string, { readonly time: number; readonly value: string }>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const found = /^(\d+(?:\.\d+)?)s (\S+)(?: (.*))?$/.exec(line);
    if (!found) return null;
    const [, time = '', name = '', value = ''] = found;
    const known = newest.get(name);
    if (!known || known.time <= Number(time)) newest.set(name, { time: Number(time), value });
  }
  return new Map([...newest].filter(([, { value }]) => value !== '').map(([name, { value }]) => [name, value]));
}

/** Looks up what the file system says; the branch and its settings come from the caller. */
export function observeAnnex(
  top: string,
  branch: string | undefined,
  branchConfig: ReadonlyMap<string, string>,
  hooksFolder = `${top}/.git/hooks`,
): AnnexFacts {
  const dotGit = lstatOrNull(`${top}/.git`);
  return {
    branch,
    dotGit: dotGit?.isDirectory() ? 'folder' : dotGit?.isSymbolicLink() ? 'symlink' : 'other',
    initialised: isFolder(`${top}/.git/annex`),
    journalled: namesIn(`${top}/.git/annex/journal`).length > 0,
    hooks: namesIn(hooksFolder),
    branchConfig,
  };
}

/** In a linked work tree this is a symbolic link to the main repository's folder. */
function isFolder(path: string): boolean {
  try {
    return statSync(fsPath(path)).isDirectory();
  } catch {
    return false;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(fsPath(folder), 'utf8');
  } catch {
    return [];
  }
}
