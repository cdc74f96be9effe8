/**
 * The hints for operators of servers.
 *
 * @module
 */

import type { Advice } from "../hosting/advice.ts";

/** In the words of the flags and of the command line. */
export const SERVER_ADVICE: Advice = {
  wrongPeer: "Correct --peers.",
  startFirst: "Start it first, with an empty data folder and --join.",
  startEmpty: "Start it with an empty data folder and --join.",
  stillBehind: "Wait until it has caught up: raft status shows how far it is.",
  removeFirst: (id) => `Remove it first: raft member remove ${id}`,
  promoteLater: (id) => `It goes on catching up. Then: raft member promote ${id}`,
  replace: (id, address) =>
    `To replace the node: raft member remove ${id}; start it with an empty data folder and --join; ` +
    `then raft member add ${id} ${address.replace(/^https?:\/\//, "")}`,
};
