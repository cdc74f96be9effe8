/**
 * Exactly-once around any state machine (§8 of the paper, dissertation §6.3).
 */

import { readBlocks } from "../block_stream.ts";
import type { AppliedCommand, StateMachine } from "../state_machine.ts";
import { decodeEntry, encodeReply, type SessionCommand, type SessionEntry } from "./session_codec.ts";
import { maxSessionBlockBytes, readSessions, SESSION_FORMAT, writeSessions } from "./session_snapshot.ts";
import { type Session, type SessionLimits, SessionTable } from "./session_table.ts";

/**
 * A wrapper of a state machine: a client that repeats a command, because the answer
 * was lost, receives the first answer again, and the command is executed once.
 *
 * A session is made by a log entry, whose index is its id. A command carries its
 * session, a sequence that is unique in it, and the lowest sequence that is
 * still outstanding, so that commands may be under way together and arrive in
 * any order:
 * - The answers from the lowest outstanding sequence on are kept; a repetition
 *   gets the kept one.
 * - Below it a command is refused as stale: the client has said that it has the
 *   outcome.
 * - An answer that doesn't fit into the session's `maxReplyBytes` is not kept; a
 *   repetition learns that the command was carried out, but not the result.
 *
 * The expiry of sessions follows from the log alone (see
 * {@linkcode SessionLimits}), so that all nodes agree. A session that has ended
 * is never made again: its commands are refused, whatever became of them before.
 * Commands without a session (`encodePlain`) pass through, queries too.
 *
 * @example
 * ```ts
 * import { KeyValue } from "./lib/kv/key_value.ts";
 * import { decodeReply, encodeRegister } from "./lib/sessions/session_codec.ts";
 * import { Sessions } from "./lib/sessions/sessions.ts";
 *
 * const machine = new Sessions(new KeyValue());
 * const reply = decodeReply(await machine.apply({ index: 1, term: 1, data: encodeRegister() }));
 * console.log(reply); // { type: "registered", session: 1, maxOutstanding: 4096 }
 * ```
 */
export class Sessions implements StateMachine {
  readonly #inner: StateMachine;
  #table: SessionTable;

  /**
   * Wraps a state machine; all nodes must set the same limits.
   *
   * @throws {RangeError} if a limit is no integer from 1
   */
  constructor(inner: StateMachine, limits: SessionLimits = {}) {
    this.#inner = inner;
    this.#table = new SessionTable(limits);
  }

  /** See {@linkcode StateMachine.restoresAtomically}; set if that of the state machine inside is. */
  get restoresAtomically(): boolean {
    return this.#inner.restoresAtomically ?? false;
  }

  /** The number of sessions. */
  get size(): number {
    return this.#table.size;
  }

  /** See {@linkcode StateMachine.apply}; takes and gives what session_codec.ts describes. */
  apply(applied: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    const { index, data } = applied;
    this.#table.expire(index);
    let entry: SessionEntry;
    try {
      entry = decodeEntry(data);
    } catch {
      return encodeReply({ type: "malformed" });
    }
    if (entry.type === "register") {
      this.#table.register(index);
      return encodeReply({ type: "registered", session: index, maxOutstanding: this.#table.limits.maxOutstanding });
    }
    if (entry.type === "command") return this.#applyOnce(applied, entry);
    return this.#applyInner(applied, entry.command, null);
  }

  /** Asks the state machine inside. */
  query(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.#inner.query(query);
  }

  /** The sessions, then the snapshot of the state machine inside. Equal states give equal bytes if its do. */
  snapshot(): AsyncIterable<Uint8Array> {
    const sessions = this.#table.capture();
    const chunks = this.#inner.snapshot()[Symbol.asyncIterator]();
    // A generator captures in its first `next`, and the sessions are read before it is due.
    const first = chunks.next();
    first.catch(() => {});
    return concatenate(writeSessions(sessions, this.#table.limits), first, chunks);
  }

  /**
   * See {@linkcode StateMachine.restore}.
   *
   * @throws {RaftError} `damaged`, `unsupported_version`, or `invalid_argument` if the limits were others
   */
  restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    const { limits } = this.#table;
    return readBlocks(snapshot, maxSessionBlockBytes(limits), SESSION_FORMAT, async (reader) => {
      const table = await readSessions(reader, limits);
      await this.#inner.restore(reader.rest());
      this.#table = table;
    });
  }

  #applyOnce(applied: AppliedCommand, command: SessionCommand): Uint8Array | Promise<Uint8Array> {
    const { sequence, lowestOutstanding } = command;
    const session = this.#table.use(command.session, applied.index);
    if (session === undefined) return encodeReply({ type: "session_expired" });
    this.#table.settle(session, lowestOutstanding);
    if (sequence < session.lowestOutstanding) return encodeReply({ type: "stale" });
    const kept = session.replies.get(sequence);
    if (kept !== undefined) {
      return kept.result === null
        ? encodeReply({ type: "reply_dropped", index: kept.index })
        : encodeReply({ type: "applied", index: kept.index, result: kept.result });
    }
    if (sequence - session.lowestOutstanding >= this.#table.limits.maxOutstanding) {
      return encodeReply({ type: "too_many_outstanding" });
    }
    return this.#applyInner(applied, command.command, { session, sequence });
  }

  /** Hands a command on, and keeps the answer if it is a session's. */
  #applyInner(
    { index, term }: AppliedCommand,
    data: Uint8Array,
    keep: { readonly session: Session; readonly sequence: number } | null,
  ): Uint8Array | Promise<Uint8Array> {
    const finish = (result: Uint8Array): Uint8Array => {
      if (keep !== null) this.#table.keep(keep.session, keep.sequence, index, result);
      return encodeReply({ type: "applied", index, result });
    };
    const result = this.#inner.apply({ index, term, data });
    return result instanceof Uint8Array ? finish(result) : result.then(finish);
  }
}

async function* concatenate(
  sessions: Iterable<Uint8Array>,
  first: Promise<IteratorResult<Uint8Array>>,
  chunks: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  try {
    yield* sessions;
    for (let next = await first; !next.done; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}
