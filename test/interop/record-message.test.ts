import { fc } from '../support/random.ts';
import { expect, test } from 'vitest';
import { type ParsedMessage, parseMessage, renderMessage, shortCommand } from '../../src/record/message.ts';
import { readRecord } from '../../src/record/normalise.ts';
import { describeWith } from '../support/oracles.ts';
import { askPython, batchOf, dataladInterpreter } from '../unit/record/python.ts';
import { anyRecord, anyText, CLOSER, OPENER, plainRecord } from '../unit/record/records.ts';

/** DataLad's own reader. A sidecar's id comes back as itself: files are none of this test's business. */
const PROGRAM = `
import json, sys
import datalad.local.rerun as rerun
from types import SimpleNamespace
class Sidecar(Exception):
    pass
def lexists(path):
    raise Sidecar(path)
rerun.op = SimpleNamespace(join=lambda *parts: parts[-1], lexists=lexists)
dataset = SimpleNamespace(config=SimpleNamespace(get=lambda key, default: default), path='')
def read(text):
    try:
        message, record = rerun.get_run_info(dataset, text)
        return {'kind': 'none'} if record is None else {'kind': 'record', 'message': message, 'record': record}
    except Sidecar as exc:
        return {'kind': 'sidecar', 'id': exc.args[0]}
    except Exception as exc:
        return {'kind': 'error'}
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`;
const SHORTEN = `
import json, sys
from datalad.core.local.run import _format_cmd_shorty
json.dump([_format_cmd_shorty(cmd) for cmd in json.load(sys.stdin)], sys.stdout)
`;

type Answer =
  | { readonly kind: 'none' }
  | { readonly kind: 'error' }
  | { readonly kind: 'record'; readonly message: string; readonly record: unknown }
  | { readonly kind: 'sidecar'; readonly id: unknown };

const parse = (text: string) => parseMessage(text, { commit: 'c0ffee' });

/** What we must have read, given what DataLad read; undefined where it fits. */
function disagreement(text: string, theirs: Answer, ours: ParsedMessage): unknown {
  const differs = { text, theirs, ours };
  if (theirs.kind === 'none') return 'how' in ours && ours.how === 'datalad' ? differs : undefined;
  if (theirs.kind === 'error') return ours.kind === 'invalid' ? undefined : differs;
  if (theirs.kind === 'sidecar') {
    return ours.kind === 'sidecar'
      ? ours.id === theirs.id
        ? undefined
        : differs
      : ours.kind === 'invalid'
        ? undefined
        : differs;
  }
  const read = readRecord(theirs.record);
  // DataLad hands on whatever has a command and fails later.
  if (typeof read === 'string') return ours.kind === 'invalid' ? undefined : differs;
  const same =
    ours.kind === 'record' &&
    ours.how === 'datalad' &&
    ours.message === theirs.message &&
    JSON.stringify(ours.record) === JSON.stringify(read.record);
  return same ? undefined : differs;
}

const piece = fc.oneof(
  fc.constantFrom(
    '[DATALAD RUNCMD] ',
    OPENER,
    `${OPENER}\n`,
    CLOSER,
    `\n${CLOSER}\n`,
    '\n',
    '\r\n',
    ' ',
    '\u0085',
    '\u001c',
    '\ufeff',
    '* ',
  ),
  fc.constantFrom(
    '"5f290e097f5a98051e40a7059b643681"',
    '"../x"',
    '[]',
    '7',
    '{}',
    '{"cmd": "a"}',
    '{"cmd": ["a", "b"]}',
    '{"cmd": 1}',
  ),
  anyText,
);
const rendered = fc
  .tuple(anyText, fc.oneof(anyRecord, fc.constant(plainRecord)))
  .map(([message, record]) => renderMessage({ message, fallback: 'x', content: { record } }));
/** Whole messages, with pieces put in anywhere, with pieces cut out, and messages of pieces alone. */
const mutated = fc
  .tuple(rendered, fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), piece), { maxLength: 4 }))
  .map(([text, edits]) =>
    edits.reduce((all, [where, cut, insert]) => {
      const at = Math.floor(where * all.length);
      return all.slice(0, at) + insert + all.slice(at + cut);
    }, text),
  );
const framed = fc
  .tuple(
    anyText,
    fc.oneof(
      piece,
      fc.json(),
      anyRecord.map((record) => JSON.stringify(record)),
    ),
    anyText,
  )
  .map(([before, body, after]) => `[DATALAD RUNCMD] ${before}${OPENER}\n${body}\n${CLOSER}${after}`);
const message = fc.oneof(
  framed,
  rendered,
  mutated,
  fc.tuple(mutated, mutated).map((both) => both.join('')),
  fc.array(piece, { maxLength: 12 }).map((parts) => `[DATALAD RUNCMD] ${parts.join('')}`),
  fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
);

describeWith(['datalad'], 'messages and DataLad’s own reader', () => {
  test('agree on random and damaged messages', () => {
    const { seed, values: texts } = batchOf(message, 3000);
    const theirs = askPython(PROGRAM, texts, dataladInterpreter()) as Answer[];
    const differences = texts.map((text, n) => disagreement(text, theirs[n] as Answer, parse(text))).filter(Boolean);
    expect(differences.slice(0, 3), seed).toEqual([]);
    // The sample must have held every kind of answer, or the agreement proves little.
    for (const kind of ['record', 'none', 'error', 'sidecar']) {
      expect(theirs.filter((answer) => answer.kind === kind).length, `${kind}, ${seed}`).toBeGreaterThan(20);
    }
  });

  test('agree on shortened commands', () => {
    const { seed, values: cmds } = batchOf(
      fc.array(anyText, { maxLength: 30 }).map((parts) => parts.join('')),
      500,
    );
    expect(cmds.map(shortCommand), seed).toEqual(askPython(SHORTEN, cmds, dataladInterpreter()) as string[]);
  });
});
