/** The program: what it takes to answer `--version` is all that is set up for it. */
import { VERSION } from '../core/version.ts';

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.write(`reprise ${VERSION}\n`);
} else {
  void import('./process.ts').then(({ main }) => main());
}
