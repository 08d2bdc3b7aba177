/** What an engine is asked, as a pure function of the plan. */
import { describe, expect, test } from 'vitest';
import { podmanRunArgv } from '../../src/containers/engine/podman-command.ts';
import { createRequest } from '../../src/containers/engine/request.ts';
import { type ContainerPlan, DATASET_PATH, HOME_PATH } from '../../src/containers/plan.ts';

const plan: ContainerPlan = {
  runner: 'docker',
  image: `sha256:${'1'.repeat(64)}`,
  command: ['python3', 'code/plot.py', '--title', 'a "b" c'],
  entrypoint: 'none',
  workdir: `${DATASET_PATH}/sub`,
  mounts: [
    { source: '/data/set', target: DATASET_PATH, readonly: false },
    { source: '/data/set/.git', target: `${DATASET_PATH}/.git`, readonly: true },
  ],
  tmpfs: ['/tmp', HOME_PATH],
  env: { HOME: HOME_PATH, DATALAD_CONTAINER_NAME: 'plots' },
  passEnv: ['LICENCE', 'UNSET'],
  network: false,
  gpus: null,
  writableRoot: false,
  user: { uid: 1000, gid: 1001, groups: [2000] },
  stdin: true,
};
const docker = { kind: 'docker', rootless: false } as const;
const podman = { kind: 'podman', rootless: false } as const;
const environment = { LICENCE: 'secret', HOME: '/home/ada', PATH: '/usr/bin' };
const more = { init: true, labels: { 'reprise.owner': '{}' } };

describe('the request of a plan', () => {
  test('is hermetic', () => {
    expect(createRequest(plan, docker, environment, more)).toMatchInlineSnapshot(`
      {
        "AttachStderr": true,
        "AttachStdin": true,
        "AttachStdout": true,
        "Cmd": [
          "code/plot.py",
          "--title",
          "a "b" c",
        ],
        "Entrypoint": [
          "python3",
        ],
        "Env": [
          "DATALAD_CONTAINER_NAME=plots",
          "HOME=/home/reprise",
          "LICENCE=secret",
        ],
        "Healthcheck": {
          "Test": [
            "NONE",
          ],
        },
        "HostConfig": {
          "GroupAdd": [
            "2000",
          ],
          "Init": true,
          "LogConfig": {
            "Config": {},
            "Type": "none",
          },
          "Mounts": [
            {
              "ReadOnly": false,
              "Source": "/data/set",
              "Target": "/dataset",
              "Type": "bind",
            },
            {
              "ReadOnly": true,
              "Source": "/data/set/.git",
              "Target": "/dataset/.git",
              "Type": "bind",
            },
          ],
          "NetworkMode": "none",
          "ReadonlyRootfs": true,
          "SecurityOpt": [
            "no-new-privileges",
            "label=disable",
          ],
          "Tmpfs": {
            "/home/reprise": "rw,exec,nosuid,nodev,mode=1777",
            "/tmp": "rw,exec,nosuid,nodev,mode=1777",
          },
        },
        "Hostname": "reprise",
        "Image": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "Labels": {
          "reprise.owner": "{}",
        },
        "OpenStdin": true,
        "StdinOnce": true,
        "Tty": false,
        "User": "1000:1001",
        "WorkingDir": "/dataset/sub",
      }
    `);
  });

  test('opens what the plan opens', () => {
    const open: ContainerPlan = {
      ...plan,
      network: true,
      gpus: '0,1',
      writableRoot: true,
      entrypoint: 'image',
      stdin: false,
    };
    const request = createRequest(open, docker, environment, more);
    expect(request).not.toHaveProperty('Entrypoint');
    expect(request).toMatchObject({
      Cmd: ['python3', 'code/plot.py', '--title', 'a "b" c'],
      OpenStdin: false,
      HostConfig: { ReadonlyRootfs: false, DeviceRequests: [{ DeviceIDs: ['0', '1'], Capabilities: [['gpu']] }] },
    });
    expect(request['HostConfig']).not.toHaveProperty('NetworkMode');
  });

  test('lets files belong to the caller under engines without root, too', () => {
    const rootless = (kind: 'docker' | 'podman') => createRequest(plan, { kind, rootless: true }, environment, more);
    expect(rootless('docker')).toMatchObject({ User: '0:0' });
    expect(rootless('podman')).toMatchObject({ User: '1000:1001', HostConfig: { UsernsMode: 'keep-id' } });
  });

  test('gives Podman each path in the form in which it cannot be taken for an option', () => {
    const mounts = ['/plain', '/a, "b"', '/with:colon'].map((source) => ({ source, target: '/x', readonly: true }));
    expect(createRequest({ ...plan, mounts }, podman, environment, more)['HostConfig']).toMatchObject({
      Binds: ['/plain:/x:ro,rbind', '/a, "b":/x:ro,rbind'],
      Mounts: [{ Type: 'bind', Source: '/with:colon', Target: '/x', ReadOnly: true }],
    });
    const both = [{ source: '/a,b:c', target: '/x', readonly: false }];
    expect(() => createRequest({ ...plan, mounts: both }, podman, environment, more)).toThrow(
      expect.objectContaining({ code: 'container-failed' }),
    );
  });

  test('cannot carry a name that is not UTF-8, and says so', () => {
    const odd = [{ source: '/data/\udcff', target: '/x', readonly: false }];
    expect(() => createRequest({ ...plan, mounts: odd }, docker, environment, more)).toThrow(
      expect.objectContaining({ code: 'path-encoding' }),
    );
  });
});

describe('the command line of Podman', () => {
  test('says the same', () => {
    const argv = podmanRunArgv(plan, { rootless: true, name: 'reprise-1', environment, ...more });
    expect(argv.join('\n')).toMatchInlineSnapshot(`
      "podman
      run
      --rm
      --pull=never
      --name=reprise-1
      --label=reprise.owner={}
      --init
      --interactive
      --user=1000:1001
      --userns=keep-id
      --workdir=/dataset/sub
      --hostname=reprise
      --network=none
      --read-only
      --read-only-tmpfs=false
      --mount=type=bind,source=/data/set,target=/dataset
      --mount=type=bind,source=/data/set/.git,target=/dataset/.git,readonly=true
      --tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777
      --tmpfs=/home/reprise:rw,exec,nosuid,nodev,mode=1777
      --log-driver=none
      --no-healthcheck
      --security-opt=no-new-privileges
      --security-opt=label=disable
      --env=DATALAD_CONTAINER_NAME=plots
      --env=HOME=/home/reprise
      --env=LICENCE=secret
      --entrypoint=["python3"]
      sha256:1111111111111111111111111111111111111111111111111111111111111111
      code/plot.py
      --title
      a "b" c"
    `);
  });

  test('quotes paths as CSV', () => {
    const mounts = [{ source: '/a, "b":c', target: '/x', readonly: true }];
    const argv = podmanRunArgv({ ...plan, mounts }, { rootless: false, name: 'n', environment, ...more });
    expect(argv).toContain('--mount=type=bind,"source=/a, ""b"":c",target=/x,readonly=true');
  });
});
