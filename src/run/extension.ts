/** Our own block of a run record: what DataLad does not note, and nothing that names a person, a host or a home directory. */
import { constants } from 'node:os';
import type { Config } from '../core/config.ts';
import type { RecordedContainer, RunExtension } from '../record/run-record.gen.ts';
import { VERSION } from '../core/version.ts';
import type { DeclaredVersusActual } from './effects.ts';
import type { ChangedInput } from './inputs.ts';
import type { CommandExit, Journal } from './journal.ts';

/** Variables that change what programs compute, and say nothing about who or where. */
const ENVIRONMENT = [
  'LANG',
  'LC_ALL',
  'TZ',
  'OMP_NUM_THREADS',
  'OPENBLAS_NUM_THREADS',
  'MKL_NUM_THREADS',
  'PYTHONHASHSEED',
  'SOURCE_DATE_EPOCH',
] as const;

/** Values of the allow-listed variables that are set; `reprise.record.environment` (repeatable) names more. */
export function allowedEnvironment(env: NodeJS.ProcessEnv, config: Config): Record<string, string> {
  const names = [...ENVIRONMENT, ...config.getAll('reprise.record.environment')].sort();
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** The part of the environment that a command sees: in a container of ours only what was passed on by name. */
export function seenEnvironment(env: NodeJS.ProcessEnv, container: RecordedContainer | null): NodeJS.ProcessEnv {
  if (container?.runner === undefined) return env;
  return Object.fromEntries((container.env ?? []).map((name) => [name, env[name]]));
}

/** What is known before the command starts. */
export function openingBlock(given: {
  readonly id: string;
  readonly parent: string | null;
  readonly base: string | null;
  readonly started: string;
  readonly environment: Record<string, string>;
  readonly dirtyInputs: readonly { readonly path: string; readonly digest: string }[];
  readonly literal: boolean;
  readonly container: RecordedContainer | null;
}): RunExtension {
  return {
    version: 1,
    run: given.id,
    ...(given.parent === null ? {} : { parent: given.parent }),
    base: given.base,
    started: given.started,
    tool: `reprise/${VERSION}`,
    ...(Object.keys(given.environment).length === 0 ? {} : { environment: given.environment }),
    ...(given.container === null ? {} : { container: given.container }),
    ...(given.dirtyInputs.length === 0 ? {} : { dirty_inputs: [...given.dirtyInputs] }),
    ...(given.literal ? { no_placeholders: true } : {}),
  };
}

export interface Ending {
  readonly exit: CommandExit;
  readonly children: readonly string[];
  readonly changedInputs: readonly ChangedInput[];
  readonly declared: DeclaredVersusActual;
  readonly log: { readonly out?: string; readonly err?: string };
}

/** The block with what only the end tells. */
export function closingBlock(journal: Journal, ending: Ending): RunExtension | undefined {
  const opening = journal.record.reprise;
  if (!opening || !journal.extension) return undefined;
  const { exit, declared } = ending;
  const signal = exit.code < 0 ? signalName(-exit.code) : undefined;
  const lists = { undeclared: declared.undeclared, untouched: declared.untouched, ignored: declared.ignored };
  return {
    ...opening,
    ended: exit.ended,
    ...(exit.userSeconds === undefined ? {} : { user_s: exit.userSeconds }),
    ...(exit.systemSeconds === undefined ? {} : { system_s: exit.systemSeconds }),
    ...(exit.peakKb === undefined ? {} : { peak_kb: exit.peakKb }),
    ...(signal === undefined ? {} : { signal }),
    ...(ending.children.length === 0 ? {} : { children: [...ending.children] }),
    ...(ending.changedInputs.length === 0 ? {} : { changed_inputs: [...ending.changedInputs] }),
    ...(ending.log.out === undefined && ending.log.err === undefined ? {} : { log: ending.log }),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

/** `SIGKILL` for 9. */
function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
