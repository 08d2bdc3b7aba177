/**
 * DataLad's call formats: the `cmdexec` of a container, which turns a command into a command line that starts the container.
 *
 * Formats are used verbatim, with DataLad's placeholders and errors. Two things are different from DataLad, where it writes lines that
 * cannot work elsewhere: `{python}` gives `python3` rather than the absolute path of one machine's interpreter, and an image path with blanks or
 * braces is protected from the shell and from the expansion of the run. Source: datalad-container 1.2, `containers_run`, `containers_add`.
 */
import { RepriseError } from '../core/errors.ts';
import { formatTemplate, type Values } from '../core/format.ts';
import { escapeBraces } from '../core/placeholders.ts';
import { quoteWord } from '../core/quote.ts';

/** What `{python}` gives: DataLad finds its adapter with it wherever it is installed for the interpreter on the PATH. */
export const PORTABLE_PYTHON = 'python3';

export interface CallFormatValues {
  /** Path of the image relative to the folder that the command runs in. */
  readonly image: string;
  /** Path of the dataset that holds the image, relative to the same folder; `.` if it is that folder. */
  readonly imageDataset: string;
  /** The one-string form of the command, placeholders of the run included. */
  readonly command: string;
}

/**
 * The command line that a call format makes of a command: what is recorded as `cmd`, placeholders of the run unexpanded.
 *
 * @param cmdexec the container's call format; undefined for none: the image is then the program
 * @throws `placeholder-unknown`; `placeholder-invalid`; `config-invalid` for a JSON list, DataLad's form before 2018
 */
export function formatCall(cmdexec: string | undefined, values: CallFormatValues): string {
  const { image, command } = values;
  if (cmdexec === undefined) {
    const program = image.includes('/') ? image : `./${image}`;
    return `${quoteWord(escapeBraces(program))} ${command}`;
  }
  if (isJsonList(cmdexec)) {
    throw new RepriseError(
      'config-invalid',
      `The call format ${JSON.stringify(cmdexec)} is in an old, unsupported format: a list instead of a plain string`,
    );
  }
  return format(cmdexec, 'cmdexec', {
    python: PORTABLE_PYTHON,
    img: image,
    cmd: command,
    img_dspath: values.imageDataset,
    img_dirpath: folderOf(image),
  });
}

/**
 * Paths of a container's extra inputs.
 *
 * @param specs the `extra-input` values of the container
 * @throws `placeholder-unknown`, `placeholder-invalid`
 */
export function formatExtraInputs(
  specs: readonly string[],
  { image, imageDataset }: Pick<CallFormatValues, 'image' | 'imageDataset'>,
): readonly string[] {
  const values = { img_dspath: imageDataset, img_dirpath: folderOf(image) };
  return specs.map((spec) => formatNamed(spec, 'extra_input', values));
}

/** The call format that DataLad gives an image by default, told by where it comes from; undefined for none. */
export function defaultCallFormat(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (url.startsWith('shub://') || url.startsWith('docker://')) return 'singularity exec {img} {cmd}';
  if (url.startsWith('dhub://')) return '{python} -m datalad_container.adapters.docker run {img} {cmd}';
  return undefined;
}

const PATHS = ['img', 'img_dspath', 'img_dirpath'] as const;

/** Formats, then puts each path where its mark stands: quoted as that place in the line needs it. */
function format(cmdexec: string, kind: string, values: Readonly<Record<string, string>>): string {
  const plain = PATHS.every((name) => quoteWord(values[name] as string) === values[name]);
  if (plain) return formatNamed(cmdexec, kind, values);
  const marks = freeMarks(`${cmdexec}${values['cmd']}`);
  const marked = PATHS.map((name, at) => [name, marks[at] as string]);
  const line = formatNamed(cmdexec, kind, { ...values, ...Object.fromEntries(marked) });
  return fillMarks(line, new Map(marked.map(([name, mark]) => [mark as string, values[name as string] as string])));
}

function formatNamed(template: string, kind: string, values: Values): string {
  try {
    return formatTemplate(template, values);
  } catch (error) {
    if (!(error instanceof RepriseError) || error.code !== 'placeholder-unknown') throw error;
    const names = Object.keys(values).join(', ');
    throw new RepriseError(
      'placeholder-unknown',
      `Unrecognized ${kind} placeholder: '${String(error.data['name'])}'. See containers-add for information on known ones: ${names}`,
      { hints: error.hints, data: error.data, cause: error },
    );
  }
}

/** Characters of the private use area that a text does not hold. */
function freeMarks(text: string): readonly string[] {
  const marks: string[] = [];
  for (let code = 0xe000; marks.length < PATHS.length; code += 1) {
    const mark = String.fromCodePoint(code);
    if (!text.includes(mark)) marks.push(mark);
  }
  return marks;
}

function fillMarks(line: string, paths: ReadonlyMap<string, string>): string {
  let out = '';
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] as string;
    const path = paths.get(char);
    if (path !== undefined) {
      out += escapeBraces(quoteWithin(path, quote));
      continue;
    }
    out += char;
    if (char === '\\' && quote !== "'" && !paths.has(line[at + 1] ?? '')) {
      at += 1;
      out += line[at] ?? '';
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === "'" || char === '"')) quote = char;
  }
  return out;
}

function quoteWithin(path: string, quote: string): string {
  if (quote === '"') return path.replaceAll(/[\\"$`]/g, '\\$&');
  return quote === "'" ? path.replaceAll("'", `'"'"'`) : quoteWord(path);
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '.' : path.slice(0, slash) || '/';
}

function isJsonList(text: string): boolean {
  if (!text.startsWith('[')) return false;
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
