/** States and files that carry a token, and whether a checkpoint brings them back bit for bit. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Values that differ a little from one token to the next, as weights do. */
function values(token) {
  const digest = createHash('sha256').update(token).digest();
  return Float32Array.from({ length: 3000 }, (_, at) => Math.sin(at) * (1 + digest[at % 32] * 1e-5));
}

export function fileOf(token) {
  return Buffer.concat([Buffer.from(`${token}\n`), Buffer.from(values(token).buffer)]);
}

export function stateOf(token) {
  return { model: { w: values(token) }, token };
}

/** Restores a listed checkpoint, files into `out`, and compares it with what its token says that was saved. */
export async function isExact(store, info, out) {
  const { token } = info.meta;
  if (info.kind === 'state') {
    const { model, token: restored } = await store.run(info.run).restore(info.id);
    const { buffer, byteOffset, byteLength } = model.w;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    return restored === token && bytes.equals(Buffer.from(values(token).buffer));
  }
  rmSync(out, { recursive: true, force: true });
  const { files } = await store.restoreFiles(info.id, { out });
  return files.length === 1 && readFileSync(join(out, files[0])).equals(fileOf(token));
}
