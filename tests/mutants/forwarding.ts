/**
 * Rules of requests that a node forwards to the leader.
 *
 * @module
 */

import type { DirectedTest, Mutant } from "./mutant.ts";

const FORWARD = "hosting/forward.ts";
const SERVICE = "transport/wire/client_service.ts";

/** Names a directed test of `atLeader`. */
function ofForward(name: string): DirectedTest {
  return { file: "tests/unit/hosting/forward_test.ts", name };
}

/** Names a directed test of ClientService. */
function ofService(name: string): DirectedTest {
  return { file: "tests/unit/transport/wire/client_service_test.ts", name };
}

/** Mutants of forwarding. */
export const forwarding: readonly Mutant[] = [
  {
    name: "forwarded-again",
    rule: "A forwarded request goes no further.",
    edits: [{
      file: SERVICE,
      find: "{ forwarded, bytes: query.length, signal }",
      replace: "{ forwarded: forwarded && query.length === 0, bytes: query.length, signal }",
    }],
    killedBy: "simulation",
    test: ofService("what another node has forwarded goes no further"),
  },
  {
    name: "forwarded-read-from-a-copy",
    rule: "A read that only the leader can answer is not answered from a follower's own state (§8).",
    edits: [{
      file: SERVICE,
      find: "readAt(forwarding.client, leader, query, { consistency, signal })",
      replace: `leader.address === "" ? null! : node.read(query, { consistency: "stale", signal })`,
    }],
    killedBy: "simulation",
    test: ofService("a forwarded read is answered by the leader, as consistent as it was asked for"),
  },
  {
    name: "lease-read-not-forwarded",
    rule: "A node that does not lead forwards a lease read.",
    edits: [{
      file: SERVICE,
      find: `forwarding === undefined || consistency === "stale"`,
      replace: `forwarding === undefined || consistency !== "linearizable"`,
    }],
    killedBy: "simulation",
    test: ofService("a forwarded read is answered by the leader, as consistent as it was asked for"),
  },
  {
    name: "read-of-the-leader-in-doubt",
    rule: "A read that fails at the leader has no effect.",
    edits: [{
      file: SERVICE,
      find: `throw RaftError.from(error).withOutcome("rejected");`,
      replace: "throw RaftError.from(error);",
    }],
    killedBy: "simulation",
    test: ofService("a forwarded read that fails has no effect: it is tried again, or rejected"),
  },
  {
    name: "forwarded-command-outlives-its-caller",
    rule: "A forwarded command is given up with its caller, or at the deadline.",
    edits: [{
      file: SERVICE,
      find: "forwarding.client.propose(leader.address, commands, { signal })",
      replace: "forwarding.client.propose(leader.address, commands, signal.aborted ? { signal } : {})",
    }],
    killedBy: "simulation",
    test: ofService("a caller that is gone gives a forwarded command up at the leader, too"),
  },
  {
    name: "room-kept-by-those-given-up",
    rule: "A request that was given up gives back its room among those for the leader.",
    edits: [{
      file: FORWARD,
      find: "    (giveBack as (() => void) | null)?.();\n",
      replace: "    if (!controller.signal.aborted) (giveBack as (() => void) | null)?.();\n",
    }],
    killedBy: "simulation",
    test: ofForward("requests that wait for a leader take room too, until their client is gone"),
  },
  {
    name: "forwarded-without-room",
    rule: "A node forwards at most as many requests, of as many bytes, as it has room for.",
    edits: [{ file: FORWARD, find: "  if (!forwarded) hold();\n", replace: "  if (forwarded) hold();\n" }],
    killedBy: "simulation",
    test: ofForward("requests for the leader share a budget of number and bytes; over it nothing is sent"),
  },
  {
    name: "forward-sent-twice",
    rule: "A forwarded request with an unknown outcome is never sent again: it could be applied twice.",
    edits: [{ file: FORWARD, find: ` || error.outcome === "unknown") return false`, replace: ") return false" }],
    killedBy: "simulation",
    test: ofService("a forwarded command whose connection fails may have been executed, and is not sent again"),
  },
];
