/** What the pages tell people to type works, from a bare checkout on. */
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from './support/oracles.ts';
import { excusedByNetwork } from './support/registry.ts';
import { pathWithReprise, type ShellBlock, shellBlocks, typeBlocks } from './support/shell-blocks.ts';
import { createWorld, projectRoot, type World } from './support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const pages = readdirSync(join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .concat(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']);

/** A copy of the checkout as a clone would have it. */
function checkout(): string {
  const folder = join(world.dir, 'checkout');
  const left = new Set(['node_modules', 'dist', '.git', 'coverage']);
  cpSync(projectRoot, folder, {
    recursive: true,
    filter: (path) => !(left.has(basename(path)) && join(path, '..') === projectRoot) && !path.endsWith('.tgz'),
  });
  return folder;
}

/** What npm needs of this machine's configuration, with a place of its own for what is installed globally. */
function npmSettings(): Record<string, string> {
  const given = Object.entries(process.env).filter(([name]) =>
    /^(npm_config_|NODE_EXTRA|https?_proxy|no_proxy)/i.test(name),
  );
  const home = process.env['HOME'] ?? '';
  const prefix = join(world.dir, 'npm');
  return {
    ...(Object.fromEntries(given) as Record<string, string>),
    npm_config_userconfig: join(home, '.npmrc'),
    npm_config_cache: join(home, '.npm'),
    npm_config_prefix: prefix,
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    PATH: `${prefix}/bin:${process.env['PATH']}`,
  };
}

const withoutAnnex = (block: ShellBlock): ShellBlock => ({
  ...block,
  code: block.code.replace('reprise create ', 'reprise create --no-annex '),
});

describe('the path from nothing in the README [needs a package registry]', () => {
  test('installs from a checkout, records, shows and repeats', { timeout: 600_000 }, (context) => {
    const annex = world.exec(['/bin/sh', '-c', 'command -v git-annex']).code === 0;
    const blocks = shellBlocks('README.md').map((block) => (annex ? block : withoutAnnex(block)));
    expect(blocks.length).toBeGreaterThanOrEqual(5);
    try {
      typeBlocks(world, checkout(), blocks, npmSettings());
    } catch (error) {
      context.skip(excusedByNetwork(String(error)), 'no package registry can be reached');
      throw error;
    }
    const dataset = join(world.dir, 'home/co2');
    expect(world.git(dataset, 'log', '-1', '--format=%s')).toBe('[DATALAD RUNCMD] Annual means');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });
});

describeWith(['git-annex'], 'the guide for beginners', () => {
  test('works as it stands', () => {
    typeBlocks(world, world.dir, shellBlocks('docs/guide/getting-started.md'), pathWithReprise(world));
  });
});

describe('the pages', () => {
  test('have no link that leads nowhere', () => {
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(projectRoot, page), 'utf8').replaceAll(/^```.*?^```$/gms, '');
      return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !target.includes('://') && !existsSync(join(projectRoot, page, '..', target)))
        .map((target) => `${page}: ${target}`);
    });
    expect(broken).toEqual([]);
  });

  test('name no option that does not exist', () => {
    const known = new Set(readFileSync(join(projectRoot, 'docs/reference/cli.md'), 'utf8').match(/--[a-z][\w-]+/g));
    const unknown = pages.flatMap((page) => {
      const lines =
        readFileSync(join(projectRoot, page), 'utf8').match(
          /reprise (run|rerun|prefetch|stale|attestations|containers-\w+|create|save|status|get|drop|unlock|recover)\b[^`\n|]*/g,
        ) ?? [];
      return lines
        .flatMap((line) => (line.split(/ -- | '|>|&&/)[0] as string).match(/ --[a-z][\w-]+/g) ?? [])
        .map((option) => option.trim())
        .filter((option) => !known.has(option))
        .map((option) => `${page}: ${option}`);
    });
    expect(unknown).toEqual([]);
  });

  test('list every observed difference from DataLad, and each that a scenario relies on', () => {
    const listed = readFileSync(join(projectRoot, 'docs/concepts/differences.md'), 'utf8').match(/^\| S-\d\d(?= \|)/gm);
    const numbers = Array.from({ length: 35 }, (_, at) => `| S-${String(at + 1).padStart(2, '0')}`);
    expect(listed).toEqual(numbers);
    const folder = join(projectRoot, 'test/support');
    const named = readdirSync(folder).flatMap(
      (file) => readFileSync(join(folder, file), 'utf8').match(/\bS-\d\d\b/g) ?? [],
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((number) => !listed?.includes(`| ${number}`))).toEqual([]);
  });
});
