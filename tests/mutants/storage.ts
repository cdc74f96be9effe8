/**
 * Rules of the file storage: the order of syncs, and the detection of damage.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const LOG = "storage/file/write_ahead_log.ts";
const FOLDER = "storage/file/folder.ts";
const FILE_STORAGE = "storage/file/file_storage.ts";
const CRASHES = "tests/adversarial/storage/crash_test.ts";
const FAULTS = "tests/adversarial/storage/fault_test.ts";

/** Mutants of the file storage. */
export const storage: readonly Mutant[] = [
  {
    name: "log-not-synced",
    rule: "A batch is durable when its promise resolves: the log is synced before.",
    edits: [{
      file: LOG,
      find: "    await this.#folder.sync(active, segment.path);\n",
      replace: "",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name: "fake files, segments of 200 bytes: term, vote and entries survive",
    },
  },
  {
    name: "any-snapshot-persisted",
    rule: "A batch that could not be read back is refused before anything is written.",
    edits: [{
      file: "storage/log_rules.ts",
      find: "  if (snapshot !== null) checkSnapshot(log.snapshot, snapshot);\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name:
        "fake files, segments of 200 bytes: a snapshot that no node could start with is refused, and replaces nothing",
    },
  },
  {
    name: "snapshot-not-synced",
    rule: "A snapshot's bytes are synced before the log names it.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "      await this.#folder.sync(file, this.#path);\n",
      replace: "",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name: "fake files, segments of 200 bytes: a staged snapshot is visible only once it is persisted",
    },
  },
  {
    name: "folder-not-synced",
    rule: "A new name is durable once its folder is synced.",
    edits: [{
      file: FOLDER,
      find: "      await this.fs.rename(from, to);\n      await this.fs.syncDirectory(this.dir);",
      replace: "      await this.fs.rename(from, to);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name: "fake files, segments of 200 bytes: the identity is durable, and takes a cluster id once",
    },
  },
  {
    name: "recovered-tail-not-synced",
    rule: "Data that a start has read is synced before it is used: a killed process may not have synced it.",
    edits: [{ file: FILE_STORAGE, find: "      await active.sync();\n", replace: "" }],
    killedBy: "simulation",
    test: {
      file: CRASHES,
      name: "the log that a start finds after a kill survives a power failure, at each operation",
    },
  },
  {
    name: "fsync-retried",
    rule: "A failed fsync is never retried: lost bytes stay lost, and a second one proves nothing.",
    edits: [{
      file: FOLDER,
      find: "      await file.sync();",
      replace: "      await file.sync().catch(() => file.sync());",
    }],
    killedBy: "simulation",
    test: {
      file: FAULTS,
      name: "after a failed fsync the file is never synced again, and reads continue to work",
    },
  },
  {
    name: "doubt-forgotten",
    rule: "After a failed fsync nothing is written until a restart reads what is really on the disk.",
    edits: [{
      file: FOLDER,
      find: "    this.#doubt ??= error.message;",
      replace: `    if (what === "") this.#doubt ??= error.message;`,
    }],
    killedBy: "test",
    test: {
      file: FAULTS,
      name: "after a failed fsync the file is never synced again, and reads continue to work",
    },
  },
  {
    name: "damage-cut-off",
    rule: "Damage before the last batch is an error, and never a silently shorter log.",
    edits: [{
      file: "storage/file/recovery.ts",
      find: "if (!await findLaterBatch(file, end, this.state)) return",
      replace: "if (end >= from || !await findLaterBatch(file, end, this.state)) return",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/adversarial/storage/damage_test.ts",
      name: "the remains of an earlier, longer tail are not taken for a continuation",
    },
  },
  {
    name: "old-snapshot-deleted-early",
    rule: "The old snapshot is deleted only after the log durably names the new one.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "      await write({ number: staged.medium.number, meta: staged.meta });\n",
      replace: "",
    }, {
      file: "storage/file/snapshot_files.ts",
      find: "(before.number))).catch(() => {});\n",
      replace:
        "(before.number))).catch(() => {});\n      await write({ number: staged.medium.number, meta: staged.meta });\n",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/file_storage_test.ts",
      name: "a failed batch with a staged snapshot may be persisted again",
    },
  },
  {
    name: "failed-write-called-unchanged",
    rule: "A failed write leaves the disk unchanged only if its bytes are durably removed.",
    edits: [{
      file: LOG,
      find: "      return this.#folder.doubt(`writing to ${segment.path}`, cause);",
      replace: "      return this.#folder.unchanged(`writing to ${segment.path}`, cause);",
    }],
    killedBy: "test",
    test: {
      file: FAULTS,
      name: "a failed write that can't be undone leaves the disk in doubt",
    },
  },
  {
    name: "pieces-over-each-other",
    rule: "The pieces of a long batch follow each other in the segment.",
    edits: [{
      file: LOG,
      find: "      const at = offset + encoder.length - encoder.pending;",
      replace: "      const at = offset;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a batch of megabytes is written in pieces, and reads as it was written",
    },
  },
  {
    name: "cut-not-made-again",
    rule: "A torn tail is cut off at start even if it seems to be gone: the sync after an earlier cut may have failed.",
    edits: [{
      file: FILE_STORAGE,
      find: "      await active.truncate(end + 1);\n      await active.truncate(end);",
      replace: "      if (end < await active.size()) await active.truncate(end);",
    }],
    killedBy: "test",
    test: { file: FAULTS, name: "a torn tail stays cut off, although the sync after the cut has failed" },
  },
  {
    name: "last-batch-not-rewritten",
    rule:
      "The last batch is written again at start: after a failed fsync the kernel may show bytes that no disk has (decision 0007).",
    edits: [{
      file: FILE_STORAGE,
      find: "await readFully(active, lastBatch, end - lastBatch), lastBatch);",
      replace: "await readFully(active, lastBatch, 0), lastBatch);",
    }],
    killedBy: "simulation",
    test: {
      file: FAULTS,
      name: "bytes that a failed fsync dropped, and the kernel still shows, are written again before they are used",
    },
  },
  {
    name: "snapshot-read-error-as-it-came",
    rule: "A storage rejects with a StorageError that reports the state of the disk.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "    await file.close();\n    throw readFailure(path, error);",
      replace: "    await file.close();\n    throw error;",
    }],
    killedBy: "simulation",
    test: { file: FAULTS, name: "a read that fails is an error and does no harm" },
  },
  {
    name: "lost-manifest-taken-for-new",
    rule: "A folder with a log and without a manifest is damaged, and not new: the node would vote again.",
    edits: [{
      file: FILE_STORAGE,
      find: "    if (identity === null) await this.#checkNew(names);",
      replace: "    if (identity === null) await this.#checkNew([]);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/simulation/file_damage_test.ts",
      name: "damage of a file is reported at the next start, whatever it is",
    },
  },
  {
    name: "segment-border-unchecked",
    rule: "A segment begins with the state at the end of the one before: a tail that was cut between is damage.",
    edits: [{
      file: "storage/file/recovery.ts",
      find: "    if (!sameHeader(header, this.state.header(sequence))) this.",
      replace: "    const { previous, batchNumber, lastIndex } = header;\n" +
        "    const expected = { ...this.state.header(sequence), previous, batchNumber, lastIndex };\n" +
        "    if (!sameHeader(header, expected)) this.",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a segment that was cut at a batch's border before an empty one is damage",
    },
  },
  {
    name: "snapshot-missed-too-late",
    rule: "The snapshot that the log names is there, and whole, when a node starts.",
    edits: [{
      file: FILE_STORAGE,
      find: "    if (snapshotRef !== null) await (await openSnapshotFile(folder, snapshotRef)).close();",
      replace:
        "    if (snapshotRef !== null) await openSnapshotFile(folder, snapshotRef).then((file) => file.close(), () => {});",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/simulation/file_damage_test.ts",
      name: "damage of a file is reported at the next start, whatever it is",
    },
  },
];
