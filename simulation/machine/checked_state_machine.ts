/**
 * State machines with checks: outside of the sessions, where each entry of the log
 * arrives, and inside, where each request must arrive once.
 */

import { ByteReader, ByteWriter } from "../../lib/bytes.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { Life } from "../checks/life.ts";

/** Encodes a command with the name of its request. */
export function encodeRequest(request: string, command: Uint8Array): Uint8Array {
  return new ByteWriter(command.length + 32).string(request).raw(command).finish();
}

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
      const reader = new ByteReader(data);
      ran(reader.string(), index);
      return inner.apply({ index, term, data: reader.rest() });
    },
    query: (query) => inner.query(query),
    snapshot: () => inner.snapshot(),
    restore: (snapshot) => inner.restore(snapshot),
  };
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
