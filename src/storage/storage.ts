/**
 * The storage port: where objects live. Keys are `/`-separated names of [A-Za-z0-9._-]; values are whole objects.
 * Absence is `undefined` or `false`, never an exception. Failures of the medium are ThetalogErrors of kind `unavailable`
 * (`disk-full` for a full disk). Everything that resolved is durable.
 */
export interface Storage {
  /** For messages: the path or URL. */
  readonly location: string;

  /**
   * Reads an object, or the part `[offset, offset + length)` of it; a range that reaches past the end comes back
   * short. Returns undefined if there is no such object. The bytes are the caller's: at the start of `memory`, if any is
   * given and the storage makes use of it, else in a buffer of their own.
   */
  get(
    key: string,
    range?: { offset: number; length: number },
    memory?: Uint8Array,
  ): Promise<Uint8Array | undefined>;

  /**
   * Creates an object from the concatenated parts; returns false, and changes nothing, if the key exists. Once it has
   * resolved the caller may use the memory of the parts for something else.
   */
  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean>;

  /** Reads a mutable object together with the version that `putIfMatch` wants. */
  getVersioned(key: string): Promise<Versioned | undefined>;

  /**
   * Replaces a mutable object if it still has the given version (undefined: if it does not exist).
   * Returns the new version, or undefined if somebody else was first. After an error or an undefined the caller must
   * read again to learn which write stands: an answer can be lost after its write took effect.
   */
  putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined>;

  /** Lists all physical objects whose key starts with the prefix, in no particular order. */
  list(prefix: string): AsyncIterable<StoredObject>;

  /** Removes an object; removing an absent one is no error. */
  delete(key: string): Promise<void>;

  /** Absent where the medium is not known to have an end. */
  readonly space?: Space;

  /** Releases what is held open between reads; the storage stays usable. */
  close(): Promise<void>;
}

/** The space of a medium that can be full. */
export interface Space {
  /** Throws `unavailable` (`disk-full`) if fewer bytes are known to be free; `object` is what they are for. */
  assertRoom(bytes: number, object: string): Promise<void>;

  /** Sets some space aside for maintenance, unless that is done already or there is little of it; never fails. */
  keepReserve(): Promise<void>;

  /** Frees what is set aside; false if nothing was. */
  releaseReserve(): Promise<boolean>;
}

export interface Versioned {
  bytes: Uint8Array;
  version: string;
}

export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
}
