// Annual means of monthly CO2 readings, with the change from year to year, as a table and as a chart.
//
//   node code/annual.mjs MONTHLY.csv ANNUAL.csv CHART.svg
import { readFileSync, writeFileSync } from 'node:fs';

const [source, table, chart] = process.argv.slice(2);
const months = readFileSync(source, 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','))
  .map(([date, co2]) => ({ year: Number(date.slice(0, 4)), co2: Number(co2) }));

const byYear = new Map();
for (const { year, co2 } of months) byYear.set(year, [...(byYear.get(year) ?? []), co2]);
// A mean over part of the seasonal cycle would say more about the season than about the year.
const years = [...byYear]
  .filter(([, readings]) => readings.length === 12)
  .map(([year, readings]) => ({ year, mean: readings.reduce((sum, co2) => sum + co2, 0) / 12 }));

const rows = years.map(({ year, mean }, at) => {
  const before = years[at - 1];
  const growth = before?.year === year - 1 ? (mean - before.mean).toFixed(2) : '';
  return `${year},${mean.toFixed(2)},${growth}`;
});
writeFileSync(table, `${['year,mean_ppm,growth_ppm', ...rows].join('\n')}\n`);

const [first, last] = [years[0], years.at(-1)];
const x = (year) => (40 + ((year - first.year) / (last.year - first.year)) * 540).toFixed(1);
const y = (mean) => (280 - ((mean - 300) / 130) * 260).toFixed(1);
const points = years.map(({ year, mean }) => `${x(year)},${y(mean)}`).join(' ');
const labels = [first, last].map(
  ({ year, mean }) => `<text x="${x(year)}" y="${Number(y(mean)) - 8}" text-anchor="middle">${mean.toFixed(1)}</text>`,
);
const axis = [first, last].map(({ year }) => `<text x="${x(year)}" y="298" text-anchor="middle">${year}</text>`);
writeFileSync(
  chart,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 300" font-family="sans-serif" font-size="12">
<title>Annual mean CO2 at Mauna Loa, parts per million</title>
<polyline fill="none" stroke="#1f6f8b" stroke-width="2" points="${points}"/>
${[...labels, ...axis].join('\n')}
</svg>
`,
);
console.log(`${months.length} months read, ${years.length} complete years written`);
