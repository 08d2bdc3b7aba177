/** Recorded command lines that start containers: what is understood, and that replacing the engine changes nothing else. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc } from '../../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineCalls, replaceEngine, replaceImage, replaceProgram } from '../../../src/containers/command-lines.ts';
import { quoteWord } from '../../../src/core/quote.ts';

const IMAGE = '.datalad/environments/bb/image';

describe('a line of singularity or apptainer', () => {
  test('as DataLad records it', () => {
    const line = `singularity exec ${IMAGE} sh -c 'echo hello > out'`;
    expect(engineCalls(line, [IMAGE])).toEqual([
      {
        kind: 'singularity',
        verb: 'exec',
        program: 'singularity',
        assignments: [],
        options: [],
        transport: null,
        image: IMAGE,
        command: ['sh', '-c', 'echo hello > out'],
        commandText: "sh -c 'echo hello > out'",
        alone: true,
        start: 0,
        end: 17 + IMAGE.length,
      },
    ]);
    expect(line.slice(0, 17 + IMAGE.length)).toBe(`singularity exec ${IMAGE}`);
  });

  test('with options, in every way they may be written', () => {
    const line = `SINGULARITYENV_A=1 /opt/bin/apptainer -q --config c.conf exec -ceB "$PWD":/work --bind=/a:/b -H/home/x --nv --env "A=b c" ./${IMAGE} true`;
    const [call] = engineCalls(line);
    expect(call).toMatchObject({
      program: '/opt/bin/apptainer',
      assignments: ['SINGULARITYENV_A=1'],
      image: `./${IMAGE}`,
      command: ['true'],
      alone: true,
    });
    expect(call?.options.map(({ name, value }) => [name, value])).toEqual([
      ['--quiet', null],
      ['--config', 'c.conf'],
      ['--contain', null],
      ['--cleanenv', null],
      ['--bind', null],
      ['--bind', '/a:/b'],
      ['--home', '/home/x'],
      ['--nv', null],
      ['--env', 'A=b c'],
    ]);
    expect(call?.options[4]?.source).toBe('-ceB "$PWD":/work');
  });

  test('with an unknown option or an expansion, if it is known which word is the image', () => {
    const line = `singularity run --new-thing x $OPTIONS ${IMAGE} --participant 1`;
    expect(engineCalls(line)[0]?.image).not.toBe(IMAGE);
    expect(engineCalls(line, [IMAGE])).toMatchObject([{ verb: 'run', image: IMAGE, command: ['--participant', '1'] }]);
  });

  test('of another image is not reported where the images are known, even if a known one is its argument', () => {
    expect(engineCalls(`singularity exec docker://debian cp ${IMAGE} /x`, [IMAGE])).toEqual([]);
    expect(engineCalls('singularity exec docker://debian true')).toMatchObject([
      { transport: 'docker', image: 'debian' },
    ]);
    expect(engineCalls(`singularity exec oci:${IMAGE} true`, [IMAGE])).toMatchObject([
      { transport: 'oci', image: IMAGE },
    ]);
  });

  test('through the wrapper of ReproNim/containers', () => {
    const image = 'code/containers/images/bids/bids-mriqc--0.15.1.sing';
    const line = `code/containers/scripts/singularity_cmd run ${image} {inputs} {outputs} participant`;
    expect(engineCalls(line, [image])).toMatchObject([
      { kind: 'singularity', verb: 'run', program: 'code/containers/scripts/singularity_cmd', image },
    ]);
  });

  test.each([
    `echo singularity exec ${IMAGE} true`,
    `bash -c "singularity exec ${IMAGE} true"`,
    'singularity --version',
    `singularity shell ${IMAGE}`,
    `singularity exec > log ${IMAGE} true`,
    `singularity exec "$IMAGE" true`,
    `$SINGULARITY exec ${IMAGE} true`,
    `for singularity in exec ${IMAGE}; do true; done`,
    `singularity exec ${IMAGE} 'true`,
    'singularity exec',
    'singularity exec -B',
  ])('is not seen in %j', (line) => {
    expect(engineCalls(line, [IMAGE])).toEqual([]);
  });
});

describe('a line of DataLad’s docker adapter', () => {
  test.each(['python3', '/usr/bin/python3', '/home/x/envs/a/bin/python3.11', '{python}', "'/my envs/python'"])(
    'is understood, whichever Python it names: %s',
    (python) => {
      const line = `${python} -m datalad_container.adapters.docker run ../${IMAGE} sh -c 'a  b'`;
      expect(engineCalls(line, [`../${IMAGE}`])).toMatchObject([
        { kind: 'docker-adapter', verb: 'exec', image: `../${IMAGE}`, command: ['sh', '-c', 'a  b'], alone: true },
      ]);
    },
  );

  test('may choose one of several images', () => {
    const line = `python -I -m datalad_container.adapters.docker -v run --repo-tag a:b --conf=1f2e ${IMAGE} --version`;
    expect(engineCalls(line)).toMatchObject([
      {
        options: [
          { name: '--repo-tag', value: 'a:b', source: '--repo-tag a:b' },
          { name: '--config', value: '1f2e', source: '--conf=1f2e' },
        ],
        image: IMAGE,
        command: ['--version'],
      },
    ]);
  });

  test.each(['save x y', `run --unknown ${IMAGE} x`, 'run', 'run --repo-tag'])('is not seen in %j', (rest) => {
    expect(engineCalls(`python3 -m datalad_container.adapters.docker ${rest}`)).toEqual([]);
  });
});

test('an image that is its own program is known by the end of its absolute path', () => {
  const line = `/data/old/place/${IMAGE} --flag`;
  expect(engineCalls(line, [`../${IMAGE}`])).toMatchObject([
    { kind: 'direct', verb: 'run', image: `/data/old/place/${IMAGE}`, command: ['--flag'] },
  ]);
  expect(engineCalls(line)).toEqual([]);
  expect(engineCalls('image x', ['image'])).toEqual([]);
  expect(engineCalls('./image x', ['image'])).toHaveLength(1);
});

test('what the host’s shell does stays its own', () => {
  const line = `cd sub && A=1 singularity exec -B x ${IMAGE} cat < "in put" >out 2>&1 | gzip -c >z; if singularity run ${IMAGE}; then exec env B=2 apptainer exec ${IMAGE} $x; fi`;
  const calls = engineCalls(line, [IMAGE]);
  expect(calls.map(({ command, alone }) => [command, alone])).toEqual([
    [['cat'], false],
    [[], false],
    [null, false],
  ]);
  expect(replaceEngine(line, [IMAGE], ({ verb }) => `client --${verb}`)).toBe(
    'cd sub && A=1 client --exec cat < "in put" >out 2>&1 | gzip -c >z; if client --run; then exec env B=2 client --exec $x; fi',
  );
  expect(replaceEngine('make all', [IMAGE], () => 'never')).toBeNull();
});

describe('another image', () => {
  test.each([
    [`singularity exec -B x ${IMAGE} cat`, "singularity exec -B x '/o ld/i' cat"],
    [`singularity exec oci:${IMAGE} cat`, "singularity exec 'oci:/o ld/i' cat"],
    [`sh "${IMAGE}" a >out; cat ./${IMAGE}`, "sh '/o ld/i' a >out; cat '/o ld/i'"],
    [`/gone/ds/${IMAGE} --flag`, "'/o ld/i' --flag"],
  ])('takes the place of the one in %j', (line, replaced) => {
    expect(replaceImage(line, [IMAGE], '/o ld/i')).toBe(replaced);
  });

  test.each([`sh -c 'singularity exec ${IMAGE} cat'`, 'cat other', `cat "$X/${IMAGE}"`, `cat '${IMAGE}`])(
    'cannot take the place of one in %j',
    (line) => {
      expect(replaceImage(line, [IMAGE], '/other')).toBeNull();
    },
  );
});

test('another program starts the same container, with the same options', () => {
  const line = `A=1 /opt/singularity exec -B "$PWD" ${IMAGE} cat >out`;
  expect(replaceProgram(line, [IMAGE], 'apptainer')).toBe(`A=1 apptainer exec -B "$PWD" ${IMAGE} cat >out`);
  expect(replaceProgram(`cat ${IMAGE}`, [IMAGE], 'apptainer')).toBeNull();
});

describe('executed by the host’s shell', () => {
  let dir: string;
  const IMAGES = ['im age', IMAGE];
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'reprise-lines-'));
    mkdirSync(join(dir, 'bin'));
    // Both engines note their command, that is, what comes after the image; the first also its own words.
    const engine =
      '#!/bin/sh\nwhile [ "$1" != "$STOP1" ] && [ "$1" != "$STOP2" ]; do shift; done; shift\nprintf "%s\\n" "$#" "$@" >&9; cat >&9; echo out; echo err >&2\n';
    for (const name of ['singularity', 'client']) {
      writeFileSync(join(dir, 'bin', name), engine);
      chmodSync(join(dir, 'bin', name), 0o755);
    }
    writeFileSync(join(dir, 'in'), 'input\n');
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** What the engines got, and what came out on which stream, for a batch of lines. */
  function outcomes(lines: readonly string[]): string {
    const script = lines
      .map(
        (line) =>
          `printf '== \\n' >&9; (eval ${quoteWord(line)}) </dev/null >out 2>err; cat out err f >&9 2>&9; rm -f out err f\n`,
      )
      .join('');
    const done = spawnSync('/bin/sh', ['-c', 'exec 9>seen; . ./script'], {
      cwd: dir,
      env: { PATH: `${dir}/bin:/usr/bin:/bin`, STOP1: IMAGES[0], STOP2: IMAGES[1], HOME: '/home/nobody' },
      input: writeFileSync(join(dir, 'script'), script),
    } as object);
    expect(done.status).toBe(0);
    return readFileSync(join(dir, 'seen'), 'utf8');
  }

  test('a replaced line gives the same command the same words and streams', () => {
    const word = fc
      .string({ unit: fc.constantFrom(...'ab \'"\\$`#*?{},;|&()<>\n'.split('')), maxLength: 6 })
      .map(quoteWord);
    const piece = fc.oneof(
      word,
      fc.constantFrom('$HOME', '"$HOME x"', '>f', '2>&1', '<in', '$(echo a "b c")', '1>&2', '\\\n'),
    );
    const image = fc.constantFrom("'im age'", '"im age"', 'im\\ age', IMAGE);
    const options = fc.constantFrom('', '-e ', '-B "$HOME" ', '--bind x:y -ce ', '-q ');
    const before = fc.constantFrom('', 'true && ', 'X=1 ', '! ', '{ ', 'cat in | ', 'if ');
    const line = fc
      .tuple(
        before,
        options,
        image,
        fc.array(piece, { maxLength: 5 }),
        fc.constantFrom('', '; echo $?', ' | cat', ' && echo y', ' # end'),
      )
      .map(([start, option, name, pieces, end]) => {
        const close = start === '{ ' ? '\n}' : start === 'if ' ? '\nthen echo yes\nfi' : '';
        return `${start}singularity exec ${option}${name} ${pieces.join(' ')}${end}${close}`;
      });
    fc.assert(
      fc.property(fc.array(line, { minLength: 40, maxLength: 40 }), (lines) => {
        const replaced = lines.map((one) =>
          replaceEngine(one, IMAGES, ({ image: path }) => `client --x ${quoteWord(path)}`),
        );
        expect(replaced.filter((one) => one === null)).toEqual([]);
        expect(outcomes(replaced as string[])).toBe(outcomes(lines));
      }),
      { numRuns: 6, endOnFailure: true },
    );
  });
});
