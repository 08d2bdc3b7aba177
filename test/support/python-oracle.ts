/** A Python process that answers one JSON value with another, so that a property test costs no process per case. */
import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { openLines } from './line-server.ts';

export interface PythonOracle {
  /** What the script's `answer` returns for a value; an exception comes back as `{ raised: <name of its class>, text }`. */
  ask(value: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Python lines that make an older `glob` do as that of Python 3.14: of a folder that is not there, `folder/**` does not match the folder. */
export const GLOB_AS_NOW = `
import glob, os
below = glob._glob2
glob._glob2 = lambda folder, *more, **named: below(folder, *more, **named) if not folder or os.path.isdir(folder) else iter(())
`;

const LOOP = `
import json, sys
for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:
        result = {'raised': type(error).__name__, 'text': str(error)}
    print(json.dumps(result), flush=True)
`;

/**
 * @param script Python that defines `answer(value)`
 * @param interpreter `python3`, or `pythonOfDatalad()` for scripts that import DataLad
 */
export function startPython(script: string, interpreter = 'python3'): PythonOracle {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', LANG: 'C.UTF-8', PYTHONWARNINGS: 'ignore' };
  const server = openLines([interpreter, '-c', script + LOOP], { cwd: '/', env });
  return {
    async ask(value) {
      const line = await server.ask(JSON.stringify(value));
      if (line === null) throw new Error(`Python ended: ${(await server.close()).stderr}`);
      return JSON.parse(line);
    },
    async close() {
      await server.close();
    },
  };
}

/** The interpreter that the installed `datalad` runs on. */
export function pythonOfDatalad(): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      const shebang = /^#!\s*(\S+)/.exec(readFileSync(`${folder}/datalad`, 'utf8'))?.[1];
      if (shebang !== undefined) return shebang;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error('datalad is not on the PATH');
}
