import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, RUNNER } from '../shared-options.ts';
import type { DoctorOptions } from '../../doctor/doctor.ts';

export const DOCTOR: Command = verbCommand<DoctorOptions>({
  name: 'doctor',
  summary: 'Say what works here, and why the rest does not',
  description: [
    'Looks at the programs that Reprise works with and at the runners of containers; in a dataset also at what waits to be recovered or continued, and at which runner would run each of its containers. Whatever is not as it could be has a reason and a hint.',
    'Nothing is changed, and nothing of the dataset is executed. A runner counts as working if it answers within some seconds; with --probe, if it then runs a container. The image for that is made on the spot, needs no network, and is removed again.',
  ],
  examples: [
    { what: 'What works here', line: 'reprise doctor' },
    { what: 'In a job script: is Apptainer usable on this node', line: 'reprise doctor --runner apptainer --probe' },
    { what: 'For a program', line: 'reprise -f json doctor' },
  ],
  exitCodes: [['1', 'Something that is always needed is not there, or the runner that was named does not work']],
  parameters: {
    dataset: DATASET,
    runner: { ...RUNNER, description: 'Look at this runner only; it has to work' },
    probe: {
      kind: 'flag',
      long: '--probe',
      origin: 'reprise',
      description: 'Run a small container under each runner that answers',
    },
  },
  load: async () => (await import('../verbs.ts')).doctor,
});
