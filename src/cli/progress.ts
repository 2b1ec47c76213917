/**
 * Progress of long operations: one rewriting line on a terminal, a plain line now and then elsewhere, objects with
 * `--json`. All of it is throttled; short operations on anything but a terminal show nothing.
 */
import type { Progress } from '../index.js';
import type { OutputStream } from './output.js';
import { formatBytes, formatClock, formatRatio } from './units.js';

export type ProgressForm = 'line' | 'plain' | 'json' | 'none';

const INTERVAL_MS: Readonly<Record<ProgressForm, number>> = {
  line: 100,
  plain: 10_000,
  json: 1_000,
  none: Number.POSITIVE_INFINITY,
};

/** An estimate made from less than this jumps about. */
const ESTIMATE_AFTER_MS = 1_000;
const COLUMNS_DEFAULT = 80;
const ERASE_LINE = '\r\x1b[K';

export class ProgressReporter {
  readonly #form: ProgressForm;
  readonly #stream: OutputStream;
  readonly #now: () => number;
  #phase = '';
  #phaseStart = 0;
  #lastShown: number;
  #lineShown = false;

  constructor(form: ProgressForm, stream: OutputStream, now: () => number) {
    this.#form = form;
    this.#stream = stream;
    this.#now = now;
    this.#lastShown = now();
  }

  report(progress: Progress): void {
    const now = this.#now();
    if (progress.phase !== this.#phase) {
      this.#phase = progress.phase;
      this.#phaseStart = now;
    }
    if (now - this.#lastShown < INTERVAL_MS[this.#form]) return;
    this.#lastShown = now;
    this.#show(progress, now - this.#phaseStart);
  }

  /** Removes the rewriting line, so that results start on a clean one. */
  finish(): void {
    if (this.#lineShown) this.#stream.write(ERASE_LINE);
    this.#lineShown = false;
  }

  #show(progress: Progress, elapsedMs: number): void {
    if (this.#form === 'json') {
      this.#stream.write(`${JSON.stringify({ progress })}\n`);
    } else if (this.#form === 'plain') {
      this.#stream.write(`${progressText(progress, elapsedMs)}\n`);
    } else if (this.#form === 'line') {
      const columns = this.#stream.columns || COLUMNS_DEFAULT;
      this.#stream.write(ERASE_LINE + progressText(progress, elapsedMs).slice(0, columns - 1));
      this.#lineShown = true;
    }
  }
}

/** Returns for example `save: 45.0 MiB of 120 MiB (37 %), stored 20.1 MiB, 2.24x, ETA 0:12`. */
export function progressText(progress: Progress, elapsedMs: number): string {
  const { phase, bytesRead, bytesStored, bytesTotal } = progress;
  const parts: string[] = [];
  if (bytesTotal > 0) {
    const percent = Math.min(100, Math.floor((bytesRead / bytesTotal) * 100));
    parts.push(`${formatBytes(bytesRead)} of ${formatBytes(bytesTotal)} (${percent} %)`);
  } else {
    parts.push(`${formatBytes(bytesRead)} read`);
  }
  if (bytesStored > 0 && phase === 'restore') parts.push(`written ${formatBytes(bytesStored)}`);
  else if (bytesStored > 0) parts.push(`stored ${formatBytes(bytesStored)}`);
  if (bytesStored > 0 && phase === 'save') parts.push(formatRatio(bytesRead, bytesStored));
  const remaining = estimateSeconds(progress, elapsedMs);
  if (remaining !== undefined) parts.push(`ETA ${formatClock(remaining)}`);
  return `${phase}: ${parts.join(', ')}`;
}

function estimateSeconds({ bytesRead, bytesTotal }: Progress, elapsedMs: number): number | undefined {
  if (bytesRead <= 0 || bytesTotal <= bytesRead || elapsedMs < ESTIMATE_AFTER_MS) return undefined;
  return ((bytesTotal - bytesRead) / bytesRead) * (elapsedMs / 1000);
}
