import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problemsOfAttestation } from '../../src/rerun/attestation.validate.gen.ts';
import { problemsOfRunRecord } from '../../src/record/run-record.validate.gen.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';

/** Schema -> its generated validator. A file `valid/SCHEMA.CASE.json` is a value; `invalid/SCHEMA.RULE.json` says what is wrong with one. */
const validators: Record<string, (value: unknown) => readonly { readonly path: string; readonly message: string }[]> = {
  'run-record': problemsOfRunRecord,
  attestation: problemsOfAttestation,
};

const cases = (folder: string) =>
  readdirSync(join(import.meta.dirname, folder)).map((file) => {
    const problemsOf = validators[file.slice(0, file.indexOf('.'))];
    if (!problemsOf) throw new Error(`${folder}/${file} names no known schema`);
    return { file, problemsOf, content: JSON.parse(readFileSync(join(import.meta.dirname, folder, file), 'utf8')) };
  });

describe('values that keep the rules', () => {
  test.each(cases('valid'))('$file', ({ problemsOf, content }) => {
    expect(problemsOf(content)).toEqual([]);
  });
});

describe('values that break one rule each', () => {
  test.each(cases('invalid'))('$file', ({ problemsOf, content }) => {
    const { path, message, value } = content as { path: string; message: string; value: unknown };
    expect(problemsOf(value)[0]).toEqual({ path, message: expect.stringContaining(message) });
  });
});

describe('schemas', () => {
  const files = readdirSync(join(projectRoot, 'schemas')).filter((file) => file.endsWith('.schema.json'));

  test.each(files)('%s: draft 2020-12, every part has a title, every property a description', (file) => {
    const schema = JSON.parse(readFileSync(join(projectRoot, 'schemas', file), 'utf8'));
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const parts: [string, Record<string, never>][] = [['', schema], ...Object.entries<never>(schema.$defs ?? {})];
    const flaws = parts.flatMap(([name, part]) => [
      ...(part['title'] ? [] : [`${name} has no title`]),
      ...(part['description'] ? [] : [`${name} has no description`]),
      ...Object.entries<{ description?: string }>(part['properties'] ?? {})
        .filter(([, property]) => !property.description)
        .map(([key]) => `${name}.${key} has no description`),
    ]);
    expect(flaws).toEqual([]);
  });
});

describe('generated files', () => {
  let world: World;
  const check = (root: string) =>
    spawnSync(process.execPath, ['tools/generate.mjs', '--check'], { cwd: root, encoding: 'utf8' });

  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  test('are fresh', () => {
    const result = check(projectRoot);
    expect([result.stderr, result.status]).toEqual(['', 0]);
  });

  test('a schema that has changed since is noticed', () => {
    for (const folder of ['schemas', 'src', 'tools']) {
      cpSync(join(projectRoot, folder), join(world.dir, folder), { recursive: true });
    }
    symlinkSync(join(projectRoot, 'node_modules'), join(world.dir, 'node_modules'));
    const path = join(world.dir, 'schemas/run-record.schema.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"required": ["version", "run"]', '"required": ["run"]'));
    const result = check(world.dir);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('src/record/run-record.gen.ts is stale');
    expect(result.stderr).toContain('src/record/run-record.validate.gen.ts is stale');
  });

  test('validators need nothing at run time', () => {
    const text = readFileSync(join(projectRoot, 'src/record/run-record.validate.gen.ts'), 'utf8');
    expect(text).not.toMatch(/\brequire\(|^import /m);
  });
});
