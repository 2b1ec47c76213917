/** Plain values with one to three things wrong in them. */
import { type Dice, EDGES } from './dice.js';

const ODD: readonly unknown[] = [
  ...[null, true, false, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 40), 2 ** 64, 2 ** 53],
  ...['', 'x', '../../etc/passwd', 'a'.repeat(300), '\0', '__proto__', '\ud800', '0123456789abcdef-1'],
  ...[
    [],
    {},
    [null],
    [[]],
    [{}],
    { a: 1 },
    new Uint8Array(0),
    new Uint8Array(9),
    new Date(0),
    new Map([[1, 2]]),
  ],
];

/** Lists inside each other, deeper than a reader may follow. */
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function oddValue(dice: Dice): unknown {
  if (dice.oneIn(3)) return dice.pick(EDGES);
  return dice.oneIn(40) ? nested(dice.pick([10, 40, 300])) : structuredClone(dice.pick(ODD));
}

type Container = Record<string, unknown>;

/** All lists and maps in a value, itself first. */
function containersIn(value: unknown, found: Container[] = []): Container[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return found;
  found.push(value as Container);
  for (const item of Object.values(value)) containersIn(item, found);
  return found;
}

function change(container: Container, dice: Dice): void {
  const keys = Object.keys(container);
  if (keys.length === 0 || dice.oneIn(8)) {
    container[dice.pick(['0', 'extra', 'length_', '__proto__x'])] = oddValue(dice);
    return;
  }
  const key = dice.pick(keys);
  const what = dice.below(4);
  if (what === 0) delete container[key];
  else container[key] = what === 1 ? container[dice.pick(keys)] : oddValue(dice);
}

/** A copy of `value` with one to three of its fields or items changed, taken away or added. */
export function mutated(value: unknown, dice: Dice): object {
  const copy = structuredClone(value) as object;
  for (let times = 1 + dice.below(3); times > 0; times--) change(dice.pick(containersIn(copy)), dice);
  return copy;
}
