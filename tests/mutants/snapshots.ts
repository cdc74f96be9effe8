/**
 * Rules of snapshots and log compaction (§7).
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const SNAPSHOTS = "lib/raft/snapshots.ts";
const TESTS = "tests/unit/raft/snapshots_test.ts";
const RETENTION = "lib/node/log_retention.ts";

/** Mutants of snapshots. */
export const snapshots: readonly Mutant[] = [
  {
    name: "snapshot-with-newest-membership",
    rule: "A snapshot carries the membership as of its index, not the newest (§7, dissertation §5.1).",
    edits: [{
      file: "lib/node/applier.ts",
      find: "this.#context.raft.membershipAt(index)",
      replace: "this.#context.raft.membershipAt(Number.MAX_SAFE_INTEGER)",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/snapshot_test.ts",
      name: "rule 4: a snapshot carries the membership as of its index, not one that is only appended",
    },
  },
  {
    name: "snapshot-restores-no-membership",
    rule: "A snapshot restores the membership with the state (§7, dissertation §5.1).",
    edits: [{
      file: "lib/raft/configuration.ts",
      find: "this.#history = [{ index: snapshot.index, membership: snapshot.membership }];",
      replace: "this.#history = [{ index: snapshot.index, membership: this.current }];",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "rule 4: a snapshot restores the membership as of its index, and the role that follows from it",
    },
  },
  {
    name: "snapshot-without-sessions",
    rule: "Sessions are part of the snapshot (dissertation §6.3).",
    edits: [{
      file: "lib/sessions/sessions.ts",
      find: "const sessions = this.#table.capture();",
      replace: "const sessions = this.#table.capture().slice(0, 0);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: a node that restored a snapshot continues like one that didn't (seed 1)",
    },
  },
  {
    name: "snapshot-of-a-later-state",
    rule: "A snapshot is the state as of its index, and not of a later one (§7).",
    edits: [{
      file: "lib/node/applier.ts",
      find: "const index = this.#appliedIndex;",
      replace: "const index = Math.max(0, this.#appliedIndex - 1);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/snapshot_test.ts",
      name: "a snapshot on demand covers everything applied, and is not taken twice",
    },
  },
  {
    name: "restored-sessions-forget-answers",
    rule: "A snapshot restores the answers that sessions keep: equal logs give equal states (dissertation §6.3).",
    edits: [{
      file: "lib/sessions/session_snapshot.ts",
      find: "replies.set(sequence, { index, result });",
      replace: "replies.set(sequence, { index, result: null });",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: a node that restored a snapshot continues like one that didn't (seed 1)",
    },
  },
  {
    name: "snapshot-sees-later-commands",
    rule: "A snapshot is the state at its index: commands applied while it is written are not part of it (§7).",
    edits: [{
      file: "lib/sessions/session_table.ts",
      find: `    const session = found.epoch === this.#epoch
      ? found
      : { ...found, replies: new Map(found.replies), epoch: this.#epoch };`,
      replace: "    const session = found;",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: commands applied while a snapshot is read don't affect it",
    },
  },
  {
    name: "log-cut-before-snapshot-durable",
    rule: "The log is cut only behind a durable snapshot (§7).",
    edits: [
      {
        file: "lib/node/snapshot_taker.ts",
        find: "await this.#logWriter.addSnapshot(meta, () => attempt.committing = this.#wanted(attempt, meta.index));",
        replace: "this.#logWriter.addSnapshot(meta, () => attempt.committing = true).catch(() => {});",
      },
      {
        file: "storage/file/write_ahead_log.ts",
        find: "this.state.index.dropBefore(Math.min(index, this.state.snapshot?.index ?? 0) + 1);",
        replace: "this.state.index.dropBefore(index + 1);",
      },
      {
        file: "storage/memory.ts",
        find: "const upTo = Math.min(index, disk.snapshot?.index ?? 0);",
        replace: "const upTo = index;",
      },
    ],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/election_test.ts",
      name: "acknowledged commands survive a crash of all nodes at once",
    },
  },
  {
    name: "older-snapshot-installed",
    rule: "A snapshot that is not newer than the commit index is never installed: no state goes back (§7).",
    edits: [
      {
        file: SNAPSHOTS,
        find: "  if (snapshot.index <= state.commitIndex) respondInstalled",
        replace: "  if (snapshot.index < 0) respondInstalled",
      },
      {
        file: SNAPSHOTS,
        find: "  if (meta.index <= state.commitIndex) {",
        replace: "  if (meta.index < 0) {",
      },
    ],
    killedBy: "simulation",
    test: { file: TESTS, name: "§7: a snapshot that is not newer than what is committed is never installed" },
  },
  {
    name: "matching-suffix-dropped",
    rule:
      "A log that has the snapshot's last entry keeps the entries after it: they may have been acknowledged (figure 13, step 6).",
    edits: [{
      file: SNAPSHOTS,
      find: "if (state.log.termAt(index) === term) commitTo(state, index);",
      replace: "if (state.log.termAt(index) === term && index < 0) commitTo(state, index);",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§7: a log that has the snapshot's last entry keeps what follows it" },
  },
  {
    name: "snapshot-acknowledged-before-durable",
    rule: "A snapshot is acknowledged once it is durable (figure 2).",
    edits: [{
      file: SNAPSHOTS,
      find: "state.sendWhenDurable(to, { ...head, ...result });",
      replace: "state.send(to, { ...head, ...result });",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§7, figure 13: a snapshot resets log, membership and commit index; the answer leaves when it is durable",
    },
  },
  {
    name: "chunks-of-two-snapshots-mixed",
    rule: "Chunks of two snapshots are never mixed: equal index and term are not equal bytes.",
    edits: [
      {
        file: "lib/node/snapshot_receiver.ts",
        find: "if (current !== null && isSame(current.meta, snapshot)) return current;",
        replace: "if (current !== null && current.meta.size === snapshot.size) return current;",
      },
      {
        file: "lib/node/snapshot_receiver.ts",
        find: "if (writer.checksum !== meta.checksum) throw",
        replace: "if (writer.checksum === Infinity) throw",
      },
      {
        file: "storage/log_rules.ts",
        find: "if (meta.size === size && meta.checksum === checksum) return;",
        replace: "if (meta.size === size) return;",
      },
    ],
    killedBy: "test",
    test: {
      file: "tests/unit/node/snapshot_receiver_test.ts",
      name: "two snapshots of the same index are never mixed, and a newer one replaces an older one",
    },
  },
  {
    name: "snapshot-checksum-not-checked",
    rule: "A snapshot whose bytes differ from those of its leader is not installed.",
    edits: [{
      file: "storage/log_rules.ts",
      find: "if (meta.size === size && meta.checksum === checksum) return;",
      replace: "if (meta.size === size) return;",
    }, {
      file: "lib/node/snapshot_receiver.ts",
      find: 'if (writer.checksum !== meta.checksum) throw new UnreadableSnapshot("its bytes have a wrong checksum");',
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/snapshot_receiver_test.ts",
      name: "bytes with a wrong checksum are never installed, and are requested again",
    },
  },
  {
    name: "doubt-beside-the-log-ignored",
    rule: "A disk in doubt stops the node, even if the failed write was not to the log.",
    edits: [{
      file: "lib/node/log_writer.ts",
      find:
        'if (cause instanceof StorageError && cause.disk === "in_doubt") this.#stop(cause);\n      else this.#report',
      replace: "this.#report",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/disk_failure_test.ts",
      name: "a follower whose disk is in doubt after a failed snapshot stops, although no write to the log failed",
    },
  },
  {
    name: "unreadable-snapshot-in-a-loop",
    rule: "A snapshot that could not be read is requested again after some time.",
    edits: [{
      file: "lib/node/snapshot_sender.ts",
      find: "this.#cancelResend = host.clock.setTimer(electionTimeoutMs, () => this.#giveUp());",
      replace: "if (host !== null && electionTimeoutMs > 0) this.#giveUp();",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/disk_failure_test.ts",
      name: "a snapshot that can't be read is read again after a while, not in a loop",
    },
  },
  {
    name: "receivers-entries-compacted",
    rule: "A leader keeps the entries that follow a snapshot until its receiver has them (§7).",
    edits: [{ file: RETENTION, find: "limit = neededIndex - 1;", replace: "limit = usual;" }],
    killedBy: "test",
    test: {
      file: "tests/cluster/retention_test.ts",
      name: "§7: two receivers of snapshots begun at different times need one each",
    },
  },
  {
    name: "retention-without-bound",
    rule: "A leader keeps entries for others only up to a bound of bytes, and says when it can't.",
    edits: [{
      file: RETENTION,
      find: "if (bytes > maxRetainedBytes) {",
      replace: "if (bytes > maxRetainedBytes + 2 ** 40) {",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/retention_test.ts",
      name: "entries are kept up to `maxRetainedBytes`; a member that loses them is reported and gets another snapshot",
    },
  },
  {
    name: "entries-kept-for-the-silent",
    rule: "Entries are kept only for members that answer.",
    edits: [{
      file: RETENTION,
      find: "ticksSinceContact < GONE_AFTER_TIMEOUTS * config.electionTicks",
      replace: "ticksSinceContact >= 0 * config.electionTicks",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/retention_test.ts",
      name:
        "entries are kept for a receiver that falls silent after its snapshot, and compacted after ten election timeouts",
    },
  },
  {
    name: "snapshot-replaced-while-stored",
    rule: "A receiver that has all of a snapshot is not sent a newer one while it stores that.",
    edits: [{ file: "lib/node/snapshot_sender.ts", find: "if (offset === size) this.#resends = 0;", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/cluster/retention_test.ts",
      name: "§7: a receiver that takes long to store a snapshot is not sent a newer one meanwhile",
    },
  },
  {
    name: "snapshot-size-ignored",
    rule: "A snapshot is taken once the log since the last one is as large as that: then it costs at most as much.",
    edits: [{
      file: "lib/node/snapshot_taker.ts",
      find: "if (bytes < snapshotRatio * (this.#context.raft.snapshot?.size ?? 0)) return false;",
      replace: "if (bytes < snapshotRatio) return false;",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/snapshot_policy_test.ts",
      name: "snapshots follow the size of the log: all but the newest together are no larger than the log",
    },
  },
  {
    name: "snapshots-behind-a-pending-one",
    rule: "No further snapshot is collected while an installed one waits for the disk.",
    edits: [{
      file: SNAPSHOTS,
      find: "else if (!installPending(state)) state.outbox.snapshotChunks",
      replace: "else state.outbox.snapshotChunks",
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§7: no further snapshot is collected while an installed one is not on disk" },
  },
  {
    name: "own-snapshot-beside-the-leaders",
    rule: "A node takes no snapshot of its own while one from the leader arrives.",
    edits: [{
      file: "lib/node/snapshot_taker.ts",
      find: "if (this.#isReceiving()) return Promise.reject(superseded());",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/cluster/snapshot_leftovers_test.ts",
      name: "a node takes no snapshot of its own while one from the leader arrives, and does again if that never ends",
    },
  },
  {
    name: "superseded-snapshot-kept",
    rule: "At most one snapshot stands beside the newest one: the one before ends, and its bytes go.",
    edits: [{ file: "storage/snapshot_writer.ts", find: "await this.#current?.giveWay();", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/file_storage_test.ts",
      name: "no further snapshot is begun while a batch puts one in force, and none stands beside two",
    },
  },
  {
    name: "work-inside-work",
    rule:
      "Calls of the state machine never overlap: a snapshot that an entry makes due comes after the query under way.",
    edits: [{
      file: "lib/node/applier.ts",
      find: "    this.#busy = true;\n    try {",
      replace: "    try {",
    }, {
      file: "lib/node/applier.ts",
      find: "    wait.then(\n",
      replace: "    this.#busy = true;\n    wait.then(\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/state_machine_calls_test.ts",
      name: "a snapshot that an applied command makes due waits for a query that the command has let in",
    },
  },
];
