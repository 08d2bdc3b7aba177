import { expect, test } from 'vitest';
import { configFrom } from '../../src/core/config.ts';
import {
  type AnnexFacts,
  backendFor,
  type NativeAdd,
  nativeAddPossible,
  parseBranchConfig,
} from '../../src/dataset/annex/eligibility.ts';

const usual = [
  ['core.bare', 'false'],
  ['annex.uuid', '11111111-1111-1111-1111-111111111111'],
  ['annex.version', '10'],
] as const;
const facts: AnnexFacts = {
  branch: 'main',
  dotGit: 'folder',
  initialised: true,
  journalled: false,
  hooks: ['pre-commit', 'post-receive'],
  branchConfig: new Map(),
};
const decide = (pairs: readonly (readonly [string, string])[], over: Partial<AnnexFacts> = {}) =>
  nativeAddPossible(configFrom([...usual, ...pairs]), { ...facts, ...over });

test('an ordinary dataset is eligible', () => {
  expect(decide([['annex.backends', 'MD5E SHA256E']])).toEqual({
    ok: true,
    uuid: '11111111-1111-1111-1111-111111111111',
    defaultBackend: 'MD5E',
    maxExtensionLength: 4,
    dotfiles: false,
    secureHashesOnly: false,
    addSmallFiles: true,
  });
  expect(decide([])).toMatchObject({ ok: true, defaultBackend: 'SHA256E' });
});

test.each([
  ['annex.version', '11'],
  ['annex.uuid', ''],
  ['annex.addunlocked', 'true'],
  ['annex.addunlocked', 'include=*.txt'],
  ['annex.crippledfilesystem', 'true'],
  ['annex.thin', 'true'],
  ['annex.thin', 'whatever'],
  ['annex.private', 'true'],
  ['annex.direct', 'true'],
  ['annex.genmetadata', 'true'],
  ['annex.alwayscommit', 'false'],
  ['annex.backend', 'WORM'],
  ['annex.backends', 'XFOO'],
  ['annex.maxextensionlength', 'many'],
  ['annex.maxextensions', '1'],
  ['annex.tune.objecthash1', 'true'],
  ['annex.freezecontent-command', 'chattr +i %path'],
  ['annex.thawcontent-command', 'x'],
  ['annex.secure-erase-command', 'wipe %file'],
  ['annex.commitmessage', 'x'],
  ['annex.commitmessage-command', 'x'],
  ['annex.post-update-command', 'x'],
  ['annex.pre-commit-command', 'x'],
  ['annex.dotfiles', 'perhaps'],
  ['core.symlinks', 'false'],
  ['core.sharedRepository', 'group'],
  ['core.sharedRepository', '0640'],
  ['core.bare', 'true'],
])('%s = %s leaves it to git-annex', (key, value) => {
  expect(decide([[key, value]])).toMatchObject({ ok: false, reason: expect.stringMatching(/\S/) });
});

test.each([
  ['annex.addunlocked', 'false'],
  ['annex.hardlink', 'true'],
  ['annex.pidlock', 'true'],
  ['annex.version', '8'],
  ['annex.maxextensions', '2'],
  ['core.sharedRepository', 'umask'],
  ['core.symlinks', 'true'],
])('%s = %s does not matter', (key, value) => {
  expect(decide([[key, value]])).toMatchObject({ ok: true });
});

test.each<Partial<AnnexFacts>>([
  { branch: 'adjusted/main(unlocked)' },
  { dotGit: 'other' },
  { initialised: false },
  { journalled: true },
  { hooks: ['freezecontent-annex'] },
  { branchConfig: new Map([['annex.addunlocked', 'true']]) },
])('the state %o leaves it to git-annex', (over) => {
  expect(decide([], over)).toMatchObject({ ok: false });
});

test('signed commits of the git-annex branch are left to git-annex', () => {
  expect(decide([['annex.allowsign', 'true']])).toMatchObject({ ok: true });
  expect(
    decide([
      ['annex.allowsign', 'true'],
      ['commit.gpgsign', 'true'],
    ]),
  ).toMatchObject({ ok: false });
});

test('the backend of a file is its attribute, or the default; insecure ones may be forbidden', () => {
  const settings = decide([['annex.backend', 'MD5E']]) as NativeAdd;
  expect(backendFor(settings, 'unspecified')).toBe('MD5E');
  expect(backendFor(settings, 'SHA256E')).toBe('SHA256E');
  expect(backendFor(settings, 'WORM')).toBeNull();
  expect(backendFor(settings, 'set')).toBeNull();
  const secure = decide([], { branchConfig: new Map([['annex.securehashesonly', 'true']]) }) as NativeAdd;
  expect(backendFor(secure, undefined)).toBe('SHA256E');
  expect(backendFor(secure, 'MD5E')).toBeNull();
  expect(backendFor(secure, 'SHA1')).toBeNull();
});

test('the settings of all clones are the newest lines of config.log', () => {
  const log =
    '1795412585.4s annex.addunlocked true\n1795412586s annex.dotfiles \n1795412580s annex.dotfiles true\n' +
    '1795412585.3s annex.largefiles largerthan=3 and not include=*.c\n';
  expect([...(parseBranchConfig(log) ?? [])]).toEqual([
    ['annex.addunlocked', 'true'],
    ['annex.largefiles', 'largerthan=3 and not include=*.c'],
  ]);
  expect(parseBranchConfig('nonsense\n')).toBeNull();
});
