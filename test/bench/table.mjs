/** Results as text. */

const WIDTHS = [44, 10, 10, 10, 14, 14];

/** The lines above all cases: what was measured on what. */
export function headLines(machine, load) {
  const { versions } = machine;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version ?? '(missing)'}`);
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}; load ${load}`,
    programs.join(', '),
    'Medians in milliseconds; ratios are medians of the ratios of each round; n is the number of rounds.',
    '',
    row(['work', 'reprise', 'datalad', 'floor', 'of floor', 'of datalad']),
    row(WIDTHS.map((width) => '-'.repeat(width - 1))),
  ];
}

/** The lines of one case: its times, other figures, and each bound with PASS or over. */
export function caseLines(result) {
  const { times, ratios } = result;
  const cells = [`${result.id} ${result.title}`, ms(times.reprise), ms(times.datalad), ms(times.floor)];
  const lines = [row([...cells, factor(ratios.floor), factor(ratios.datalad)])];
  const rounds = Object.entries(times).map(([name, { samples }]) => `${name} ${samples.length}`);
  lines.push(`    n: ${rounds.join(', ')}; load ${result.load}${result.floor ? `; floor: ${result.floor}` : ''}`);
  for (const note of result.notes) lines.push(`    ${note}`);
  for (const bound of result.bounds)
    lines.push(`    ${verdict(bound)}  ${bound.text}: ${bound.value ?? 'not measured'}`);
  return lines;
}

function verdict({ met }) {
  return met === null ? '-   ' : met ? 'PASS' : 'over';
}

function ms(time) {
  return time ? `${Math.round(time.median * 1000)}` : '';
}

function factor(value) {
  return value === null || value === undefined ? '' : `${value.toFixed(2)} x`;
}

function row(cells) {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[index])))
    .join('')
    .trimEnd();
}
