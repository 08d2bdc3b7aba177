import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseMessage, renderMessage } from '../../src/record/message.ts';
import { normaliseRecord } from '../../src/record/normalise.ts';
import type { RunRecord } from '../../src/record/run-record.gen.ts';
import { decodeSidecar, encodeSidecar, sidecarId, sidecarPath } from '../../src/record/sidecar.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

for (const release of ['datalad', 'datalad-latest'] as const) {
  describeWith([release], 'records in a real dataset', () => {
    let world: World;
    let dataset: string;
    let dsid: string;
    const datalad = (...args: string[]) => world.ok(dataladArgv(release, args), { cwd: dataset });
    const message = () => world.git(dataset, 'log', '-1', '--format=%B');
    const commit = () => world.git(dataset, 'rev-parse', 'HEAD');

    beforeAll(() => {
      world = createWorld();
      dataset = join(world.dir, 'ds');
      world.ok(dataladArgv(release, ['create', '-c', 'text2git', dataset]));
      dsid = world.git(dataset, 'config', '-f', '.datalad/config', 'datalad.dataset.id');
    });
    afterAll(() => world.remove());

    test('DataLad’s inline record is read, and written again byte for byte', () => {
      const cmd = 'printf "%s" "ü" > "ö 1.txt"';
      datalad('run', '-m', 'schön', '-o', 'ö 1.txt', cmd);
      const parsed = parseMessage(message(), { commit: commit() });
      const record = { chain: [], cmd, dsid, exit: 0, extra_inputs: [], inputs: [], outputs: ['ö 1.txt'], pwd: '.' };
      expect(parsed).toEqual({
        kind: 'record',
        how: 'datalad',
        message: 'schön',
        record,
        oddities: [],
        blocks: 1,
        trailing: '',
      });
      expect(renderMessage({ message: 'schön', fallback: cmd, content: { record } }).trimEnd()).toBe(
        message().trimEnd(),
      );
    });

    test('DataLad’s sidecar is read, and written again byte for byte', async () => {
      datalad('run', '--sidecar', 'yes', '-m', 'aside', '-i', '.', '-o', 'ö.txt', 'echo "ü" > ö.txt');
      const parsed = parseMessage(message(), { commit: commit() });
      if (parsed.kind !== 'sidecar') throw new Error(`not a sidecar: ${parsed.kind}`);
      const bytes = readFileSync(join(dataset, sidecarPath(parsed.id)));
      const { record } = normaliseRecord(await decodeSidecar(bytes, { commit: commit() }), { commit: commit() });
      expect(record).toMatchObject({ cmd: 'echo "ü" > ö.txt', dsid, inputs: ['.'], outputs: ['ö.txt'] });
      expect(sidecarId(record)).toBe(parsed.id);
      expect((await encodeSidecar(record)).equals(bytes)).toBe(true);
      expect(renderMessage({ message: 'aside', fallback: '', content: { sidecarId: parsed.id } }).trimEnd()).toBe(
        message().trimEnd(),
      );
    });

    const ours = (cmd: string): RunRecord => ({
      chain: [],
      cmd,
      dsid,
      exit: 0,
      extra_inputs: [],
      inputs: [],
      outputs: [],
      pwd: '.',
      reprise: { version: 1, run: '0123456789abcdef', peak_kb: 2048, user_s: 0.25, base: commit() },
    });
    const commitOurs = (text: string) =>
      world.ok(['git', 'commit', '--allow-empty', '--cleanup=verbatim', '-q', '-F', '-'], {
        cwd: dataset,
        input: text,
      });

    test('our inline record is executed by DataLad', () => {
      const record = ours('echo y >> inline');
      world.sh(dataset, 'echo y >> inline && git add inline');
      commitOurs(renderMessage({ fallback: 'x', message: 'our own', content: { record } }));
      const original = commit();
      datalad('rerun');
      expect(readFileSync(join(dataset, 'inline'), 'utf8')).toBe('y\ny\n');
      expect(parseMessage(message(), { commit: commit() })).toMatchObject({
        kind: 'record',
        message: 'our own',
        record: { chain: [original], cmd: record.cmd },
      });
    });

    test('our sidecar is executed by DataLad', async () => {
      const record = ours('echo y >> aside');
      const id = sidecarId(record);
      world.write(join(dataset, sidecarPath(id)), await encodeSidecar(record));
      world.sh(dataset, 'echo y >> aside && git add aside .datalad/runinfo');
      commitOurs(renderMessage({ fallback: 'x', message: 'our own, aside', content: { sidecarId: id } }));
      const original = commit();
      datalad('rerun');
      expect(readFileSync(join(dataset, 'aside'), 'utf8')).toBe('y\ny\n');
      expect(parseMessage(message(), { commit: commit() })).toMatchObject({
        kind: 'record',
        message: 'our own, aside',
        record: { chain: [original], cmd: record.cmd },
      });
    });
  });
}
