/**
 * Rules of the files of a storage, and of the entries that are kept in memory.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of files and of the cache of entries. */
export const files: readonly Mutant[] = [
  {
    name: "long-header-not-read",
    rule: "The header of a segment is read whole, whatever its length.",
    edits: [{
      file: "storage/file/log_scan.ts",
      find: "if (size > 4096 && size <= maxHeaderBytes)",
      replace: "if (size > maxHeaderBytes && size <= maxHeaderBytes)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a segment may begin with a membership of hundreds of members",
    },
  },
  {
    name: "last-record-at-a-border-lost",
    rule: "The last record of a log may reach over the end of a read piece.",
    edits: [{
      file: "storage/file/log_scan.ts",
      find: "if (at + next <= bytes.length || start + next > size || bytes.length < length) break;",
      replace: "if (at + next <= bytes.length || start + next >= size || bytes.length < length) break;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a record that begins 32 bytes before the end of a read piece is found at the next start",
    },
  },
  {
    name: "record-at-a-border-lost",
    rule: "A record's header may reach over the end of a read piece.",
    edits: [{
      file: "storage/file/log_scan.ts",
      find: "const next = recordSizeAt(view, at) ?? recordHeaderBytes;",
      replace: "const next = recordSizeAt(view, at) ?? 0;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a record that begins 31 bytes before the end of a read piece is found at the next start",
    },
  },
  {
    name: "last-term-of-an-empty-log-forgotten",
    rule: "The header of a segment names the last term, even if all entries are compacted away.",
    edits: [{
      file: "storage/file/log_state.ts",
      find: "return this.#end.index === index && index === this.lastIndex ? this.#end.term : undefined;",
      replace: "return this.#end.index === index && index < this.lastIndex ? this.#end.term : undefined;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a start between two deletions of a compaction finds what is left of the log",
    },
  },
  {
    name: "read-over-an-emptied-log",
    rule: "A read of the log notices that a snapshot emptied it meanwhile.",
    edits: [{
      file: "storage/file/log_state.ts",
      find: "        this.rewrites++;\n      }\n      this.snapshotRef",
      replace: "      }\n      this.snapshotRef",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name:
        "fake files, segments of 67108864 bytes: reads while a snapshot empties the log return entries of before, or none",
    },
  },
  {
    name: "memberships-outlive-their-entries",
    rule: "A snapshot that does not match the log removes the memberships after it (§7).",
    edits: [{ file: "storage/file/recovery.ts", find: "if (emptiedAt !== null) this.memberships = [];", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name:
        "fake files, segments of 67108864 bytes: a snapshot that does not match the log empties it of its memberships, too",
    },
  },
  {
    name: "written-file-closed",
    rule: "The file that is written stays open.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "if (open.users > 0 || sequence === this.newest.sequence) continue;",
      replace: "if (open.users > 0) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "the files of a log of many segments are kept open in part, the one that is written always",
    },
  },
  {
    name: "file-closed-under-a-read",
    rule: "A file is closed only once no read uses it.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "if (open.users > 0 || sequence === this.newest.sequence) continue;",
      replace: "if (sequence === this.newest.sequence) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "the files of a log of many segments are kept open in part, the one that is written always",
    },
  },
  {
    name: "files-never-closed",
    rule: "The number of open files is bounded.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "if (this.#open.size <= maxOpen) break;",
      replace: "if (this.#open.size <= maxOpen * 1000) break;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "the files of a log of many segments are kept open in part, the one that is written always",
    },
  },
  {
    name: "ended-reads-keep-files-open",
    rule: "A read that has ended no longer keeps its file open.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "      open.users--;\n      await",
      replace: "      await",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "the files of a log of many segments are kept open in part, the one that is written always",
    },
  },
  {
    name: "open-failure-kept",
    rule: "A file that could not be opened is opened again by the next read.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "if (this.#open.get(sequence) === open) this.#open.delete(sequence);",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a segment that could not be opened once is opened again by the next read",
    },
  },
  {
    name: "compacted-file-stays-open",
    rule: "A file that was compacted away is closed.",
    edits: [{
      file: "storage/file/segment_files.ts",
      find: "if (used.users === 0 && ![...this.#open.values()].includes(used)) idle.push(used);",
      replace: "if (used.users < 0) idle.push(used);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "no file stays open behind a compaction, a snapshot, or a start that fails",
    },
  },
  {
    name: "damaged-snapshot-stays-open",
    rule: "A snapshot that fails its check is closed.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "    await file.close();\n    throw readFailure(path, error);",
      replace: "    throw readFailure(path, error);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "no file stays open behind a compaction, a snapshot, or a start that fails",
    },
  },
  {
    name: "staged-snapshot-stays-open",
    rule: "A snapshot that has been staged is closed.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "      await file.close().catch(() => {});\n    });\n  }\n\n  /** Uses",
      replace: "    });\n  }\n\n  /** Uses",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "no file stays open behind a compaction, a snapshot, or a start that fails",
    },
  },
  {
    name: "bytes-behind-a-snapshot-ignored",
    rule: "Bytes behind the end of a snapshot are damage.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "const found = await readFully(file, at, trailer.length + 1);",
      replace: "const found = await readFully(file, at, trailer.length);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "no file stays open behind a compaction, a snapshot, or a start that fails",
    },
  },
  {
    name: "snapshot-in-doubt-deleted",
    rule: "The snapshot of a batch in doubt is kept: the log may name it.",
    edits: [{
      file: "storage/file/snapshot_files.ts",
      find: "if (this.#promoted && this.#folder.inDoubt) return;",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "the file of a snapshot whose batch is in doubt stays: the log may name it",
    },
  },
  {
    name: "unlocked-while-compacting",
    rule: "The folder is unlocked only after the last deletion.",
    edits: [{
      file: "storage/file/file_storage.ts",
      find: "    await this.#compacting;\n    if (opened",
      replace: "    if (opened",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a close waits for the compaction that is under way",
    },
  },
  {
    name: "replaced-snapshot-missed",
    rule: "A snapshot that was replaced while it was opened is not missed.",
    edits: [{
      file: "storage/file/file_storage.ts",
      find: "if (log?.state.snapshotRef === ref) throw error;",
      replace: "throw error;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/storage/log_borders_test.ts",
      name: "a snapshot that is replaced while it is being opened is not missed: the newer one is opened",
    },
  },
  {
    name: "packed-entries-lose-their-types",
    rule: "Entries keep their types while they are packed.",
    edits: [{
      file: "lib/raft/packed_entries.ts",
      find: "view.setUint32(used + 12, TYPES.indexOf(entry.type), true);",
      replace: "view.setUint32(used + 12, 0, true);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "packed entries are read with their types, terms and data, across blocks",
    },
  },
  {
    name: "packed-entries-share-their-block",
    rule: "Entries that were read outlive the block that they came from.",
    edits: [{
      file: "lib/raft/packed_entries.ts",
      find: "data: bytes.slice(start, start + length)",
      replace: "data: bytes.subarray(start, start + length)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "entries that were read stay as they are when their block is used again",
    },
  },
  {
    name: "truncated-block-not-cut",
    rule: "A truncated block is continued where it was cut.",
    edits: [{ file: "lib/raft/packed_entries.ts", find: "    block.used = offsetIn(block, index);\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "a truncation within a block leaves the entries before it, and others follow",
    },
  },
  {
    name: "dropped-blocks-counted-on",
    rule: "Blocks that are dropped give their bytes back.",
    edits: [{
      file: "lib/raft/packed_entries.ts",
      find: "    this.#spare = null;\n    this.#bytes = 0;",
      replace: "    this.#spare = null;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "bytes of packed entries are counted, and zero once there are none",
    },
  },
  {
    name: "gap-in-packed-entries",
    rule: "Packed entries are a run: one that does not follow begins another.",
    edits: [{
      file: "lib/raft/packed_entries.ts",
      find: "if (this.last + 1 !== entry.index) this.clear();",
      replace: "if (this.last >= entry.index) this.clear();",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "bytes of packed entries are counted, and zero once there are none",
    },
  },
  {
    name: "spare-block-counted-as-full",
    rule: "A block that may be used again is room for the next one.",
    edits: [{
      file: "lib/raft/packed_entries.ts",
      find: "this.#bytes - (this.#spare?.bytes.length ?? 0) + capacity > maxBytes",
      replace: "this.#bytes + capacity > maxBytes",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "a full room keeps as many blocks as it has, one of them in part",
    },
  },
  {
    name: "uncommitted-entries-packed",
    rule: "Entries that are not durable and committed stay in memory.",
    edits: [{
      file: "lib/raft/entry_cache.ts",
      find: "while (this.#count > 0 && this.#start <= limit && this.#exceeds(this.#recentEntries, maxBytes / 4))",
      replace: "while (this.#count > 0 && this.#exceeds(this.#recentEntries, maxBytes / 4))",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "entries that may still be truncated are neither packed nor dropped, however many there are",
    },
  },
  {
    name: "replaced-entries-stay-packed",
    rule: "A snapshot that replaces the log replaces its packed entries, too.",
    edits: [{ file: "lib/raft/entry_cache.ts", find: "    this.#packed.clear();\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/packed_entries_test.ts",
      name: "a cache holds no bytes of entries that were compacted away, replaced or truncated",
    },
  },
];
