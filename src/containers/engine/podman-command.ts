/** A plan as a `podman run` command line (podman-run(1) of Podman 4), for where Podman has no socket; pure. */
import type { ContainerPlan, Mount } from '../plan.ts';
import { commandOf, environmentOf, HOSTNAME, identityOf, TMPFS_OPTIONS } from './request.ts';

/** @param init as in `createRequest` */
export function podmanRunArgv(
  plan: ContainerPlan,
  {
    rootless,
    name,
    init,
    labels,
    environment,
  }: {
    readonly rootless: boolean;
    readonly name: string;
    readonly init: boolean;
    readonly labels: Readonly<Record<string, string>>;
    readonly environment: NodeJS.ProcessEnv;
  },
): readonly [string, ...string[]] {
  const { user, userns, groups } = identityOf(plan, { kind: 'podman', rootless });
  const { program, args } = commandOf(plan);
  return [
    'podman',
    'run',
    '--rm',
    '--pull=never',
    `--name=${name}`,
    ...Object.entries(labels).map(([key, value]) => `--label=${key}=${value}`),
    ...(init ? ['--init'] : []),
    ...(plan.stdin ? ['--interactive'] : []),
    `--user=${user}`,
    ...(userns === null ? [] : [`--userns=${userns}`]),
    ...groups.map((group) => `--group-add=${group}`),
    `--workdir=${plan.workdir}`,
    `--hostname=${HOSTNAME}`,
    ...(plan.network ? [] : ['--network=none']),
    ...(plan.writableRoot ? [] : ['--read-only', '--read-only-tmpfs=false']),
    ...plan.mounts.map(mountOption),
    ...plan.tmpfs.map((path) => `--tmpfs=${path}:${TMPFS_OPTIONS}`),
    '--log-driver=none',
    '--no-healthcheck',
    '--security-opt=no-new-privileges',
    '--security-opt=label=disable',
    ...(plan.gpus === null ? [] : plan.gpus.split(',').map((id) => `--device=nvidia.com/gpu=${id}`)),
    ...environmentOf(plan, environment).map((variable) => `--env=${variable}`),
    ...(program === null ? [] : [`--entrypoint=${JSON.stringify([program])}`]),
    plan.image,
    ...args,
  ];
}

/** The value of `--mount` is a line of CSV. */
function mountOption({ source, target, readonly }: Mount): string {
  const fields = ['type=bind', `source=${source}`, `target=${target}`, ...(readonly ? ['readonly=true'] : [])];
  return `--mount=${fields.map((field) => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}`;
}
