/** `containers-run`: a run whose command is executed in a tracked container. */
import { relative } from 'node:path';
import { formatCall, formatExtraInputs } from '../containers/call-format.ts';
import { escapeBraces, normaliseCommand } from '../core/placeholders.ts';
import type { VerbOutcome } from '../core/result.ts';
import { relativeTo } from '../dataset/targets.ts';
import type { RunOptions } from '../run/options.ts';
import { run } from '../run/run.ts';
import { resolveSubject, type Subject } from '../run/subject.ts';
import type { Context } from '../sys/context.ts';
import { assertVariables, type ContainerOptions, readMount } from './container-options.ts';
import type { ContainerCase } from './container-case.ts';
import { isOwnFormat } from './container-line.ts';
import { containerLauncher } from './launcher.ts';
import { type SelectedContainer, selectContainer } from './select.ts';

export interface ContainersRunOptions extends RunOptions, ContainerOptions {
  /** Name of the container, `sub/NAME` for one of a subdataset, or the path of its image; the only one there is by default. */
  readonly containerName?: string;
}

/**
 * Runs a command in a container of the dataset and saves its results with a record, as `run` does.
 *
 * The record holds a line that DataLad can execute with the same image, and describes image and container in `reprise.container`. A container with
 * a call format of its own is started by exactly that line; any other by the chosen runner, without network, with a clean environment, and with
 * nothing of this machine but the dataset.
 *
 * Returns and throws what `run` does, and `container-unknown`, `runner-missing`, `runner-unreachable`, `runner-permission`, `image-missing`,
 * `image-invalid`, `image-mismatch`, `image-unusable`, `content-unavailable`, `container-failed`, and `usage` for an option that such a line would
 * not heed.
 */
export async function containersRun(options: ContainersRunOptions, context: Context): Promise<VerbOutcome> {
  const { containerName, runner, network: _n, env, mounts, gpus: _g, writableRoot: _w, ...runOptions } = options;
  if (options.cmd.length === 0) return run(runOptions, context);
  assertVariables(env ?? []);
  for (const mount of mounts ?? []) readMount(mount, context.cwd);
  const subject = resolveSubject(options.dataset, context);
  const { container, installs, config } = await selectContainer(subject.repo, containerName);
  for (const result of installs) context.emit({ kind: 'result', result });
  const {
    line,
    inputs,
    container: given,
  } = containerCall(
    subject,
    container,
    options.cmd,
    {
      ...(runner === undefined ? {} : { runner }),
      ...seen(options),
    },
    options.noPlaceholders,
  );
  const outcome = await run(
    { ...runOptions, cmd: [line], extraInputs: [...inputs, ...(options.extraInputs ?? [])] },
    context,
    containerLauncher(given),
    config ?? undefined,
  );
  return { ...outcome, results: [...installs, ...outcome.results] };
}

/** What the container may see, as far as it was asked for. */
function seen({ network, env, mounts, gpus, writableRoot }: ContainersRunOptions): ContainerOptions {
  return {
    ...(network === undefined ? {} : { network }),
    ...(env === undefined ? {} : { env }),
    ...(mounts === undefined ? {} : { mounts }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(writableRoot === undefined ? {} : { writableRoot }),
  };
}

/** Options that need a runner of ours. */
function askedFor({ network, env, mounts, gpus, writableRoot }: ContainerOptions): readonly string[] {
  return [
    ...(network ? ['--network'] : []),
    ...(env?.length ? ['--env'] : []),
    ...(mounts?.length ? ['--mount'] : []),
    ...(gpus === undefined ? [] : ['--gpus']),
    ...(writableRoot ? ['--writable-root'] : []),
  ];
}

/** A command in a container, in the terms of a run. */
export interface ContainerCall {
  /** The line that is recorded. */
  readonly line: string;
  /** The image and what the container's configuration adds to it, relative to where the command runs. */
  readonly inputs: readonly string[];
  readonly container: ContainerCase;
}

/**
 * What a command in a configured container means for a run. Throws what a call format can throw.
 *
 * @param literal inputs are taken as they are written, braces and all
 */
export function containerCall(
  subject: Subject,
  selected: SelectedContainer,
  cmd: readonly string[],
  options: ContainerOptions,
  literal = false,
): ContainerCall {
  const image = relative(subject.pwd, selected.imagePath);
  const imageDataset = relative(subject.pwd, selected.owner.root) || '.';
  const command = normaliseCommand(cmd);
  const line = formatCall(selected.cmdexec, { image, imageDataset, command });
  return {
    line,
    inputs: [
      literal ? image : escapeBraces(image),
      ...formatExtraInputs(selected.extraInputs, { image, imageDataset }),
    ],
    container: {
      repo: subject.repo,
      pwd: subject.relativePwd,
      name: selected.name,
      owner: selected.owner,
      imagePath: selected.imagePath,
      recordedPath: relativeTo(subject.repo.root, selected.imagePath),
      images: [image],
      command,
      callFormat: selected.cmdexec,
      verbatim: options.runner === undefined && isOwnFormat(line, image, selected.cmdexec),
      options,
      mountsFrom: subject.pwd,
      onlyWithRunner: askedFor(options),
    },
  };
}
