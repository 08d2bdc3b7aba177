/** Where the client process of the container engines is: a program of its own beside the built one. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME = 'engine-client.cjs';

/** Absolute path, from the command line's bundle as well as from the library's modules. */
export function clientPath(): string {
  const here = typeof __dirname === 'string' ? __dirname : dirname(fileURLToPath(import.meta.url));
  const places = [
    here,
    join(here, 'cli'),
    join(here, '../cli'),
    join(here, '../dist/cli'),
    join(here, '../../dist/cli'),
  ];
  const found = places.map((folder) => join(folder, NAME)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${NAME} is missing from the installation at ${here}`);
  return found;
}
