/** Leases: who is writing. They spare a live writer's objects from gc; nothing's safety depends on them. */
import type { Hasher } from '../hash/index.js';
import { MAGIC, openEnvelope, sealEnvelope } from './envelope.js';
import { packRecord, unpackRecord } from './fields.js';

export interface Lease {
  /** The writer's attempt: the first part of the names of its objects. */
  attempt: string;
  /** Milliseconds since 1970, by the writer's clock. */
  expiresAt: number;
}

/** Encodes a lease. */
export function encodeLease(hasher: Hasher, lease: Lease): Uint8Array {
  return sealEnvelope(hasher, MAGIC.lease, packRecord(lease));
}

/** Decodes and checks a lease. */
export function decodeLease(hasher: Hasher, bytes: Uint8Array, object: string): Lease {
  const fields = unpackRecord(openEnvelope(hasher, MAGIC.lease, bytes, object), object);
  return { attempt: fields.text('attempt'), expiresAt: fields.number('expiresAt') };
}
