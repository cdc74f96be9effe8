/**
 * The hints for operators of servers.
 */

import type { Hints } from "../hosting/hints.ts";

/** Hints in terms of the flags and of the command line. */
export const SERVER_HINTS: Hints = {
  wrongStorage: (id) => `Start the server with --id ${id}, or with another folder.`,
  chooseStart: "Use --peers to start a new cluster, or --join to be added to a running one.",
  wrongPeer: "Correct --peers.",
  wrongAddress: "Check the id and the address: a node reports its id as it was started with --id.",
  notThere: "Start it, or bring its connection back, and promote it once raft status shows that it answers.",
  startFirst: "Check the address. A new node must run first, with an empty data folder and --join.",
  startEmpty: "Start it with an empty data folder and --join.",
  stillBehind: "Wait until it has caught up: raft status shows its progress.",
  removeFirst: (id) => `Remove it first: raft member remove ${id}`,
  promoteLater: (id) => `It keeps catching up. Then: raft member promote ${id}`,
  replace: (id, address) =>
    `To replace the node: raft member remove ${id}; start it with an empty data folder and --join; ` +
    `then raft member add ${id} ${address.replace(/^https?:\/\//, "")}`,
};

/** The hint for a node whose term does not come from elections. */
export const TERM_HINT =
  "A forged message may have raised it. If other nodes have a leader, replace this one: remove " +
  'it, and add it again with an empty data folder. If none has, see "A term that no elections led to" in ' +
  "docs/operations.md.";
