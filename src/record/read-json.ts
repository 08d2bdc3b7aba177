/** JSON from an untrusted source. */

/** Python's own limit is near 1000; real records nest three levels. */
const MAX_DEPTH = 200;

/**
 * Parses JSON without trusting it.
 *
 * @returns the value, or `undefined` if the text is not JSON or is nested so deeply that walking it could exhaust the stack
 */
export function readJson(text: string): unknown {
  if (nestsTooDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function nestsTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === BACKSLASH) at += 1;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) {
      inString = true;
    } else if (unit === BRACKET || unit === BRACE) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (unit === BRACKET + 2 || unit === BRACE + 2) {
      depth -= 1;
    }
  }
  return false;
}

const QUOTE = '"'.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);
const BRACKET = '['.charCodeAt(0);
const BRACE = '{'.charCodeAt(0);
