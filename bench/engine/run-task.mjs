/** Runs one task of one module and prints its result with the peak memory of this process: `run-task.mjs MODULE NAME JSON`. */
const [module, name, parameters] = process.argv.slice(2);
const tasks = await import(`./${module}.mjs`);
const result = await tasks[name](JSON.parse(parameters));
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ ...result, peakBytes })}\n`);
