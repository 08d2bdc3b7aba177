/** Where an image comes from: the value of `containers-add --url`, understood without asking anybody. */
import type { EngineName } from '../containers/engine/endpoint.ts';
import { RepriseError } from '../core/errors.ts';

export type ImageSource =
  /** A file or folder on this machine, copied. */
  | { readonly kind: 'local'; readonly path: string }
  /** One image of an OCI layout on this machine. */
  | { readonly kind: 'layout'; readonly path: string; readonly tag: string }
  /** Built into a SIF file by Apptainer; from a registry also pulled by an engine, where there is no Apptainer. */
  | { readonly kind: 'build'; readonly uri: string; readonly reference: string | null }
  /** Pulled by an engine, and saved. */
  | { readonly kind: 'pull'; readonly reference: string }
  /** Saved by the first of these engines that has it. */
  | { readonly kind: 'engine'; readonly engines: readonly EngineName[]; readonly reference: string }
  /** Downloaded by git-annex, which remembers where. */
  | { readonly kind: 'download'; readonly url: string };

/**
 * @param url as given
 * @param findLocal the absolute path of a file or folder, or null if there is none
 * @throws `image-unavailable` for what cannot be had any more, `usage` for a malformed reference, `path-missing` for a layout that is not there
 */
export function classifySource(url: string, findLocal: (path: string) => string | null): ImageSource {
  const { scheme, rest } = split(url);
  if (scheme === 'shub') {
    throw new RepriseError('image-unavailable', `${url} cannot be had: Singularity Hub was shut down in 2021`, {
      hints: ['reprise containers-add NAME --url docker://IMAGE', 'reprise containers-add NAME --url image.sif'],
      data: { url },
    });
  }
  if (scheme === 'dhub') return { kind: 'pull', reference: completeReference(rest) };
  if (scheme === 'docker' || scheme === 'oci-registry') {
    return { kind: 'build', uri: `docker://${rest}`, reference: completeReference(rest) };
  }
  if (scheme === 'library' || scheme === 'oras') return { kind: 'build', uri: url, reference: null };
  if (scheme === 'docker-daemon' || scheme === 'podman') {
    const engines = scheme === 'podman' ? (['podman'] as const) : (['docker', 'podman'] as const);
    return { kind: 'engine', engines, reference: completeReference(rest) };
  }
  if (scheme === 'oci') return layoutSource(rest, findLocal);
  if (scheme === 'docker-archive' || scheme === 'oci-archive') {
    return { kind: 'local', path: demandLocal(rest, findLocal) };
  }
  const path = findLocal(url);
  if (path !== null) return { kind: 'local', path };
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return { kind: 'download', url };
  throw new RepriseError('path-missing', `There is no image at ${url}, and it is no URL`, { data: { path: url } });
}

const SCHEMES =
  /^(shub|dhub|docker|library|oras):\/\/(.*)$|^(docker-daemon|podman|oci|docker-archive|oci-archive):(.*)$/s;

function split(url: string): { readonly scheme: string | undefined; readonly rest: string } {
  const match = SCHEMES.exec(url);
  const [scheme, rest] = [match?.[1] ?? match?.[3], match?.[2] ?? match?.[4] ?? ''];
  // `oci://debian:12` is in a registry, `oci:debian` and `oci:///images/debian` are folders.
  const inRegistry = scheme === 'oci' && /^\/\/[^/]/.test(rest);
  return inRegistry ? { scheme: 'oci-registry', rest: rest.slice(2) } : { scheme, rest };
}

function layoutSource(rest: string, findLocal: (path: string) => string | null): ImageSource {
  const whole = findLocal(rest);
  if (whole !== null) return { kind: 'local', path: whole };
  const colon = rest.lastIndexOf(':');
  const path = colon > 0 ? findLocal(rest.slice(0, colon)) : null;
  if (path !== null) return { kind: 'layout', path, tag: rest.slice(colon + 1) };
  return { kind: 'local', path: demandLocal(rest, findLocal) };
}

function demandLocal(path: string, findLocal: (path: string) => string | null): string {
  const found = findLocal(path);
  if (found !== null) return found;
  throw new RepriseError('path-missing', `There is no image at ${path}`, { data: { path } });
}

const REFERENCE = /^[\w][\w.-]*(?::\d+)?(?:\/[\w][\w.-]*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

/**
 * A reference to an image in a registry or engine, with the tag `latest` if it has neither tag nor digest.
 *
 * Source: the reference grammar of the distribution specification 1.1. @throws `usage`
 */
export function completeReference(text: string): string {
  if (!REFERENCE.test(text)) {
    throw new RepriseError('usage', `'${text}' is not a reference to an image`, {
      hints: ['reprise containers-add NAME --url docker://debian:stable-slim'],
      data: { reference: text },
    });
  }
  return /[:@]/.test(text.slice(text.lastIndexOf('/') + 1)) ? text : `${text}:latest`;
}

/** A reference as its name, and its tag or digest. */
export function splitReference(reference: string): { readonly name: string; readonly version: string } {
  const at = reference.indexOf('@');
  if (at !== -1) {
    const name = reference.slice(0, at).replace(/:[^/:]*$/, '');
    return { name, version: reference.slice(at + 1) };
  }
  const colon = reference.lastIndexOf(':');
  return { name: reference.slice(0, colon), version: reference.slice(colon + 1) };
}
