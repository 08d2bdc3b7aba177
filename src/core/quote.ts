/** POSIX shell quoting exactly as Python's `shlex.quote`, which DataLad uses for commands and placeholders. */

const SAFE = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Quotes one word for a POSIX shell; words of safe characters stay as they are. */
export function quoteWord(word: string): string {
  if (word === '') return "''";
  return SAFE.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Quotes and joins words into one command line. */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ');
}
