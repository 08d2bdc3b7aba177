/** What is needed to bring a run whose command has ended to its end. */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import type { CommandExit, Journal } from './journal.ts';
import type { Subject } from './subject.ts';

export interface FinishRequest {
  readonly subject: Subject;
  readonly config: Config;
  readonly journal: Journal;
  readonly exit: CommandExit;
  readonly report: (result: Result) => void;
}
