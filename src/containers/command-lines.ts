/**
 * Understanding recorded command lines that start a container: `singularity exec <image> ...`, DataLad's docker adapter, or the image itself.
 *
 * Such a line belongs to the shell of the host: `singularity exec image cmd > out` redirects outside. So a line is not taken apart;
 * the words from the engine's program through the image are found, and may be replaced where they stand. All else stays, byte for byte.
 * Sources: datalad-container 1.1 and 1.2, `containers_run` and `adapters.docker`; "exec" and "run" of Singularity and Apptainer.
 */
import { posix } from 'node:path';
import { quoteWord } from '../core/quote.ts';
import { type EngineOption, readEngineOptions, type Word } from './engine-options.ts';
import { type ShellWord, type SimpleCommand, simpleCommands } from './shell-words.ts';

export interface EngineCall {
  /**
   * - `singularity`: `singularity` or `apptainer`, or a wrapper with the same arguments (`singularity_cmd` of ReproNim/containers)
   * - `docker-adapter`: `python -m datalad_container.adapters.docker run`
   * - `direct`: the image is the program, as a container without call format is started
   */
  readonly kind: 'singularity' | 'docker-adapter' | 'direct';
  /** `run` starts what the image says (its run script), `exec` starts the command itself. */
  readonly verb: 'exec' | 'run';
  /** The program as it is called. */
  readonly program: string;
  /** `NAME=value` before the program, as written. */
  readonly assignments: readonly string[];
  readonly options: readonly EngineOption[];
  /** How the image is given: `oci`, `docker-archive`, `docker` and such, or null for a path. */
  readonly transport: string | null;
  /** The image as written, without its transport. */
  readonly image: string;
  /** What the container gets; null where the shell of the host expands something in it first. */
  readonly command: readonly string[] | null;
  /** The same as shell words: the pieces of the line, joined with blanks. */
  readonly commandText: string;
  /** Whether the line is this call and nothing else: no redirection, no other command. */
  readonly alone: boolean;
  /** Offsets of the engine's words, from the program through the image. */
  readonly start: number;
  readonly end: number;
}

/**
 * The containers that a shell line starts, in order; empty when there are none, or when the line is not understood.
 *
 * @param images paths of images that are known to belong to the line (`extra_inputs`, or the dataset's containers), relative to where it
 *   runs; with them a call of any other image is not reported, and options that we do not know are no obstacle
 */
export function engineCalls(line: string, images: readonly string[] = []): readonly EngineCall[] {
  const commands = simpleCommands(line) ?? [];
  const known = new Set(images.map(normalise));
  return commands.flatMap((command) => {
    const call = readCall(line, command, known, commands.length === 1);
    return call ? [call] : [];
  });
}

/**
 * Replaces the engine's words of every call in a line; the command, redirections and other commands stay as they are.
 *
 * @param replace gives shell text, quoted as needed, that takes the place of the words from the program through the image
 * @returns null when there is no call in the line
 */
export function replaceEngine(
  line: string,
  images: readonly string[],
  replace: (call: EngineCall) => string,
): string | null {
  const calls = engineCalls(line, images);
  if (calls.length === 0) return null;
  let out = '';
  let from = 0;
  for (const call of calls) {
    out += line.slice(from, call.start) + replace(call);
    from = call.end;
  }
  return out + line.slice(from);
}

/**
 * Replaces every word of a line that names an image, with or without a transport before it, by another path.
 *
 * @param images as for `engineCalls`
 * @param path what takes its place, not quoted
 * @returns null when no word names one, or when the line is not understood
 */
export function replaceImage(line: string, images: readonly string[], path: string): string | null {
  const known = new Set(images.map(normalise));
  let out = '';
  let from = 0;
  for (const { words } of simpleCommands(line) ?? []) {
    for (const { start, end, value } of words) {
      if (value === null || !isWanted({ source: line.slice(start, end), value }, known)) continue;
      const { transport } = splitTransport(value);
      out += line.slice(from, start) + quoteWord(transport === null ? path : `${transport}:${path}`);
      from = end;
    }
  }
  return from === 0 ? null : out + line.slice(from);
}

/** Replaces the program of every call of an engine in a line; null when there is none that can be. */
export function replaceProgram(line: string, images: readonly string[], program: string): string | null {
  const calls = engineCalls(line, images);
  if (calls.length === 0 || !calls.every((call) => line.startsWith(call.program, call.start))) return null;
  return replaceEngine(
    line,
    images,
    (call) => quoteWord(program) + line.slice(call.start + call.program.length, call.end),
  );
}

/** Words after which a command may follow, and programs that do nothing but start the command after them. */
const BEFORE_A_COMMAND = new Set(['!', '{', 'if', 'then', 'else', 'elif', 'while', 'until', 'do']);
const STARTERS = new Set(['exec', 'command', 'nohup', 'time', 'env']);
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
const TRANSPORT =
  /^(docker|docker-archive|docker-daemon|http|https|instance|library|oci|oci-archive|oras|shub):(?:\/\/)?(.+)$/s;

type Found = Pick<EngineCall, 'kind' | 'verb' | 'program' | 'options' | 'transport' | 'image'> & {
  /** Index of the image among the words. */
  readonly at: number;
};

function readCall(
  line: string,
  { words, redirections }: SimpleCommand,
  known: ReadonlySet<string>,
  only: boolean,
): EngineCall | null {
  const shown: readonly Word[] = words.map(({ start, end, value }) => ({ source: line.slice(start, end), value }));
  const { first, assignments } = skipStarters(shown);
  const found =
    readAdapter(shown, first, known) ?? readSingularity(shown, first, known) ?? readDirect(shown, first, known);
  if (!found) return null;
  const start = (words[first] as ShellWord).start;
  const end = (words[found.at] as ShellWord).end;
  if (redirections.some((at) => at > start && at < end)) return null;
  const rest = shown.slice(found.at + 1);
  const values = rest.map(({ value }) => value);
  const { at: _at, ...call } = found;
  return {
    ...call,
    assignments,
    command: values.every((value) => value !== null) ? values : null,
    commandText: rest.map(({ source }) => source).join(' '),
    alone: only && redirections.length === 0 && first === assignments.length && isWhole(line, words),
    start,
    end,
  };
}

/** Whether a line holds the words, blanks between them, and nothing else. */
function isWhole(line: string, words: readonly ShellWord[]): boolean {
  let at = 0;
  for (const word of words) {
    if (!/^[ \t]*$/.test(line.slice(at, word.start))) return false;
    at = word.end;
  }
  return /^[ \t\n]*$/.test(line.slice(at));
}

function skipStarters(words: readonly Word[]): { readonly first: number; readonly assignments: readonly string[] } {
  const assignments: string[] = [];
  let at = 0;
  while (BEFORE_A_COMMAND.has(words[at]?.source ?? '')) at += 1;
  for (; at < words.length; at += 1) {
    const { source } = words[at] as Word;
    if (ASSIGNMENT.test(source)) assignments.push(source);
    else if (!STARTERS.has(source)) break;
  }
  return { first: at, assignments };
}

function readSingularity(words: readonly Word[], first: number, known: ReadonlySet<string>): Found | null {
  const program = words[first]?.value ?? '';
  if (!/^(singularity|apptainer|singularity_cmd)$/.test(posix.basename(program))) return null;
  const global = readEngineOptions(words, first + 1, 'global');
  const verb = global && words[global.next]?.value;
  if (!global || (verb !== 'exec' && verb !== 'run')) return null;
  const from = global.next + 1;
  const after = readEngineOptions(words, from, 'verb');
  const at = after && isWanted(words[after.next], known) ? after.next : findKnown(words, from, known);
  if (at === null) return null;
  const options = at === after?.next ? after.options : plainOptions(words.slice(from, at));
  const image = splitTransport((words[at] as Word).value as string);
  return { kind: 'singularity', verb, program, options: [...global.options, ...options], ...image, at };
}

/** The command line of `adapters.docker run`, as Python's argparse reads it: names of options may be shortened. */
function readAdapter(words: readonly Word[], first: number, known: ReadonlySet<string>): Found | null {
  const program = words[first]?.value ?? '';
  if (program !== '{python}' && !/^(python|pypy)[0-9.]*$/.test(posix.basename(program))) return null;
  let at = first + 1;
  while (/^-[bBdEiIOqsSuv]+$/.test(words[at]?.value ?? '')) at += 1;
  const module = words[at]?.value === '-m' ? words[at + 1]?.value : /^-m(.+)$/.exec(words[at]?.value ?? '')?.[1];
  if (module !== 'datalad_container.adapters.docker') return null;
  at += words[at]?.value === '-m' ? 2 : 1;
  while (/^(-v+|--v(e(r(b(o(se?)?)?)?)?)?)$/.test(words[at]?.value ?? '')) at += 1;
  if (words[at]?.value !== 'run') return null;
  const options: EngineOption[] = [];
  for (at += 1; words[at]?.value?.startsWith('-'); at += 1) {
    const { value, source } = words[at] as Word;
    if (value === '--') {
      at += 1;
      break;
    }
    const [, given = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(value as string) ?? [];
    const name = ['repo-tag', 'config'].find((long) => given !== '' && long.startsWith(given));
    if (name === undefined) return null;
    if (inline === undefined) at += 1;
    const next = words[at];
    if (!next) return null;
    const text = inline === undefined ? `${source} ${next.source}` : source;
    options.push({ name: `--${name}`, value: inline ?? next.value, source: text });
  }
  if (!isWanted(words[at], known)) return null;
  const image = (words[at] as Word).value as string;
  return { kind: 'docker-adapter', verb: 'exec', program, options, transport: null, image, at };
}

/** An image as the program: DataLad records its absolute path, on a machine that may be another one. */
function readDirect(words: readonly Word[], first: number, known: ReadonlySet<string>): Found | null {
  const program = words[first]?.value ?? '';
  if (known.size === 0 || !program.includes('/') || !isKnown(program, known)) return null;
  return { kind: 'direct', verb: 'run', program, options: [], transport: null, image: program, at: first };
}

function isWanted(word: Word | undefined, known: ReadonlySet<string>): boolean {
  if (word?.value === null || word?.value === undefined || word.value === '') return false;
  return known.size === 0 || isKnown(splitTransport(word.value).image, known);
}

/** Finds a known image behind words that may all belong to options. */
function findKnown(words: readonly Word[], from: number, known: ReadonlySet<string>): number | null {
  if (known.size === 0) return null;
  const mayBeOption = (word: Word | undefined) => word?.value?.startsWith('-') ?? true;
  for (let at = from; at < words.length; at += 1) {
    if (isWanted(words[at], known)) return at;
    if (!mayBeOption(words[at]) && (at === from || !mayBeOption(words[at - 1]))) return null;
  }
  return null;
}

/** An absolute path is known by how it ends: the dataset may have been elsewhere when it was recorded. */
function isKnown(image: string, known: ReadonlySet<string>): boolean {
  const path = normalise(image);
  if (known.has(path)) return true;
  if (!path.startsWith('/')) return false;
  return [...known].some((one) => !one.startsWith('/') && path.endsWith(`/${one.replace(/^(\.\.\/)+/, '')}`));
}

function normalise(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, '');
}

function splitTransport(image: string): { readonly transport: string | null; readonly image: string } {
  const [, transport, rest] = TRANSPORT.exec(image) ?? [];
  return transport === undefined || rest === undefined ? { transport: null, image } : { transport, image: rest };
}

/** Options that we do not know: each word by itself. */
function plainOptions(words: readonly Word[]): readonly EngineOption[] {
  return words.map(({ source, value }) => ({ name: value ?? source, value: null, source }));
}
