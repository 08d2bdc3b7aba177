/**
 * The client process of a container engine: `engine-client.cjs run FILE [COMMAND...]` executes the job in a file; `remove JSON` is for its leash;
 * `pipe PROGRAM...` starts an engine's own program where there is a terminal.
 *
 * It stands where a command's own process would stand: its streams, its signals and its exit code are the command's.
 */
import { readFileSync } from 'node:fs';
import { runPiped } from '../containers/apptainer/piped.ts';
import { runContainer } from '../containers/engine/client.ts';
import { runByCommand } from '../containers/engine/command-client.ts';
import { checkMounts, ENGINE_FAILED, type EngineJob } from '../containers/engine/job.ts';
import { putOnLeash } from '../containers/engine/leash.ts';
import { type Removal, removeAbandoned } from '../containers/engine/remove.ts';
import { RepriseError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { HELPER_VARIABLE, helperTagOf, randomId } from '../sys/owner.ts';
import { failureText } from '../report/failure.ts';

async function run(job: EngineJob): Promise<number> {
  checkMounts(job);
  const removal: Removal = { endpoint: job.engine.endpoint, what: 'container', name: job.name };
  const leash = putOnLeash([process.execPath, process.argv[1] as string, 'remove', JSON.stringify(removal)], {
    ...process.env,
    // `recover` waits for it: until the container is gone, its command goes on writing.
    [HELPER_VARIABLE]: helperTagOf(job.owner),
  });
  return job.engine.endpoint.via === 'command'
    ? runByCommand(job, process.env, leash)
    : runContainer(job, process, process.env, leash);
}

/** The words after the file are the command, as the shell has made them; a line may start several containers of one job. */
function withCommand(job: EngineJob, words: readonly string[]): EngineJob {
  const [program, ...rest] = words;
  if (program === undefined) return job;
  return { ...job, name: `${job.name}-${randomId()}`, plan: { ...job.plan, command: [program, ...rest] } };
}

async function main(verb: string | undefined, argument: string, words: readonly string[]): Promise<number> {
  try {
    if (verb === 'remove') {
      await removeAbandoned(JSON.parse(argument) as Removal, process.env);
      return 0;
    }
    if (verb === 'pipe') return await runPiped([argument, ...words], process.env);
    return await run(withCommand(JSON.parse(readFileSync(argument, 'utf8')) as EngineJob, words));
  } catch (error) {
    const versions = `reprise ${VERSION}, node ${process.version}`;
    process.stderr.write(`${failureText(error, { verbose: false, versions })}\n`);
    return error instanceof RepriseError && error.code === 'container-failed' ? error.exitCode : ENGINE_FAILED;
  }
}

// What Node thinks of a library's calls is not for users: from 24 on it warns of one, amid a command's own words.
process.noDeprecation = true;
const [verb, argument = '', ...words] = process.argv.slice(2);
// Input that nobody read must not keep us here.
void main(verb, argument, words).then((code) => process.exit(code));
