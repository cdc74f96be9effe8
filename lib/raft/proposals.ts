/**
 * Appending to the leader's own log (§5.3), and refusals.
 */

import type { State } from "./state.ts";
import { entryBytes } from "./entry_cache.ts";
import type { Entry, EntryType, Refusal, Refused, RequestResult } from "./types.ts";

/**
 * Appends commands in order, all or none. The leader sends them while it
 * persists them; its own vote for them counts once they are durable (dissertation
 * §10.2.1).
 */
export function propose(
  state: State,
  commands: readonly Uint8Array[],
): RequestResult<{ readonly firstIndex: number; readonly term: number }> {
  const { leadership } = state;
  if (leadership === null) return refused("not_leader");
  if (leadership.transferTo !== null) return refused("leadership_transfer");
  const bytes = commands.reduce((sum, command) => sum + command.length, 0);
  // A single large proposal is accepted while nothing else waits: it could never be sent otherwise.
  if (leadership.uncommittedBytes > 0 && leadership.uncommittedBytes + bytes > state.config.maxUncommittedBytes) {
    return refused("busy");
  }
  const firstIndex = state.log.lastIndex + 1;
  for (const command of commands) appendAsLeader(state, "command", command);
  return { ok: true, firstIndex, term: state.term };
}

/** Refuses a request. */
export function refused(reason: Refusal, detail = ""): Refused {
  return { ok: false, reason, detail };
}

/** Appends one entry of this term. A leader never overwrites or deletes its entries (figure 3, "Leader Append-Only"). */
export function appendAsLeader(state: State, type: EntryType, data: Uint8Array): Entry {
  const entry: Entry = { index: state.log.lastIndex + 1, term: state.term, type, data };
  state.log.append(entry);
  state.leadership!.uncommittedBytes += entryBytes(entry);
  state.dirty = true;
  return entry;
}
