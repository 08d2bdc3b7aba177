/** The configuration that a workspace takes over from its source. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { describe, expect, test } from 'vitest';
import { parseScoped, renderSettings, type Setting, workspaceSettings } from '../../src/dataset/workspace-config.ts';

const PLACE = {
  root: '/src',
  hooks: '/src/.git/hooks',
  uuid: 'new',
  absolute: (url: string) => (url === '../x' ? '/x' : url),
};
const local = (key: string, value: string | null): Setting => ({ scope: 'local', key, value });

function settingsOf(...given: Setting[]): Record<string, string | null> {
  return Object.fromEntries(workspaceSettings(given, PLACE).map(({ key, value }) => [key, value]));
}

describe('a workspace’s configuration', () => {
  test('is the source’s, but for its place, its identity and what would reach the source', () => {
    const settings = settingsOf(
      { scope: 'system', key: 'core.pager', value: 'less' },
      { scope: 'global', key: 'user.name', value: 'Ada' },
      local('core.worktree', '../..'),
      local('annex.uuid', 'old'),
      local('annex.thin', 'true'),
      local('annex.backend', 'MD5E'),
      local('includeif.gitdir:/src.path', 'x'),
      local('extensions.worktreeconfig', 'true'),
      local('remote.up.url', '../x'),
      local('core.hookspath', '.githooks'),
    );
    expect(settings).toMatchObject({
      'user.name': 'Ada',
      'annex.backend': 'MD5E',
      'annex.uuid': 'new',
      'annex.thin': 'false',
      'annex.hardlink': 'false',
      'core.hookspath': '.githooks',
      'remote.up.url': '/x',
      'remote.up.annex-readonly': 'true',
      'remote.reprise-source.url': '/src',
      'remote.reprise-source.annex-uuid': 'old',
    });
    for (const key of ['core.pager', 'core.worktree', 'includeif.gitdir:/src.path', 'extensions.worktreeconfig'])
      expect(settings).not.toHaveProperty([key]);
  });

  test('of a source without an annex has none', () => {
    const keys = Object.keys(settingsOf(local('user.name', 'Ada')));
    expect(keys.filter((key) => key.startsWith('annex.'))).toEqual([]);
    expect(keys).toContain('core.hookspath');
  });

  test('is read by Git as it was written, whatever names and values hold', () => {
    const folder = mkdtempSync(join(tmpdir(), 'reprise-config-'));
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', '"', '\\', '\n', '\t', ';', '#', '=', 'é', '\udcff', ']'),
    });
    const setting = fc
      .tuple(fc.constantFrom('user', 'x'), fc.option(text.map((sub) => sub.replaceAll('\n', ''))), fc.option(text))
      .map(([section, sub, value]) => local(`${section}${sub === null ? '' : `.${sub}`}.name`, value));
    try {
      fc.assert(
        fc.property(fc.array(setting, { maxLength: 40 }), (settings) => {
          writeFileSync(join(folder, 'config'), renderSettings(settings));
          const args = ['config', '-z', '--show-scope', '--list', '-f', join(folder, 'config')];
          const read = parseScoped(execFileSync('git', args, { cwd: folder }));
          expect(read.map(({ key, value }) => [key, value])).toEqual(settings.map(({ key, value }) => [key, value]));
        }),
        { numRuns: 40 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
