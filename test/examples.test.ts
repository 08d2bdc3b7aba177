/** The examples do what their pages say: the commands are typed as they stand there, and results and records compared. */
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMessage } from '../src/record/message.ts';
import { describeWith } from './support/oracles.ts';
import { pathWithReprise, shellBlocks, typeBlocks } from './support/shell-blocks.ts';
import { createWorld, projectRoot, type World } from './support/world.ts';

const published = join(projectRoot, 'node_modules/vega-datasets/data');
const examples = readdirSync(join(projectRoot, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
let world: World;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** Makes a dataset of a copy of an example and types its commands, the one that creates it without an annex if asked. */
function perform(name: string, annex: boolean): { readonly dataset: string; readonly records: readonly unknown[] } {
  const dataset = join(world.dir, `${name}-${annex ? 'annex' : 'git'}`);
  cpSync(join(projectRoot, 'examples', name), dataset, { recursive: true });
  const blocks = shellBlocks(`examples/${name}/README.md`).map(({ code, expected }) => ({
    code: annex ? code : code.replace(/^reprise create --force .*$/m, 'reprise create --force --no-annex .'),
    expected,
  }));
  typeBlocks(world, dataset, blocks, pathWithReprise(world));
  const log = world.git(dataset, 'log', '--format=%x00%H%x01%B', '--reverse');
  const records = log.split('\0').flatMap((entry) => {
    const [commit = '', text = ''] = entry.split('\x01');
    const parsed = parseMessage(text, { commit });
    if (parsed.kind !== 'record') return [];
    const { dsid, reprise, ...rest } = parsed.record;
    expect(dsid).toBe(world.git(dataset, 'config', '--file', '.datalad/config', 'datalad.dataset.id'));
    expect(reprise).toMatchObject({ version: 1, base: expect.stringMatching(/^[0-9a-f]{40}$/) });
    return [rest];
  });
  return { dataset, records };
}

function expected(name: string): unknown {
  return JSON.parse(readFileSync(join(projectRoot, 'examples', name, 'expected/records.json'), 'utf8'));
}

/** Results that an example is to give, relative to the dataset. */
function results(name: string): readonly string[] {
  const folder = join(projectRoot, 'examples', name, 'expected');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'records.json')
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function proveExample(name: string, annex: boolean): void {
  const { dataset, records } = perform(name, annex);
  const byOutput = (record: unknown) => JSON.stringify((record as { outputs: unknown }).outputs);
  expect([...records].sort((a, b) => byOutput(a).localeCompare(byOutput(b)))).toEqual(expected(name));
  for (const path of results(name)) {
    expect(readFileSync(join(dataset, path), 'utf8')).toBe(readFileSync(join(dataset, 'expected', path), 'utf8'));
  }
  expect(world.git(dataset, 'status', '--porcelain')).toBe('');
}

describe('every example', () => {
  test.each(examples)('%s works on data that are exactly those published', (name) => {
    const tables = readdirSync(join(projectRoot, 'examples', name)).filter((file) => file.endsWith('.csv'));
    expect(tables).not.toEqual([]);
    for (const table of tables) {
      expect(existsSync(join(published, table))).toBe(true);
      expect(readFileSync(join(projectRoot, 'examples', name, table))).toEqual(readFileSync(join(published, table)));
    }
  });

  test.each(examples)('%s gives the expected results and records in a plain Git dataset', (name) => {
    proveExample(name, false);
  });
});

describeWith(['git-annex'], 'every example with an annex', () => {
  test.each(examples)('%s gives the expected results and records as its page has it', (name) => {
    proveExample(name, true);
  });
});
