/**
 * Edits of second lines of defence, which a mutant has to remove, too, so that its
 * rule is really gone.
 *
 * @module
 */

import type { Edit } from "./mutant.ts";

/** The storage refuses a batch that changes a vote. */
export const storageTakesAnyVote: Edit = {
  file: "storage/log_rules.ts",
  find: "if (after.term === before.term && before.votedFor !== null && after.votedFor !== before.votedFor) {",
  replace: "if (after.term !== after.term) {",
};

/** The storage refuses a batch with an older term. */
export const storageTakesAnyTerm: Edit = {
  file: "storage/log_rules.ts",
  find: "if (after.term < before.term) refuse",
  replace: "if (after.term < 0) refuse",
};
