/** One line of progress on a terminal: drawn only for work of more than a second, at most ten times a second, and wiped before other text. */
import type { Event } from '../core/result.ts';
import { printable } from './printable.ts';
import { humanSize } from './size.ts';

const PATIENCE = 1000;
const INTERVAL = 100;
const WIPE = '\r\u001b[2K';

export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Width of the terminal. */
  readonly columns: number;
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
}

export interface Progress {
  update(event: Extract<Event, { kind: 'progress' | 'progress-end' }>): void;
  /** Wipes the line, so that other text can be printed; the next update draws it again. */
  clear(): void;
}

/** Draws progress with the events' own times: no timer runs. */
export function createProgress({ write, columns, now }: ProgressOptions): Progress {
  const started = new Map<string, number>();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let visible = false;
  const clear = (): void => {
    if (visible) write(WIPE);
    visible = false;
  };
  return {
    clear,
    update(event) {
      if (event.kind === 'progress-end') {
        started.delete(event.label);
        clear();
        return;
      }
      const time = now();
      const start = started.get(event.label) ?? time;
      started.set(event.label, start);
      if (time - start < PATIENCE || time - drawnAt < INTERVAL) return;
      drawnAt = time;
      visible = true;
      write(WIPE + cut(progressLine(event), columns - 1));
    },
  };
}

/** `get: 12/40 files (30%)`. */
export function progressLine(event: Extract<Event, { kind: 'progress' }>): string {
  const amount = event.unit === 'bytes' ? humanSize : String;
  const label = printable(event.label);
  const unit = event.unit === 'bytes' ? '' : ` ${event.unit}`;
  if (event.total <= 0) return `${label}: ${amount(event.done)}${unit}`;
  const percent = Math.min(100, Math.floor((event.done / event.total) * 100));
  return `${label}: ${amount(event.done)}/${amount(event.total)}${unit} (${percent}%)`;
}

function cut(text: string, width: number): string {
  const chars = Array.from(text);
  return chars.length <= width ? text : `${chars.slice(0, Math.max(0, width - 1)).join('')}…`;
}
