/**
 * `npm test`: the whole suite, or what the arguments choose (`npm test -- test/unit`); arguments are vitest's.
 *
 * Run as a whole, what is missing is installed first, where that may be done; elsewhere what was skipped is counted and named.
 * With REPRISE_REQUIRE_ALL=1, as in CI, something skipped is a failure. What failed is listed at the end, where a log is read first.
 * The last line is `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { dataladTree, howToInstall, install, mayInstall, missing } from './setup.mjs';

const root = resolve(import.meta.dirname, '..');
const args = process.argv.slice(2);
const whole = args.length === 0;
const requireAll = Boolean(process.env.REPRISE_REQUIRE_ALL);

/** Runs vitest and returns its exit status and its report, or null for a report if there is none. */
function runSuite() {
  const folder = mkdtempSync(join(tmpdir(), 'reprise-report-'));
  const report = join(folder, 'report.json');
  try {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const { status } = spawnSync(process.execPath, [vitest, 'run', '--maxWorkers=2', ...reporters, ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...worldOfTests() },
    });
    return { status: status ?? 1, report: readReport(report) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The newest DataLad sees /tmp of the host and nothing else, so that is where tests work. */
function worldOfTests() {
  const temporary = tmpdir().startsWith('/tmp') ? {} : { REPRISE_TEST_TMP: '/tmp' };
  return { REPRISE_DATALAD_LATEST: dataladTree(), ...temporary };
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Passed, failed, and the titles of the blocks with skipped tests, each with their number. */
function count(report) {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults);
  const of = (status) => tests.filter((test) => test.status === status).length;
  // A file that could not even be loaded is one failure.
  const broken = files.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  );
  const skipped = new Map();
  for (const test of tests) {
    if (test.status === 'passed' || test.status === 'failed') continue;
    const block = test.ancestorTitles.find((title) => title.includes('[needs ')) ?? test.fullName;
    skipped.set(block, (skipped.get(block) ?? 0) + 1);
  }
  return { passed: of('passed'), failed: of('failed') + broken.length, skipped };
}

const MOST_LISTED = 20;
const LINES_OF_MESSAGE = 12;

/** Each failed test, and each file that could not be loaded: file, title, and the beginning of the message. */
function failedTests(report) {
  return (report?.testResults ?? []).flatMap((file) => {
    const tests = file.assertionResults.filter((test) => test.status === 'failed');
    const rows = tests.map((test) => [test.fullName, test.failureMessages[0]]);
    if (tests.length === 0 && file.status === 'failed') rows.push(['could not be run', file.message]);
    return rows.map(([title, message]) => `  ${relative(root, file.name)}: ${title}\n${beginning(message)}`);
  });
}

/** The first lines, without the colours of a terminal, and cut, as a message may quote a whole file. */
function beginning(message) {
  const lines = stripVTControlCharacters(message ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^ +at .*(node_modules|Promise)/.test(line));
  const cut = lines.slice(0, LINES_OF_MESSAGE).map((line) => (line.length > 200 ? `${line.slice(0, 200)} ...` : line));
  return [...cut, ...(lines.length > LINES_OF_MESSAGE ? ['...'] : [])].map((line) => `    ${line}`).join('\n');
}

const lacking = missing();
const still = lacking.length > 0 && mayInstall() && (whole || process.env.CI) ? install(lacking) : lacking;

const { status, report } = runSuite();
const { passed, failed, skipped } = count(report);
const skippedTests = [...skipped.values()].reduce((sum, number) => sum + number, 0);
const forbidden = requireAll && whole ? skippedTests : 0;

if (skippedTests > 0) {
  const rows = [...skipped].map(([title, number]) => `  ${String(number).padStart(4)}  ${title}`);
  console.log(`\nSKIPPED: ${skippedTests} tests in ${skipped.size} blocks were not run\n${rows.join('\n')}`);
  if (still.length > 0)
    console.log(['\nTo run them, install:', ...howToInstall(still).map((line) => `  ${line}`)].join('\n'));
  if (forbidden > 0) console.log('\nSkipping is forbidden here (REPRISE_REQUIRE_ALL): each of them counts as failed.');
}

const listed = failedTests(report);
if (listed.length > 0) {
  const more = listed.length > MOST_LISTED ? [`  ... and ${listed.length - MOST_LISTED} more`] : [];
  console.log(['\nFAILED:', ...listed.slice(0, MOST_LISTED), ...more].join('\n'));
}

// What vitest itself holds against the run (an unhandled rejection, no tests found) must show in the count, too.
const failures = failed + forbidden || (status === 0 && report !== null ? 0 : 1);
console.log(`\n${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
