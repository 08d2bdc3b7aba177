/**
 * Finds the run record in a commit message: first as DataLad does, then in the forms that real histories hold besides.
 *
 * DataLad's rule (`get_run_info` in datalad/local/rerun.py) is an expression anchored at the start of the message, greedy in both
 * groups. It is applied here by searching backwards, which takes time in proportion to the message whatever it holds. What
 * squash merges, web merges with CR LF and edited subjects make of a message is recognised only where both delimiters fill
 * their lines: a record that is indented or quoted was pasted, and says nothing about this commit.
 */

export const PREFIX = '[DATALAD RUNCMD]';
export const OPENER = '=== Do not change lines below ===';
export const CLOSER = '^^^ Do not change lines above ^^^';

export type Form =
  /** As DataLad reads it. */
  | 'datalad'
  /** As DataLad writes it, but with CR LF line ends. */
  | 'crlf'
  /** The blank after the prefix was stripped with an empty message. */
  | 'empty-message'
  /** In the list of commits that a squash merge makes. */
  | 'squash-bullet'
  /** The prefix is not at the start of the message. */
  | 'prefix-moved'
  /** There is no prefix at all. */
  | 'prefix-lost'
  /** The layout is DataLad's, the prefix another program's. */
  | 'other-prefix';

export interface Located {
  /** Text before the record, without prefix and trailing white space. */
  readonly message: string;
  /** The JSON between the delimiters. */
  readonly body: string;
  readonly how: Form;
  /** How many complete records the message holds; the last one is the one that was taken. */
  readonly blocks: number;
  /** Text after the closing delimiter, without white space around it. */
  readonly trailing: string;
}

/** The record's place in a message; `mention` if the message only speaks of a run or quotes one; `none` otherwise. */
export function locate(text: string): Located | 'mention' | 'none' {
  const exact = locateAsDatalad(text);
  if (exact) return { ...exact, how: 'datalad', blocks: Math.max(1, lastBlock(unixLines(text))?.count ?? 0) };
  const unix = unixLines(text);
  const block = lastBlock(unix);
  if (!block || text.startsWith('Revert "')) return text.includes(PREFIX) || text.includes(OPENER) ? 'mention' : 'none';
  const repaired = unix === text ? undefined : locateAsDatalad(unix);
  if (repaired) return { ...repaired, how: 'crlf', blocks: block.count };
  return {
    ...subjectOf(unix.slice(block.before, block.open), block.before === 0),
    body: unix.slice(block.open + OPENER.length + 1, block.close),
    blocks: block.count,
    trailing: unix.slice(block.close + 1 + CLOSER.length).trim(),
  };
}

/** `re.match(r'\[DATALAD RUNCMD\] (.*)=== ... ===\n(.*)\n\^\^\^ ... \^\^\^', text, DOTALL)` */
function locateAsDatalad(text: string): Omit<Located, 'how' | 'blocks'> | undefined {
  const start = PREFIX.length + 1;
  if (!text.startsWith(`${PREFIX} `)) return undefined;
  const close = text.lastIndexOf(`\n${CLOSER}`);
  const latest = close - OPENER.length - 1;
  if (latest < start) return undefined;
  const open = text.lastIndexOf(`${OPENER}\n`, latest);
  if (open < start) return undefined;
  return {
    message: stripEnd(text.slice(start, open)),
    body: text.slice(open + OPENER.length + 1, close),
    trailing: text.slice(close + 1 + CLOSER.length).trim(),
  };
}

interface Block {
  /** Where the text that belongs to this block begins: after the block before it. */
  readonly before: number;
  readonly open: number;
  /** Position of the line end before the closing delimiter. */
  readonly close: number;
  readonly count: number;
}

/** The last pair of delimiters that each fill a line and have something between them. */
function lastBlock(text: string): Block | undefined {
  let block: Block | undefined;
  let open = -1;
  let before = 0;
  for (let at = 0; at <= text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    if (isLine(text, at, end, OPENER)) {
      open = at;
    } else if (open !== -1 && isLine(text, at, end, CLOSER)) {
      const close = at - 1;
      if (close > open + OPENER.length) {
        block = { before, open, close, count: (block?.count ?? 0) + 1 };
        before = end;
      }
      open = -1;
    }
    at = end + 1;
  }
  return block;
}

function isLine(text: string, from: number, to: number, line: string): boolean {
  return to - from === line.length && text.startsWith(line, from);
}

function subjectOf(segment: string, first: boolean): Pick<Located, 'message' | 'how'> {
  const at = segment.lastIndexOf(PREFIX);
  if (at === -1) {
    const other = first && segment.startsWith('[DATALAD ');
    return { message: segment.trim(), how: other ? 'other-prefix' : 'prefix-lost' };
  }
  const message = segment.slice(at + PREFIX.length).trim();
  const lead = segment.slice(segment.lastIndexOf('\n', at) + 1, at).trim();
  if (lead === '*' || lead === '-') return { message, how: 'squash-bullet' };
  return { message, how: first && at === 0 && message === '' ? 'empty-message' : 'prefix-moved' };
}

function unixLines(text: string): string {
  return text.includes('\r\n') ? text.replaceAll('\r\n', '\n') : text;
}

/** Python's `str.rstrip()`. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isPythonSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** Python counts the separators U+001C..U+001F and U+0085 as white space and U+FEFF not; JavaScript does the reverse. */
function isPythonSpace(unit: number): boolean {
  return (
    (unit >= 0x1c && unit <= 0x1f) || unit === 0x85 || (unit !== 0xfeff && String.fromCharCode(unit).trim() === '')
  );
}
