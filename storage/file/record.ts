/**
 * The records of the log. All numbers are little-endian.
 *
 * ```
 * offset  bytes
 *      0      4  checksum: CRC-32C of everything after it
 *      4      4  previous: the checksum of the record before, or of the segment's header
 *      8      4  length of the payload
 *     12      1  type
 *     13      3  zero
 *     16      8  index
 *     24      8  term
 *     32         payload
 * ```
 *
 * `previous` chains the records: bytes that an earlier, longer tail left behind
 * are well-formed records, but don't continue the chain. It is stored rather than
 * only used as a seed, so that a single record can be checked.
 *
 * A batch is a run of records that ends with a `commit`; without one it does not
 * count. The commit's payload is
 *
 * ```
 *      0      4  mark
 *      4      4  log id: CRC-32C of the folder's incarnation
 *      8      4  length of the batch before the commit
 *     12      4  zero
 *     16      8  number of the batch, ascending by one
 * ```
 *
 * so that a whole batch can be recognised after damage (see recovery.ts). The
 * log id keeps a client from writing a value that looks like a batch.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { EntryType } from "../../lib/raft/types.ts";

export const recordHeaderBytes = 32;
/** Bytes of a commit, including its header. */
export const commitBytes = recordHeaderBytes + 24;
/** The beginning of a commit's payload: "CMIT". */
export const commitMark = 0x54494d43;

/** The types by number: entries of three types, term and vote, a snapshot put in force, the end of a batch. */
const typeByNumber = [undefined, "command", "noop", "membership", "hardState", "snapshot", "commit"] as const;
type RecordType = NonNullable<typeof typeByNumber[number]>;
const numberByType = new Map(typeByNumber.map((type, number) => [type, number]));

export interface LogRecord {
  /** `undefined` for an unknown type. */
  readonly type: RecordType | undefined;
  readonly typeNumber: number;
  /** The index of the entry; for a snapshot the last index it covers; for a commit the log's last index. */
  readonly index: number;
  /** The term of the entry, the snapshot, or the hard state. */
  readonly term: number;
  /** A view of the buffer that was parsed. */
  readonly payload: Uint8Array;
  readonly checksum: number;
  readonly previous: number;
  /** Bytes in the file, including the header. */
  readonly size: number;
}

export function isEntryType(type: RecordType | undefined): type is EntryType {
  return type === "command" || type === "noop" || type === "membership";
}

/** Reads a safe integer from eight bytes; NaN if it is not one. */
function readUint64(view: DataView, offset: number): number {
  const value = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
  return Number.isSafeInteger(value) ? value : NaN;
}

function writeUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** Returns the size of the record at `offset`, according to its header; `undefined` if that is cut off. */
export function recordSizeAt(view: DataView, offset: number): number | undefined {
  if (offset + recordHeaderBytes > view.byteLength) return undefined;
  return recordHeaderBytes + view.getUint32(offset + 8, true);
}

/** Returns the record at `offset`; `undefined` if it is cut off or has a wrong checksum. */
export function parseRecord(bytes: Uint8Array, view: DataView, offset: number): LogRecord | undefined {
  const size = recordSizeAt(view, offset);
  if (size === undefined || offset + size > bytes.length) return undefined;
  const checksum = view.getUint32(offset, true);
  if (crc32c(bytes.subarray(offset + 4, offset + size)) !== checksum) return undefined;
  const typeNumber = bytes[offset + 12]!;
  return {
    type: typeByNumber[typeNumber],
    typeNumber,
    index: readUint64(view, offset + 16),
    term: readUint64(view, offset + 24),
    payload: bytes.subarray(offset + recordHeaderBytes, offset + size),
    checksum,
    previous: view.getUint32(offset + 4, true),
    size,
  };
}

/** Decodes a commit's payload; `undefined` if it does not belong to this log. */
export function parseCommit(
  record: LogRecord,
  logId: number,
): { readonly batchBytes: number; readonly batchNumber: number } | undefined {
  if (record.type !== "commit" || record.size !== commitBytes) return undefined;
  const view = new DataView(record.payload.buffer, record.payload.byteOffset, record.payload.length);
  if (view.getUint32(0, true) !== commitMark || view.getUint32(4, true) !== logId) return undefined;
  return { batchBytes: view.getUint32(8, true), batchNumber: readUint64(view, 16) };
}

const kept = 256 * 1024;

/** An encoder of batches, into one buffer that it reuses; a long batch is taken out of it in pieces. */
export class BatchEncoder {
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #view: DataView = new DataView(this.#buffer.buffer);
  /** The bytes of the batch that were taken out before. */
  #taken = 0;
  /** The bytes in the buffer, which were not taken out yet. */
  pending = 0;
  /** The checksum of the last record. */
  checksum = 0;

  /** The offset of the next record in the batch. */
  get length(): number {
    return this.#taken + this.pending;
  }

  /** Begins a batch after the record with checksum `previous`, with room for `bytes` bytes. */
  begin(previous: number, bytes: number): void {
    const tooLarge = this.#buffer.length > kept && bytes < kept;
    if (tooLarge || this.#buffer.length < bytes) this.#resize(tooLarge ? kept : bytes);
    this.#taken = 0;
    this.pending = 0;
    this.checksum = previous;
  }

  add(type: RecordType, index: number, term: number, payload: Uint8Array): void {
    const start = this.pending;
    const end = start + recordHeaderBytes + payload.length;
    if (end > this.#buffer.length) this.#resize(Math.max(end, this.#buffer.length * 2));
    const view = this.#view;
    view.setUint32(start + 4, this.checksum, true);
    view.setUint32(start + 8, payload.length, true);
    view.setUint32(start + 12, numberByType.get(type)!, true);
    writeUint64(view, start + 16, index);
    writeUint64(view, start + 24, term);
    this.#buffer.set(payload, start + recordHeaderBytes);
    this.checksum = crc32c(this.#buffer.subarray(start + 4, end));
    view.setUint32(start, this.checksum, true);
    this.pending = end;
  }

  /** Adds the record that ends the batch. */
  commit(lastIndex: number, term: number, logId: number, batchNumber: number): void {
    const payload = new Uint8Array(commitBytes - recordHeaderBytes);
    const view = new DataView(payload.buffer);
    view.setUint32(0, commitMark, true);
    view.setUint32(4, logId, true);
    view.setUint32(8, this.length, true);
    writeUint64(view, 16, batchNumber);
    this.add("commit", lastIndex, term, payload);
  }

  /** Takes the next piece of the batch out; valid until more is added. */
  take(): Uint8Array {
    const piece = this.#buffer.subarray(0, this.pending);
    this.#taken += this.pending;
    this.pending = 0;
    return piece;
  }

  #resize(bytes: number): void {
    const buffer = new Uint8Array(bytes);
    buffer.set(this.#buffer.subarray(0, Math.min(this.pending, bytes)));
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}
