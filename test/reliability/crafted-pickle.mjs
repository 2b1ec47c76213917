/**
 * Reads a torch file that is made to cost as much as one may, and prints what came of it.
 *
 * Usage: node --max-old-space-size=MB crafted-pickle.mjs SHAPE MB      needs the built dist/
 */
import { segmentFile } from '../../dist/adapters/index.js';

const bytes = (text) => Buffer.from(text, 'latin1');
/** What is repeated, and what each time takes of the reader's budget. */
const SHAPES = {
  lists: [']a', 4],
  tuples: ['N\x85a', 5],
  rememberedTuples: ['N\x85\x94a', 6],
  dicts: ['}a', 5],
  dictsOfOne: ['}K\x01Nsa', 8],
  sets: ['\x8fa', 4],
  records: ['ca\nb\n)Ra', 11],
  references: ['h\0Qa', 5],
  views: ['C\x01ba', 4],
  floats: ['G\x3f\xf0\0\0\0\0\0\x01a', 4],
  longs: [`\x8b\0\x04\0\0${'\x7f'.repeat(1024)}a`, 2],
};
const BUDGET = 12_000_000;

const [, , shape, megabytes] = process.argv;
const [unit, cost] = SHAPES[shape];
/** A storage of one element, remembered as 0, so that each reference to it takes four bytes. */
const STORAGE = 'ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01Nt';
const remembered = shape === 'references' ? `(X\x07\0\0\0storage${STORAGE}q\x000` : '';
const head = bytes(`\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.}.${remembered}]`);
const tail = bytes(remembered === '' ? '.].' : `.]X\x01\0\0\x000a.\x01${'\0'.repeat(7 + 4)}`);
/** As many as are just accepted, or as fill the file. */
const most = Math.floor((Number(megabytes) * 2 ** 20) / unit.length);
const count = Math.min(most, process.argv[4] === 'accepted' ? Math.floor((BUDGET * 0.99) / cost) : most);
const file = Buffer.alloc(head.length + unit.length * count + tail.length);
file.fill(bytes(unit), head.length, file.length - tail.length);
head.copy(file);
tail.copy(file, file.length - tail.length);
const source = {
  name: 'crafted.pth',
  size: file.length,
  read: async (offset, length) => new Uint8Array(file.buffer, file.byteOffset + offset, length),
};
const before = process.cpuUsage();
const { segmentation, problem } = await segmentFile(source);
const { user, system } = process.cpuUsage(before);
const seconds = (user + system) / 1e6;
console.log(
  JSON.stringify({ format: segmentation.format, code: problem?.code ?? null, seconds, bytes: file.length }),
);
