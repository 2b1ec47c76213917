/** What the reliability suites tried, written down where a report is asked for: `npm run test:slow -- --report`. */
import { appendFileSync } from 'node:fs';

/** A row of the table in the README. */
export type Guarantee =
  | 'kills'
  | 'io-errors'
  | 'power-cuts'
  | 'ext4-power-cuts'
  | 'damage'
  | 'processes'
  | 'stopped-writers'
  | 'malformed-inputs'
  | 'reference-readers';

export interface Evidence {
  readonly guarantee: Guarantee;
  /** The part of the guarantee that was tried: a script, a parser. */
  readonly part: string;
  /** Cases that were tried and held. A case that does not hold fails its test before anything is written down. */
  readonly cases: number;
}

/** Adds a line to the file that THETALOG_EVIDENCE names, if it does. */
export function recordEvidence(evidence: Evidence): void {
  const file = process.env.THETALOG_EVIDENCE;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(evidence)}\n`);
}

/** Says in the row of a guarantee why a part was not tried on this machine. */
export function recordUntried(guarantee: Guarantee, reason: string): void {
  recordEvidence({ guarantee, part: `not tried: ${reason}`, cases: 0 });
}
