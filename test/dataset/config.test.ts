import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../src/dataset/read-config.ts';
import { requireRepo } from '../../src/dataset/repo.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
let dataset: string;
beforeAll(() => {
  world = createWorld();
  dataset = world.path('dataset');
  world.ok(['git', 'init', '-q', dataset]);
});
afterAll(() => world.remove());

const COMMITTED = `[datalad "dataset"]
\tid = 11111111-2222-3333-4444-555555555555
[datalad "run.substitutions"]
\twho = committed
[reprise "record"]
\textension = none
\tenvironment = SECRET
[datalad "clone"]
\treckless = shared-world
[annex]
\tuuid = 99999999-8888-7777-6666-555555555555
\tlargefiles = nothing
[user]
\tname = Mallory
`;

function configWith(overrides: readonly (readonly [string, string])[] = [], env: NodeJS.ProcessEnv = {}) {
  const context = defaultContext({ cwd: dataset, env: { ...world.env, ...env }, overrides });
  return readConfig(requireRepo(dataset, context, true));
}

test('a commit sets what is DataLad’s or ours, but nothing of Git, of git-annex, of what is recorded about the user, or of what clones give up', async () => {
  world.write(`${dataset}/.datalad/config`, COMMITTED);
  const config = await configWith();
  expect(config.get('datalad.dataset.id')).toBe('11111111-2222-3333-4444-555555555555');
  expect(config.get('reprise.record.extension')).toBe('none');
  expect(config.getAll('reprise.record.environment')).toEqual([]);
  expect(config.getAll('datalad.clone.reckless')).toEqual([]);
  expect(config.get('annex.uuid')).toBeUndefined();
  expect(config.get('annex.largefiles')).toBeUndefined();
  expect(config.getAll('user.name')).toEqual(['Ada Example']);
});

test('the user’s settings come after the commit’s, DATALAD_ variables after those, and -c replaces them all', async () => {
  world.write(`${dataset}/.datalad/config`, COMMITTED);
  world.git(dataset, 'config', 'datalad.run.substitutions.who', 'local');
  expect((await configWith()).getAll('datalad.run.substitutions.who')).toEqual(['committed', 'local']);
  const variable = { DATALAD_RUN_SUBSTITUTIONS_WHO: 'variable' };
  expect((await configWith([], variable)).get('datalad.run.substitutions.who')).toBe('variable');
  const config = await configWith([['datalad.run.substitutions.who', 'option']], variable);
  expect(config.getAll('datalad.run.substitutions.who')).toEqual(['option']);
});

test('a record holds no variable that only the dataset asks for', () => {
  world.write(`${dataset}/.datalad/config`, COMMITTED.replace('none', 'full'));
  world.git(dataset, 'add', '-A');
  world.git(dataset, 'commit', '-qm', 'hostile');
  const ended = world.reprise(dataset, ['run', 'echo x > x'], { env: { SECRET: 'do not record' } });
  expect(ended.code, ended.stderr).toBe(0);
  expect(world.git(dataset, 'log', '-1', '--format=%B')).not.toContain('do not record');
});

test('a commit includes no other files, and what the user includes is the user’s', async () => {
  const other = world.path('other.config');
  world.write(other, '[datalad "run.substitutions"]\n\tfrom = elsewhere\n[reprise "record"]\n\tenvironment = SECRET\n');
  world.write(
    `${dataset}/.datalad/config`,
    `[include]\n\tpath = ${other}\n[datalad "run.substitutions"]\n\town = yes\n`,
  );
  const including = await configWith();
  expect(including.get('datalad.run.substitutions.own')).toBe('yes');
  expect(including.get('datalad.run.substitutions.from')).toBeUndefined();
  expect(including.getAll('include.path')).toEqual([]);

  world.write(`${dataset}/.datalad/config`, '[reprise "record"]\n\tenvironment = SECRET\n[datalad]\n\tflag\n');
  expect((await configWith()).get('datalad.flag')).toBe('true');
  world.git(dataset, 'config', 'include.path', `${dataset}/.datalad/config`);
  expect((await configWith()).getAll('reprise.record.environment')).toEqual(['SECRET']);
  world.git(dataset, 'config', '--unset', 'include.path');
});

test('a commit whose settings cannot be read is named', async () => {
  world.write(`${dataset}/.datalad/config`, '[datalad\n');
  await expect(configWith()).rejects.toMatchObject({
    code: 'git-failed',
    message: expect.stringContaining('.datalad/config'),
  });
});
