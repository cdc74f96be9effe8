/**
 * State machines with checks: outside of the sessions, where each entry of the log
 * arrives, and inside, where each request must arrive once.
 */

import { ByteReader, ByteWriter } from "../../lib/bytes.ts";
import { decodeEntry, decodeReply } from "../../lib/sessions/session_codec.ts";
import { Sessions } from "../../lib/sessions/sessions.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { Life } from "../checks/life.ts";
import type { Plan } from "../plan.ts";

/** Encodes a command with the name of its request. */
export function encodeRequest(request: string, command: Uint8Array): Uint8Array {
  return new ByteWriter(command.length + 32).string(request).raw(command).finish();
}

/** Decodes what {@linkcode encodeRequest} gives; returns `null` for anything else, which only a member that lies proposes. */
function decodeRequest(data: Uint8Array): { readonly name: string; readonly command: Uint8Array } | null {
  try {
    const reader = new ByteReader(data);
    return { name: reader.string(), command: reader.rest() };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The answer to a command that is no request. */
const MALFORMED = new Uint8Array(0);

/**
 * Returns a state machine that decodes requests for the user's state machine.
 *
 * @param ran called with each request that is executed, and its index
 */
export function requestMachine(
  inner: StateMachine,
  ran: (request: string, index: number) => void = () => {},
): StateMachine {
  return {
    restoresAtomically: inner.restoresAtomically ?? false,
    apply({ index, term, data }) {
      const request = decodeRequest(data);
      if (request === null) return MALFORMED;
      ran(request.name, index);
      return inner.apply({ index, term, data: request.command });
    },
    query: (query) => inner.query(query),
    snapshot: () => inner.snapshot(),
    restore: (snapshot) => inner.restore(snapshot),
  };
}

/** The parts of a plan that say in which form commands are in the log. */
type Form = Pick<Plan, "raw" | "sessions">;

/** Wraps a state machine in sessions; not if commands are raw. */
export function withSessions(inner: StateMachine, { raw, sessions }: Form): StateMachine {
  return raw ? inner : new Sessions(inner, sessions);
}

/** Returns the name of the request that an entry carries out each time that it is in the log; `null` for an entry of a session. */
export function requestWithoutSession(data: Uint8Array, { raw }: Form): string | null {
  if (raw) return new ByteReader(data).string();
  const entry = decodeEntry(data);
  return entry.type === "plain" ? new ByteReader(entry.command).string() : null;
}

/** Returns the answer of the user's state machine to an entry, and where the entry was carried out; `null` if it was not. */
export function answerOf(
  reply: Uint8Array,
  index: number,
  { raw }: Form,
): { readonly index: number; readonly answer: Uint8Array } | null {
  if (raw) return { index, answer: reply };
  const decoded = decodeReply(reply);
  return decoded.type === "applied" ? { index: decoded.index, answer: decoded.result } : null;
}

/**
 * Returns a state machine whose commands and answers are checked.
 *
 * @param poll runs the checks of the protocol, before those of a command
 */
export function checkedStateMachine(
  inner: StateMachine,
  life: Life,
  checks: ApplicationChecks,
  poll: () => void,
): StateMachine {
  const applied = (index: number, answer: Uint8Array): Uint8Array => {
    checks.applied(life, index, answer);
    return answer;
  };
  let busy = false;
  /** Makes a call, and checks that none is under way. */
  const alone = <T>(call: string, make: () => T | Promise<T>): T | Promise<T> => {
    if (busy) checks.overlapped(life, call);
    const made = make();
    if (!(made instanceof Promise)) return made;
    busy = true;
    return made.finally(() => busy = false);
  };
  /** The last command applied before a snapshot of the leader was tried. */
  let before: number | null = null;
  return {
    restoresAtomically: inner.restoresAtomically ?? false,
    apply(command) {
      poll();
      checks.applying(life, command);
      const answer = alone("apply", () => inner.apply(command));
      if (answer instanceof Promise) return answer.then((bytes) => applied(command.index, bytes));
      return applied(command.index, answer);
    },
    query: (query) => alone("query", () => inner.query(query)),
    snapshot() {
      if (busy) checks.overlapped(life, "snapshot");
      return inner.snapshot();
    },
    // The node's own snapshot at start, one that arrived from the leader, or the state before that one.
    async restore(snapshot) {
      const arrived = life.opened;
      life.opened = null;
      const covered = arrived?.index ?? before ?? life.record.snapshot?.index ?? 0;
      before = arrived === null ? null : life.lastApplied;
      await alone("restore", () => inner.restore(snapshot));
      life.lastApplied = covered;
    },
  };
}
