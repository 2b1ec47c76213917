/**
 * Writers and pivoting compactions at once never make chunks read one another in a circle. One place of a stream has many
 * versions; saves base new ones on a checkpoint that may be stale, and compactions, which may be stale too, store a late version
 * in full, earlier ones as deltas on it, and merge what they saw. Every manifest must resolve after every step.
 *
 * Seen to fail when `ChunkIndex.add` lets the encoding that is listed last win instead of the lowest; the same rule, kept here as
 * `lastListed`, shows that the histories hold the case.
 */
import { expect, test } from 'vitest';
import type { ChunkEntry } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { ChunkIndex } from '../../src/packs/index.js';
import { randomNumbers } from '../engine/training-state.js';

const HEIGHT_MAX = 16;

interface Checkpoint {
  readonly content: ChunkId;
  readonly segments: readonly string[];
}

/** What a checkpoint resolves to: encodings by id, from its segments in order. */
type Rule = (lists: readonly (readonly ChunkEntry[])[]) => ReadonlyMap<ChunkId, ChunkEntry>;

/** The rule of the format, as the engine has it. */
const lowest: Rule = (lists) => {
  const index = new ChunkIndex();
  for (const [at, entries] of lists.entries()) index.add(String(at), entries);
  const found = lists.flat().flatMap(({ id }) => index.get(id) ?? []);
  return new Map(found.map((entry) => [entry.id, entry]));
};

/** The naive rule: whoever wrote last is right. */
const lastListed: Rule = (lists) => new Map(lists.flat().map((entry) => [entry.id, entry]));

class History {
  private readonly segments = new Map<string, readonly ChunkEntry[]>();
  private checkpoints: readonly Checkpoint[] = [];
  /** Catalogues as writers that began earlier saw them. */
  private readonly seen: (readonly Checkpoint[])[] = [];
  private versions = 0;
  private readonly next: () => number;
  private readonly rule: Rule;

  constructor(seed: number, rule: Rule) {
    this.next = randomNumbers(seed);
    this.rule = rule;
    this.save([]);
  }

  step(): void {
    this.seen.push(this.checkpoints);
    const stale = this.seen[Math.max(0, this.seen.length - 1 - Math.floor(4 * this.next()))];
    if (this.next() < 0.7) this.save(stale);
    else this.pivot(stale);
  }

  /** Throws if some checkpoint misses a chunk, or if following what its chunk reads does not come to an end. */
  assertSound(): void {
    for (const { content, segments } of this.checkpoints) {
      const found = this.resolve(segments);
      let depth = 0;
      for (let id: ChunkId | undefined = content; id !== undefined; id = found.get(id)?.references[0]) {
        if (!found.has(id)) throw new Error(`chunk ${id} is missing`);
        if (depth++ > HEIGHT_MAX) throw new Error(`chunk ${content} reads itself`);
      }
    }
  }

  private resolve(segments: readonly string[]): ReadonlyMap<ChunkId, ChunkEntry> {
    return this.rule(segments.map((name) => this.segments.get(name) ?? []));
  }

  /** Adds a version, based on some checkpoint that the writer saw; the catalogue it commits to is today's. */
  private save(seen: readonly Checkpoint[]): void {
    const base = seen[Math.floor(seen.length * this.next())];
    const height = base === undefined ? 0 : 1 + (this.resolve(base.segments).get(base.content)?.height ?? 0);
    const reads = base === undefined || height > HEIGHT_MAX ? [] : [base.content];
    const content = idOf(this.versions++);
    const own = this.write([entryOf(content, reads, reads.length === 0 ? 0 : height)]);
    const segments = [...(reads.length === 0 ? [] : (base?.segments ?? [])), own];
    this.checkpoints = [...this.checkpoints, { content, segments }];
  }

  /** Stores a late version in full and others on it; whoever saved meanwhile keeps the list that he saw. */
  private pivot(seen: readonly Checkpoint[]): void {
    const lists = seen.flatMap(({ segments }) => segments.map((name) => this.segments.get(name) ?? []));
    // Whatever order the lists come in: a merge must not depend on it.
    const encodings = new Map(this.rule(lists.sort(() => this.next() - 0.5)));
    const full = seen[seen.length - 1 - Math.floor(Math.min(3, seen.length) * this.next())]?.content;
    if (full === undefined) return;
    encodings.set(full, entryOf(full, [], 0));
    for (const { content } of seen) {
      const present = encodings.get(content);
      if (content === full || present === undefined || this.next() < 0.5) continue;
      // Also a full one becomes a delta, and with it all that read it may become higher than on record: they are based anew.
      if (present.height > 0 || this.readersOf(content, encodings).length === 0)
        encodings.set(content, entryOf(content, [full], 1));
    }
    const merged = this.write([...encodings.values()]);
    const compacted = new Set(seen);
    this.checkpoints = this.checkpoints.map((one) =>
      compacted.has(one) ? { ...one, segments: [merged] } : one,
    );
  }

  private readersOf(id: ChunkId, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkEntry[] {
    return [...encodings.values()].filter(({ references }) => references.includes(id));
  }

  private write(entries: readonly ChunkEntry[]): string {
    const name = `segment-${this.segments.size}`;
    this.segments.set(name, entries);
    return name;
  }
}

function idOf(version: number): ChunkId {
  return version.toString(16).padStart(32, '0') as ChunkId;
}

function entryOf(id: ChunkId, references: ChunkId[], height: number): ChunkEntry {
  return {
    id,
    pack: '0123456789abcdef-0',
    offset: 8,
    length: 1,
    rawLength: 1,
    height,
    references,
    checksum: 0,
  };
}

/** Runs histories until one is unsound; returns what is wrong with that. */
function faultOf(count: number, rule: Rule): unknown {
  for (let seed = 1; seed <= count; seed++) {
    const history = new History(seed, rule);
    try {
      for (let step = 0; step < 30; step++) {
        history.step();
        history.assertSound();
      }
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

test('the lowest encoding wins: whatever writers and pivots do at once, every chain comes to an end', () => {
  expect(faultOf(500, lowest)).toBeUndefined();
});

test('if the encoding written last won, chunks would read one another in a circle', () => {
  expect(String(faultOf(500, lastListed))).toMatch(/reads itself/);
});
