/** Configuration as a value: what Git's own precedence gives, with DataLad's additional sources in their places. */

export interface Config {
  /** The last (winning) value of a key, or undefined. Section and variable names are case-insensitive. */
  get(key: string): string | undefined;
  /** All values of a key in order of rising precedence. */
  getAll(key: string): readonly string[];
  /** All entries below a prefix such as `datalad.run.substitutions`, the prefix and its dot removed. */
  section(prefix: string): ReadonlyMap<string, readonly string[]>;
}

/** Git's words for true and false; undefined for anything else. An empty value is false, as in Git. */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (['1', 'yes', 'on', 'true', 'enable'].includes(word)) return true;
  if (['', '0', 'no', 'off', 'false', 'disable'].includes(word)) return false;
  return undefined;
}

/** `Section.Sub.KEY` -> `section.Sub.key`: Git's canonical form, in which subsections keep their case. */
export function canonicalKey(key: string): string {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  if (first === -1) return key.toLowerCase();
  return key.slice(0, first).toLowerCase() + key.slice(first, last) + key.slice(last).toLowerCase();
}

/** Builds a Config from [key, value] pairs in order of rising precedence. */
export function configFrom(pairs: readonly (readonly [string, string])[]): Config {
  const values = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const name = canonicalKey(key);
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  }
  const getAll = (key: string): readonly string[] => values.get(canonicalKey(key)) ?? [];
  return {
    get: (key) => getAll(key).at(-1),
    getAll,
    section(prefix) {
      const start = `${prefix}.`;
      return new Map(
        [...values].filter(([key]) => key.startsWith(start)).map(([key, all]) => [key.slice(start.length), all]),
      );
    },
  };
}
