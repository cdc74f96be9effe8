/**
 * Rules of clients: finding the leader, calls, and what is left of them.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of clients. */
export const coordinator: readonly Mutant[] = [
  {
    name: "hints-given-up-for-ever",
    rule: "Hints are followed again after a search.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "      this.#hops = 0;\n      return false;",
      replace: "      return false;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: hints are followed a few times in a row, and again after a search",
    },
  },
  {
    name: "hung-leader-asked-again",
    rule: "A leader that has just hung is left alone, though others name it.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "hint === endpoint || this.#avoids(hint) ||",
      replace: "hint === endpoint ||",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: a hint to a leader that has just hung is not followed; it is later",
    },
  },
  {
    name: "late-failure-forgets-the-leader",
    rule: "A late failure at a former leader does not forget the present one.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "    if (this.#leader !== endpoint && this.#leader !== null) return true;\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: a late failure at a former leader does not forget the present one",
    },
  },
  {
    name: "stopped-node-names-a-leader",
    rule: "A node that has stopped names no leader.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: '|| endpoint === null || lifecycle !== "running") continue;',
      replace: '|| endpoint === null || lifecycle === "closed") continue;',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: a node that has stopped names no leader, whatever its term",
    },
  },
  {
    name: "older-endpoints-learned",
    rule: "An older membership replaces no newer one.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "if (membershipIndex <= this.#learnedIndex) continue;",
      replace: "if (membershipIndex <= this.#learnedIndex - 1e6) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: an older membership replaces no newer one, and given endpoints stay",
    },
  },
  {
    name: "given-endpoints-forgotten",
    rule: "The endpoints that a client was given stay.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "...this.#given(), ...this.#learned",
      replace: "...(this.#learned.length > 0 ? this.#learned : this.#given())",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: an older membership replaces no newer one, and given endpoints stay",
    },
  },
  {
    name: "search-ended-by-the-clueless",
    rule: "Nodes without a leader end no search.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "        if (answer.leader === null) return;\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: nodes without a leader don't end the search, and the answer of one does, soon",
    },
  },
  {
    name: "timer-after-a-search",
    rule: "No timer outlasts a search.",
    edits: [{
      file: "lib/client/leader_finder.ts",
      find: "    (cancelGrace as (() => void) | null)?.();\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/finder_test.ts",
      name: "leader finder: nodes without a leader don't end the search, and the answer of one does, soon",
    },
  },
  {
    name: "lease-read-at-any-node",
    rule: "Lease reads go to the leader (dissertation §6.4.1).",
    edits: [{
      file: "lib/client/coordinator.ts",
      find: 'consistency !== "stale", (endpoint, signal)',
      replace: 'consistency === "linearizable", (endpoint, signal)',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: lease reads go to the leader alone",
    },
  },
  {
    name: "queued-bytes-leak",
    rule: "Commands that have ended leave the queue's bytes.",
    edits: [{ file: "lib/client/proposals.ts", find: "      this.#bytes -= settled.command.length;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: bytes of commands that have ended are free again",
    },
  },
  {
    name: "room-found-too-late",
    rule: "A command that is given up makes room for the next one.",
    edits: [{
      file: "lib/client/proposals.ts",
      find: "      if (this.#queue.length > 0) this.#schedule();\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: a command that is given up makes room for the next one at once",
    },
  },
  {
    name: "retry-behind-the-others",
    rule: "A command that is sent again keeps its place.",
    edits: [{
      file: "lib/client/proposals.ts",
      find: "this.#queue.unshift(...again);",
      replace: "this.#queue.push(...again);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: a command that is sent again keeps its place before those behind it",
    },
  },
  {
    name: "call-counted-out-twice",
    rule: "A call is counted out once, however late it ends.",
    edits: [{
      file: "lib/client/proposals.ts",
      find: "if (counted) this.#callsInFlight--;",
      replace: "if (counted || waiting >= 0) this.#callsInFlight--;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: calls that were answered late don't raise the number of calls at a time",
    },
  },
  {
    name: "pause-outlasts-the-client",
    rule: "A client's pause ends with it.",
    edits: [{ file: "lib/client/proposals.ts", find: "    this.#pause?.();\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: a pause before the next attempt ends with the client",
    },
  },
  {
    name: "call-ended-with-one-command",
    rule: "A call goes on while one of its commands is waited for.",
    edits: [{
      file: "lib/client/proposals.ts",
      find: "--waiting === 0 && call.abort()",
      replace: "--waiting >= 0 && call.abort()",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: one command that is given up doesn't end the call of the others",
    },
  },
  {
    name: "queued-command-in-doubt",
    rule: "A command that is back in the queue is in no node's hands.",
    edits: [{
      file: "lib/client/proposal.ts",
      find: "  back(): void {\n    this.#abandonCall = null;",
      replace: "  back(): void {",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "coordinator: a command that surely was not executed is rejected, although it was sent before",
    },
  },
  {
    name: "session-room-by-number",
    rule: "A session's room depends on its lowest outstanding command (dissertation §6.3).",
    edits: [{
      file: "lib/client/session_user.ts",
      find: "return this.#nextSequence - this.lowestOutstanding < this.#maxOutstanding;",
      replace: "return this.#outstanding.size < this.#maxOutstanding;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "a session has room by its lowest outstanding command, not by the number of them",
    },
  },
  {
    name: "direct-read-of-any-consistency",
    rule: "A client in the same process reads with the consistency it asked for.",
    edits: [{
      file: "lib/client/direct.ts",
      find: "return await this.#node(endpoint).read(query, options);",
      replace:
        "return await this.#node(endpoint).read(query, options.signal === undefined ? {} : { signal: options.signal });",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "direct transport: consistency and signal reach the node",
    },
  },
  {
    name: "abandoned-attempt-goes-on",
    rule: "An attempt that ran out of time is told so.",
    edits: [{
      file: "lib/client/attempts.ts",
      find: "    onEnd: (givenUp) => givenUp !== null && controller.abort(givenUp),\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "an attempt that ran out of time, or was aborted, tells the call",
    },
  },
  {
    name: "settled-promise-listens-on",
    rule: "What has settled listens to no signal.",
    edits: [{
      file: "lib/pending.ts",
      find:
        '    for (const signal of this.#options.signals ?? []) signal?.removeEventListener("abort", this.#onAbort);\n',
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/coordinator_calls_test.ts",
      name: "a promise that has settled leaves no listener at its signals",
    },
  },
  {
    name: "detour-without-end",
    rule: "After a detour an operator's request tries the leader again.",
    edits: [{
      file: "lib/client/cluster_admin.ts",
      find: "detour = !detour && endpoint !== null &&",
      replace: "detour = endpoint !== null &&",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/operator_calls_test.ts",
      name: "an operator's request follows a hint at once, and makes one detour around a leader it can't reach",
    },
  },
  {
    name: "hint-after-a-pause",
    rule: "An operator's request follows a hint at once.",
    edits: [{
      file: "lib/client/cluster_admin.ts",
      find: "if (!hinted) await pause",
      replace: "if (!hinted || pauseMs > 0) await pause",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/operator_calls_test.ts",
      name: "an operator's request follows a hint at once, and makes one detour around a leader it can't reach",
    },
  },
  {
    name: "aborted-request-told-as-rejected",
    rule: "An operator's request that was under way may have been carried out.",
    edits: [{
      file: "lib/client/cluster_admin.ts",
      find: "if (signal?.aborted) throw abortedError(signal, outcome);\n        told",
      replace: "if (signal?.aborted) throw abortedError(signal);\n        told",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/operator_calls_test.ts",
      name: "an operator's request that is aborted while it is under way has an unknown outcome",
    },
  },
  {
    name: "change-cut-short",
    rule: "A change that can't be repeated has all the time of its request.",
    edits: [{
      file: "lib/client/cluster_admin.ts",
      find: "const attemptMs = harmless ? Math.min(leftMs, this.#attemptTimeoutMs) : leftMs;",
      replace: "const attemptMs = Math.min(leftMs, this.#attemptTimeoutMs);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/client/operator_calls_test.ts",
      name: "a change that can't be repeated has all the time of its request, others that of an attempt",
    },
  },
];
