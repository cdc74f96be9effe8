/**
 * A stream as a row of blocks: how the library's own state machines write
 * snapshots. A block is its length (four bytes, big-endian), then its bytes.
 *
 * @module
 */

import { ByteReader, ByteWriter } from "./bytes.ts";
import { RaftError } from "./errors.ts";

/** Chunks are cut to this size, so that nobody holds a large one. */
const CHUNK_MAX_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

/** The chunks of one block, each of a bounded size. */
export function* blockChunks(block: Uint8Array): Iterable<Uint8Array> {
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, block.length);
  yield length;
  for (let offset = 0; offset < block.length; offset += CHUNK_MAX_BYTES) {
    yield block.subarray(offset, offset + CHUNK_MAX_BYTES);
  }
}

/** A kind of snapshot; its name and version begin the first block. */
export interface SnapshotFormat {
  readonly name: string;
  readonly version: number;
  /** The kind in error messages. */
  readonly kind: string;
}

/** Begins the first block of a snapshot. */
export function beginHeader({ name, version }: SnapshotFormat): ByteWriter {
  return new ByteWriter().string(name).varint(version);
}

/** Reads name and version, and returns the rest of the first block. @throws {RaftError} `unsupported_version` */
export function openHeader(block: Uint8Array, { name, version, kind }: SnapshotFormat): ByteReader {
  const reader = new ByteReader(block);
  if (reader.string() !== name) throw new RangeError("it is of another kind");
  const written = reader.varint();
  if (written === version) return reader;
  throw new RaftError("unsupported_version", `${kind} snapshot format ${written} is not known`, {
    hint: "It was written by a newer version: run that one.",
  });
}

/**
 * Reads a snapshot by `read`, and releases the stream.
 *
 * @throws {RaftError} `damaged` for a RangeError or TypeError of `read`
 */
export async function readBlocks<Value>(
  snapshot: AsyncIterable<Uint8Array>,
  maxBlockBytes: number,
  { kind }: SnapshotFormat,
  read: (reader: BlockReader) => Promise<Value>,
): Promise<Value> {
  const reader = new BlockReader(snapshot, maxBlockBytes);
  try {
    return await read(reader);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    throw new RaftError("damaged", `the ${kind} snapshot is damaged: ${error.message}`, { cause: error });
  } finally {
    await reader.close();
  }
}

/** Takes blocks from a stream whose chunks may be cut anywhere. */
export class BlockReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #maxBlockBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);

  /** @param maxBlockBytes a longer block is an error, before memory is taken for it */
  constructor(source: AsyncIterable<Uint8Array>, maxBlockBytes: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#maxBlockBytes = maxBlockBytes;
  }

  /** The next block. @throws {RangeError} if the stream ends before its end, or it is too long. */
  async next(): Promise<Uint8Array> {
    const header = await this.#take(LENGTH_BYTES);
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0);
    if (length > this.#maxBlockBytes) throw new RangeError(`a block of ${length} bytes is too long`);
    return await this.#take(length);
  }

  /** The bytes after the blocks taken so far. Nothing else may be called after. */
  async *rest(): AsyncIterable<Uint8Array> {
    try {
      if (this.#chunk.length > 0) yield this.#chunk;
      for (let next = await this.#source.next(); !next.done; next = await this.#source.next()) yield next.value;
    } finally {
      await this.close();
    }
  }

  /** @throws {RangeError} if anything follows. */
  async end(): Promise<void> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done) return;
      this.#chunk = next.value;
    }
    throw new RangeError("the stream goes on after its end");
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#chunk.length === 0) {
        const next = await this.#source.next();
        if (next.done) throw new RangeError("the stream ends too early");
        this.#chunk = next.value;
        continue;
      }
      const part = this.#chunk.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#chunk = this.#chunk.subarray(part.length);
    }
    return taken;
  }
}
