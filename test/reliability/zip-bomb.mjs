/**
 * Looks into an archive that promises far more than it is, saves it, restores it, and prints what that took.
 *
 * Usage: node zip-bomb.mjs SHAPE FOLDER      needs the built dist/
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import { segmentFile } from '../../dist/adapters/index.js';
import { createStore } from '../../dist/index.js';

const NO_BYTES = Buffer.alloc(0);

/** Deflated zeros: 2 GiB of them in 2 MiB. */
function zeros() {
  const part = deflateRawSync(Buffer.alloc(2 ** 26), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  return Buffer.concat([...Array(32).fill(part), deflateRawSync(NO_BYTES)]);
}

/** A record as it is in the file, with what its directory entry says. */
const record = (name, content, { method = 0, bytes = content.length, stored = content.length } = {}) => ({
  name: Buffer.from(name),
  content,
  method,
  bytes,
  stored,
  checksum: method === 0 ? crc32(content) : 0,
});

function header(signature, { name, method, bytes, stored, checksum }, rest) {
  const out = Buffer.alloc(rest.length === 0 ? 30 : 46);
  out.writeUInt32LE(signature);
  const at = rest.length === 0 ? 4 : 6;
  out.writeUInt16LE(20, 4);
  out.writeUInt16LE(20, at);
  out.writeUInt16LE(method, at + 4);
  out.writeUInt32LE(checksum, at + 10);
  out.writeUInt32LE(stored, at + 14);
  out.writeUInt32LE(bytes, at + 18);
  out.writeUInt16LE(name.length, at + 22);
  if (rest.length > 0) out.writeUInt32LE(rest[0], 42);
  return Buffer.concat([out, name]);
}

/** Writes an archive; `offsetOf` may lie about where records are, `count` about how many. */
function zip(records, offsetOf = (offset) => offset, count = records.length) {
  const parts = [];
  let size = 0;
  const offsets = records.map((each) => {
    const offset = size;
    const local = header(0x04034b50, each, []);
    parts.push(local, each.content);
    size += local.length + each.content.length;
    return offset;
  });
  const directory = records.map((each, index) => header(0x02014b50, each, [offsetOf(offsets[index], index)]));
  const length = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(size, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

const version = record('archive/version', Buffer.from('3\n'));
const deflated = (name) => record(name, zeros(), { method: 8, bytes: 2 ** 31 });

const SHAPES = {
  'deflated-pickle': ['model.pt', () => zip([deflated('archive/data.pkl'), version])],
  'deflated-storage': [
    'model.pt',
    () =>
      zip([
        record('archive/data.pkl', Buffer.from('\x80\x02}.', 'latin1')),
        deflated('archive/data/0'),
        version,
      ]),
  ],
  'deflated-arrays': ['arrays.npz', () => zip([deflated('a.npy'), deflated('b.npy')])],
  /** Every entry is the same deflated record, as in the bombs of non-recursive overlap. */
  overlapping: [
    'arrays.npz',
    () => {
      const bomb = deflated('a0000.npy');
      const names = Array.from({ length: 2000 }, (_, index) => `a${String(index).padStart(4, '0')}.npy`);
      const empty = names.slice(1).map((name) => ({ ...bomb, name: Buffer.from(name), content: NO_BYTES }));
      return zip([bomb, ...empty], () => 0);
    },
  ],
  'claimed-sizes': [
    'model.pt',
    () => zip([record('archive/data.pkl', NO_BYTES, { bytes: 0xfffffffe, stored: 0xfffffffe }), version]),
  ],
  'claimed-entries': ['model.pt', () => zip([version], undefined, 0xfffe)],
  /** What unpacks to archives for ever, seen from a reader that unpacks nothing. */
  nested: [
    'model.pt',
    () => {
      let inner = zip([version]);
      for (let depth = 0; depth < 200; depth++)
        inner = zip([
          record('archive/data.pkl', deflateRawSync(inner), { method: 8, bytes: inner.length }),
          version,
        ]);
      return inner;
    },
  ],
};

const [, , shape, folder] = process.argv;
const [name, make] = SHAPES[shape];
const bytes = make();
const path = join(folder, name);
mkdirSync(folder, { recursive: true });
writeFileSync(path, bytes);
let bytesRead = 0;
const source = {
  name,
  size: bytes.length,
  read: async (offset, length) => {
    bytesRead += length;
    return new Uint8Array(bytes.subarray(offset, offset + length));
  },
};
const residentBefore = process.resourceUsage().maxRSS;
const before = process.cpuUsage();
const { segmentation, problem } = await segmentFile(source);
const store = await createStore(join(folder, 'store'));
await store.saveFiles([path], { run: 'r', step: 1 });
await store.restoreFiles('r', { out: join(folder, 'out') });
await store.close();
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    ranges: segmentation.ranges.length,
    code: problem?.code ?? null,
    readShare: bytesRead / bytes.length,
    seconds: (user + system) / 1e6,
    megabytes: (process.resourceUsage().maxRSS - residentBefore) / 1024,
    equal: bytes.equals(readFileSync(join(folder, 'out', name))),
  }),
);
