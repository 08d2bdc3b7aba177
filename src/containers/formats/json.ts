/** JSON of an image, which may say anything. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** A value, or undefined if the bytes are not JSON in UTF-8. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

export function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** The list of texts that a value is; null if it is anything else. */
export function asTexts(value: unknown): readonly string[] | null {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
}

/** The list of objects that a value is; null if it is anything else. */
export function asObjects(value: unknown): readonly JsonObject[] | null {
  return Array.isArray(value) && value.every((item) => asObject(item) !== null) ? value : null;
}
