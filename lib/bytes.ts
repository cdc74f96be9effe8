/**
 * Reading and writing small binary formats, for commands and snapshots.
 *
 * @module
 */

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A shared buffer in which one small value at a time is written, and then copied to
 * its size: creating a typed array takes Deno up to 1 µs, more than everything else.
 */
let scratch: Uint8Array<ArrayBuffer> | null = null;
const SCRATCH_BYTES = 2048;

/** Where small copies are put side by side, for the same reason. Each byte of it is given out once. */
let pool: Uint8Array<ArrayBuffer> = new Uint8Array(0);
let poolUsed = 0;
const POOL_BYTES = 16 * 1024;
/** Larger copies get a buffer of their own, so that little is kept in memory for another's sake. */
const POOLED_MAX_BYTES = 1024;

/**
 * A copy of the first `length` bytes. A small one shares its `buffer` with other
 * copies: it is for use as a Uint8Array, not for transfer to another thread.
 */
export function copyBytes(bytes: Uint8Array, length: number = bytes.length): Uint8Array<ArrayBuffer> {
  if (length > POOLED_MAX_BYTES) return new Uint8Array(bytes.subarray(0, length));
  if (poolUsed + length > pool.length) {
    pool = new Uint8Array(POOL_BYTES);
    poolUsed = 0;
  }
  const copy = new Uint8Array(pool.buffer, poolUsed, length);
  poolUsed += length;
  // For few bytes a loop is faster than a call into the engine.
  if (length <= 64) { for (let i = 0; i < length; i++) copy[i] = bytes[i]!; }
  else copy.set(length === bytes.length ? bytes : bytes.subarray(0, length));
  return copy;
}

/** Joins chunks to one array; a single chunk is returned as it is. */
export function concatBytes<Memory extends ArrayBufferLike>(
  chunks: readonly Uint8Array<Memory>[],
): Uint8Array<Memory | ArrayBuffer> {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Appends fields to a growing buffer. */
export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** Set if `#buffer` becomes the scratch buffer once it isn't needed here. */
  #returns: boolean;

  /** Begins with room for so many bytes. */
  constructor(capacity = 64) {
    this.#returns = capacity <= SCRATCH_BYTES;
    this.#buffer = this.#returns ? scratch ?? new Uint8Array(SCRATCH_BYTES) : new Uint8Array(capacity);
    // A writer within a writer gets another one.
    if (this.#returns) scratch = null;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One byte. */
  byte(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** An unsigned safe integer, seven bits a byte, lowest first (LEB128). */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned safe integer: ${value}`);
    this.#reserve(8);
    while (value >= 0x80) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** A length, then the bytes. */
  bytes(value: Uint8Array): this {
    return this.varint(value.length).raw(value);
  }

  /** The bytes alone: for a last field, which needs no length. */
  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A length, then UTF-8. */
  string(value: string): this {
    return this.bytes(utf8Encoder.encode(value));
  }

  /** A length, then one byte a character; every character of `value` must be below 256. */
  binary(value: string): this {
    const length = value.length;
    this.varint(length);
    this.#reserve(length);
    for (let i = 0; i < length; i++) this.#buffer[this.#length + i] = value.charCodeAt(i);
    this.#length += length;
    return this;
  }

  /** Returns the written bytes: the writer's own buffer if that is exactly full, otherwise a copy, made by {@linkcode copyBytes}. */
  finish(): Uint8Array {
    if (!this.#returns && this.#length === this.#buffer.length) return this.#buffer;
    const written = copyBytes(this.#buffer, this.#length);
    this.#replaceBuffer(written);
    return written;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#replaceBuffer(grown);
  }

  /** Continues in a buffer with the same contents. After {@linkcode finish} that is full, and an append needs another one. */
  #replaceBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#returns) scratch = this.#buffer;
    this.#returns = false;
    this.#buffer = buffer;
  }
}

/** Takes fields from a buffer; a {@linkcode RangeError} if it ends too early or a number is out of range. */
export class ByteReader {
  readonly #buffer: Uint8Array;
  #offset = 0;

  /** Begins at the first byte of `buffer`, which must not change meanwhile. */
  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  /** One byte. */
  byte(): number {
    const value = this.#buffer[this.#offset];
    if (value === undefined) throw new RangeError("the bytes end too early");
    this.#offset++;
    return value;
  }

  /** See {@linkcode ByteWriter.varint}. */
  varint(): number {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value) || scale > 2 ** 49) throw new RangeError("a number is out of range");
      if (byte < 0x80) return value;
    }
  }

  /** See {@linkcode ByteWriter.bytes}; a view, not a copy. */
  bytes(): Uint8Array {
    const length = this.varint();
    if (length > this.remaining) throw new RangeError("the bytes end too early");
    const value = this.#buffer.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return value;
  }

  /** See {@linkcode ByteWriter.string}. @throws {TypeError} if it is not UTF-8. */
  string(): string {
    return utf8Decoder.decode(this.bytes());
  }

  /** Everything that is left; a view, not a copy. */
  rest(): Uint8Array {
    const value = this.#buffer.subarray(this.#offset);
    this.#offset = this.#buffer.length;
    return value;
  }

  /** Asserts that everything was taken. @throws {RangeError} if anything is left. */
  end(): void {
    if (this.remaining !== 0) throw new RangeError(`${this.remaining} bytes too many`);
  }
}
