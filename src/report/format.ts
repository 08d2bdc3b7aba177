/** The output formats of `-f`: DataLad's names, or a template. */
import { RepriseError } from '../core/errors.ts';
import { parseTemplate, type Template } from './template.ts';

export const FORMATS = ['tailored', 'generic', 'json', 'json_pp', 'disabled'] as const;

export type FormatName = (typeof FORMATS)[number];
export type Format = FormatName | Template;

/**
 * Reads the value of `-f`.
 *
 * @throws `usage` for a word that is neither a format nor holds a placeholder, and for a malformed template
 */
export function parseFormat(text: string): Format {
  const name = FORMATS.find((format) => format === text);
  if (name !== undefined) return name;
  if (text.includes('{')) return parseTemplate(text);
  throw new RepriseError(
    'usage',
    `'${text}' is not an output format; choose ${FORMATS.join(', ')} or a template such as '{action}|{status}'`,
  );
}
