import { beforeAll, describe, expect, it } from 'vitest';
import { createCodec } from '../../src/codec/index.js';
import {
  type ChunkTools,
  DecodedChunks,
  type EncodeJob,
  type EncodeMember,
  encodeChunks,
  type StoredRecord,
} from '../../src/compute/index.js';
import { type ChunkId, loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomNumbers } from '../engine/training-state.js';

let tools: ChunkTools;
beforeAll(async () => {
  const kernels = loadKernels();
  const hasher = await loadHasher(kernels);
  tools = { kernels, codec: createCodec(kernels), hasher, now: () => 0, kept: new Map() };
});

function floats(seed: number, drift = 0): Uint8Array {
  const next = randomNumbers(seed);
  const values = Float32Array.from({ length: 5000 }, () => (next() - 0.5) * (1 + drift * next()));
  return new Uint8Array(values.buffer);
}

function stored(raw: Uint8Array): StoredRecord {
  const { record } = tools.codec.encode(raw, 'f32', [], 'fast');
  const checksum = Number(tools.hasher.checksum(record) & 0xffffffffn);
  const place = { pack: 'p', offset: 16, length: record.length, rawLength: raw.length };
  const entry = { id: tools.hasher.chunkId(raw), ...place, height: 0, references: [], checksum };
  return { entry, object: 'packs/p', bytes: record };
}

function member(raw: Uint8Array, parts: Partial<EncodeMember> = {}): EncodeMember {
  return { raw: { bytes: raw }, length: raw.length, dtype: 'f32', predictions: [], ...parts };
}

function job(members: EncodeMember[], parts: Partial<EncodeJob> = {}): EncodeJob {
  const output = new Uint8Array(100_000);
  const defaults = { records: [], known: [], maxHeight: 16, level: 'fast', output, probe: false } as const;
  return { kind: 'encode', members, ...defaults, ...parts };
}

function onBase(id: ChunkId, height = 0): Pick<EncodeMember, 'base' | 'predictions'> {
  const base = { id, height };
  return { base, predictions: [{ rule: { kind: 'base' }, inputs: [base] }] };
}

describe('a chunk', () => {
  it('gets the record that the codec gives it; records lie one after the other, and there is room for the longest', () => {
    const next = randomNumbers(3);
    const noise = () => Uint8Array.from({ length: 20_000 }, () => 256 * next());
    const raws = [floats(1), floats(2), noise(), noise()];
    const output = new Uint8Array(
      new SharedArrayBuffer(raws.reduce((sum, { length }) => sum + length + 1, 0)),
    );
    const members = encodeChunks(
      tools,
      job(
        raws.map((raw) => member(raw)),
        { output },
      ),
    ).members;
    let end = 0;
    for (const [at, raw] of raws.entries()) {
      const { record, checksum, height } = members[at].encoded ?? { record: new Uint8Array() };
      expect(record).toEqual(tools.codec.encode(raw, 'f32', [], 'fast').record);
      expect(checksum).toBe(Number(tools.hasher.checksum(record) & 0xffffffffn));
      expect(height).toBe(0);
      expect(members[at].id).toBe(tools.hasher.chunkId(raw));
      expect([record.buffer, record.byteOffset]).toEqual([output.buffer, end]);
      end += record.length;
    }
    expect(members[3].encoded?.record).toHaveLength(20_001);
  });

  it('is not read from a record that is not as it was written, even where that decodes to the same bytes', () => {
    const { entry, object, bytes } = stored(floats(1));
    const damaged = { entry: { ...entry, checksum: entry.checksum ^ 1 }, object, bytes };
    const decode = (record: StoredRecord) => new DecodedChunks(tools, [record]).get(entry.id);
    expect(decode({ entry, object, bytes })).toEqual(floats(1));
    expect(() => decode(damaged)).toThrow(
      expect.objectContaining({ code: 'bad-checksum', object, offset: 16 }),
    );
  });

  it('that is its base is not encoded, and the base is not even looked at', () => {
    const raw = floats(1);
    const id = tools.hasher.chunkId(raw);
    const { members, damage } = encodeChunks(tools, job([member(raw, onBase(id))]));
    expect(members).toEqual([{ id }]);
    expect(damage).toEqual([]);
  });

  it.each(['record', 'memory'])('is predicted from its base in a %s', (place) => {
    const [before, after] = [floats(1), floats(1, 1e-4)];
    const base = stored(before);
    const bases =
      place === 'record' ? { records: [base] } : { known: [{ id: base.entry.id, bytes: before }] };
    const { members } = encodeChunks(tools, job([member(after, onBase(base.entry.id, 3))], bases));
    expect(members[0].encoded).toMatchObject({ prediction: 0, height: 4 });
    const record = members[0].encoded?.record ?? new Uint8Array();
    expect(tools.codec.decode(record, after.length, [before], 'test')).toEqual(after);
  });

  it('is predicted from another of the same job', () => {
    const [master, copy] = [floats(1), floats(1)];
    const predictions = [{ rule: { kind: 'base' }, inputs: [{ member: 0 }] }] as const;
    const { members } = encodeChunks(tools, job([member(master), member(copy, { predictions })]));
    expect(members[1].encoded).toMatchObject({ prediction: 0, height: 1 });
    expect(members[1].encoded?.record.length).toBeLessThan(100);
  });

  it('is not put on a chain that is as long as chains may be', () => {
    const [first, second] = [floats(1), floats(1, 1e-4)];
    const predictions = [{ rule: { kind: 'base' }, inputs: [{ member: 0 }] }] as const;
    const members = [member(first), member(second, { predictions })];
    expect(encodeChunks(tools, job(members, { maxHeight: 1 })).members[1].encoded?.height).toBe(1);
    expect(encodeChunks(tools, job(members, { maxHeight: 0 })).members[1].encoded?.height).toBe(0);
  });
});

describe('a base that is not what it should be', () => {
  const after = floats(1, 1e-4);

  it.each(['a record that was changed', 'a record that is missing', 'memory that was changed'])(
    '%s is reported, and the chunk is encoded without it',
    (kind) => {
      const before = floats(1);
      const base = stored(before);
      const bytes = Uint8Array.from(kind.startsWith('memory') ? before : base.bytes);
      bytes[bytes.length >> 1] ^= 1;
      const bases = {
        'a record that was changed': { records: [{ ...base, bytes }] },
        'a record that is missing': {},
        'memory that was changed': { known: [{ id: base.entry.id, bytes }] },
      }[kind];
      const { members, damage } = encodeChunks(tools, job([member(after, onBase(base.entry.id))], bases));
      expect(damage).toMatchObject([{ kind: 'corrupt' }]);
      expect(members[0].encoded?.height).toBe(0);
      expect(members[0].encoded?.prediction).toBeUndefined();
    },
  );
});

describe('a probe', () => {
  it('says that chunks are their bases, or gives ids without encoding anything', () => {
    const [same, other] = [floats(1), floats(2)];
    const [base, before] = [tools.hasher.chunkId(same), tools.hasher.chunkId(floats(3))];
    const members = [member(same, onBase(base)), member(other, onBase(before))];
    expect(encodeChunks(tools, job(members.slice(0, 1), { probe: true })).members).toEqual([{ id: base }]);
    const { members: found, damage } = encodeChunks(tools, job(members, { probe: true }));
    expect(found).toEqual([{ id: base }, { id: tools.hasher.chunkId(other) }]);
    expect(damage).toEqual([]);
  });
});
