/**
 * Rules of the outcomes that clients receive, and of executing a command once (§8,
 * dissertation §6.3).
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const PROPOSALS = "lib/client/proposals.ts";
const SESSIONS = "lib/sessions/sessions.ts";
const COORDINATOR_TESTS = "tests/unit/client/coordinator_test.ts";
const SESSION_TESTS = "tests/unit/sessions/sessions_test.ts";

/** Mutants of client and sessions. */
export const client: readonly Mutant[] = [
  {
    name: "time-out-told-as-rejected",
    rule: "A command that was sent but not answered may have been executed: its outcome is unknown.",
    edits: [{
      file: "lib/client/proposal.ts",
      find: `return this.maybeApplied || this.#abandonCall !== null ? "unknown" : "rejected";`,
      replace: `return "rejected";`,
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name:
        "coordinator: at the deadline the outcome is `rejected` if nothing was sent, and `unknown` if something may have been",
    },
  },
  {
    name: "lost-answer-told-as-rejected",
    rule: "An attempt whose answer is lost has an unknown outcome.",
    edits: [{
      file: "lib/pending.ts",
      find: `{ outcome: this.#outcome() }`,
      replace: `{ outcome: "rejected" }`,
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: concurrent commands under random faults are applied at most once, with true outcomes",
    },
  },
  {
    name: "search-not-counted",
    rule: "A read ends at its deadline, the search for the leader included.",
    edits: [{
      file: "lib/client/coordinator.ts",
      find: "Math.min(this.#attemptTimeoutMs, deadlineMs - clock.monotonicMs())",
      replace: "Math.min(this.#attemptTimeoutMs, leftMs)",
    }],
    killedBy: "simulation",
    test: { file: COORDINATOR_TESTS, name: "coordinator: the search for the leader is a part of a read's time" },
  },
  {
    name: "resent-without-session",
    rule: "Without a session a command is never sent again once it may have reached a leader.",
    edits: [{
      file: PROPOSALS,
      find: `return isRetryable(known, mode === "session") ? known : proposal.reject(known);`,
      replace: "return isRetryable(known, true) ? known : proposal.reject(known);",
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: without a session nothing is sent again once it may have left (raw false)",
    },
  },
  {
    name: "raw-command-sent-again",
    rule: "Nor is a command to a state machine without sessions sent again.",
    edits: [{
      file: PROPOSALS,
      find: `return isRetryable(known, mode === "session") ? known : proposal.reject(known);`,
      replace: `return isRetryable(known, mode !== "plain") ? known : proposal.reject(known);`,
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: without a session nothing is sent again once it may have left (raw true)",
    },
  },
  {
    name: "raw-outcome-told-as-rejected",
    rule:
      "The outcome of a command to a state machine without sessions is unknown once an attempt may have been carried out.",
    edits: [{
      file: PROPOSALS,
      find: `if (error.outcome === "unknown") proposal.maybeApplied = true;`,
      replace: `if (error.outcome === "unknown" && mode !== "raw") proposal.maybeApplied = true;`,
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: without a session nothing is sent again once it may have left (raw true)",
    },
  },
  {
    name: "new-sequence-for-each-attempt",
    rule: "A command keeps its sequence when it is sent again (dissertation §6.3).",
    edits: [{
      file: PROPOSALS,
      find: "if (proposal.ticket === null && session !== null) {",
      replace: "if (session !== null) {",
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: with a session a command is applied once, the answer being unanswered three times",
    },
  },
  {
    name: "resent-in-another-session",
    rule: "A command that may have been executed is not sent again in another session.",
    edits: [{
      file: PROPOSALS,
      find: "    if (proposal.maybeApplied) return proposal.reject(error);\n    proposal.ticket = null;",
      replace: "    proposal.ticket = null;",
    }],
    killedBy: "simulation",
    test: {
      file: COORDINATOR_TESTS,
      name: "coordinator: a session that ended is replaced; only what may have been applied is unknown",
    },
  },
  {
    name: "no-dedupe",
    rule: "A repeated command gets its first answer, and is executed once (§8, dissertation §6.3).",
    edits: [{
      file: SESSIONS,
      find: "    if (kept !== undefined) {",
      replace: "    if (kept !== undefined && kept.index === applied.index) {",
    }],
    killedBy: "simulation",
    test: {
      file: SESSION_TESTS,
      name: "sessions: a repeated command gets the first answer and is applied once (async false)",
    },
  },
  {
    name: "settled-sequence-carried-out",
    rule:
      "A command below the lowest outstanding sequence is not executed: its answer may be gone (dissertation §6.3).",
    edits: [{
      file: SESSIONS,
      find: `    if (sequence < session.lowestOutstanding) return encodeReply({ type: "stale" });\n`,
      replace: "",
    }],
    killedBy: "simulation",
    test: {
      file: SESSION_TESTS,
      name: "sessions: below the lowest outstanding is stale, for ever, and was applied at most once",
    },
  },
  {
    name: "expired-session-carries-out",
    rule: "A command of a session that has ended does nothing: its earlier outcome is unknown (dissertation §6.3).",
    edits: [{
      file: SESSIONS,
      find: `if (session === undefined) return encodeReply({ type: "session_expired" });`,
      replace: "if (session === undefined) return this.#applyInner(applied, command.command, null);",
    }],
    killedBy: "simulation",
    test: {
      file: SESSION_TESTS,
      name: "sessions: an unknown session is refused and not created",
    },
  },
  {
    name: "sent-entry-told-as-rejected",
    rule: "A leader that steps down rejects no command that it has sent: another leader may commit it.",
    edits: [
      {
        file: "lib/node/log_writer.ts",
        find: "Math.max(raft.durableIndex, this.#parts.messenger.sentIndex)",
        replace: "raft.durableIndex",
      },
    ],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/disk_failure_test.ts",
      name: "a leader whose disk is unchanged after a failed write steps down, and continues as a follower",
    },
  },
  {
    name: "orphan-told-as-rejected",
    rule: "A deposed leader can't determine the fate of its last entries: their outcome is unknown.",
    edits: [{
      file: "lib/node/proposals.ts",
      find: `for (const pending of this.#orphans.splice(0)) this.#fail(pending, make("unknown"));`,
      replace: `for (const pending of this.#orphans.splice(0)) this.#fail(pending, make("rejected"));`,
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/node/proposals_test.ts",
      name: "orphans end by the entry committed in their place, or as unknown",
    },
  },
];
