/**
 * Rules of a node around the protocol: requests, reads, peers, and its end.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of a node. */
export const node: readonly Mutant[] = [
  {
    name: "transfer-to-another-one",
    rule: "A transfer to a named voter ends by the election of that one.",
    edits: [{
      file: "lib/node/admin.ts",
      find: "if (leader === to || !exact) pending.resolve(leader);",
      replace: "if (leader === to || exact) pending.resolve(leader);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a transfer ends by the next leader; one to a named voter only by that one",
    },
  },
  {
    name: "transfer-waits-for-ever",
    rule: "A transfer that no election follows is given up.",
    edits: [{ file: "lib/node/admin.ts", find: "if (--transfer.ticksLeft > 0) continue;", replace: "continue;" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a transfer that no election follows is given up after its time",
    },
  },
  {
    name: "lost-change-told-as-rejected",
    rule: "A membership change of a deposed leader may still be committed.",
    edits: [{
      file: "lib/node/admin.ts",
      find: 'for (const { pending } of this.#changes) pending.reject(leadershipLost("unknown"));',
      replace: 'for (const { pending } of this.#changes) pending.reject(leadershipLost("rejected"));',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name:
        "a membership change has an unknown outcome once leadership is lost, and ends with the leave of a joint one",
    },
  },
  {
    name: "joint-configuration-reported",
    rule: "A membership change ends with the leave of its joint configuration (dissertation §4.3).",
    edits: [{ file: "lib/node/admin.ts", find: "    if (membership.outgoing.length > 0) return;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name:
        "a membership change has an unknown outcome once leadership is lost, and ends with the leave of a joint one",
    },
  },
  {
    name: "confirmed-round-kept",
    rule: "A round is confirmed once.",
    edits: [{
      file: "lib/node/reads.ts",
      find: "      this.#ready(read);\n    }\n    this.#rounds.delete(id);",
      replace: "      this.#ready(read);\n    }",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "reads of a round are confirmed once, and rejected when the node ends",
    },
  },
  {
    name: "reads-of-a-round-left",
    rule: "Reads that wait for a round end with the node.",
    edits: [{
      file: "lib/node/reads.ts",
      find: "...this.#waiting, ...[...this.#rounds.values()].flat()];",
      replace: "...this.#waiting];",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "reads of a round are confirmed once, and rejected when the node ends",
    },
  },
  {
    name: "queries-after-the-end",
    rule: "Queries behind one that is under way end with the node.",
    edits: [{
      file: "lib/node/applier.ts",
      find: 'if (this.#stopped) read.pending.reject(closedError("the node"));\n      else if',
      replace: 'if (this.#stopped && rest.length === 0) read.pending.reject(closedError("the node"));\n      else if',
    }],
    killedBy: "test",
    test: { file: "tests/unit/node/end_test.ts", name: "queries behind one that is under way end with the node" },
  },
  {
    name: "lease-read-before-apply",
    rule: "A lease read waits until what was committed is applied (dissertation §6.4).",
    edits: [{
      file: "lib/node/core.ts",
      find: "return this.lease.valid ? this.raft.commitIndex : null;",
      replace: "return this.lease.valid ? 0 : null;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/end_test.ts",
      name: "§6.4.1: a lease read waits until the state machine has what was committed",
    },
  },
  {
    name: "waiting-reads-left",
    rule: "Reads that wait for the state machine end with the node.",
    edits: [{ file: "lib/node/core.ts", find: '    this.reads.endAll(() => make("rejected"));\n', replace: "" }],
    killedBy: "test",
    test: { file: "tests/unit/node/end_test.ts", name: "reads that wait behind a slow command end with the node" },
  },
  {
    name: "operator-requests-left",
    rule: "An operator's requests end with the node.",
    edits: [{ file: "lib/node/core.ts", find: "    this.admin.endAll(make);\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/end_test.ts",
      name: "a node that is closed has no timer left, and each of its requests has ended",
    },
  },
  {
    name: "ended-node-ticks-on",
    rule: "A node that has ended no longer ticks.",
    edits: [{
      file: "lib/node/core.ts",
      find: "    this.#stopTicks();\n",
      replace: "    if (this.#startedMs < 0) this.#stopTicks();\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/end_test.ts",
      name: "a node that is closed has no timer left, and each of its requests has ended",
    },
  },
  {
    name: "first-membership-without-a-cluster",
    rule: "The cluster's id is written before the first membership.",
    edits: [{
      file: "lib/node/startup.ts",
      find: "    identity = { ...identity, clusterId };\n    await storage.initialize(identity);",
      replace: "    identity = { ...identity, clusterId };",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/end_test.ts",
      name: "a start that was cut off between identity and first membership writes the cluster's id, too",
    },
  },
  {
    name: "ended-leader-task-listens-on",
    rule: "`whileLeading` leaves no listener at its signal.",
    edits: [{
      file: "lib/node/leader_tasks.ts",
      find: '      signal?.removeEventListener("abort", onAbort);\n',
      replace: "",
    }],
    killedBy: "test",
    test: { file: "tests/unit/node/end_test.ts", name: "whileLeading leaves no listener at the caller's signal" },
  },
  {
    name: "namesake-remembered",
    rule: "A namesake that does not lead is forgotten when the membership changes.",
    edits: [{ file: "lib/node/directory.ts", find: "    this.#namesakes.clear();\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "answers go to the data folder that asked, until the membership changes",
    },
  },
  {
    name: "leader-refused-by-old-memberships",
    rule: "A node that lags follows its leader by its data folder, whatever an old membership says of its name.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "const followed = leader === null ? undefined : this.requester(leader);",
      replace: "const followed = leader === null || leader !== null ? undefined : this.requester(leader as never);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/directory_test.ts",
      name: "the leader is known by its data folder while a node that lags receives memberships from before it",
    },
  },
  {
    name: "moved-senders-unanswered",
    rule: "A node whose membership has a former address of a sender answers where the sender is.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "if (sender?.incarnation === incarnation) this.#places.set(id, sender.address);",
      replace: "if (sender?.incarnation === incarnation) this.#places.delete(id);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/directory_test.ts",
      name: "a node that learns an old membership from a leader that moved still answers it",
    },
  },
  {
    name: "answers-to-claimed-places-alone",
    rule: "An answer goes to the address that the membership has, whatever a message says of its sender.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "[peer] : [peer, { ...peer, address }];",
      replace: "[peer] : [{ ...peer, address }];",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/directory_test.ts",
      name: "answers go to where a member says that it is, beside where the membership has it, and requests don't",
    },
  },
  {
    name: "answers-to-one-address",
    rule: "A node answers a member that has moved at both addresses.",
    edits: [{
      file: "lib/node/messenger.ts",
      find: "this.#directory.answerTo(to).forEach(",
      replace: "this.#directory.answerTo(to).slice(0, 1).forEach(",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/identity_test.ts",
      name:
        "a node answers a member that has moved where it is, and where the membership has it; its own requests go there alone",
    },
  },
  {
    name: "former-member-forgotten",
    rule: "A former member can still be told of its removal.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "if (!this.#members.has(id)) this.#remember(id, peer);",
      replace: 'if (!this.#members.has(id) && peer.address === "") this.#remember(id, peer);',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a directory remembers former members, and a bounded number of other senders",
    },
  },
  {
    name: "any-number-of-senders",
    rule: "The number of senders that are remembered is bounded.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "if (this.#others.size > MAX_OTHERS)",
      replace: "if (this.#others.size > MAX_OTHERS * 1e6)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a directory remembers former members, and a bounded number of other senders",
    },
  },
  {
    name: "receiver-forgotten-too-soon",
    rule: "Entries are kept for a receiver until a newer snapshot serves it.",
    edits: [{
      file: "lib/node/log_retention.ts",
      find: 'if (peer.state !== "snapshot" && index > this.#receivers.get(id)!) this.#receivers.delete(id);',
      replace: 'if (peer.state !== "snapshot") this.#receivers.delete(id);',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "entries are kept for a receiver until a newer snapshot's trailing entries serve it",
    },
  },
  {
    name: "retained-bytes-stay",
    rule: "Entries that are kept no longer are counted no longer.",
    edits: [{ file: "lib/node/log_retention.ts", find: "    this.#retainedBytes = 0;\n    for", replace: "    for" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "entries are kept for a receiver until a newer snapshot's trailing entries serve it",
    },
  },
  {
    name: "size-of-the-former-log",
    rule: "The size of the log begins anew after a restored snapshot.",
    edits: [{
      file: "lib/node/log_sizes.ts",
      find: "    this.#index = index;\n    this.#bytes = 0;",
      replace: "    this.#index = index;",
    }],
    killedBy: "test",
    test: { file: "tests/unit/node/parts_test.ts", name: "sizes begin at zero after a restored snapshot" },
  },
  {
    name: "failed-read-never-answered",
    rule: "A peer whose entries could not be read is not left waiting.",
    edits: [{
      file: "lib/node/log_writer.ts",
      find: "      if (raft.firstIndex <= read.from) this.failedBeside(error);\n      answer([]);",
      replace: "      if (raft.firstIndex <= read.from) this.failedBeside(error);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "entries that can't be read are answered as none, so that they are asked for again",
    },
  },
  {
    name: "removed-by-an-older-membership",
    rule: "An older membership tells no node that it was removed.",
    edits: [{
      file: "lib/node/removal.ts",
      find: "membershipIndex < this.#raft.membershipIndex || this.#raft.leader !== null",
      replace: "this.#raft.leader !== null",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a node learns of its removal from a newer membership with another data folder, not from an older one",
    },
  },
  {
    name: "namesake-in-its-place",
    rule: "A node whose name has another data folder was removed.",
    edits: [{
      file: "lib/node/removal.ts",
      find: 'return member !== undefined && (member.incarnation === "" || member.incarnation === incarnation);',
      replace: 'return member !== undefined && incarnation !== "";',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a node learns of its removal from a newer membership with another data folder, not from an older one",
    },
  },
  {
    name: "chunk-confirms-an-old-round",
    rule: "An answer to a chunk confirms the newest round.",
    edits: [{ file: "lib/node/snapshot_receiver.ts", find: "    incoming.round = message.round;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/snapshot_receiver_test.ts",
      name: "an answer confirms the round of the newest chunk, and chunks that wait for the disk are bounded",
    },
  },
  {
    name: "any-number-of-chunks",
    rule: "Chunks that wait for the disk are bounded.",
    edits: [{
      file: "lib/node/snapshot_receiver.ts",
      find: "if (!wanted || incoming.queue.length >= MAX_QUEUED) {",
      replace: "if (!wanted || incoming.queue.length >= MAX_QUEUED * 1000) {",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/snapshot_receiver_test.ts",
      name: "an answer confirms the round of the newest chunk, and chunks that wait for the disk are bounded",
    },
  },
  {
    name: "uninstalled-state-kept",
    rule: "A snapshot that is not installed gives way to the former state (§7).",
    edits: [{
      file: "lib/node/staged_restore.ts",
      find: "if (installed || (error !== null && stateMachine.restoresAtomically === true)) await former.end();",
      replace: "if (installed || stateMachine.restoresAtomically === true) await former.end();",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "§7: a snapshot that was restored and is not installed gives way to the former state",
    },
  },
  {
    name: "former-silence-reported",
    rule: "A peer that was added again is new.",
    edits: [{
      file: "lib/node/peer_watch.ts",
      find: "    this.#silence.delete(id);\n    this.#silent.delete(id);",
      replace: "    this.#silence.delete(id);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/parts_test.ts",
      name: "a silent peer that was removed and added again is new: nothing is reported of its former silence",
    },
  },
];
