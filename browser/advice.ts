/**
 * The hints for those who write pages.
 *
 * @module
 */

import type { Advice } from "../hosting/advice.ts";

/** In the words of this module's own calls. */
export const BROWSER_ADVICE: Advice = {
  wrongPeer: "Correct the members of bootstrap.",
  startFirst: "Start it first, with an empty storage and join.",
  startEmpty: "Delete its storage, and start it with join.",
  stillBehind: "Wait until it has caught up: status() of the leader shows how far it is.",
  removeFirst: (id) => `Remove it first: removeMember("${id}").`,
  promoteLater: (id) => `It goes on catching up. Then: promoteMember("${id}").`,
  replace: (id) =>
    `Its storage was deleted, or evicted by the browser. To replace the node: removeMember("${id}") at a node that ` +
    `runs, then start this one with join instead of bootstrap.`,
};
