/** Horizontal bars as inline SVG; colours are variables of the page, so that light and dark both work. */
const BAR = 18;
const GAP = 6;
const LABEL = 330;
const WIDTH = 960;
const VALUE = 130;

export const escaped = (text) =>
  `${text}`
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/**
 * Bars `{ label, value, text, kind, range }`, longest value at full width unless `max` says what is; `mark` draws a line at
 * a value. Kinds are classes of the page: ours, peer, limit, short.
 */
export function barChart(title, bars, { mark, max } = {}) {
  const scale = (WIDTH - LABEL - VALUE) / (max ?? Math.max(...bars.map(({ value }) => value), mark ?? 0));
  const height = bars.length * (BAR + GAP) + GAP;
  const line = mark === undefined ? '' : markLine(LABEL + mark * scale, height);
  const body = bars.map((bar, index) => barOf(bar, GAP + index * (BAR + GAP), scale)).join('');
  const label = `role="img" aria-label="${escaped(title)}"`;
  const figure = `<svg viewBox="0 0 ${WIDTH} ${height}" ${label}>${line}${body}</svg>`;
  return `<figure><figcaption>${escaped(title)}</figcaption>${figure}</figure>`;
}

function barOf({ label, value, text, kind = 'ours', range }, y, scale) {
  const width = Math.max(1, Math.min(value * scale, WIDTH - LABEL - VALUE));
  const middle = y + BAR / 2;
  const name = `<text class="label" x="${LABEL - 8}" y="${middle}">${escaped(label)}</text>`;
  const bar = `<rect class="${kind}" x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`;
  const number = `<text class="value" x="${(LABEL + width + 8).toFixed(1)}" y="${middle}">${escaped(text)}</text>`;
  return `${name}${bar}${range === undefined ? '' : whisker(range, middle, scale)}${number}`;
}

function whisker([least, most], y, scale) {
  const [from, to] = [least, most].map((value) => LABEL + Math.min(value * scale, WIDTH - LABEL - VALUE));
  return `<path class="whisker" d="M${from.toFixed(1)} ${y}H${to.toFixed(1)}"/>`;
}

function markLine(x, height) {
  return `<path class="mark" d="M${x.toFixed(1)} 0V${height}"/>`;
}
