import { test } from 'vitest';
import { busyProcesses } from './busy-processes.js';

test(
  '8 processes at work on one store for 10 minutes: what was acknowledged is there once, bit for bit',
  () => busyProcesses(600_000, 2),
  1_200_000,
);
