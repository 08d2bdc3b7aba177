/**
 * Reading the options of `singularity` and `apptainer` in a command line that somebody else wrote.
 *
 * Source: `exec --help` and `run --help` of Singularity 2.4 to 3.11, SingularityCE 4 and Apptainer 1.0 to 1.4, whose option
 * parser (pflag) takes `--name value`, `--name=value`, `-n value`, `-nvalue` and clusters such as `-ce`.
 */

/** A word of the line: its text as written, and its meaning (null: the shell expands something first). */
export interface Word {
  readonly source: string;
  readonly value: string | null;
}

export interface EngineOption {
  /** Long name with its dashes, whichever way it was written; a short option without a long one as it is. */
  readonly name: string;
  /** Null for a switch, and for a value that the shell expands first. */
  readonly value: string | null;
  /** The option as it stands in the line, its value included. */
  readonly source: string;
}

/** Long options whose value may be the next word. */
const WITH_VALUE: ReadonlySet<string> = new Set(
  (
    'add-caps app apply-cgroups authfile bind blkio-weight blkio-weight-device cdi-dirs config contain-level cpu-shares cpus ' +
    'cpuset-cpus cpuset-mems cwd device dns docker-host drop-caps env env-file fusemount home hostname memory ' +
    'memory-reservation memory-swap mount netns-path network network-args no-mount overlay pem-path pids-limit pwd ' +
    'runscript-timeout scratch security shell tmpdir workdir'
  )
    .split(' ')
    .map((name) => `--${name}`),
);

const SHORT: Readonly<Record<string, string>> = {
  B: '--bind',
  C: '--containall',
  H: '--home',
  S: '--scratch',
  W: '--workdir',
  c: '--contain',
  e: '--cleanenv',
  f: '--fakeroot',
  i: '--ipc',
  n: '--net',
  o: '--overlay',
  p: '--pid',
  s: '--shell',
  u: '--userns',
  w: '--writable',
};

/** Before the verb, short options mean something else. */
const GLOBAL_SHORT: Readonly<Record<string, string>> = {
  c: '--config',
  d: '--debug',
  q: '--quiet',
  s: '--silent',
  v: '--verbose',
  x: '--sh-debug',
};

export interface OptionsRead {
  readonly options: readonly EngineOption[];
  /** Index of the first word that is no option. */
  readonly next: number;
}

/**
 * Reads the options that start at a word.
 *
 * @param place before the verb (`singularity -q exec`), or after it
 * @returns null where a word that the shell expands stands where an option or the next argument must be
 */
export function readEngineOptions(words: readonly Word[], from: number, place: 'global' | 'verb'): OptionsRead | null {
  const options: EngineOption[] = [];
  let at = from;
  for (; at < words.length; at += 1) {
    const word = words[at] as Word;
    // `--env="A=$B"`: the name is plain even where the value is not.
    const shown = word.value ?? /^--[a-z-]+(?==)/.exec(word.source)?.[0] ?? null;
    if (shown === null) return null;
    if (shown === '--') return { options, next: at + 1 };
    if (!shown.startsWith('-') || shown === '-') break;
    const pending = shown.startsWith('--') ? readLong(word, shown, options) : readShort(word, shown, place, options);
    if (pending === null) continue;
    at += 1;
    const value = words[at];
    if (value === undefined) return null;
    options.push({ name: pending, value: value.value, source: `${word.source} ${value.source}` });
  }
  return { options, next: at };
}

/** Returns the name of an option whose value is the next word. */
function readLong(word: Word, shown: string, options: EngineOption[]): string | null {
  const equals = shown.indexOf('=');
  const name = equals === -1 ? shown : shown.slice(0, equals);
  const given = word.source.startsWith(`${name}=`) || equals !== -1;
  if (!given && WITH_VALUE.has(name)) return name;
  options.push({ name, value: equals === -1 ? null : shown.slice(equals + 1), source: word.source });
  return null;
}

function readShort(word: Word, shown: string, place: 'global' | 'verb', options: EngineOption[]): string | null {
  for (let at = 1; at < shown.length; at += 1) {
    const letter = shown[at] as string;
    const name = (place === 'global' ? GLOBAL_SHORT : SHORT)[letter] ?? `-${letter}`;
    if (!WITH_VALUE.has(name)) {
      options.push({ name, value: null, source: word.source });
      continue;
    }
    const rest = shown.slice(at + 1);
    if (rest === '') return name;
    options.push({ name, value: rest.startsWith('=') ? rest.slice(1) : rest, source: word.source });
    return null;
  }
  return null;
}
