/**
 * A process that trains and saves on signals, over the built library. Arguments: the store's folder and options as JSON:
 * `elements` of the state, `manager` (saves through one, every so many steps) or none (saves of the run), `signals` and options of `saveOnSignal`.
 * Prints one JSON object a line: `ready` with each durable checkpoint, `done` with what came of a signal.
 */
import { openStore } from '../../dist/index.js';

const [folder, json] = process.argv.slice(2);
const { elements, manager: everySteps, signals, stepMs = 0, ...options } = JSON.parse(json);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const store = await openStore(folder);
const run = store.run('r');
const weights = new Float32Array(elements);
let step = 0;
/** Every element is the step, so that a torn state shows. */
const state = () => ({ model: { weights }, progress: { step } });
const onDone = ({ signal, outcome, result }) =>
  say({ done: outcome, signal, step: result?.step, at: Date.now() });

const manager = everySteps === undefined ? undefined : run.manager({ every: { steps: everySteps } });
if (manager !== undefined) manager.saveOnSignal(signals, { ...options, onDone });
else run.saveOnSignal(signals, { ...options, onDone, state });

for (;;) {
  step += 1;
  weights.fill(step, 0, elements / 2);
  if (manager !== undefined) await new Promise((resolve) => setTimeout(resolve, stepMs));
  weights.fill(step, elements / 2);
  const handle = manager === undefined ? await run.save(state()) : await manager.maybeSave(state());
  void handle?.committed.then(({ step: saved }) => say({ ready: saved }));
  await new Promise((resolve) => setTimeout(resolve, stepMs));
}
