import type { RerunOptions } from '../../rerun/request.ts';
import { type Command, verbCommand } from '../parameters.ts';
import { ASSUME_READY, DATASET, ON_CMD_FAILURE, ON_FAILURE, RUNNER } from '../shared-options.ts';

export const RERUN: Command = verbCommand<RerunOptions>({
  name: 'rerun',
  summary: 'Execute recorded runs again, and say whether the results are the same',
  description: [
    'Executes the command that a commit recorded on top of the present state, and compares what comes out with what that commit holds: each output is identical, different, missing or unexpected. New results are committed like those of a run; identical ones change nothing. The verdict is kept in any case (reprise attestations).',
    'Without --since it is about one commit, by default the last one of the active branch. With --since it is about all commits after that one, oldest first; commits without a record are skipped where they are in the history already, and cherry-picked where they are not; merges are made again where their parents were.',
    'A rerun that stops, because a command fails, a pick conflicts, or it is killed, can be continued or aborted.',
  ],
  examples: [
    { what: 'Rerun the last commit', line: 'reprise rerun' },
    {
      what: 'Rerun the last five, and fail unless the results are identical',
      line: 'reprise rerun --verify --since=HEAD~5',
    },
    { what: 'See what would be done with all of the history', line: 'reprise rerun --dry-run --since=' },
    { what: 'Rerun everything on a branch of its own', line: 'reprise rerun --branch=check --onto= --since=' },
    { what: 'Write a script of all commands', line: 'reprise rerun --script=replay.sh --since=' },
  ],
  exitCodes: [
    ['1', 'With --verify: an output is not identical'],
    ['the command’s', 'A command failed with another exit code than the recorded one'],
  ],
  parameters: {
    revision: {
      kind: 'operand',
      argument: 'REVISION',
      completion: 'none',
      description: 'The commit to rerun, or the last one with --since; by default the active branch',
    },
    since: {
      kind: 'text',
      long: '--since',
      argument: 'SINCE',
      completion: 'none',
      origin: 'datalad',
      description: 'Rerun all commits after this one, up to REVISION; all of the history if it is blank',
    },
    dataset: DATASET,
    branch: {
      kind: 'text',
      short: '-b',
      long: '--branch',
      argument: 'NAME',
      completion: 'none',
      origin: 'datalad',
      description: 'Make this branch first, and put the results on it',
    },
    message: {
      kind: 'text',
      short: '-m',
      long: '--message',
      argument: 'MESSAGE',
      origin: 'datalad',
      description: 'What the new commits say; by default what the old ones say',
    },
    onto: {
      kind: 'text',
      long: '--onto',
      argument: 'BASE',
      completion: 'none',
      origin: 'datalad',
      description:
        'Start from this commit, with a detached HEAD unless there is --branch; from the parent of the first run if it is blank',
    },
    script: {
      kind: 'text',
      long: '--script',
      argument: 'FILE',
      completion: 'file',
      origin: 'datalad',
      description:
        'Do not execute anything, but write the commands to this file as a script for the shell; - is standard output',
    },
    report: {
      kind: 'flag',
      long: '--report',
      origin: 'datalad',
      description: 'Do not execute anything, but report what is recorded and would be done',
    },
    dryRun: {
      kind: 'flag',
      long: '--dry-run',
      origin: 'reprise',
      description: 'Do not execute anything, but show the plan: a line for each commit',
    },
    assumeReady: ASSUME_READY,
    explicit: {
      kind: 'flag',
      long: '--explicit',
      origin: 'datalad',
      description: 'Save only the recorded outputs, and do not ask for a dataset without unsaved changes',
    },
    onCmdFailure: ON_CMD_FAILURE,
    onFailure: ON_FAILURE,
    jobs: {
      kind: 'integer',
      short: '-J',
      long: '--jobs',
      argument: 'NJOBS',
      least: 1,
      unset: ['auto'],
      origin: 'datalad',
      description:
        'How many commands to execute at once where their inputs and outputs allow it, and how many transfers',
    },
    verify: {
      kind: 'flag',
      long: '--verify',
      origin: 'reprise',
      description: 'Exit with 1 if any output is not identical to what was recorded',
    },
    runner: RUNNER,
    workspace: {
      kind: 'flag',
      long: '--workspace',
      origin: 'reprise',
      description:
        'Execute each command in a throw-away checkout of the state in which it was recorded, subdatasets included; nothing here is changed',
    },
    stale: {
      kind: 'flag',
      long: '--stale',
      origin: 'reprise',
      description: 'Rerun only what no longer follows from its inputs, its code or its image (reprise stale)',
    },
    continue: {
      kind: 'flag',
      long: '--continue',
      origin: 'reprise',
      description:
        'Go on with a rerun that has stopped, on top of what was committed meanwhile; a command that failed is executed again',
    },
    abort: {
      kind: 'flag',
      long: '--abort',
      origin: 'reprise',
      description: 'Undo a rerun that has stopped; what it made is kept under refs/reprise/aborted',
    },
  },
  load: async () => {
    const { rerunEmitting } = await import('../verbs.ts');
    return async (options, context) => ({ exitCode: await rerunEmitting(options, context) });
  },
});
