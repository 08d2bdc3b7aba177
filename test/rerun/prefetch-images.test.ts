/** `prefetch` and real engines: images are loaded or converted ahead of time, and are what runs and reruns use when their source is gone. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engineEnv, engineSocket, testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

const IMAGE = '.datalad/environments/bb/image';

describeWith(['docker', 'apptainer', 'git-annex'], 'prefetch of images', () => {
  let world: World;
  let source: string;
  /** Digests of the configurations of the images of the first and of the second version. */
  const digests: string[] = [];
  let made = 0;

  const ok = (cwd: string, args: readonly string[], env: Record<string, string> = {}): Outcome => {
    const outcome = world.reprise(cwd, args, { env });
    expect(outcome.code, `${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`).toBe(0);
    return outcome;
  };
  const lines = ({ stdout }: Outcome): readonly string[] =>
    stdout
      .split('\n')
      .filter((line) => line.includes('"action": "prefetch"'))
      .map((line) => JSON.parse(line) as { status: string; message: string })
      .map(({ status, message }) => `${status} ${message}`);
  const cloneOf = (from: string): string => {
    made += 1;
    const clone = world.path(`clone-${made}`);
    world.git(world.dir, 'clone', '-q', from, clone);
    return clone;
  };
  const without = <T>(place: string, act: () => T): T => {
    renameSync(place, `${place}.gone`);
    try {
      return act();
    } finally {
      renameSync(`${place}.gone`, place);
    }
  };

  /** Busybox as `docker save` has it, unlike any other image: engines know it by what it holds. */
  const ownImage = (label: string): string => {
    const folder = world.path(`image-${label}`);
    cpSync(testImage('busybox').archive, folder, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    const config = JSON.parse(readFileSync(join(folder, manifest[0].Config), 'utf8'));
    const text = JSON.stringify({ ...config, config: { ...config.config, Labels: { for: `${label} ${Date.now()}` } } });
    const hex = createHash('sha256').update(text).digest('hex');
    rmSync(join(folder, manifest[0].Config));
    world.write(join(folder, `${hex}.json`), text);
    world.write(
      join(folder, 'manifest.json'),
      JSON.stringify([{ ...manifest[0], Config: `${hex}.json`, RepoTags: [] }]),
    );
    digests.push(hex);
    return folder;
  };

  /** The engine's answer about the image that we load under this digest. */
  const docker = (method: 'GET' | 'DELETE', hex: string): string =>
    world.ok([
      'curl',
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-X',
      method,
      '--unix-socket',
      engineSocket('docker'),
      `http://localhost/v1.40/images/reprise-image:${hex}${method === 'GET' ? '/json' : ''}`,
    ]); // prettier-ignore

  beforeAll(() => {
    world = createWorld();
    source = world.path('source');
    ok(world.dir, ['create', source]);
    ok(source, ['containers-add', 'bb', '-u', ownImage('one')]);
    world.write(join(source, 'in.dat'), 'input\n');
    ok(source, ['save', '-m', 'input']);
    const cmd = ['containers-run', '-n', 'bb', '-i', 'in.dat', '-o', 'out', 'sh -c "md5sum < in.dat > out"'];
    ok(source, cmd, engineEnv('docker'));
    world.git(source, 'tag', 'run');
    ok(source, ['containers-add', 'bb', '--update', '-u', ownImage('two')]);
    // It was loaded for the run.
    docker('DELETE', digests[0] as string);
  });
  afterAll(() => {
    for (const hex of digests) docker('DELETE', hex);
    world.remove();
  });

  test('Docker has the recorded image before any rerun asks for it, and the present one before a run does', () => {
    const [first, second] = digests as [string, string];
    const env = engineEnv('docker');
    const bare = cloneOf(source);
    without(source, () => expect(world.reprise(bare, ['rerun', 'run'], { env }).code).not.toBe(0));
    const clone = cloneOf(source);
    expect(docker('GET', first)).toBe('404');
    const all = ['-f', 'json', 'prefetch', '--runner', 'docker', '-n', 'bb', 'run'];
    expect(lines(ok(clone, all, env))).toEqual(['ok ready for docker', 'ok ready for docker']);
    expect([docker('GET', first), docker('GET', second)]).toEqual(['200', '200']);
    expect(lines(ok(clone, all, env))).toEqual(['notneeded ready for docker', 'notneeded ready for docker']);
    without(source, () => {
      for (const how of [['--workspace'], []])
        ok(clone, ['rerun', ...how, '--runner', 'docker', '--verify', 'run'], env);
      ok(clone, ['containers-run', '-n', 'bb', '--runner', 'docker', '-o', 'new', 'sh -c "echo new > new"'], env);
    });
    const records = world.git(clone, 'log', '-2', '--format=%B');
    expect(records).toContain(`sha256:${second}`);
  });

  test('Apptainer has it as a SIF file, made once, also of an image that was recorded under Docker', () => {
    const clone = cloneOf(source);
    const env = engineEnv('apptainer');
    const runner = ['--runner', 'apptainer'];
    const cache = join(world.env['XDG_CACHE_HOME'] as string, 'reprise/sif');
    expect(existsSync(cache)).toBe(false);
    expect(lines(ok(clone, ['-f', 'json', 'prefetch', ...runner, 'run'], env))).toEqual(['ok ready for apptainer']);
    const sif = join(cache, `${digests[0]}.sif`);
    const { ino, mtimeMs } = statSync(sif);
    without(source, () => {
      ok(clone, ['rerun', ...runner, '--workspace', '--verify', 'run'], env);
      ok(clone, ['rerun', ...runner, '--verify', 'run'], env);
    });
    expect(statSync(sif)).toMatchObject({ ino, mtimeMs });
    expect(readdirSync(cache)).toEqual([`${digests[0]}.sif`]);
  });

  test('where nothing can run it, it is fetched all the same, and that is said once; a runner that is asked for has to be there', () => {
    const bin = world.path('bin-without-engines');
    mkdirSync(bin);
    for (const folder of ['/usr/local/bin', '/usr/bin', '/bin']) {
      for (const name of readdirSync(folder)) {
        const target = join(bin, name);
        if (!/^(apptainer|singularity|docker|podman)/.test(name) && !existsSync(target))
          symlinkSync(join(folder, name), target);
      }
    }
    const env = { PATH: bin, DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    const clone = cloneOf(source);
    const asked = world.reprise(clone, ['prefetch', '--runner', 'docker', 'run'], { env });
    expect([asked.code, asked.stdout]).toEqual([1, '']);
    expect(existsSync(join(clone, 'in.dat'))).toBe(false);
    const outcome = ok(clone, ['prefetch', '--since=', '-n', 'bb'], env);
    expect(outcome.stderr.split('\n').filter((line) => line.includes('can run'))).toHaveLength(1);
    expect(existsSync(join(clone, 'in.dat'))).toBe(true);
    without(source, () =>
      ok(clone, ['rerun', '--workspace', '--runner', 'docker', '--verify', 'run'], engineEnv('docker')),
    );
  });

  test('an image whose bytes are not those of its key is an error', () => {
    const damaged = world.path('damaged');
    world.sh(world.dir, 'cp -a source damaged');
    world.sh(
      damaged,
      `f=$(readlink -f "$(git ls-files '${IMAGE}/*/layer.tar' | head -n 1)"); chmod u+w "$f"; printf X | dd of="$f" bs=1 seek=600 conv=notrunc 2>&1`,
    );
    const asked = ['-f', 'json', 'prefetch', '--runner', 'docker', '-n', 'bb'];
    const outcome = world.reprise(damaged, asked, { env: engineEnv('docker') });
    expect([outcome.code, lines(outcome)]).toEqual([
      1,
      [expect.stringMatching(/^error .*, and not the content of its key/)],
    ]);
  });
});
