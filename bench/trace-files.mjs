/** Checkpoints of real training in ../../shared/traces, which not every machine has. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const TRACES = join(import.meta.dirname, '../../shared/traces');
export const hasTraces = existsSync(TRACES);

/** fp32 weights, first and second moments of `gpt/step-N.pth` or the like, each as one array of all parameters. */
export function momentsOf(path) {
  const records = torchRecords(join(TRACES, path));
  // Model first, then step, exp_avg and exp_avg_sq of each parameter: the order in which the dictionaries were written.
  const parameters = records.length / 4;
  const states = records.slice(parameters);
  return {
    weights: floats(records.slice(0, parameters)),
    first: floats(states.filter((_, index) => index % 3 === 1)),
    second: floats(states.filter((_, index) => index % 3 === 2)),
  };
}

/** All bf16 weights of `bf16/step-N.safetensors`. */
export function bf16Of(path) {
  const file = readFileSync(join(TRACES, path));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const data = file.subarray(start);
  return new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
}

/** The uncompressed `data/N` records of a torch file, by number. */
function torchRecords(path) {
  const file = readFileSync(path);
  const records = [];
  let at = file.readUInt32LE(file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1')) + 16);
  while (file.readUInt32LE(at) === 0x02014b50) {
    const nameLength = file.readUInt16LE(at + 28);
    const name = file.toString('utf8', at + 46, at + 46 + nameLength);
    const number = /\/data\/(\d+)$/.exec(name)?.[1];
    const local = file.readUInt32LE(at + 42);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    if (number !== undefined)
      records[Number(number)] = file.subarray(start, start + file.readUInt32LE(at + 24));
    at += 46 + nameLength + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return records;
}

function floats(records) {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0));
  let at = 0;
  for (const record of records) {
    bytes.set(record, at);
    at += record.length;
  }
  return new Float32Array(bytes.buffer);
}
