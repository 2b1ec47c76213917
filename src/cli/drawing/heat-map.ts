/** A heat map: rows of cells over steps, with a logarithmic or linear scale, labels and a legend. */
import { shownLabels } from './axis.js';
import { scaleColour } from './colours.js';
import { drawing, element, FAINT, FONT_SIZE, textAt, textWidth, tooltip } from './svg.js';

export interface HeatMapRow {
  label: string;
  /** One value for each column: 0 is drawn apart from the scale; null: nothing to be said. */
  values: (number | null)[];
}

export interface HeatMap {
  title: string;
  description: string;
  /** Below the columns. */
  columnTitle: string;
  columns: string[];
  rows: HeatMapRow[];
  /** What the colours mean. */
  valueTitle: string;
  /** Ends of the scale. Logarithmic: both above 0. */
  scale: { kind: 'log' | 'linear'; low: number; high: number };
  valueText(value: number): string;
}

const MARGIN = 16;
const ROW_HEIGHT = 14;
const TITLE_HEIGHT = 40;
const LABEL_CHARACTERS_MAX = 48;
/** Wide enough for a map of one column to be read. */
const MAP_WIDTH_MIN = 240;
const COLUMN_WIDTH_MAX = 48;
const COLUMN_WIDTH_MIN = 4;
const MAP_WIDTH_WANTED = 720;
const LEGEND_WIDTH = 200;
const LEGEND_STEPS = 20;
const LEGEND_HEIGHT = 64;
const ZERO = '#ffffff';

/** Returns the drawing. */
export function drawHeatMap(map: HeatMap): string {
  const labels = map.rows.map(({ label }) => shortened(label));
  const left = MARGIN + Math.max(...labels.map(textWidth), 0) + 8;
  const columnWidth = Math.min(
    COLUMN_WIDTH_MAX,
    Math.max(COLUMN_WIDTH_MIN, Math.floor(MAP_WIDTH_WANTED / Math.max(map.columns.length, 1))),
  );
  const mapWidth = columnWidth * map.columns.length;
  const bottom = TITLE_HEIGHT + ROW_HEIGHT * map.rows.length;
  const width = left + Math.max(mapWidth, MAP_WIDTH_MIN, textWidth(map.title) - left) + MARGIN;
  const lines = [
    textAt(MARGIN, 24, map.title),
    ...map.rows.flatMap((row, at) =>
      rowLines(map, row, labels[at], left, TITLE_HEIGHT + at * ROW_HEIGHT, columnWidth),
    ),
    element('rect', {
      x: left,
      y: TITLE_HEIGHT,
      width: mapWidth,
      height: bottom - TITLE_HEIGHT,
      fill: 'none',
      stroke: FAINT,
    }),
    ...columnLabels(map.columns, left, bottom + 14, columnWidth),
    textAt(left, bottom + 30, map.columnTitle),
    ...legendLines(map, left, bottom + 44),
  ];
  const { title, description } = map;
  return drawing({ width, height: bottom + 44 + LEGEND_HEIGHT, title, description }, lines);
}

function rowLines(
  map: HeatMap,
  { label, values }: HeatMapRow,
  shown: string,
  left: number,
  top: number,
  columnWidth: number,
): string[] {
  const cells = values.flatMap((value, column) => {
    if (value === null) return [];
    const place = { x: left + column * columnWidth, y: top, width: columnWidth, height: ROW_HEIGHT };
    const text = `${label}, ${map.columns[column]}: ${map.valueText(value)}`;
    return [element('rect', { ...place, fill: colourOf(map, value) }, tooltip(text))];
  });
  return [textAt(left - 8, top + ROW_HEIGHT - 3, shown, 'end'), ...cells];
}

function colourOf({ scale }: HeatMap, value: number): string {
  if (value === 0) return ZERO;
  if (scale.high <= scale.low) return scaleColour(1);
  const place = (of: number): number => (scale.kind === 'log' ? Math.log(of) : of);
  return scaleColour((place(value) - place(scale.low)) / (place(scale.high) - place(scale.low)));
}

function columnLabels(columns: readonly string[], left: number, y: number, columnWidth: number): string[] {
  const each = Math.max(...columns.map(textWidth), 0) + 8;
  return shownLabels(columns.length, columns.length * columnWidth, each).map((column) =>
    textAt(left + (column + 0.5) * columnWidth, y, columns[column], 'middle'),
  );
}

/** The scale from its low end to its high one, then the marks of what is not on it. */
function legendLines(map: HeatMap, left: number, top: number): string[] {
  const { scale } = map;
  const stepWidth = LEGEND_WIDTH / LEGEND_STEPS;
  const steps = Array.from({ length: LEGEND_STEPS }, (_, at) =>
    element('rect', {
      x: left + at * stepWidth,
      y: top + 8,
      width: stepWidth,
      height: 10,
      fill: scaleColour(at / (LEGEND_STEPS - 1)),
    }),
  );
  const middle = scale.kind === 'log' ? Math.sqrt(scale.low * scale.high) : (scale.low + scale.high) / 2;
  const marks = [scale.low, middle, scale.high].map((value, at) =>
    textAt(
      left + (at * LEGEND_WIDTH) / 2,
      top + 30,
      map.valueText(value),
      at === 0 ? 'start' : at === 1 ? 'middle' : 'end',
    ),
  );
  const zeroAt = left + LEGEND_WIDTH + 16;
  return [
    textAt(left, top + 4, map.valueTitle),
    ...steps,
    ...marks,
    element('rect', { x: zeroAt, y: top + 8, width: 10, height: 10, fill: ZERO, stroke: FAINT }),
    textAt(zeroAt + 14, top + 8 + FONT_SIZE - 2, 'equal'),
  ];
}

/** Names of tensors tell most at their end. */
function shortened(label: string): string {
  return label.length <= LABEL_CHARACTERS_MAX ? label : `...${label.slice(3 - LABEL_CHARACTERS_MAX)}`;
}
