/**
 * Segments: the files of the log, named `log-` and a number that ascends by one.
 * There are several so that the beginning of the log can be deleted.
 *
 * Each begins with a header that repeats the state at the end of the segment
 * before: term and vote, the snapshot in force, and the last index. So the oldest
 * ones can be deleted without being copied.
 *
 * ```
 *      0      8  "RAFT-LOG"
 *      8      4  format version
 *     12      4  length of the header, its checksum included
 *     16         fields
 *     -4      4  CRC-32C of everything before it
 * ```
 *
 * A segment gets its name only after its header is durable. An unreadable header is
 * therefore always damage, never a half-finished creation.
 */

import { ByteReader, ByteWriter, concatBytes } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { decodeMembership, encodeMembership } from "../../lib/raft/membership.ts";
import type { HardState } from "../../lib/raft/types.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import { damaged, unsupportedVersion } from "./file_errors.ts";

/** The version of the format, the only one so far. */
export const formatVersion = 1;
const magic = new TextEncoder().encode("RAFT-LOG");
const fixedBytes = 16;
/** The longest header, as a bound for reading. */
export const maxHeaderBytes = 4 * 1024 * 1024;

export interface SegmentHeader {
  readonly sequence: number;
  /** CRC-32C of the folder's incarnation. */
  readonly logId: number;
  /** The checksum of the last record of the segment before. */
  readonly previous: number;
  /** The number of the first batch of this segment. */
  readonly batchNumber: number;
  /** The last index of the log when the segment was begun. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly hardState: HardState;
  readonly snapshot: SnapshotRef | null;
}

/** Returns the id that ties the log to its folder: CRC-32C of the incarnation. */
export function logIdOf(incarnation: string): number {
  return crc32c(new TextEncoder().encode(incarnation));
}

export function segmentName(sequence: number): string {
  return `log-${String(sequence).padStart(10, "0")}`;
}

/** Returns the number in the name of a segment's file; `undefined` for other files. */
export function segmentSequence(name: string): number | undefined {
  const match = /^log-(\d{10,15})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const fields = new ByteWriter(256)
    .varint(header.sequence)
    .varint(header.logId)
    .varint(header.previous)
    .varint(header.batchNumber)
    .varint(header.lastIndex)
    .varint(header.lastTerm)
    .varint(header.hardState.term)
    .bytes(encodeVote(header.hardState.votedFor))
    .bytes(header.snapshot === null ? new Uint8Array() : encodeSnapshotRef(header.snapshot))
    .finish();
  const bytes = new Uint8Array(fixedBytes + fields.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(8, formatVersion, true);
  view.setUint32(12, bytes.length, true);
  bytes.set(fields, fixedBytes);
  view.setUint32(bytes.length - 4, crc32c(bytes.subarray(0, bytes.length - 4)), true);
  return bytes;
}

/** Returns the checksum of an encoded header. */
export function checksumOfHeader(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length - 4, true);
}

/** A header with its length and its checksum, which the first record continues. */
export interface ReadHeader {
  readonly header: SegmentHeader;
  readonly size: number;
  readonly checksum: number;
}

/**
 * Reads a header from the beginning of a segment.
 *
 * @throws {StorageError} `damaged`, or `unsupported_version`
 */
export function decodeSegmentHeader(path: string, bytes: Uint8Array): ReadHeader {
  if (bytes.length < fixedBytes || magic.some((byte, i) => bytes[i] !== byte)) {
    throw damaged(path, 0, "the file does not begin like a segment of the log");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== formatVersion) throw unsupportedVersion(path, `format ${version}`);
  const size = view.getUint32(12, true);
  if (size < fixedBytes + 4 || size > bytes.length) throw damaged(path, 12, "the segment's header is cut off");
  const checksum = crc32c(bytes.subarray(0, size - 4));
  if (checksum !== view.getUint32(size - 4, true)) throw damaged(path, 0, "the segment's header has a wrong checksum");
  try {
    const reader = new ByteReader(bytes.subarray(fixedBytes, size - 4));
    const header: SegmentHeader = {
      sequence: reader.varint(),
      logId: reader.varint(),
      previous: reader.varint(),
      batchNumber: reader.varint(),
      lastIndex: reader.varint(),
      lastTerm: reader.varint(),
      hardState: { term: reader.varint(), votedFor: decodeVote(reader.bytes()) },
      snapshot: decodeOptionalRef(reader.bytes()),
    };
    reader.end();
    return { header, size, checksum };
  } catch (error) {
    throw damaged(path, fixedBytes, "the segment's header is unreadable", error);
  }
}

/** Encodes a vote, as the payload of a `hardState` record. */
export function encodeVote(votedFor: string | null): Uint8Array {
  if (votedFor === null) return new Uint8Array();
  return new ByteWriter().string(votedFor).finish();
}

/** @throws {RangeError} or {TypeError} on bad input */
export function decodeVote(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return null;
  const reader = new ByteReader(bytes);
  const votedFor = reader.string();
  reader.end();
  return votedFor;
}

/** Encodes a snapshot, for headers and files. */
export function encodeSnapshotRef({ number, meta }: SnapshotRef): Uint8Array {
  return new ByteWriter(256)
    .varint(number)
    .string(meta.id)
    .varint(meta.index)
    .varint(meta.term)
    .varint(meta.size)
    .varint(meta.checksum)
    .bytes(encodeMembership(meta.membership))
    .finish();
}

function decodeSnapshotRef(bytes: Uint8Array): SnapshotRef {
  const reader = new ByteReader(bytes);
  const number = reader.varint();
  const meta = {
    id: reader.string(),
    index: reader.varint(),
    term: reader.varint(),
    size: reader.varint(),
    checksum: reader.varint(),
    membership: decodeMembership(reader.bytes()),
  };
  reader.end();
  return { number, meta };
}

/** Encodes a snapshot that a batch puts in force, as the payload of a `snapshot` record. */
export function encodeInForce(ref: SnapshotRef, keepsLog: boolean): Uint8Array {
  return concatBytes([Uint8Array.of(keepsLog ? 1 : 0), encodeSnapshotRef(ref)]);
}

/** @throws {RangeError} or {TypeError} on bad input */
export function decodeInForce(bytes: Uint8Array): SnapshotRef & { readonly keepsLog: boolean } {
  return { ...decodeSnapshotRef(bytes.subarray(1)), keepsLog: bytes[0] === 1 };
}

function decodeOptionalRef(bytes: Uint8Array): SnapshotRef | null {
  return bytes.length === 0 ? null : decodeSnapshotRef(bytes);
}
