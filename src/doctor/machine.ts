/** What this machine has, besides runners, of what Reprise works with. */
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { VERSION } from '../core/version.ts';
import { identity } from '../dataset/fast-import.ts';
import { gitEnv, gitText, type Place } from '../dataset/repo.ts';
import { compressXz, decompressXz } from '../record/xz.ts';
import { gnuTime } from '../run/execute.ts';
import type { Context } from '../sys/context.ts';
import { execute } from '../sys/proc.ts';
import { examine, type Look, PATIENCE_MS } from './finding.ts';

/**
 * Looks at all of it at once.
 *
 * @param place the dataset, or the folder that is worked in: it may say who commits
 * @param usesAnnex whether the dataset does
 */
export function lookAtMachine(place: Place, usesAnnex: boolean): Promise<readonly Result[]> {
  const { context } = place;
  const subject = { kind: 'machine', path: context.cwd } as const;
  return Promise.all([
    examine({ ...subject, name: 'node' }, () => nodeFacts(process.versions.node)),
    examine({ ...subject, name: 'git', essential: true }, () => gitFacts(context)),
    examine({ ...subject, name: 'identity', essential: true }, () => identityFacts(place)),
    examine({ ...subject, name: 'git-annex', essential: usesAnnex }, () => annexFacts(context, usesAnnex)),
    examine({ ...subject, name: 'time' }, timeFacts),
    examine({ ...subject, name: 'xz' }, xzFacts),
  ]);
}

/** The range in package.json: `^20.19.0 || >=22.12.0`. */
export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22;
}

function nodeFacts(version: string): Look {
  const facts = { version, reprise: VERSION, path: process.execPath, type: 'file' } as const;
  if (isSupportedNode(version)) {
    return { ...facts, message: `Node ${version} on ${process.platform} ${process.arch}, Reprise ${VERSION}` };
  }
  return {
    ...facts,
    status: 'error',
    message: `Node ${version} is none that Reprise ${VERSION} is made for: 20.19, 22.12, or newer`,
    hints: ['conda install --channel conda-forge nodejs'],
  };
}

async function gitFacts(context: Context): Promise<Look> {
  const text = await gitText({ root: '/', context }, ['version']);
  const version = /\d+(?:\.\d+)+/.exec(text)?.[0] ?? text;
  return { version, message: `Git ${version}${hearsSettings(version) ? '' : DEAF}` };
}

/** GIT_CONFIG_COUNT (git-config(1)) is there since Git 2.31. */
export function hearsSettings(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 31);
}

const DEAF = ', which takes no notice of settings given with -c; Git 2.31 does';

async function identityFacts(place: Place): Promise<Look> {
  const who = async (which: Parameters<typeof identity>[1]) =>
    (await identity(place, which)).replace(/ \d+ [+-]\d{4}$/, '');
  const [author, committer] = await Promise.all([who('GIT_AUTHOR_IDENT'), who('GIT_COMMITTER_IDENT')]);
  return { message: author === committer ? author : `${author}, committed by ${committer}`, author, committer };
}

async function annexFacts(context: Context, usesAnnex: boolean): Promise<Look> {
  try {
    const version = await annexVersion(context);
    return { version, message: `git-annex ${version}` };
  } catch (error) {
    if (!(error instanceof RepriseError) || error.code !== 'annex-missing' || usesAnnex) throw error;
    return {
      status: 'impossible',
      message: `${error.message}; datasets without an annex work all the same`,
      error_code: error.code,
      hints: [...error.hints, 'reprise create --no-annex'],
    };
  }
}

async function annexVersion(context: Context): Promise<string> {
  const options = { cwd: '/', env: gitEnv(context), signal: AbortSignal.timeout(PATIENCE_MS) };
  const { code, signal, stdout, stderr } = await execute(['git-annex', 'version', '--raw'], options);
  if (code === 0) return stdout.toString('utf8').trim();
  const reason = signal === null ? stderr.trim().split('\n').at(-1) : 'it does not answer';
  throw new RepriseError('annex-failed', `git-annex does not say its version: ${reason}`, {
    hints: ['git-annex version'],
  });
}

function timeFacts(): Look {
  const path = gnuTime();
  if (path !== null) return { path, type: 'file', message: 'GNU time, which measures the memory of commands' };
  return {
    status: 'impossible',
    message: 'GNU time is not installed: records do not tell how much memory a command took',
    hints: ['apt-get install time'],
  };
}

async function xzFacts(): Promise<Look> {
  const sample = Buffer.from('{"cmd": "true"}');
  try {
    const back = await decompressXz(await compressXz(sample), sample.length);
    if (typeof back !== 'string' && back.equals(sample)) {
      return { message: 'Sidecar files of records can be written and read' };
    }
    return noXz(typeof back === 'string' ? `what was written ${back}` : 'what was written is read as something else');
  } catch (error) {
    // The library has native code, which may not be there for this machine.
    return noXz(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
  }
}

function noXz(reason: string): Look {
  return {
    status: 'impossible',
    message: `Sidecar files of records can be neither written nor read: ${reason}`,
    hints: ['npm rebuild --global lzma-native'],
  };
}
