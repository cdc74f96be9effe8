/**
 * The standing of a tab's node in its cluster: whether it was removed, whether the
 * others have it at its address, whether its term lets it take part, and what it sees
 * of the others without a leader.
 */

import { LeaderSearch } from "../hosting/leader_search.ts";
import type { ClientTransport } from "../lib/client/client_transport.ts";
import { RaftError } from "../lib/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import { termTrouble } from "../lib/raft/term_limit.ts";
import type { LoadedState } from "../lib/storage.ts";

/** Options of {@linkcode watchStanding}. */
export interface StandingOptions {
  readonly node: RaftNode;
  /** The address at which the node is reached. */
  readonly address: string;
  /** Asks the other members. */
  readonly client: Pick<ClientTransport, "status">;
  readonly clock: Clock;
  readonly electionTimeoutMs: number;
  /** The state that it started with. */
  readonly loaded: LoadedState;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Called with the reason why the node takes no part in its cluster, and with an empty one once it does. */
  tell(reason: string): void;
}

/** Watches the standing of a node, and returns a function that tells it at any time. */
export function watchStanding(options: StandingOptions): () => string | undefined {
  const { node, address, loaded, signal, tell } = options;
  const trouble = termTrouble(loaded);
  const search = new LeaderSearch({ ...options, report: () => update() });
  const reason = (): string | undefined => {
    const { id, removed, role, leader, members } = node.status();
    if (removed) return "this node was removed from its cluster";
    const leaderless = leader === null && role !== "leader";
    if (leaderless && trouble !== null) return trouble;
    const own = members.find((member) => member.id === id)?.address ?? address;
    if (own !== address && leaderless) {
      return `the membership has this node at ${own}, but it is at ${address}: other nodes do not reach it`;
    }
    return search.reason();
  };
  let told = "";
  const update = (): void => {
    const now = signal.aborted ? told : reason() ?? "";
    if (now !== told) tell(told = now);
  };
  node.addEventListener("removed", update);
  node.addEventListener("state", update);
  void search.run(signal);
  return reason;
}

/** Returns the answer of a node with data until it runs: it must not pass for an empty one, with which a cluster may start. */
export function starting(): RaftError {
  return new RaftError("not_ready", "the node is starting", { hint: "Try again in a moment." });
}

/** Returns the answer of a node that does nothing now. */
export function paused(): RaftError {
  return new RaftError("not_ready", "the node is paused", { hint: "Ask another node, or wait until it is resumed." });
}
