/**
 * The sessions' part of a snapshot: a block with the format and the limits, a
 * block for each session, an empty block. The state machine's own bytes follow.
 */

import { beginHeader, blockChunks, type BlockReader, openHeader, type SnapshotFormat } from "../block_stream.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import { RaftError } from "../errors.ts";
import { LIMIT_NAMES, type Session, type SessionLimits, SessionTable } from "./session_table.ts";

/** The format of this part. */
export const SESSION_FORMAT: SnapshotFormat = { name: "raft-core.sessions", version: 1, kind: "session" };

/** Bytes of a session's block beside its answers, for each answer and in all, at most. */
const REPLY_HEAD_BYTES = 32;

/** The longest block that these limits allow. */
export function maxSessionBlockBytes(limits: Required<SessionLimits>): number {
  return 1024 + limits.maxReplyBytes + limits.maxOutstanding * REPLY_HEAD_BYTES;
}

/** The chunks of captured sessions. */
export function* writeSessions(
  sessions: readonly Session[],
  limits: Required<SessionLimits>,
): Iterable<Uint8Array> {
  const header = beginHeader(SESSION_FORMAT);
  for (const name of LIMIT_NAMES) header.varint(limits[name]);
  yield* blockChunks(header.finish());
  for (const session of sessions) yield* blockChunks(encodeSession(session));
  yield* blockChunks(new Uint8Array(0));
}

function encodeSession({ id, lastIndex, lowestOutstanding, replies }: Session): Uint8Array {
  const writer = new ByteWriter(256).varint(id).varint(lastIndex).varint(lowestOutstanding);
  // In order, because equal states must give equal bytes.
  for (const sequence of [...replies.keys()].sort((a, b) => a - b)) {
    const { index, result } = replies.get(sequence)!;
    writer.varint(sequence).varint(index).byte(result === null ? 0 : 1);
    if (result !== null) writer.bytes(result);
  }
  return writer.finish();
}

/**
 * Reads sessions that were written with the same limits.
 *
 * @throws {RaftError} `invalid_argument` if the limits differ; `unsupported_version`
 * @throws {RangeError} if the bytes are damaged
 */
export async function readSessions(
  reader: BlockReader,
  limits: Required<SessionLimits>,
): Promise<SessionTable> {
  checkHeader(await reader.next(), limits);
  const table = new SessionTable(limits);
  let lastIndex = 0;
  for (let block = await reader.next(); block.length > 0; block = await reader.next()) {
    const session = decodeSession(block);
    if (session.lastIndex <= lastIndex) throw new RangeError("sessions are not in order");
    lastIndex = session.lastIndex;
    table.add(session);
  }
  return table;
}

function checkHeader(block: Uint8Array, limits: Required<SessionLimits>): void {
  const reader = openHeader(block, SESSION_FORMAT);
  for (const name of LIMIT_NAMES) {
    const written = reader.varint();
    if (written === limits[name]) continue;
    throw new RaftError("invalid_argument", `the snapshot was made with ${name} ${written}, not ${limits[name]}`, {
      hint: "Start every node of a cluster with the same session limits.",
    });
  }
  reader.end();
}

function decodeSession(block: Uint8Array): Omit<Session, "epoch"> {
  const reader = new ByteReader(block);
  const id = reader.varint();
  const lastIndex = reader.varint();
  const lowestOutstanding = reader.varint();
  const replies: Session["replies"] = new Map();
  let replyBytes = 0;
  let last = lowestOutstanding - 1;
  while (reader.remaining > 0) {
    const sequence = reader.varint();
    if (sequence <= last) throw new RangeError("sequences are not in order");
    last = sequence;
    const index = reader.varint();
    // A copy: a view would hold on to the whole block.
    const result = reader.byte() === 0 ? null : reader.bytes().slice();
    replies.set(sequence, { index, result });
    replyBytes += result?.length ?? 0;
  }
  return { id, lastIndex, lowestOutstanding, replies, replyBytes };
}
