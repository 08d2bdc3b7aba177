/** Which runner would run each container of a dataset here. Images are told by headers and JSON, and nothing of theirs is executed. */
import { join } from 'node:path';
import { formatCall } from '../containers/call-format.ts';
import { type EngineCall, engineCalls } from '../containers/command-lines.ts';
import { hostArchitecture } from '../containers/formats/image.ts';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import type { RunnerName } from '../containers/plan.ts';
import type { Config } from '../core/config.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { contentAt } from '../dataset/presence.ts';
import type { Repo } from '../dataset/repo.ts';
import { isPacked, runnersFor } from '../images/choose-runner.ts';
import { type Container, readContainers } from '../images/config.ts';
import { isOnPath, isOwnFormat } from '../images/container-line.ts';
import { imagePathIn } from '../images/image-path.ts';
import { examine, type Look } from './finding.ts';

export interface RunnersHere {
  /** What was found out about those that were looked at, in order of preference. */
  readonly results: readonly Result[];
  /** The one that the user named: a call format does not count then. Null for none. */
  readonly named: RunnerName | null;
}

export function lookAtContainers(repo: Repo, config: Config, runners: RunnersHere): Promise<readonly Result[]> {
  return Promise.all(
    readContainers(repo.root, config).map((container) => {
      const path = join(repo.root, container.image);
      return examine({ kind: 'container', name: container.name, path }, async () => ({
        refds: repo.root,
        ...(await containerFacts(repo, container, runners)),
      }));
    }),
  );
}

async function containerFacts(repo: Repo, container: Container, runners: RunnersHere): Promise<Look> {
  const image = imagePathIn(repo.root, container.image);
  const path = join(repo.root, image);
  const content = contentAt(repo, image);
  const identity = await identifyImage(path, {
    verify: false,
    ...(content.kind === 'annexed' ? { key: content.key } : {}),
  });
  const { format, architecture } = identity;
  const facts = {
    type: identity.storage === 'folder' ? 'directory' : 'file',
    image_format: format,
    ...(architecture === undefined ? {} : { image_architecture: architecture }),
  } as const;
  const able = ableRunners(identity, runners.results);
  const line = formatCall(container.cmdexec, { image, imageDataset: '.', command: 'true' });
  const calls = engineCalls(line, [image, join('.', image)]);
  const isLine = format === 'other' || (runners.named === null && isOwnFormat(line, image, container.cmdexec));
  if (isLine) return { ...facts, ...lineFacts(repo, container, calls, able) };
  if (calls.length === 0) {
    const message = `No runner can take the place of its own call format: ${container.cmdexec}`;
    return { ...facts, status: 'impossible', message };
  }
  return { ...facts, ...runnerFacts(container, path, identity, able, runners.named) };
}

/** What was found out about the runners that can run an image. */
function ableRunners(identity: ImageIdentity, results: readonly Result[]): readonly Result[] {
  const names: readonly unknown[] = runnersFor(identity.format);
  const engines: readonly unknown[] = ['docker', 'podman'];
  return results.filter(({ name }) => names.includes(name) && (!isPacked(identity) || engines.includes(name)));
}

function working(able: readonly Result[]): readonly string[] {
  return able.filter(({ status }) => status === 'ok').map(({ name }) => String(name));
}

/** A line that the shell executes as it stands. */
function lineFacts(
  { context }: Repo,
  { name, cmdexec }: Container,
  calls: readonly EngineCall[],
  able: readonly Result[],
): Look {
  if (cmdexec === undefined) return { message: 'The image is a program itself' };
  const missing = calls.find((call) => call.kind !== 'direct' && !isOnPath(call, context.env));
  if (!missing) return { message: `Started by its own call format: ${cmdexec}` };
  const [other] = working(able);
  return {
    status: 'impossible',
    message: `Its own call format starts ${missing.program}, which is not here: ${cmdexec}`,
    hints: other === undefined ? [] : [`reprise containers-run -n ${quoteWord(name)} --runner ${other} ...`],
  };
}

function runnerFacts(
  { name }: Container,
  path: string,
  identity: ImageIdentity,
  able: readonly Result[],
  named: RunnerName | null,
): Look {
  const { format, architecture } = identity;
  const runners = working(able);
  const [first, ...others] = runners;
  if (first !== undefined) {
    const isForeign = architecture !== undefined && architecture !== hostArchitecture();
    const note = isForeign ? `, if it can emulate ${architecture}` : '';
    const more = others.length === 0 ? '' : ` (${listOf(others, 'and')} can as well)`;
    return { message: `Stored as ${format}: ${first} runs it${note}${more}`, runner: first, runners };
  }
  const stored = `Stored as ${format}${isPacked(identity) ? ' in one file' : ''}`;
  const unpack = isPacked(identity)
    ? [`reprise containers-add ${quoteWord(name)} --update --url ${quoteWord(path)}`]
    : [];
  const hints = able.flatMap((result) => (result['hints'] as readonly string[] | undefined) ?? []);
  const needed = listOf(
    able.map((result) => String(result['name'])),
    'or',
  );
  return {
    status: 'impossible',
    message: `${stored}, which ${needed === '' ? `${named} does not run` : `needs ${needed} to work here`}`,
    runners,
    hints: [...new Set([...unpack, ...hints])].slice(0, 2),
  };
}

function listOf(names: readonly string[], word: string): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;
}
