/**
 * Rules about messages that no correct peer sends.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const CHECK = "lib/raft/message_check.ts";
const LIMIT = "lib/raft/term_limit.ts";
const TESTS = "tests/unit/raft/message_check_test.ts";

/** Mutants of the checks of messages. */
export const messages: readonly Mutant[] = [
  {
    name: "two-leaders-followed",
    rule: "A second leader of a term is refused (figure 3, Election Safety).",
    edits: [{
      file: CHECK,
      find: "if (term !== state.term || leader === null || leader === from) return null;",
      replace: "if (term !== -1 || leader === null || leader === from) return null;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "figure 3: a second leader of a term is refused, by the first one and by its followers",
    },
  },
  {
    name: "contradictions-taken",
    rule: "A message that contradicts committed entries is refused (figure 3, Leader Completeness).",
    edits: [{
      file: CHECK,
      find: "return committed === undefined || committed === term ? null : index;",
      replace: "return committed === undefined || term >= 0 ? null : index;",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/replication_test.ts",
      name: "rule 5: committed entries are never truncated; a message that contradicts them is refused",
    },
  },
  {
    name: "older-terms-behind-the-commit",
    rule: "A log whose terms fall behind the last committed entry's lacks that entry, and is refused (§5.3).",
    edits: [{
      file: CHECK,
      find: "if (index > commitIndex) return term < log.termAt(commitIndex)! ? commitIndex : null;",
      replace: "if (index > commitIndex) return null;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "figure 3: a log that can't have what is committed here is refused, also behind the end of this one",
    },
  },
  {
    name: "any-term-taken",
    rule: "A message raises the term by a bounded number (§5.1).",
    edits: [{ file: CHECK, find: "if (term <= termLimit.highest) {", replace: "if (term >= 0) {" }],
    killedBy: "simulation",
    test: { file: TESTS, name: "a term that is too far ahead is refused, and elections go on" },
  },
  {
    name: "any-member-caught-up-with",
    rule: "A cluster goes on beside a member whose term no elections led to (§5.1).",
    edits: [{
      file: LIMIT,
      find: "const far = sender.term - term > MAX_CATCH_UP;",
      replace: "const far = sender.term < 0;",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "a cluster goes on beside a member whose term no elections led to" },
  },
  {
    name: "members-lost-to-their-term",
    rule: "A member that stays far ahead in its term is caught up with (§5.1).",
    edits: [{
      file: "lib/raft/raft.ts",
      find: "    if (ahead !== null) {\n",
      replace: "    if (ahead === this.id) {\n",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "a member that stays far ahead is caught up with; a forger beside the member is not",
    },
  },
  {
    name: "far-terms-followed-soon",
    rule: "An empty node follows to a term that no elections led to only after a long while (§5.1).",
    edits: [{
      file: LIMIT,
      find: "(doubtful ? FAR_PATIENCE : PATIENCE)",
      replace: "PATIENCE",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "an empty node follows no sender far ahead that is not like a cluster" },
  },
  {
    name: "far-terms-followed-beside-a-leader",
    rule: "An empty node with a leader follows no other sender to a term that no elections led to (§5.1).",
    edits: [{
      file: LIMIT,
      find: "const isAlone = !this.#led && !leads;",
      replace: "const isAlone = !leads;",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "an empty node follows no sender far ahead that is not like a cluster" },
  },
  {
    name: "strangers-never-caught-up-with",
    rule: "A node without a leader catches up with senders that it does not know as members (§5.1).",
    edits: [{
      file: LIMIT,
      find: "const doubtful = far || !sender.trusted;",
      replace: "if (!sender.trusted) continue;\n      const doubtful = far;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "a node that has no leader, and does not know the members of today, catches up with their term",
    },
  },
  {
    name: "leaders-follow-strangers",
    rule: "A leader catches up with members alone (§5.1).",
    edits: [{
      file: LIMIT,
      find: "const isAlone = !this.#led && !leads;",
      replace: "const isAlone = !this.#led || leads;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "a node that has no leader, and does not know the members of today, catches up with their term",
    },
  },
  {
    name: "far-terms-that-jump",
    rule: "An empty node follows only to a term in which its sender stays (§5.1).",
    edits: [{
      file: LIMIT,
      find: "Math.abs(term - sender.term) <= MAX_TERM_JUMP;",
      replace: "Math.abs(term - sender.term) >= 0;",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "an empty node follows no sender far ahead that is not like a cluster" },
  },
  {
    name: "last-term-followed",
    rule: "An empty node is not led as far as the last term, after which there is no election (§5.1).",
    edits: [{
      file: LIMIT,
      find: "(!empty || sender.term >= MAX_TERM)",
      replace: "!empty",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "an empty node follows no sender far ahead that is not like a cluster" },
  },
  {
    name: "impossible-answers-counted",
    rule: "An answer that acknowledges more than the log has is refused (§5.3).",
    edits: [{
      file: CHECK,
      find: "  if (message.matchIndex > log.lastIndex) {\n",
      replace: "  if (message.matchIndex > Infinity) {\n",
    }, {
      file: "lib/raft/replication.ts",
      find: "  if (response.matchIndex > state.log.lastIndex) return;\n",
      replace: "",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "answers to what was never sent are refused, and acknowledge nothing" },
  },
  {
    name: "malformed-messages-taken",
    rule: "A message that makes no sense to any node is refused.",
    edits: [{
      file: CHECK,
      find: "if (problem !== null) return { kind:",
      replace: "if (problem === message.type) return { kind:",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "a message that makes no sense to any node is refused, whichever transport carried it",
    },
  },
  {
    name: "any-first-entry-taken",
    rule: "The first entry of a log is a membership.",
    edits: [{
      file: CHECK,
      find: 'if (index === 1 && entry.type !== "membership") return',
      replace: 'if (index === 0 && entry.type !== "membership") return',
    }],
    killedBy: "test",
    test: { file: TESTS, name: "a log begins with a membership: an empty node refuses any other first entry" },
  },
  {
    name: "clients-sent-to-senders",
    rule: "Clients are sent to addresses in the membership only.",
    edits: [{
      file: "lib/node/messenger.ts",
      find: "return { id, address: this.#directory.member(id)?.address",
      replace: "return { id, address: this.#directory.requester(id)?.address",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/lies_test.ts",
      name: "clients are sent to addresses of members only, never to what an envelope says",
    },
  },
  {
    name: "snapshot-installed-unread",
    rule: "A snapshot is restored by the state machine before it replaces anything durable (§7).",
    edits: [{
      file: "lib/node/staged_restore.ts",
      find: "const installed = error === null && staged.install();",
      replace: "const installed = staged.install();",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/lies_test.ts",
      name:
        "§7: a snapshot that can't be restored replaces nothing: a state machine that keeps its state when it throws",
    },
  },
  {
    name: "former-state-lost",
    rule: "If a snapshot is not installed, the state machine has its former state (§7).",
    edits: [{
      file: "lib/node/staged_restore.ts",
      find: "  else await stateMachine.restore(former.chunks());\n",
      replace: "  else await former.end();\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/lies_test.ts",
      name: "§7: a snapshot that can't be restored replaces nothing: a state machine that is left with half a state",
    },
  },
];
