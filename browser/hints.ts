/**
 * The hints for authors of pages.
 */

import type { Hints } from "../hosting/hints.ts";

/** Hints in terms of this module's own calls. */
export const BROWSER_HINTS: Hints = {
  wrongStorage: () => "Start the node with its own id, or with another storage.",
  chooseStart: "Set bootstrap to start a new cluster, or join to be added to a running one.",
  wrongPeer: "Correct the members of bootstrap.",
  wrongAddress: "Check the id and the address.",
  notThere: "Open its page again, and promote it once status() of the leader shows that it answers.",
  startFirst: "Check the address. A new node must run first, with an empty storage and join.",
  startEmpty: "Delete its storage, and start it with join.",
  stillBehind: "Wait until it has caught up: status() of the leader shows its progress.",
  removeFirst: (id) => `Remove it first: admin.remove("${id}").`,
  promoteLater: (id) => `It keeps catching up. Then: admin.promote("${id}").`,
  replace: (id) =>
    `Its storage was deleted, or evicted by the browser. To replace the node: admin.remove("${id}") at a running ` +
    `node, then start this one with join instead of bootstrap.`,
};
