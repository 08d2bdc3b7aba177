/** `rerun --script`: the commands of a plan in a file, or on standard output. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encodeName, fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import { explainSystemError } from '../core/system-errors.ts';
import { gitText, type Repo } from '../dataset/repo.ts';
import { installed, readSubdatasets } from '../dataset/subdatasets.ts';
import { substitutionsOf } from '../run/plan.ts';
import { recordOf } from './plan.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';
import { renderScript, type ScriptHeader } from './script.ts';

/**
 * Writes the script.
 *
 * @param target path of the file, relative to the current folder; `-` emits the text instead
 * @param since as the user gave it
 * @returns DataLad's result; none for `-`. Throws what `renderScript` throws, and `permission-denied`, `disk-full`
 */
export async function writeScript(
  repo: Repo,
  config: Config,
  plan: ReplayPlan,
  target: string,
  since: string | undefined,
): Promise<readonly Result[]> {
  const runs = plan.steps.filter(({ action }) => action === 'run');
  const names = await describeAll(repo, runs);
  const header = {
    dsid: config.get('datalad.dataset.id'),
    revision: plan.revision,
    since,
    ...(await allSubdatasets(repo, '')),
    substitutions: substitutionsOf(config),
  };
  const text = renderScript(
    header,
    runs.map((step) => ({
      name: names.get(step.commit) ?? step.commit,
      record: recordOf(step),
      message: step.run?.message ?? '',
      changed: (step.changes ?? [])
        .filter(({ state, type }) => state !== 'deleted' && type !== 'dataset')
        .map(({ path }) => path),
    })),
  );
  const { context } = repo;
  if (target.trim() === '-') {
    context.emit({ kind: 'text', text });
    return [];
  }
  const path = resolve(context.cwd, target);
  try {
    writeFileSync(fsPath(path), encodeName(text), { mode: 0o644 });
  } catch (error) {
    throw explainSystemError(error);
  }
  return [{ action: 'run', status: 'ok', path, message: `Script written to ${target}` }];
}

/** How many commits are given to one process. */
const PORTION = 500;

/** `git describe` of the commits that an annotated tag reaches. */
async function describeAll(repo: Repo, steps: readonly PlanStep[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  if ((await gitText(repo, ['for-each-ref', '--count=1', 'refs/tags'])) === '') return names;
  for (let from = 0; from < steps.length; from += PORTION) {
    const commits = steps.slice(from, from + PORTION).map(({ commit }) => commit);
    const lines = (await gitText(repo, ['describe', '--always', ...commits])).split('\n');
    for (const [index, commit] of commits.entries()) {
      const name = lines[index] ?? '';
      if (name !== '' && !commit.startsWith(name)) names.set(commit, name);
    }
  }
  return names;
}

async function allSubdatasets(repo: Repo, prefix: string): Promise<Pick<ScriptHeader, 'subdatasets' | 'absent'>> {
  const subdatasets: string[] = [];
  const absent: string[] = [];
  for (const sub of await readSubdatasets(repo)) {
    const path = join(prefix, sub.path);
    const inner = installed(repo, sub);
    const below = inner ? await allSubdatasets(inner, path) : { subdatasets: [], absent: [path] };
    subdatasets.push(path, ...below.subdatasets);
    absent.push(...below.absent);
  }
  return { subdatasets, absent };
}
