/** One situation that both tools are put into, and how to compare what they make of it. */
import type { FolderState } from './twins-state.ts';

/** A command line of the tool (without its name), or a shell line that is the same for every tool. */
export type Step =
  | { readonly args: readonly string[]; readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }
  | { readonly sh: string };

export const aspects = [
  'code',
  'results',
  'printed',
  'commits',
  'tree',
  'status',
  'files',
  'editmsg',
  'branch',
] as const;
export type Aspect = (typeof aspects)[number];

export interface Ending {
  /** Exit code of each command line, in order. */
  readonly codes: readonly number[];
  /** Results of each command line, as `-f json` prints them, in one form. */
  readonly results: readonly (readonly Record<string, unknown>[])[];
  /** What else was on stdout: the command's own output. */
  readonly printed: readonly string[];
  readonly stderr: readonly string[];
  /** Of each command line: whether we refused it, with an error code of ours. */
  readonly refused: readonly boolean[];
  /** Tracked files that the scenario left as they were. */
  readonly untouched: ReadonlySet<string>;
  /** Whether a record was committed. */
  readonly committed: boolean;
  readonly state: FolderState;
}

/** A deliberate difference: why, in which aspects, and what is right instead. */
export interface Difference {
  /** `S-nn: one sentence`. */
  readonly because: string;
  readonly aspects: readonly Aspect[];
  /** Asserts what we do. */
  readonly ours: (ending: Ending) => void;
}

export interface Scenario {
  /** `X04`, or the number of a statement of the behaviour page. */
  readonly id: string;
  readonly title: string;
  /** The prepared dataset that this starts from; its folder is `ds`. */
  readonly base: Base;
  /** Shell lines, run in the folder that holds `ds`, before the tools come. */
  readonly setUp?: string;
  readonly steps: readonly Step[];
  readonly difference?: Difference;
  /** Why DataLad 0.18 is not asked: it differs from 1.6, which is the contract. */
  readonly notOld?: string;
}

export type Base = keyof typeof bases;

/** Prepared datasets: shell lines, run in an empty folder, with `$REPRISE` for our command. Later ones may copy earlier ones from `..`. */
export const bases = {
  nothing: 'mkdir ds',
  fresh: '$REPRISE create ds',
  git: '$REPRISE create --no-annex ds; cd ds; echo a > a.in; echo b > b.in; mkdir d; echo 1 > d/1; git add .; git commit -qm data',
  /** A repository that no DataLad made: it has no id. */
  plain: 'git init -q ds; cd ds; echo a > a.in; git add .; git commit -qm data',
  /** Annexed files, and `code.txt` in Git. */
  files:
    '$REPRISE create ds; cd ds; echo a > a.in; echo b > b.in; echo blah > "foo blah.txt"; mkdir -p d/e .hid sub; ' +
    'echo 1 > d/1.dat; echo 2 > d/2.dat; echo 3 > d/e/3.dat; echo h > .hid/h.dat; echo i > sub/input; ' +
    'echo in git > code.txt; git annex add -q --force-small code.txt; $REPRISE save -m data',
  text: '$REPRISE create -c text2git ds; cd ds; echo t > t.txt; head -c 2000 /dev/zero > z.bin; $REPRISE save -m data',
  /** A clone without content; `origin` has all. */
  clone:
    'cp -a ../files/ds origin; git clone -q origin ds; cd ds; git annex init -q; git config remote.origin.annex-uuid "$(git -C ../origin config annex.uuid)"',
  /** A superdataset with `sub`, `sub/inner` and `dir/other`. */
  hierarchy:
    '$REPRISE create ds; cd ds; $REPRISE create -d . sub; $REPRISE create -d . sub/inner; $REPRISE create -d . dir/other; ' +
    'echo f > sub/f; echo g > sub/g; echo h > sub/h; echo i > sub/inner/i; echo o > dir/other/o; echo t > top; $REPRISE save -r -m data',
  /** A clone of the superdataset in which no subdataset is installed. */
  hollow: 'cp -a ../hierarchy/ds origin; git clone -q origin ds; cd ds; git annex init -q',
} as const;

/** What a tool has left, for comparison: the files, and of each repository all but its configuration and refs. */
export function leftIn({ files, repos }: FolderState): unknown {
  const compared = Object.entries(repos).map(([path, { commits, tree, status, branch }]) => [
    path,
    { commits, tree, status, branch },
  ]);
  return { files, repos: Object.fromEntries(compared) as unknown };
}

/** Normalises what a tool reported, for comparison: folders, ids of runs, messages as text, and nothing that only one of the tools tells. */
export function plainResult(
  result: Record<string, unknown>,
  names: readonly (readonly [string, string])[],
): Record<string, unknown> {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'string') return names.reduce((text, [from, to]) => text.replaceAll(from, to), value);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    return value;
  };
  const skipped = [...exceptions, ...(ofDatalad[String(result['action'])] ?? [])];
  const entries = Object.entries(result).filter(
    ([key, value]) => value !== null && value !== '' && !skipped.includes(key),
  );
  return Object.fromEntries(entries.map(([key, value]) => [key, plain(key === 'message' ? formatted(value) : value)]));
}

/** Python's own description of an exception. */
const exceptions = ['exception', 'exception_traceback'];

/** Fields that only DataLad has, by action. */
const ofDatalad: Readonly<Record<string, readonly string[]>> = {
  // For which request a subdataset was installed.
  install: ['contains', 'message', 'refds'],
};

/** DataLad's JSON has messages as Python's format and arguments. */
function formatted(message: unknown): unknown {
  if (!Array.isArray(message)) return message;
  const [format, ...values] = message as [string, ...unknown[]];
  return format.replace(/%[sr]/g, () => String(values.shift()));
}
