/** Round numbers along an axis. */

/** Steps of a linear axis: these times a power of ten. */
const STEPS = [1, 2, 5, 10];
const NUMBER_DIGITS = 4;

/** Returns about `count` round numbers that cover the values from `low` to `high`, the outer ones included. */
export function linearTicks(low: number, high: number, count: number): number[] {
  const span = high > low ? high - low : Math.max(Math.abs(low), 1);
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** Returns a number of an axis as people write it: `1200`, `0.05`, `2e-7`. */
export function numberText(value: number): string {
  const rounded = Number(value.toPrecision(NUMBER_DIGITS));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e7) ? rounded.toExponential() : String(rounded);
}

/** Returns which of `count` labels in a row are shown, so that each has room: the first and last, and even ones between. */
export function shownLabels(count: number, room: number, each: number): number[] {
  const every = Math.max(1, Math.ceil((count * each) / Math.max(room, 1)));
  const shown = Array.from({ length: Math.ceil(count / every) }, (_, at) => at * every);
  const last = count - 1;
  if (shown.length > 1 && last - (shown.at(-1) ?? 0) < every && (shown.at(-1) ?? 0) !== last) shown.pop();
  if (shown.at(-1) !== last && count > 0) shown.push(last);
  return shown;
}
