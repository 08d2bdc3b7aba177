import { describe, expect, test } from 'vitest';
import { apptainerInvocation } from '../../../src/containers/apptainer/arguments.ts';
import { supports, type Apptainer } from '../../../src/containers/apptainer/presence.ts';
import { type ContainerPlan, DATASET_PATH, HOME_PATH } from '../../../src/containers/plan.ts';

const HOST: Apptainer = { program: '/usr/bin/apptainer', flavour: 'apptainer', version: [1, 4, 5], mountsSif: true };
const OLD: Apptainer = { program: '/usr/bin/singularity', flavour: 'singularity', version: [3, 7, 4], mountsSif: true };
const PLAN: ContainerPlan = {
  runner: 'apptainer',
  image: '/data/ds/.datalad/environments/bb/image',
  command: ['sh', '-c', 'echo "$A" > out'],
  entrypoint: 'none',
  workdir: `${DATASET_PATH}/sub`,
  mounts: [{ source: '/data/ds', target: DATASET_PATH, readonly: false }],
  tmpfs: [HOME_PATH, '/tmp', '/var/tmp'],
  env: { HOME: HOME_PATH, A: 'b' },
  passEnv: [],
  network: false,
  gpus: null,
  writableRoot: false,
  user: { uid: 1000, gid: 1000, groups: [] },
  stdin: false,
};
const invoke = (changes: Partial<ContainerPlan> = {}, host = HOST, env: NodeJS.ProcessEnv = {}) =>
  apptainerInvocation({ ...PLAN, ...changes }, host, '/scratch/r1', env);

describe('the command line', () => {
  test('of a plain plan', () => {
    expect(invoke()).toMatchInlineSnapshot(`
      {
        "argv": [
          "/usr/bin/apptainer",
          "--silent",
          "exec",
          "--cleanenv",
          "--containall",
          "--no-eval",
          "--no-mount",
          "bind-paths,hostfs",
          "--net",
          "--network",
          "none",
          "--workdir",
          "/scratch/r1",
          "--home",
          "/scratch/r1/home:/home/reprise",
          "--bind",
          "/data/ds:/dataset",
          "--pwd",
          "/dataset/sub",
          "/data/ds/.datalad/environments/bb/image",
          "sh",
          "-c",
          "echo "$A" > out",
        ],
        "env": {
          "APPTAINERENV_A": "b",
          "APPTAINER_TMPDIR": "/scratch/r1",
          "SINGULARITY_TMPDIR": "/scratch/r1",
        },
      }
    `);
  });

  test('of a plan that opens everything', () => {
    const mounts = [
      ...PLAN.mounts,
      { source: '/data/a, "b": c', target: '/in put', readonly: true },
      { source: '/data/d', target: '/d', readonly: true },
    ];
    const open = {
      network: true,
      writableRoot: true,
      entrypoint: 'image',
      gpus: 'all',
      mounts,
      image: 'oci:x',
    } as const;
    const { argv } = invoke({ ...open, tmpfs: [...PLAN.tmpfs, '/run'] });
    expect(argv.join('\n')).toMatchInlineSnapshot(`
      "/usr/bin/apptainer
      --silent
      run
      --cleanenv
      --containall
      --no-eval
      --no-mount
      bind-paths,hostfs
      --writable-tmpfs
      --nv
      --rocm
      --workdir
      /scratch/r1
      --home
      /scratch/r1/home:/home/reprise
      --scratch
      /run
      --bind
      /data/ds:/dataset
      --mount
      type=bind,"source=/data/a, ""b"": c","destination=/in put",ro
      --bind
      /data/d:/d:ro
      --pwd
      /dataset/sub
      ./oci:x
      sh
      -c
      echo "$A" > out"
    `);
  });

  test('of some graphics cards', () => {
    const { argv, env } = invoke({ gpus: '0,1' });
    expect(argv).toContain('--nv');
    expect(env).toMatchObject({ APPTAINERENV_CUDA_VISIBLE_DEVICES: '0,1' });
  });

  test('unpacks the image where it cannot be mounted', () => {
    expect(invoke({}, { ...HOST, mountsSif: false }).argv).toContain('--unsquash');
    expect(invoke().argv).not.toContain('--unsquash');
  });
});

describe('the environment', () => {
  test('gets values where only this user can read them, and loses what the user has set for the engine', () => {
    const hostEnv = {
      PATH: '/bin',
      TOKEN: 'secret',
      APPTAINER_BIND: '/scratch',
      APPTAINERENV_LEAK: 'x',
      SINGULARITY_NV: '1',
      APPTAINER_CACHEDIR: '/cache',
      APPTAINER_USERNS: '1',
    };
    const { argv, env } = invoke({ passEnv: ['TOKEN', 'UNSET'] }, HOST, hostEnv);
    expect(env).toEqual({
      APPTAINERENV_A: 'b',
      APPTAINERENV_TOKEN: 'secret',
      APPTAINER_TMPDIR: '/scratch/r1',
      SINGULARITY_TMPDIR: '/scratch/r1',
      APPTAINER_BIND: undefined,
      APPTAINERENV_LEAK: undefined,
      SINGULARITY_NV: undefined,
    });
    expect(argv.join(' ')).not.toContain('secret');
  });
});

describe('an old Singularity', () => {
  test('is not told what it does not know', () => {
    const { argv, env } = invoke({}, { ...OLD, mountsSif: false });
    expect(argv.filter((word) => /^--(no-eval|no-mount|unsquash|mount)$/.test(word))).toEqual([]);
    expect(env).toMatchObject({ SINGULARITYENV_A: 'b' });
    expect(env).not.toHaveProperty('APPTAINERENV_A');
  });

  test('is refused what it would do wrong', () => {
    expect(() => invoke({ env: { A: '$(id)' } }, OLD)).toThrow(/singularity 3\.7\.4 cannot pass on the variable A/);
    const mounts = [{ source: '/a:b', target: '/x', readonly: false }];
    expect(() => invoke({ mounts }, OLD)).toThrow(/cannot mount \/a:b/);
  });

  test.each([
    ['apptainer', [1, 1, 0], true],
    ['apptainer', [1, 0, 9], false],
    ['apptainer', [2, 0, 0], true],
    ['singularity', [3, 10, 0], true],
    ['singularity', [3, 9, 9], false],
    ['singularity', [4, 0, 0], true],
  ] as const)('%s %j passes values on as they are: %s', (flavour, version, expected) => {
    expect(supports({ flavour, version }, 'no-eval')).toBe(expected);
  });
});

test('a scratch folder whose path cannot be said is refused', () => {
  expect(() => apptainerInvocation(PLAN, HOST, '/a:b', {})).toThrow(/cannot be a private folder/);
});
