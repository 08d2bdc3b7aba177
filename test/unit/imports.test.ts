import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const src = resolve(import.meta.dirname, '../../src');

/** Folder -> the folders of ours that it may import. The floors of docs/architecture.md. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  sys: ['core'],
  report: ['core'],
  record: ['core', 'sys'],
  dataset: ['core', 'sys'],
  containers: ['core', 'sys'],
  run: ['core', 'sys', 'record', 'dataset'],
  images: ['core', 'sys', 'record', 'dataset', 'containers', 'run'],
  rerun: ['core', 'sys', 'record', 'dataset', 'containers', 'run', 'images'],
  doctor: ['core', 'sys', 'record', 'dataset', 'containers', 'run', 'images', 'rerun'],
  cli: ['core', 'sys', 'report', 'record', 'dataset', 'containers', 'run', 'images', 'rerun', 'doctor'],
  '.': ['core', 'sys', 'record', 'dataset', 'containers', 'run', 'images', 'rerun', 'doctor'],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') ? [path] : [];
  });
}

function floorOf(path: string): string {
  const parts = relative(src, path).split('/');
  return parts.length === 1 ? '.' : (parts[0] as string);
}

/** Imports that go up or sideways, as `from -> to`. */
export function wrongArrows(file: string, text: string): string[] {
  const from = floorOf(file);
  const specifiers = [...text.matchAll(/(?:from\s+|import\s*\(?\s*)'(\.[^']+)'/g)].map((match) => match[1] as string);
  return specifiers
    .map((specifier) => floorOf(resolve(dirname(file), specifier)))
    .filter((to) => to !== from && !MAY_IMPORT[from]?.includes(to))
    .map((to) => `${relative(src, file)}: ${from} -> ${to}`);
}

describe('imports go down only', () => {
  test('every folder of src is on a floor', () => {
    const folders = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((folder) => folder.name).filter((name) => !(name in MAY_IMPORT))).toEqual([]);
  });

  test('no file imports from its own floor’s siblings or from above', () => {
    const files = sources(src);
    expect(files.length).toBeGreaterThan(5);
    expect(files.flatMap((file) => wrongArrows(file, readFileSync(file, 'utf8')))).toEqual([]);
  });

  test('a planted arrow is seen', () => {
    expect(wrongArrows(join(src, 'core/x.ts'), "import { a } from '../run/run.ts';")).toEqual([
      'core/x.ts: core -> run',
    ]);
    expect(wrongArrows(join(src, 'dataset/x.ts'), "await import('../record/codec.ts')")).toEqual([
      'dataset/x.ts: dataset -> record',
    ]);
  });
});
