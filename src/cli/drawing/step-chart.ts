/** Panels one above the other over the same steps: lines for metrics, bars for bytes. */
import { linearTicks, numberText } from './axis.js';
import { LINE_COLOURS } from './colours.js';
import { type Anchor, drawing, element, FAINT, textAt, textWidth, tooltip } from './svg.js';

export interface Panel {
  title: string;
  kind: 'line' | 'bars';
  /** Values that are not finite are left out. */
  points: { x: number; y: number; text: string }[];
  valueText(value: number): string;
  /** What numbers of the axis are multiples of: 1024 for KiB. */
  unit: number;
}

export interface StepChart {
  title: string;
  description: string;
  /** Below the last panel. */
  xTitle: string;
  panels: Panel[];
}

interface Frame {
  left: number;
  top: number;
  xOf(x: number): number;
}

const MARGIN = 16;
const TITLE_HEIGHT = 40;
const PLOT_WIDTH = 640;
const PANEL_HEIGHT = 140;
const PANEL_GAP = 40;
const AXIS_HEIGHT = 44;
const TICKS = 4;
const X_TICKS = 8;
/** Room at both sides, so that points and bars at the ends are whole. */
const INSET = 12;
const BAR_WIDTH_MAX = 16;
const DOT_RADIUS = 2;

/** Returns the drawing. */
export function drawStepChart({ title, description, xTitle, panels }: StepChart): string {
  const xs = panels.flatMap(({ points }) => points.map(({ x }) => x));
  const [low, high] = [smallest(xs), greatest(xs)];
  const ticks = panels.map((panel) => ticksOf(panel));
  const labels = panels.flatMap((panel, at) => ticks[at].map((tick) => panel.valueText(tick)));
  const left = MARGIN + Math.max(...labels.map(textWidth), 0) + 8;
  const xOf = (x: number): number =>
    left + INSET + (high > low ? (x - low) / (high - low) : 0.5) * (PLOT_WIDTH - 2 * INSET);
  const topOf = (at: number): number => TITLE_HEIGHT + 20 + at * (PANEL_HEIGHT + PANEL_GAP);
  const bottom = topOf(panels.length - 1) + PANEL_HEIGHT;
  const lines = [
    textAt(MARGIN, 24, title),
    ...panels.flatMap((panel, at) =>
      panelLines(panel, ticks[at], { left, top: topOf(at), xOf }, LINE_COLOURS[at % LINE_COLOURS.length]),
    ),
    ...stepLabels(low, high, xOf, bottom),
    textAt(left + PLOT_WIDTH / 2, bottom + 34, xTitle, 'middle'),
  ];
  const size = { width: left + PLOT_WIDTH + MARGIN, height: bottom + AXIS_HEIGHT };
  return drawing({ ...size, title, description }, lines);
}

function panelLines(
  panel: Panel,
  ticks: readonly number[],
  { left, top, xOf }: Frame,
  colour: string,
): string[] {
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const yOf = (y: number): number => top + PANEL_HEIGHT * (1 - (y - low) / (high - low));
  const grid = ticks.flatMap((tick) => [
    element('path', { d: `M${left} ${place(yOf(tick))}h${PLOT_WIDTH}`, stroke: FAINT }),
    textAt(left - 6, yOf(tick) + 4, panel.valueText(tick), 'end'),
  ]);
  const points = panel.points.filter(({ y }) => Number.isFinite(y));
  const marks = panel.kind === 'bars' ? bars(points, xOf, yOf, colour) : line(points, xOf, yOf, colour);
  return [textAt(left, top - 8, panel.title), ...grid, ...marks];
}

function bars(
  points: Panel['points'],
  xOf: Frame['xOf'],
  yOf: (y: number) => number,
  fill: string,
): string[] {
  const places = points.map(({ x }) => xOf(x));
  const gaps = places.slice(1).map((x, at) => x - places[at]);
  const width = Math.max(1, Math.min(BAR_WIDTH_MAX, 0.8 * Math.min(...gaps.filter((gap) => gap > 0))));
  return points.map(({ x, y, text }) => {
    const box = { x: xOf(x) - width / 2, y: yOf(y), width, height: yOf(0) - yOf(y), fill };
    return element('rect', box, tooltip(text));
  });
}

function line(
  points: Panel['points'],
  xOf: Frame['xOf'],
  yOf: (y: number) => number,
  stroke: string,
): string[] {
  const path = points.map(({ x, y }, at) => `${at === 0 ? 'M' : 'L'}${place(xOf(x))} ${place(yOf(y))}`);
  const dots = points.map(({ x, y, text }) =>
    element('circle', { cx: xOf(x), cy: yOf(y), r: DOT_RADIUS, fill: stroke }, tooltip(text)),
  );
  return [element('path', { d: path.join(''), fill: 'none', stroke, 'stroke-width': 1.5 }), ...dots];
}

/** Whole steps only. */
function stepLabels(low: number, high: number, xOf: Frame['xOf'], bottom: number): string[] {
  const ticks = linearTicks(low, high, X_TICKS).filter((x) => Number.isInteger(x) && x >= low && x <= high);
  const shown = ticks.length > 1 ? ticks : [...new Set([low, high])];
  return shown.flatMap((x) => {
    const anchor: Anchor = 'middle';
    return [
      element('path', { d: `M${place(xOf(x))} ${bottom}v4`, stroke: 'currentColor' }),
      textAt(xOf(x), bottom + 16, numberText(x), anchor),
    ];
  });
}

function ticksOf({ kind, points, unit }: Panel): number[] {
  const values = points.map(({ y }) => y / unit).filter(Number.isFinite);
  const ticks = linearTicks(kind === 'bars' ? 0 : smallest(values), greatest(values), TICKS);
  return ticks.map((tick) => tick * unit);
}

/** Not `Math.min(...)`: there may be more values than arguments. */
function smallest(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((least, value) => Math.min(least, value));
}

function greatest(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((most, value) => Math.max(most, value));
}

function place(value: number): number {
  return Number(value.toFixed(2));
}
