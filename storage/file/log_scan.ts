/**
 * Sequential reading of a segment, in large pieces.
 */

import type { FileHandle } from "./file_system.ts";
import { readFully } from "./file_system.ts";
import type { LogState } from "./log_state.ts";
import type { LogRecord } from "./record.ts";
import { commitMark, parseCommit, parseRecord, recordHeaderBytes, recordSizeAt } from "./record.ts";
import type { ReadHeader } from "./segment.ts";
import { decodeSegmentHeader, maxHeaderBytes } from "./segment.ts";

const pieceBytes = 1024 * 1024;

/** The place where a scan stopped, because the file ends or the next bytes don't continue the chain. */
export interface ScanEnd {
  /** The offset of the first byte that is not part of the chain. */
  readonly offset: number;
  /** The length of the file in bytes. */
  readonly size: number;
}

/**
 * Reads a segment's header.
 *
 * @throws {StorageError} `damaged`, or `unsupported_version`
 */
export async function readSegmentHeader(file: FileHandle, path: string): Promise<ReadHeader> {
  let bytes = await readFully(file, 0, 4096);
  if (bytes.length === 4096) {
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true);
    if (size > 4096 && size <= maxHeaderBytes) bytes = await readFully(file, 0, size);
  }
  return decodeSegmentHeader(path, bytes);
}

/** Calls `visit` for each record of the chain that begins at `offset` after `previous`. */
export async function scanRecords(
  file: FileHandle,
  offset: number,
  previous: number,
  visit: (record: LogRecord, offset: number) => void,
): Promise<ScanEnd> {
  const size = await file.size();
  let start = offset;
  let wanted = pieceBytes;
  while (start < size) {
    const length = Math.min(wanted, size - start);
    const bytes = await readFully(file, start, length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (;;) {
      const record = parseRecord(bytes, view, at);
      if (record === undefined || record.previous !== previous) break;
      visit(record, start + at);
      previous = record.checksum;
      at += record.size;
    }
    const next = recordSizeAt(view, at) ?? recordHeaderBytes;
    start += at;
    // The record that stopped the loop is judged only once all of it was read.
    if (at + next <= bytes.length || start + next > size || bytes.length < length) break;
    wanted = Math.max(pieceBytes, next);
  }
  return { offset: start, size };
}

/**
 * Reports whether a whole batch that continues `state`, now or later, stands anywhere after
 * `offset`. If so, the chain was broken by damage, and not by a write that a crash
 * cut short.
 */
export async function findLaterBatch(file: FileHandle, offset: number, state: LogState): Promise<boolean> {
  const bytes = await readFully(file, offset, Math.max(0, await file.size() - offset));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const firstByte = commitMark & 0xff;
  for (let at = bytes.indexOf(firstByte); at >= 0; at = bytes.indexOf(firstByte, at + 1)) {
    if (at < recordHeaderBytes || at + 4 > bytes.length || view.getUint32(at, true) !== commitMark) continue;
    if (isWholeBatch(bytes, view, at - recordHeaderBytes, state)) return true;
  }
  return false;
}

/** Reports whether the record at `commitAt` is a commit, and a chain of records fills the batch that it ends. */
function isWholeBatch(bytes: Uint8Array, view: DataView, commitAt: number, state: LogState): boolean {
  const record = parseRecord(bytes, view, commitAt);
  const commit = record === undefined ? undefined : parseCommit(record, state.logId);
  if (record === undefined || commit === undefined) return false;
  if (commit.batchNumber < state.batchNumber || commit.batchBytes > commitAt) return false;
  let at = commitAt - commit.batchBytes;
  let previous: number | undefined;
  while (at < commitAt) {
    const part = parseRecord(bytes, view, at);
    if (part === undefined || (previous !== undefined && part.previous !== previous)) return false;
    previous = part.checksum;
    at += part.size;
  }
  return at === commitAt && (previous === undefined || previous === record.previous);
}
