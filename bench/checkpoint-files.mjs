/** Checkpoints as files: a training state as safetensors or as torch saves it, and a large file that is mostly holes. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { elementsOf, SETTINGS } from './training-law.mjs';

/** Bytes of one write. */
const PIECE_BYTES = 2 ** 24;

class FileWriter {
  constructor(path) {
    this.file = openSync(path, 'w');
    this.at = 0;
  }

  write(bytes) {
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      writeSync(this.file, piece);
      this.at += piece.length;
    }
  }

  close() {
    closeSync(this.file);
  }
}

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The head of a safetensors file, padded to 8 bytes. `tensors` are `{ name, dtype, shape, bytes }`, in order. */
function safetensorsHead(tensors, metadata) {
  const header = metadata === undefined ? {} : { __metadata__: metadata };
  let at = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);
  return { head, bytes: at };
}

/** Writes tensors `{ name, dtype, shape, data }` as a safetensors file. */
export function writeSafetensors(path, tensors, metadata) {
  const writer = new FileWriter(path);
  const sized = tensors.map((tensor) => ({ ...tensor, bytes: tensor.data.byteLength }));
  writer.write(safetensorsHead(sized, metadata).head);
  for (const { data } of tensors) writer.write(bytesOf(data));
  writer.close();
}

/** The tensors of a training state by name. */
export function stateTensors({ parameters }) {
  const of = (name, shape, data) => ({ name, dtype: 'F32', shape, data });
  return [
    ...parameters.map(({ name, shape, w }) => of(`model.${name}`, shape, w)),
    ...parameters.map(({ name, shape, m }) => of(`optimizer.exp_avg.${name}`, shape, m)),
    ...parameters.map(({ name, shape, v }) => of(`optimizer.exp_avg_sq.${name}`, shape, v)),
  ];
}

/** Writes a safetensors file of `bytes` that is a hole but for 8 bytes in each MiB and the tensor `probe` (fp32). */
export function writeMostlyHoles(path, bytes, probe) {
  const others = 150;
  const length = Math.floor(bytes / others / 2 ** 20) * 2 ** 20;
  const tensors = [
    { name: 'probe', dtype: 'F32', shape: [1024, probe.length / 1024], bytes: probe.byteLength },
  ];
  for (let index = 0; index < others; index++)
    tensors.push({ name: `blocks.${index}.weight`, dtype: 'F32', shape: [length / 4], bytes: length });
  const { head, bytes: dataBytes } = safetensorsHead(tensors);
  const file = openSync(path, 'w');
  ftruncateSync(file, head.length + dataBytes);
  writeSync(file, head, 0, head.length, 0);
  writeSync(file, bytesOf(probe), 0, probe.byteLength, head.length);
  const mark = Buffer.alloc(8);
  for (let at = probe.byteLength; at < dataBytes; at += 2 ** 20) {
    mark.writeDoubleLE(at + 0.5);
    writeSync(file, mark, 0, 8, head.length + at);
  }
  closeSync(file);
}

/** Pickle of protocol 2 without memo: opcodes as CPython's pickletools lists them. */
class Pickle {
  parts = [Buffer.from([0x80, 2])];

  code(text) {
    this.parts.push(Buffer.from(text, 'latin1'));
    return this;
  }

  text(value) {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    this.parts.push(Buffer.from('X'), length, bytes);
    return this;
  }

  integer(value) {
    const bytes = Buffer.alloc(5, 'J');
    bytes.writeInt32LE(value, 1);
    this.parts.push(bytes);
    return this;
  }

  float(value) {
    const bytes = Buffer.alloc(9, 'G');
    bytes.writeDoubleBE(value, 1);
    this.parts.push(bytes);
    return this;
  }

  integers(values, open, close) {
    this.code(open);
    for (const value of values) this.integer(value);
    return this.code(close);
  }

  /** A contiguous fp32 tensor in the storage `key`. */
  tensor(key, shape) {
    const strides = shape.map((_, axis) => elementsOf(shape.slice(axis + 1)));
    this.code('ctorch._utils\n_rebuild_tensor_v2\n((').text('storage').code('ctorch\nFloatStorage\n');
    this.text(String(key)).text('cpu').integer(elementsOf(shape)).code('tQ').integer(0);
    this.integers(shape, '(', 't').integers(strides, '(', 't');
    return this.code('\x89ccollections\nOrderedDict\n)RtR');
  }

  end() {
    return Buffer.concat([...this.parts, Buffer.from('.')]);
  }
}

/** What the optimizer keeps of a parameter, by torch's names. */
const slotsOf = ({ slots, m, v }) => slots ?? { exp_avg: m, exp_avg_sq: v };

function torchPickle({ parameters, step, settings = SETTINGS }) {
  const pickle = new Pickle();
  let key = parameters.length;
  pickle.code('}(').text('step').integer(step).text('model').code('}(');
  for (const [index, { name, shape }] of parameters.entries()) pickle.text(name).tensor(index, shape);
  pickle.code('u').text('optimizer').code('}(').text('state').code('}(');
  for (const [index, parameter] of parameters.entries()) {
    pickle.integer(index).code('}(');
    if ('beta1' in settings) pickle.text('step').float(step);
    for (const slot of Object.keys(slotsOf(parameter))) pickle.text(slot).tensor(key++, parameter.shape);
    pickle.code('u');
  }
  pickle.code('u').text('param_groups').code('](}(');
  const { beta1, beta2, ...others } = settings;
  for (const [name, value] of Object.entries(others)) {
    pickle.text(name);
    if (typeof value === 'boolean') pickle.code(value ? '\x88' : '\x89');
    else pickle.float(value);
  }
  if (beta1 !== undefined) pickle.text('betas').float(beta1).float(beta2).code('\x86');
  pickle.text('params').integers(parameters.keys(), '](', 'e');
  return pickle.code('ueuu').end();
}

/** Writes a training state as `torch.save` does: a zip archive of stored records. */
export function writeTorchFile(path, state) {
  const { parameters } = state;
  const records = [
    ['archive/data.pkl', torchPickle(state)],
    ['archive/version', Buffer.from('3\n')],
    ...parameters.map(({ w }, index) => [`archive/data/${index}`, bytesOf(w)]),
    ...parameters
      .flatMap((parameter) => Object.values(slotsOf(parameter)))
      .map((slot, index) => [`archive/data/${parameters.length + index}`, bytesOf(slot)]),
  ];
  const writer = new FileWriter(path);
  const directory = [];
  for (const [name, bytes] of records) {
    const entry = { name: Buffer.from(name), bytes: bytes.length, crc: crc32(bytes), offset: writer.at };
    writer.write(localHeader(entry));
    writer.write(bytes);
    directory.push(entry);
  }
  writer.write(zipEnd(directory, writer.at));
  writer.close();
}

function localHeader({ name, bytes, crc }) {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(bytes, 18);
  header.writeUInt32LE(bytes, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name]);
}

/** The central directory and its end, always with ZIP64 records, as torch writes them. */
function zipEnd(directory, offset) {
  const entries = directory.map(centralHeader);
  const bytes = entries.reduce((sum, { length }) => sum + length, 0);
  const wide = Buffer.alloc(56);
  wide.writeUInt32LE(0x06064b50);
  wide.writeBigUInt64LE(44n, 4);
  for (const at of [24, 32]) wide.writeBigUInt64LE(BigInt(entries.length), at);
  wide.writeBigUInt64LE(BigInt(bytes), 40);
  wide.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(22, 0xff);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt32LE(0, 4);
  end.writeUInt16LE(0, 20);
  return Buffer.concat([...entries, wide, locator, end]);
}

function centralHeader({ name, bytes, crc, offset }) {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(bytes, 20);
  header.writeUInt32LE(bytes, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(12, 30);
  header.writeUInt32LE(0xffffffff, 42);
  const extra = Buffer.alloc(12);
  extra.writeUInt16LE(1);
  extra.writeUInt16LE(8, 2);
  extra.writeBigUInt64LE(BigInt(offset), 4);
  return Buffer.concat([header, name, extra]);
}
