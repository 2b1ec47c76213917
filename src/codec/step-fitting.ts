/** The model of a coder of steps (FORMAT.md, "Steps") that suits a chunk, from counts of what differs in it. */
import {
  type ChangeCounts,
  type FloatLayout,
  lowOfLevel,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  MARK_TOTAL,
  markLowMax,
  STEP_COUNT_STRIDE,
  STEP_COUNTS,
  STEP_LEVELS_MAX,
  STEP_RESTS_FROM,
  STEP_STATES,
  STEP_TABLES_MAX,
  type StepModel,
  tableOfLevel,
} from '../kernels/index.js';
import { sumOf } from './change-sample.js';

/** Rows of counts. */
export const EXPONENTS = 256;

/** Of so many lanes that differ one may be told in full: further levels would hold a few lanes each. */
const FULL_SHARE = 1 / 1024;

/** Of lanes of which more than one in so many differ the sample tells the share best. */
const DENSE_FACTOR = 4;

/**
 * Bits of the rests of sizes for each lane that differs, at most: classes know more of large steps. One step of training has 0.14 and
 * takes the same; noise of one size on normal values has 0.29 and takes 3 to 5 % less in classes.
 */
const REST_BITS_MAX = 0.2;

/** In how many lanes of each context one was marked, as far as they were counted. */
interface Chances {
  readonly lanes: Float64Array;
  readonly marked: Float64Array;
}

function chances(): Chances {
  return { lanes: new Float64Array(MARK_CONTEXTS), marked: new Float64Array(MARK_CONTEXTS) };
}

/** In 1/128; the least where no lane was seen, as those that fill a group are never marked. */
function probability(lanes: number, marked: number): number {
  const rounded = Math.round((MARK_TOTAL * (2 * marked + 1)) / (2 * lanes + 2));
  return lanes === 0 && marked === 0 ? 1 : Math.min(MARK_TOTAL - 1, Math.max(1, rounded));
}

function contextOf(exponent: number, low: number): number {
  return Math.min(MARK_CONTEXTS - 1, Math.max(0, exponent - low));
}

/**
 * Returns the model of a chunk: `counts` are of levels, by exponent, of one lane in STEP_COUNT_STRIDE of those that differ,
 * `sample` of lanes that do or do not. Undefined where many steps are large.
 */
export function fittedSteps(
  sample: ChangeCounts,
  counts: Uint32Array,
  { exponentBits }: FloatLayout,
  lanes: number,
): StepModel | undefined {
  const exponents: number[] = [];
  const atLeast = new Float64Array(STEP_COUNTS + 1);
  for (let exponent = 0; exponent < EXPONENTS; exponent++) {
    const row = exponent * STEP_COUNTS;
    if (counts[row] === 0) continue;
    exponents.push(exponent);
    let above = 0;
    for (let level = STEP_LEVELS_MAX; level > 0; level--) {
      above += counts[row + level];
      atLeast[level] += above;
    }
  }
  // Rests have one bit more every other level.
  let restBits = 0;
  for (let level = STEP_RESTS_FROM; level < STEP_COUNTS; level += 2) restBits += atLeast[level];
  if (restBits > atLeast[1] * REST_BITS_MAX) return undefined;
  const top = exponents.at(-1) ?? 0;
  const low = Math.min(markLowMax(exponentBits), Math.max(0, top - MARK_CONTEXTS + 2));
  let levels = 1;
  while (levels < STEP_LEVELS_MAX && atLeast[levels] > atLeast[1] * FULL_SHARE) levels++;
  const tables = Array.from({ length: Math.min(levels, STEP_TABLES_MAX) }, chances);
  addMarks(tables[0], sample, counts, low, lanes);
  addLevels(tables, exponents, counts, low, levels);
  const probabilities = new Uint8Array(MARK_CONTEXTS * tables.length);
  tables.forEach((table, index) => {
    for (let context = 0; context < MARK_CONTEXTS; context++) {
      probabilities[index * MARK_CONTEXTS + context] = probability(
        table.lanes[context],
        table.marked[context],
      );
    }
  });
  return {
    low,
    levels,
    probabilities,
    states: new Uint16Array(STEP_STATES).fill(MARK_STATE_MIN),
  };
}

/** Adds the first level. Of lanes that seldom differ all that do are counted, and only how many there are is sampled. */
function addMarks(
  { lanes, marked }: Chances,
  sample: ChangeCounts,
  counts: Uint32Array,
  low: number,
  chunkLanes: number,
): void {
  const scale = chunkLanes / sumOf(sample.lanes);
  for (let exponent = 0; exponent < EXPONENTS; exponent++) {
    if (sample.lanes[exponent] === 0 && counts[exponent * STEP_COUNTS] === 0) continue;
    const context = contextOf(exponent, low);
    const isDense = sample.changed[exponent] * DENSE_FACTOR > sample.lanes[exponent];
    lanes[context] += sample.lanes[exponent] * scale;
    marked[context] += isDense
      ? sample.changed[exponent] * scale
      : counts[exponent * STEP_COUNTS] * STEP_COUNT_STRIDE;
  }
}

/** Adds all other levels. */
function addLevels(
  tables: readonly Chances[],
  exponents: readonly number[],
  counts: Uint32Array,
  low: number,
  levels: number,
): void {
  for (const exponent of exponents) {
    const row = exponent * STEP_COUNTS;
    let above = 0;
    for (let level = STEP_LEVELS_MAX; level > 0; level--) {
      const here = above + counts[row + level];
      if (here > 0 && level < levels) {
        const { lanes, marked } = tables[tableOfLevel(level)];
        const context = contextOf(exponent, lowOfLevel(low, level));
        lanes[context] += here;
        marked[context] += above;
      }
      above = here;
    }
  }
}
