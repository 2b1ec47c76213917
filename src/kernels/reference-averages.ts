/** Averages and maxima, the plain twin of assembly/predict-averages.ts. */

import { floats, keepLanes, lanewise, mixed, type Predict } from './reference-arithmetic.js';

export const averages: Predict = lanewise((order, [kept, rest], before, x) =>
  mixed(before, x, kept, rest, order),
);

/** The larger one, its bits as they are; the first where neither is. */
export const maxima: Predict = (_order, _constants, [before, x], output) => {
  const [a, b] = [floats(before), floats(x)];
  output.set(before);
  keepLanes(output, x, (first) => b[first / 4] > a[first / 4]);
};
