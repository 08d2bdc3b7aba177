/** Where a subdataset may be cloned from, in DataLad's order (its `_get_flexible_source_candidates_for_submodule`). No I/O. */
import { basename, posix } from 'node:path';
import type { Config } from '../core/config.ts';

export interface SourceFacts {
  /** Absolute path of the superdataset. */
  readonly superRoot: string;
  /** Path of the subdataset in it. */
  readonly path: string;
  /** Its properties in `.gitmodules`. */
  readonly properties: ReadonlyMap<string, string>;
  /** Remotes of the superdataset that are known to have the commit, the tracked one first: name and URL. */
  readonly remotes: readonly (readonly [string, string])[];
}

export interface SourceCandidate {
  readonly cost: number;
  readonly name: string;
  readonly url: string;
  /** The configuration key of the template it was made from. */
  readonly configKey?: string;
}

const TEMPLATES = 'datalad.get.subdataset-source-candidate-';

/** All candidates, cheapest first, each URL once. */
export function sourceCandidates(facts: SourceFacts, config: Config): SourceCandidate[] {
  const url = facts.properties.get('url');
  const dataladUrl = facts.properties.get('datalad-url');
  const all: SourceCandidate[] = [];
  for (const [name, remoteUrl] of facts.remotes) {
    const path = isUrl(remoteUrl) ? facts.path.split('/').map(encodeURIComponent).join('/') : facts.path;
    all.push({ cost: 650, name, url: joinSource(path, remoteUrl) });
    if (url) all.push({ cost: 600, name, url: joinSource(url, remoteUrl) });
  }
  all.push(...fromTemplates(facts, config));
  if (url) {
    const local = joinSource(url, facts.superRoot);
    if (local !== posix.join(facts.superRoot, facts.path)) all.push({ cost: 900, name: 'local', url: local });
  }
  if (dataladUrl) all.push({ cost: 590, name: 'dl-url', url: dataladUrl });
  all.sort((a, b) => a.cost - b.cost);
  const own = posix.join(facts.superRoot, facts.path);
  return all.filter(
    (candidate, index) => candidate.url !== own && all.findIndex((other) => other.url === candidate.url) === index,
  );
}

function fromTemplates(facts: SourceFacts, config: Config): SourceCandidate[] {
  const values = new Map<string, string>();
  for (const [key, value] of facts.properties) values.set(key === 'datalad-id' ? 'id' : key, value);
  values.set('path_basename', basename(facts.path));
  for (const [name, url] of facts.remotes) values.set(`remoteurl-${name}`, url);
  return [...config.section('datalad.get')].flatMap(([key, all]) => {
    const label = /^subdataset-source-candidate-(.+)$/.exec(key)?.[1];
    const url = label === undefined ? null : fillTemplate(all.at(-1) ?? '', values);
    if (label === undefined || url === null) return [];
    const { cost, name } = parseLabel(label);
    return [{ cost, name, url, configKey: TEMPLATES + label }];
  });
}

/** Fills `{name}`; null where a name is not known. `{{` and `}}` are literal braces, as in Python's format language. */
function fillTemplate(template: string, values: ReadonlyMap<string, string>): string | null {
  let known = true;
  const filled = template.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, name: string | undefined) => {
    if (name === undefined) return whole.charAt(0);
    const value = values.get(name);
    if (value === undefined) known = false;
    return value ?? '';
  });
  return known ? filled : null;
}

function parseLabel(label: string): { readonly cost: number; readonly name: string } {
  const match = /^(\d+)(.*)$/s.exec(label);
  return match?.[1]?.length === 3 ? { cost: Number(match[1]), name: match[2] ?? '' } : { cost: 700, name: label };
}

function isUrl(location: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(location);
}

function isScp(location: string): boolean {
  return /^[^/:]+:(?!\/\/)/.test(location);
}

/** A relative path is taken from the base; anything else stands for itself. */
function joinSource(source: string, base: string): string {
  if (source.startsWith('/') || isUrl(source) || isScp(source)) return source;
  const trimmed = base.replace(/\/+$/, '');
  const [stem, suffix] = trimmed.endsWith('/.git') ? [trimmed.slice(0, -'/.git'.length), '.git'] : [trimmed, ''];
  const url = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*)(.*)$/s.exec(stem) ?? /^([^/:]+:)(?!\/\/)(.*)$/s.exec(stem);
  if (!url) return posix.join(stem, source, suffix);
  return `${url[1]}${posix.join(url[2] ?? '', source, suffix)}`;
}

/**
 * The URL for Git that a candidate stands for: itself, or the place of a dataset in a RIA store, whose URLs are
 * `ria+PROTOCOL://STORE#ID` or `...#~ALIAS`, with `@VERSION` at the end (DataLad's handbook, "Remote indexed archives").
 */
export function decodeSource(source: string): { readonly url: string; readonly version: string | null } {
  const ria = /^ria\+([a-z]+:\/\/[^#]*)#(~?)([^@]+)(?:@(.+))?$/s.exec(source);
  if (!ria) return { url: source.replace(/^file:\/\/(?=\/)/, ''), version: null };
  const [, store = '', alias, id = '', version] = ria;
  const place = alias ? `alias/${id}` : `${id.slice(0, 3)}/${id.slice(3)}`;
  return { url: `${store.replace(/\/+$/, '').replace(/^file:\/\/(?=\/)/, '')}/${place}`, version: version ?? null };
}

/** The forms of a URL to try: some web servers serve a repository with a work tree only at its `.git`. */
export function spellings(url: string): readonly string[] {
  const bare = url.replace(/\/+$/, '');
  return /^https?:\/\//.test(url) && !bare.endsWith('/.git') ? [url, `${bare}/.git`] : [url];
}
