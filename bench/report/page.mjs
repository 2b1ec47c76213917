/** The report as one page without anything from outside. */
import { fixed, shownFigure } from '../harness.mjs';
import { barChart, escaped } from './chart.mjs';
import { shortfallOf } from './shortfalls.mjs';

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2024;--faint:#667078;--rule:#d9dee2;--ours:#2563c9;--peer:#a9b3bb;
--limit:#5b6770;--short:#c2571a;--mark:#1c2024}
@media(prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e9eb;--faint:#98a2aa;--rule:#2d3338;--ours:#6ea1ff;
--peer:#56616a;--limit:#8b98a1;--short:#f08a4b;--mark:#e6e9eb}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:32px 20px 64px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:44px 0 8px}
p{margin:4px 0 12px;color:var(--faint);max-width:75ch}figure{margin:20px 0}figcaption{font-weight:600;margin-bottom:6px}
svg{display:block;width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:var(--ink);dominant-baseline:central}
svg .label{text-anchor:end}svg .value{fill:var(--faint);font-variant-numeric:tabular-nums}
.ours{fill:var(--ours)}.peer{fill:var(--peer)}.limit{fill:var(--limit)}.short{fill:var(--short)}
.mark{stroke:var(--mark);stroke-dasharray:3 3}.whisker{stroke:var(--ink);stroke-width:1.5;opacity:.55}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}.tile{border:1px solid var(--rule);border-radius:6px;padding:10px 16px}
.tile b{display:block;font-size:24px;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:left;padding:5px 10px 5px 0;vertical-align:top;
border-bottom:1px solid var(--rule)}td.number{font-variant-numeric:tabular-nums;white-space:nowrap}td.no{color:var(--short);font-weight:600}
td.how{color:var(--faint)}.key span{margin-right:16px}.key i{display:inline-block;width:12px;height:12px;border-radius:2px;
margin-right:5px;vertical-align:-1px}`;

const TITLES = {
  bytes: 'Bytes: what a save adds to the store',
  kernels: 'Kernels and chunks on one core',
  engine: 'Whole operations',
};

/** The whole page. `facts` are `{ rows, limits, compare, machineLine, others }`. */
export function page({ rows, limits, compare, machineLine }) {
  const sections = Object.keys(TITLES).map((section) => sectionOf(section, rows));
  const body = [
    `<h1>thetalog, measured</h1><p>${escaped(machineLine)}</p>`,
    tiles(rows),
    key(),
    compare === undefined ? '' : comparisonCharts(compare, rows),
    speedChart(rows, limits),
    ...sections,
  ];
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>thetalog, measured</title>`;
  return `<!doctype html><html lang="en"><head>${head}<style>${STYLE}</style></head><body>${body.join('\n')}</body></html>\n`;
}

function tiles(rows) {
  const count = (ok) => rows.filter((row) => row.ok === ok).length;
  const tile = (number, text) => `<div class="tile"><b>${number}</b>${text}</div>`;
  const loaded = rows.filter(({ load }) => load?.loaded).length;
  const parts = [
    tile(count(true), 'targets reached'),
    tile(count(false), 'fall short'),
    tile(count(null), 'not measured'),
    tile(loaded, 'measured while others used the machine'),
  ];
  return `<div class="tiles">${parts.join('')}</div>`;
}

function key() {
  const entries = [
    ['ours', 'thetalog'],
    ['short', 'thetalog, short of its target'],
    ['limit', 'limit of the machine'],
    ['peer', 'other programs'],
  ];
  const parts = entries.map(
    ([kind, text]) => `<span><i style="background:var(--${kind})"></i>${text}</span>`,
  );
  return `<p class="key">${parts.join('')}</p>`;
}

/** Bytes of an increment by method, and speeds of peers, from bench/compare. */
function comparisonCharts({ pairs, speeds }) {
  const charts = pairs.map(({ name, methods }) => {
    const bars = methods
      .filter(({ ratio }) => Number.isFinite(ratio))
      .sort((a, b) => b.ratio - a.ratio)
      .map(({ method, ratio, bytes }) => ({
        label: method,
        value: ratio,
        text: `${fixed(ratio)}x, ${(bytes / 1e6).toFixed(3)} MB`,
        kind: method.startsWith('thetalog') ? 'ours' : 'peer',
      }));
    return barChart(`${name}: times smaller than the file`, bars);
  });
  const bars = (speeds ?? []).flatMap(({ method, save, restore }) =>
    [
      ['save', save],
      ['restore', restore],
    ]
      .filter(([, speed]) => Number.isFinite(speed))
      .map(([way, speed]) => ({
        label: `${method}, ${way}`,
        value: speed,
        text: `${fixed(speed)} GB/s`,
        kind: method.startsWith('thetalog') ? 'ours' : 'peer',
      })),
  );
  if (bars.length > 0)
    charts.push(barChart('Speed of other programs on the same file, GB/s of its bytes', bars));
  return `<h2>Against other programs</h2>${charts.join('')}`;
}

/** Speeds of whole operations beside the limits of the machine. */
function speedChart(rows, limits) {
  const bars = Object.entries(limits)
    .filter(([name]) => !name.includes('64 MiB'))
    .map(([name, { median, least, most }]) => ({
      label: name,
      value: median,
      text: `${fixed(median)} GB/s`,
      kind: 'limit',
      range: [least, most],
    }));
  for (const { section, row, ok, gigabytesPerSecond } of rows) {
    if (section !== 'engine' || gigabytesPerSecond === undefined) continue;
    const text = `${fixed(gigabytesPerSecond)} GB/s`;
    bars.push({ label: row, value: gigabytesPerSecond, text, kind: ok ? 'ours' : 'short' });
  }
  if (bars.length === 0) return '';
  return `<h2>Speeds and limits</h2>${barChart('GB/s of logical bytes, medians; lines are the spread', bars)}`;
}

function sectionOf(section, rows) {
  const own = rows.filter((row) => row.section === section);
  const share = ({ sense, goal, reached }) =>
    sense === 'least' ? reached / goal : goal / Math.max(reached, 1e-9);
  const bars = own
    .filter(({ reached }) => reached !== null)
    .map((row) => ({
      label: row.row,
      value: Math.min(share(row), 3),
      text: `${shownFigure(row)} (${row.target})`,
      kind: row.ok ? 'ours' : 'short',
    }));
  const chart =
    bars.length === 0
      ? ''
      : barChart('Share of the target; the line is the target', bars, { mark: 1, max: 3 });
  const lines = own.map(tableLine).join('');
  const header =
    '<tr><th>row</th><th>target</th><th>reached</th><th>spread</th><th>how measured</th><th>what limits</th></tr>';
  return `<h2>${TITLES[section]}</h2>${chart}<div class="scroll"><table>${header}${lines}</table></div>`;
}

function tableLine(row) {
  const { row: name, target, ok, figures, how = '', note, skipped, load } = row;
  const spread = figures?.rounds > 1 ? `${fixed(figures.least)} to ${fixed(figures.most)}` : '';
  const loaded = load?.loaded ? `; others used ${fixed(load.other + load.steal)} cores` : '';
  const detail =
    ok === null ? `not measured: ${skipped}` : `${how}${note === undefined ? '' : ` (${note})`}${loaded}`;
  const cells = [
    `<td>${escaped(name)}</td>`,
    `<td class="number">${escaped(target)}</td>`,
    `<td class="number${ok === false ? ' no' : ''}">${shownFigure(row)}</td>`,
    `<td class="number">${spread}</td>`,
    `<td class="how">${escaped(detail)}</td>`,
    `<td class="how">${escaped(shortfallOf(row))}</td>`,
  ];
  return `<tr>${cells.join('')}</tr>`;
}
