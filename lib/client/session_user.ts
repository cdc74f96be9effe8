/**
 * The encoding of a client's commands as log entries: raw, marked as without a
 * session, or numbered within one.
 */

import { RaftError } from "../errors.ts";
import { decodeReply, encodePlain, encodeSessionCommand, type SessionReply } from "../sessions/session_codec.ts";

/** A session of this client. */
export class ClientSession {
  /** Its id. */
  readonly id: number;
  readonly #maxOutstanding: number;
  #nextSequence = 1;
  /** Ascending, because sequences are given out in order: the first is the lowest. */
  readonly #outstanding = new Set<number>();

  constructor(id: number, maxOutstanding: number) {
    this.id = id;
    this.#maxOutstanding = maxOutstanding;
  }

  /** The lowest sequence whose outcome is still wanted. */
  get lowestOutstanding(): number {
    for (const sequence of this.#outstanding) return sequence;
    return this.#nextSequence;
  }

  /** The number of sequences whose outcome is still wanted. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** True if the session accepts another command beside those outstanding. */
  get hasRoom(): boolean {
    return this.#nextSequence - this.lowestOutstanding < this.#maxOutstanding;
  }

  /** Takes the next sequence. */
  take(): number {
    const sequence = this.#nextSequence++;
    this.#outstanding.add(sequence);
    return sequence;
  }

  /** Notes that the outcome of `sequence` is known, or no longer wanted. */
  settle(sequence: number): void {
    this.#outstanding.delete(sequence);
  }
}

/** A command's place in a session. */
export interface Ticket {
  readonly session: ClientSession;
  readonly sequence: number;
}

/**
 * The form in which commands are sent.
 *
 * - `session`: numbered, so that each is executed once.
 * - `plain`: to a state machine wrapped in Sessions, without using one.
 * - `raw`: as they are, to a state machine that is not wrapped.
 */
export type CommandMode = "session" | "plain" | "raw";

/** Encodes a log entry. */
export function encodeEntry(mode: CommandMode, command: Uint8Array, ticket: Ticket | null): Uint8Array {
  if (mode === "raw") return command;
  if (ticket === null) return encodePlain(command);
  const { session: { id, lowestOutstanding }, sequence } = ticket;
  return encodeSessionCommand({ session: id, sequence, lowestOutstanding, command });
}

/** Reads a reply. @throws {RaftError} `unsupported` if the state machine isn't wrapped in Sessions */
export function readReply(result: Uint8Array): SessionReply {
  try {
    return decodeReply(result);
  } catch (cause) {
    throw new RaftError("unsupported", "the answer is not that of a state machine wrapped in Sessions", {
      outcome: "unknown",
      hint: "Wrap the state machine in Sessions on every node, or send with `raw: true`.",
      cause,
    });
  }
}

/** Returns the error for a command whose reply is not `applied`. */
export function replyError(reply: Exclude<SessionReply, { type: "applied" }>): RaftError {
  switch (reply.type) {
    case "session_expired":
      return new RaftError("session_expired", "the session has ended in the cluster", {
        outcome: "unknown",
        hint: "Read the state to see whether the command was carried out.",
      });
    case "reply_dropped":
      return new RaftError("too_large", `the command was carried out at ${reply.index}, but its answer is not kept`, {
        outcome: "unknown",
        hint: "Read the state; don't send it again.",
      });
    case "too_many_outstanding":
      return new RaftError("busy", "the session has too many commands outstanding");
    case "malformed":
      return new RaftError("invalid_argument", "the entry was not understood");
    default:
      return new RaftError("internal", `the answer to a command was: ${reply.type}`, { outcome: "unknown" });
  }
}
