/** From the text of an option's argument to its value. */
import { parseBoolean } from '../core/config.ts';
import type { Option } from './parameters.ts';

/** What an option takes instead, for a message. */
export interface Invalid {
  readonly takes: string;
}

/** The value that a text gives for an option; `previous` is what the same option gave before. */
export function parseValue(option: Option, text: string, previous: unknown): { readonly value: unknown } | Invalid {
  switch (option.kind) {
    case 'list':
      return { value: [...((previous as readonly string[] | undefined) ?? []), text] };
    case 'choice':
      return option.choices.includes(text) ? { value: text } : oneOf(option.choices);
    case 'levels':
      return option.words.includes(text) ? { value: text } : integer(text, option.least, option.words);
    case 'integer':
      return option.unset?.includes(text) ? { value: text } : integer(text, option.least, option.unset ?? []);
    case 'yes-no': {
      const value = text === '' ? undefined : parseBoolean(text);
      return value === undefined ? oneOf(['yes', 'no']) : { value };
    }
    default:
      return { value: text };
  }
}

function integer(text: string, least: number, words: readonly string[]): { readonly value: number } | Invalid {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return { value };
  return { takes: [`a whole number from ${least} on`, ...words].join(' or ') };
}

function oneOf(words: readonly string[]): Invalid {
  return { takes: `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` };
}
