/** Commit messages as `git commit` leaves them. */

/** Git's whitespace clean-up: no blanks at line ends, no two empty lines in a row, none at the start, one newline at the end. */
export function cleanMessage(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/[ \t\v\f\r]+$/, ''));
  const kept = lines.filter((line, index) => line !== '' || (index > 0 && lines[index - 1] !== ''));
  return `${kept.join('\n').replace(/^\n+|\n+$/g, '')}\n`;
}
