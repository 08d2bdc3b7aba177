import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Event } from '../../src/core/result.ts';
import { repoAt, type Repo } from '../../src/dataset/repo.ts';
import {
  type Attestation,
  attestationPath,
  attestedCommit,
  environmentClass,
  recordAttestation,
  recordAttestations,
  worstVerdict,
} from '../../src/rerun/attestations.ts';
import { fetchAttestations, pushAttestations } from '../../src/rerun/attestations-exchange.ts';
import { parseAttestation, readAttestations } from '../../src/rerun/attestations-read.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { start } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

const REF = 'refs/reprise/attestations';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const ascending = (a: number | null, b: number | null) => Number(a) - Number(b);

let made = 0;
function repository(): { readonly repo: Repo; readonly dir: string; readonly head: string; readonly events: Event[] } {
  made += 1;
  const dir = world.path(`repo-${made}`);
  world.sh(world.dir, `git init -q ${dir} && cd ${dir} && git commit -q --allow-empty -m first`);
  return { ...open(dir), dir, head: world.git(dir, 'rev-parse', 'HEAD') };
}

function open(dir: string): { readonly repo: Repo; readonly events: Event[] } {
  const events: Event[] = [];
  const context = defaultContext({ cwd: dir, env: world.env, emit: (event) => events.push(event) });
  return { repo: repoAt(dir, context) as Repo, events };
}

function attestation(commit: string, change: Partial<Attestation> = {}): Attestation {
  return {
    version: 1,
    commit,
    base: commit,
    replayed: null,
    when: '2026-05-05T08:00:00.000Z',
    verdict: 'identical',
    exit: 0,
    outputs: [{ path: 'out', verdict: 'identical', recorded: `git:${commit}`, replayed: `git:${commit}` }],
    tool: 'reprise/1.0.0',
    runner: 'native',
    environment: environmentClass(),
    ...change,
  };
}

/** What was attested, whoever did it. */
const read = async (...args: Parameters<typeof readAttestations>) =>
  (await readAttestations(...args)).map((found) => found.attestation);

describe('a verdict is kept', () => {
  test('and read back as it was, on a ref of its own, without a change of index, work tree or HEAD', async () => {
    const { repo, dir, head } = repository();
    world.sh(dir, 'echo staged > staged && git add staged && echo untracked > untracked');
    const before = [readFileSync(join(dir, '.git/index')), world.git(dir, 'status', '--porcelain')];
    const odd = attestation(head, {
      outputs: [{ path: 'a\nb \udcff"{x}', verdict: 'missing', recorded: 'annex:MD5E-s1--a.txt', replayed: null }],
      verdict: 'missing',
    });
    await recordAttestation(repo, odd);
    expect(await read(repo)).toEqual([odd]);
    expect([readFileSync(join(dir, '.git/index')), world.git(dir, 'status', '--porcelain')]).toEqual(before);
    expect(world.git(dir, 'rev-parse', 'HEAD')).toBe(head);
    expect(world.git(dir, 'for-each-ref', '--format=%(refname)', 'refs/reprise')).toBe(REF);
  });

  test('without the name of a person or a host', async () => {
    const { repo, dir, head } = repository();
    await recordAttestation(repo, attestation(head));
    const all = world.sh(dir, `git log --format='%an %ae %cn %ce %B' ${REF}; git grep . ${REF}`);
    expect(all).toContain('Reprise reprise@localhost');
    expect(all).not.toMatch(new RegExp(`Ada|example|${world.sh(dir, 'hostname')}`));
  });

  test('in a history that only grows, newest first, with several for one run', async () => {
    const { repo, dir, head } = repository();
    const other = head.replaceAll(/[0-9]/g, 'a');
    const times = ['2026-05-05T08:00:00.5Z', '2026-05-05T08:00:00Z', '2026-12-31T23:59:60Z', '2026-05-05T08:00:00.25Z'];
    for (const when of times)
      await recordAttestation(repo, attestation(when.includes('12-31') ? other : head, { when }));
    expect((await read(repo)).map(({ when }) => when)).toEqual([2, 0, 3, 1].map((at) => times[at]));
    expect(await read(repo, { commits: [other] })).toHaveLength(1);
    expect(await read(repo, { commits: [] })).toEqual([]);
    expect(world.git(dir, 'rev-list', '--count', REF)).toBe('4');
  });

  test('however many write at once', async () => {
    const { repo, head } = repository();
    const writers = Array.from({ length: 64 }, (_, at) => attestation(head, { exit: at }));
    await Promise.all(writers.map((one) => recordAttestation(repo, one)));
    const found = await read(repo);
    expect(new Set(found.map(({ exit }) => exit)).size).toBe(64);
  });

  test('also while somebody moves the ref who knows no lock', async () => {
    const { repo, dir, head } = repository();
    await recordAttestation(repo, attestation(head, { exit: 99 }));
    const script =
      `for i in 1 2 3 4 5 6 7 8; do old=$(git rev-parse ${REF}); new=$(git commit-tree -p $old -m other $old^{tree}); ` +
      `git update-ref ${REF} $new $old || :; done`;
    const meddling = start(world, ['/bin/sh', '-ec', script], { cwd: dir });
    await Promise.all([1, 2, 3, 4, 5, 6].map((exit) => recordAttestation(repo, attestation(head, { exit }))));
    expect((await meddling.done).code).toBe(0);
    const exits = (await read(repo)).map(({ exit }) => exit);
    expect(exits.toSorted(ascending)).toEqual([1, 2, 3, 4, 5, 6, 99]);
    expect(world.git(dir, 'for-each-ref', '--format=%(refname)', 'refs/reprise')).toBe(REF);
  });

  test('one that breaks the schema is a bug of the caller, and leaves nothing', async () => {
    const { repo, head } = repository();
    await expect(recordAttestation(repo, attestation(head, { tool: 'me@host' }))).rejects.toThrow(TypeError);
    expect(await read(repo)).toEqual([]);
  });

  test('the worst output decides', () => {
    const order = ['identical', 'unexpected', 'different', 'missing'] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...order)), (verdicts) => {
        const worst = Math.max(0, ...verdicts.map((verdict) => order.indexOf(verdict)));
        expect(worstVerdict(verdicts.map((verdict) => ({ verdict })))).toBe(order[worst]);
      }),
    );
  });
});

describe('attestations of strangers', () => {
  test('whatever lies in the tree is an attestation of the commit that its path names, or left out', () => {
    const commit = 'a'.repeat(40);
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(attestation(commit)))), (text) => {
        const parsed = parseAttestation(Buffer.from(text), `aa/${'a'.repeat(38)}/${'0'.repeat(32)}.json`);
        expect(parsed === null || parsed.commit === commit).toBe(true);
      }),
    );
    const other = Buffer.from(JSON.stringify(attestation('b'.repeat(40))));
    expect(parseAttestation(other, `aa/${'a'.repeat(38)}/${'0'.repeat(32)}.json`)).toBeNull();
    expect(parseAttestation(Buffer.from('['.repeat(100_000)), 'x')).toBeNull();
  });

  test('only paths that attestations have are looked at', () => {
    const commit = 'ab'.repeat(20);
    expect(attestedCommit(attestationPath(commit, Buffer.from('x')))).toBe(commit);
    for (const path of ['README', '../x.json', `ab/${'c'.repeat(38)}/../../x.json`, `ab/${'c'.repeat(38)}/x.json`])
      expect(attestedCommit(path)).toBeNull();
  });

  test('what is malformed is left out with one warning', async () => {
    const { repo, dir, head, events } = repository();
    await recordAttestation(repo, attestation(head));
    const folder = `${head.slice(0, 2)}/${head.slice(2)}`;
    const files = [
      [`${folder}/${'1'.repeat(32)}.json`, '{"version": 1}'],
      [`${folder}/${'2'.repeat(32)}.json`, JSON.stringify(attestation('c'.repeat(40)))],
      ['elsewhere/run.sh', 'rm -rf /'],
    ] as const;
    for (const [path, text] of files) world.write(join(dir, path), text);
    world.sh(
      dir,
      `export GIT_INDEX_FILE=.git/other; git read-tree ${REF}; git add -f ${files.map(([path]) => path).join(' ')}; ` +
        `git update-ref ${REF} $(git commit-tree -p ${REF} -m x $(git write-tree))`,
    );
    expect(await read(repo)).toEqual([attestation(head)]);
    expect(events).toEqual([{ kind: 'warning', text: '2 attestations are malformed and left out' }]);
  });
});

describe('between copies of a dataset', () => {
  test('attestations of both sides are joined, in any order of pushes and fetches', async () => {
    const { dir, head } = repository();
    const hub = world.path(`hub-${made}`);
    world.sh(world.dir, `git clone -q --bare ${dir} ${hub}`);
    const copies = [0, 1, 2].map((at) => {
      const path = world.path(`copy-${made}-${at}`);
      world.sh(world.dir, `git clone -q ${hub} ${path}`);
      return open(path).repo;
    });
    const [a, b, c] = copies as [Repo, Repo, Repo];
    expect(await fetchAttestations(a, 'origin')).toBeNull();
    expect(await pushAttestations(a, 'origin')).toBe(false);
    await recordAttestations(a, [attestation(head, { exit: 1 }), attestation(head, { exit: 2 })]);
    await recordAttestation(b, attestation(head, { exit: 3 }));
    expect(await pushAttestations(a, 'origin')).toBe(true);
    expect(await pushAttestations(a, 'origin')).toBe(false);
    expect(await pushAttestations(b, 'origin')).toBe(true);
    expect(await fetchAttestations(a, 'origin')).toBe(1);
    expect(await fetchAttestations(c, 'origin')).toBe(3);
    expect(await fetchAttestations(c, 'origin')).toBe(0);
    for (const copy of copies)
      expect((await read(copy)).map(({ exit }) => exit).toSorted(ascending)).toEqual([1, 2, 3]);
    // All three have the same history now.
    expect(new Set(copies.map(({ root }) => world.git(root, 'rev-parse', REF))).size).toBe(1);
    expect(world.git(a.root, 'for-each-ref', '--format=%(refname)', 'refs/reprise')).toBe(REF);
  });

  test('a remote that drops, changes or adds other things takes nothing away and brings nothing in', async () => {
    const { repo, dir, head } = repository();
    await recordAttestations(repo, [attestation(head, { exit: 1 }), attestation(head, { exit: 2 })]);
    const evil = world.path(`evil-${made}`);
    world.sh(world.dir, `git clone -q ${dir} ${evil} && git -C ${evil} fetch -q origin ${REF}:${REF}`);
    const mine = attestationPath(head, Buffer.from(`${JSON.stringify(attestation(head, { exit: 1 }), null, 1)}\n`));
    world.write(join(evil, mine), 'forged');
    const folder = `${head.slice(0, 2)}/${head.slice(2)}`;
    world.sh(
      evil,
      `ln -s /etc/passwd ${folder}/${'5'.repeat(32)}.json; echo x > README; export GIT_INDEX_FILE=.git/other; git add -f ${mine} ${folder} README; ` +
        `git update-ref ${REF} $(git commit-tree -p ${REF} -m x $(git write-tree))`,
    );
    expect(await fetchAttestations(repo, evil)).toBe(0);
    expect((await read(repo)).map(({ exit }) => exit).toSorted(ascending)).toEqual([1, 2]);
    const names = world.git(dir, 'ls-tree', '-r', '--name-only', REF).split('\n');
    expect(names.every((name) => attestedCommit(name) === head)).toBe(true);

    const fresh = world.path(`fresh-${made}`);
    world.sh(world.dir, `git clone -q ${dir} ${fresh}`);
    expect(await fetchAttestations(open(fresh).repo, evil)).toBe(1);
    expect(world.git(fresh, 'ls-tree', '-r', '--name-only', REF)).toBe(mine);
    expect(await read(open(fresh).repo)).toEqual([]);
  });

  test('a remote that is none is named in the error', async () => {
    const { repo } = repository();
    await expect(fetchAttestations(repo, 'nowhere')).rejects.toMatchObject({
      code: 'git-failed',
      message: expect.stringContaining('nowhere'),
    });
    await expect(fetchAttestations(repo, '--upload-pack=touch /tmp/x')).rejects.toMatchObject({ code: 'git-failed' });
  });
});

describe('reprise attestations', () => {
  test('lists them as text and as JSON, for all runs or for some', async () => {
    const { repo, dir, head } = repository();
    expect(world.reprise(dir, ['attestations'])).toMatchObject({ code: 0, stdout: 'no attestations\n' });
    world.git(dir, 'commit', '-q', '--allow-empty', '-m', 'second');
    const second = world.git(dir, 'rev-parse', 'HEAD');
    const outputs = [
      { path: 'a', verdict: 'identical' as const, recorded: `git:${head}`, replayed: `git:${head}` },
      { path: 'b', verdict: 'different' as const, recorded: `git:${head}`, replayed: `git:${second}` },
    ];
    await recordAttestation(repo, attestation(head));
    await recordAttestation(
      repo,
      attestation(second, { outputs, verdict: 'different', when: '2026-06-01T00:00:00.123Z' }),
    );
    const kind = `native ${process.platform}-${process.arch} reprise/1.0.0`;
    const [first, last] = [
      `2026-06-01T00:00:00Z ${second.slice(0, 8)} different (1 identical, 1 different) ${kind}\n`,
      `2026-05-05T08:00:00Z ${head.slice(0, 8)} identical (1 identical) ${kind}\n`,
    ];
    expect(world.reprise(dir, ['attestations']).stdout).toBe(first + last);
    expect(world.reprise(dir, ['attestations', 'HEAD^']).stdout).toBe(last);
    expect(world.reprise(dir, ['attestations', 'HEAD^..HEAD']).stdout).toBe(first);
    const json = world.reprise(dir, ['-f', 'json', 'attestations', 'HEAD']).stdout;
    expect(JSON.parse(json)).toMatchObject({ action: 'attestation', commit: second, counts: { different: 1 } });
    expect(world.reprise(dir, ['attestations', 'nonsense'])).toMatchObject({ code: 1, stdout: '' });
    const hub = world.path(`cli-hub-${made}`);
    world.sh(world.dir, `git init -q --bare ${hub}`);
    expect(world.reprise(dir, ['attestations', '--push', hub]).stdout).toBe(`attestations are at ${hub}\n`);
    expect(world.reprise(dir, ['attestations', '--fetch', hub]).stdout).toBe(`0 new attestations from ${hub}\n`);

    // What came from a remote is told from what was replayed here; a copy of the file of ours stays ours.
    const other = world.path(`cli-other-${made}`);
    world.sh(world.dir, `git clone -q ${dir} ${other}`);
    await recordAttestation(open(other).repo, attestation(second, { when: '2026-07-01T00:00:00Z' }));
    expect(world.reprise(other, ['attestations', '--fetch', hub]).stdout).toBe(`2 new attestations from ${hub}\n`);
    const own = `2026-07-01T00:00:00Z ${second.slice(0, 8)} identical (1 identical) ${kind}\n`;
    const foreign = (line: string) => line.replace('\n', ' # from elsewhere\n');
    expect(world.reprise(other, ['attestations']).stdout).toBe(own + foreign(first) + foreign(last));
    expect(world.reprise(other, ['attestations', '--push', hub]).code).toBe(0);
    expect(world.reprise(dir, ['attestations', '--fetch', hub]).code).toBe(0);
    expect(world.reprise(dir, ['attestations']).stdout).toBe(foreign(own) + first + last);
    const listed = world.reprise(dir, ['-f', 'json', 'attestations']).stdout.trimEnd().split('\n');
    expect(listed.map((line) => (JSON.parse(line) as { here: boolean }).here)).toStrictEqual([false, true, true]);
  });
});
