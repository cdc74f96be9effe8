/**
 * The bytes of commands to, and replies of, a state machine that is wrapped in
 * {@linkcode Sessions}.
 */

import { ByteReader, ByteWriter } from "../bytes.ts";

/** A command of a session. */
export interface SessionCommand {
  /** The kind of the entry. */
  readonly type: "command";
  /** The session's id: the index of the entry that registered it. */
  readonly session: number;
  /** Unique in the session; from 1. */
  readonly sequence: number;
  /**
   * The lowest sequence that the client may still send or ask about; at most
   * `sequence`. Replies to lower ones are forgotten.
   */
  readonly lowestOutstanding: number;
  /** The command for the state machine inside. */
  readonly command: Uint8Array;
}

/** A log entry for {@linkcode Sessions}. */
export type SessionEntry =
  | SessionCommand
  /** A command without a session: executed as often as it is in the log. */
  | { readonly type: "plain"; readonly command: Uint8Array }
  /** Makes a new session. */
  | { readonly type: "register" };

/** An answer of {@linkcode Sessions}. */
export type SessionReply =
  /** The command was executed, now or at its first occurrence. */
  | {
    readonly type: "applied";
    /** The index at which it was executed. */
    readonly index: number;
    /** The answer of the state machine inside. */
    readonly result: Uint8Array;
  }
  /** It was executed at `index`, but its answer was too large to be kept for this repetition. */
  | { readonly type: "reply_dropped"; readonly index: number }
  /** The new session, and how far `sequence` may be above `lowestOutstanding`, exclusive. */
  | { readonly type: "registered"; readonly session: number; readonly maxOutstanding: number }
  /** There is no such session, or no longer. This entry did nothing; whether an earlier one did isn't known. */
  | { readonly type: "session_expired" }
  /** The sequence is below the lowest outstanding: the client has its outcome. This entry did nothing. */
  | { readonly type: "stale" }
  /** The sequence is too far above the lowest outstanding. This entry did nothing. */
  | { readonly type: "too_many_outstanding" }
  /** The entry's bytes are none of those above. It did nothing. */
  | { readonly type: "malformed" };

const PLAIN = 0;
const REGISTER = 1;
const COMMAND = 2;

const APPLIED = 0;
const REPLY_DROPPED = 1;
const REGISTERED = 2;
const REFUSALS = ["session_expired", "stale", "too_many_outstanding", "malformed"] as const;
const FIRST_REFUSAL = 3;

/** Wraps a command that needs no session. It is carried out once for each time that it gets into the log. */
export function encodePlain(command: Uint8Array): Uint8Array {
  return new ByteWriter(command.length + 1).byte(PLAIN).raw(command).finish();
}

/** Asks for a new session. */
export function encodeRegister(): Uint8Array {
  return new Uint8Array([REGISTER]);
}

/** Wraps a command of a session. @throws {RangeError} for a number that is no safe integer from 0 */
export function encodeSessionCommand(command: Omit<SessionCommand, "type">): Uint8Array {
  return new ByteWriter(command.command.length + 32).byte(COMMAND)
    .varint(command.session).varint(command.sequence).varint(command.lowestOutstanding).raw(command.command).finish();
}

/** Reads an entry; the command is a view. @throws {RangeError} for anything else */
export function decodeEntry(bytes: Uint8Array): SessionEntry {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  if (type === PLAIN) return { type: "plain", command: reader.rest() };
  if (type === REGISTER) {
    reader.end();
    return { type: "register" };
  }
  if (type !== COMMAND) throw new RangeError("no such entry");
  const session = reader.varint();
  const sequence = reader.varint();
  const lowestOutstanding = reader.varint();
  if (lowestOutstanding < 1 || lowestOutstanding > sequence) throw new RangeError("the sequence is out of range");
  return { type: "command", session, sequence, lowestOutstanding, command: reader.rest() };
}

/** Encodes a reply. */
export function encodeReply(reply: SessionReply): Uint8Array {
  switch (reply.type) {
    case "applied":
      return new ByteWriter(reply.result.length + 16).byte(APPLIED).varint(reply.index).raw(reply.result).finish();
    case "reply_dropped":
      return new ByteWriter().byte(REPLY_DROPPED).varint(reply.index).finish();
    case "registered":
      return new ByteWriter().byte(REGISTERED).varint(reply.session).varint(reply.maxOutstanding).finish();
    default:
      return new Uint8Array([FIRST_REFUSAL + REFUSALS.indexOf(reply.type)]);
  }
}

/** Reads a reply; the result is a view. @throws {RangeError} for anything else */
export function decodeReply(bytes: Uint8Array): SessionReply {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  if (type === APPLIED) return { type: "applied", index: reader.varint(), result: reader.rest() };
  let reply: SessionReply;
  if (type === REPLY_DROPPED) reply = { type: "reply_dropped", index: reader.varint() };
  else if (type === REGISTERED) {
    reply = { type: "registered", session: reader.varint(), maxOutstanding: reader.varint() };
  } else {
    const refusal = REFUSALS[type - FIRST_REFUSAL];
    if (refusal === undefined) throw new RangeError("no such reply");
    reply = { type: refusal };
  }
  reader.end();
  return reply;
}
