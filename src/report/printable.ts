/**
 * Text that is safe to print.
 *
 * Names, messages and commands may come from somebody else's repository: control characters in them could move the cursor,
 * recolour the terminal or forge lines of ours, and URLs in them could show a password.
 */

/** C0, DEL, C1, line and paragraph separators, and the characters that reorder or hide text. */
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' };

/** One line: every control character is shown as an escape, every byte that is not UTF-8 as `\xNN`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, escapeCharacter);
}

/** As `visible`, but line ends and tabs stay: for text of several lines. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN, (char) => (char === '\n' || char === '\t' ? char : escapeCharacter(char)));
}

function escapeCharacter(char: string): string {
  const named = NAMED[char];
  if (named !== undefined) return named;
  const unit = char.charCodeAt(0);
  // A byte of a name that is not UTF-8, as core/bytes.ts decodes it.
  if (unit >= 0xdc80 && unit <= 0xdcff) return `\\x${(unit - 0xdc00).toString(16)}`;
  return unit <= 0xff ? `\\x${unit.toString(16).padStart(2, '0')}` : `\\u${unit.toString(16).padStart(4, '0')}`;
}

/**
 * Masks what stands before the `@` of a URL: always when it has a password, and for HTTP also a bare token.
 * A bare user name, as in `ssh://git@host`, stays.
 */
export function maskSecrets(text: string): string {
  if (!text.includes('://')) return text;
  return text.replace(/\b([a-z][a-z0-9+.-]*):\/\/([^\s/'"]+)@/gi, (whole: string, scheme: string, user: string) =>
    user.includes(':') || /http/i.test(scheme) ? `${scheme}://***@` : whole,
  );
}

/** One safe line for people. Controls first: a password split by an invisible character is still masked. */
export function printable(text: string): string {
  return maskSecrets(visible(text));
}

/** Several safe lines for people. */
export function printableLines(text: string): string {
  return maskSecrets(visibleLines(text));
}
