/** Drawings are the same bytes for the same numbers; what they look like was judged by eye when they were written down. */
import { describe, expect, test } from 'vitest';
import { linearTicks, numberText, shownLabels } from '../../src/cli/drawing/axis.js';
import { scaleColour } from '../../src/cli/drawing/colours.js';
import { drawHeatMap, type HeatMap } from '../../src/cli/drawing/heat-map.js';
import { drawStepChart, type Panel } from '../../src/cli/drawing/step-chart.js';

const MAP: HeatMap = {
  title: 'run: 1 to 3',
  description: 'A heat map.',
  columnTitle: 'step',
  columns: ['2', '3'],
  rows: [
    { label: 'model.<a> & "b"', values: [0.01, 1] },
    { label: 'model.frozen', values: [0, null] },
    { label: 'model.fresh', values: [Number.POSITIVE_INFINITY, 0.1] },
  ],
  valueTitle: 'change',
  scale: { kind: 'log', low: 0.01, high: 1 },
  valueText: String,
};

describe('golden bytes', () => {
  test('a heat map', async () => {
    await expect(drawHeatMap(MAP)).toMatchFileSnapshot('golden/heat-map.svg');
  });

  test('a chart', async () => {
    const points = [1, 2, 4].map((x) => ({ x, y: x * 100, text: `step ${x}` }));
    const chart = drawStepChart({
      title: 'run: loss',
      description: 'A chart.',
      xTitle: 'step',
      panels: [
        {
          title: 'loss',
          kind: 'line',
          points: [...points, { x: 5, y: Number.NaN, text: '' }],
          valueText: String,
          unit: 1,
        },
        { title: 'bytes', kind: 'bars', points, valueText: (value) => `${value} B`, unit: 1 },
      ],
    });
    await expect(chart).toMatchFileSnapshot('golden/step-chart.svg');
  });
});

test('nothing of a name is markup, a reference or a control character', () => {
  const evil = 'x"><script>&\u0000\u001b</title>';
  const drawn = drawHeatMap({
    ...MAP,
    title: evil,
    columns: [evil, evil],
    rows: [{ label: evil, values: [1, 0] }],
  });
  expect(drawn).not.toMatch(/<script|\p{Cc}(?<!\n)/u);
  const open = [...drawn.matchAll(/<([a-z]+)[^>]*?(\/?)>/g)].filter(([, , end]) => end === '').length;
  expect(open).toBe([...drawn.matchAll(/<\/[a-z]+>/g)].length);
});

test('a map of nothing, of one cell and of one value is drawn', () => {
  for (const rows of [[], [{ label: 'a', values: [1, 1] }]])
    expect(drawHeatMap({ ...MAP, rows, scale: { kind: 'log', low: 1, high: 1 } })).not.toMatch(
      /NaN|Infinity|undefined/,
    );
  const panel: Panel = { title: 'loss', kind: 'line', points: [], valueText: String, unit: 1 };
  expect(drawStepChart({ title: '', description: '', xTitle: '', panels: [panel] })).not.toMatch(
    /NaN|Infinity/,
  );
});

test('ticks are round and cover the values', () => {
  expect(linearTicks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(linearTicks(2.4, 3, 4)).toEqual([2.4, 2.6, 2.8, 3]);
  expect(linearTicks(-0.03, 0.11, 3)).toEqual([-0.05, 0, 0.05, 0.1, 0.15]);
  expect(linearTicks(5, 5, 4).length).toBeGreaterThan(1);
  expect([0, 1200, 0.05, 2e-7, 1.25e9].map(numberText)).toEqual(['0', '1200', '0.05', '2e-7', '1.25e+9']);
});

test('labels that have no room are left out, never the first and last', () => {
  expect(shownLabels(3, 300, 20)).toEqual([0, 1, 2]);
  expect(shownLabels(10, 100, 30)).toEqual([0, 3, 6, 9]);
  expect(shownLabels(11, 100, 30)).toEqual([0, 4, 10]);
  expect(shownLabels(1, 4, 30)).toEqual([0]);
  expect(shownLabels(0, 4, 30)).toEqual([]);
});

test('darker is more, evenly enough to be read without colours', () => {
  const luminance = (share: number): number => {
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(scaleColour(share).slice(at, at + 2), 16));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const steps = Array.from({ length: 33 }, (_, at) => luminance(at / 32));
  for (let at = 1; at < steps.length; at++) expect(steps[at]).toBeLessThan(steps[at - 1]);
});
