/**
 * Rules of the key-value store, its watches and sessions.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of the key-value store and of sessions. */
export const keyValue: readonly Mutant[] = [
  {
    name: "list-begins-before-its-prefix",
    rule: "A list begins at its prefix, whatever key it continues after.",
    edits: [{
      file: "lib/kv/key_value.ts",
      find: "this.#entries.scan(after > start ? after : start,",
      replace: 'this.#entries.scan(after !== "" ? after : start,',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: a list continues after a key, whether the key is before the prefix, in it, or between others",
    },
  },
  {
    name: "values-limit-a-list-of-keys",
    rule: "The sizes of values do not limit a list of keys.",
    edits: [{
      file: "lib/kv/key_value.ts",
      find: "const full = bytes + key.length + shown.length > LIST_FULL_BYTES;",
      replace: "const full = bytes + key.length + value.length > LIST_FULL_BYTES;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: the sizes of values don't limit a list of keys alone",
    },
  },
  {
    name: "watched-value-shared",
    rule: "A client's copy of a value is its own.",
    edits: [{
      file: "lib/kv/packed.ts",
      find: 'typeof value === "string" ? binaryBytes(value) : value.slice()',
      replace: 'typeof value === "string" ? binaryBytes(value) : value',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: bytes that a watcher received are its own; the state is not changed through them",
    },
  },
  {
    name: "restored-changes-skipped",
    rule: "Changes up to a restored snapshot are reported as compacted.",
    edits: [{
      file: "lib/kv/key_value.ts",
      find: "this.#history.reset(restored.version);",
      replace: "this.#history.reset(restored.entries.size);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: after a restore the changes up to the snapshot are gone, those after it are watched",
    },
  },
  {
    name: "key-between-blocks-lost",
    rule: "A snapshot holds the key at the border of two blocks.",
    edits: [{ file: "lib/kv/snapshot.ts", find: "      next = key;\n", replace: '      next = key + "\\0";\n' }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: a snapshot of many blocks is restored with every key, those at the borders of blocks included",
    },
  },
  {
    name: "blocks-in-any-order",
    rule: "The keys of a snapshot ascend across its blocks.",
    edits: [{
      file: "lib/kv/snapshot.ts",
      find: "last = readEntries(await reader.next(), counted, last, version);",
      replace: "last = readEntries(await reader.next(), counted, last.slice(0, 0), version);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: blocks of a snapshot in another order are refused",
    },
  },
  {
    name: "largest-block-refused",
    rule: "The largest key and value fit into a block that is nearly full.",
    edits: [{
      file: "lib/kv/snapshot.ts",
      find: "BLOCK_FULL_BYTES + KEY_MAX_BYTES + VALUE_MAX_BYTES + 64",
      replace: "BLOCK_FULL_BYTES + VALUE_MAX_BYTES",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/block_borders_test.ts",
      name: "kv: the largest key and value are restored behind a block that is nearly full",
    },
  },
  {
    name: "merge-changes-a-copy",
    rule: "A merge changes no node that a copy shares.",
    edits: [{
      file: "lib/kv/sorted_map.ts",
      find: "const left: Keyed<unknown> = ownChild(branch, at, owner);",
      replace: "const left: Keyed<unknown> = owner === branch.owner ? branch.items[at]! : ownChild(branch, at, owner);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/sorted_map_test.ts",
      name: "a copy keeps its keys while nodes of the original are merged, in any order of removal",
    },
  },
  {
    name: "watch-begins-too-early",
    rule: "A watch from a future revision skips the changes before.",
    edits: [{
      file: "lib/kv/watch.ts",
      find: "    this.#nextVersion = Math.max(this.#nextVersion, change.version);\n    this.wake();",
      replace: "    this.#nextVersion = change.version;\n    this.wake();",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/watch_test.ts",
      name: "watch: one that begins in the future skips the changes before, those of its prefix included",
    },
  },
  {
    name: "ended-watch-listens-on",
    rule: "A watch that has ended leaves no listener at its signal.",
    edits: [{
      file: "lib/kv/watch.ts",
      find: '    this.#signal?.removeEventListener("abort", this.#onAbort);\n',
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/watch_test.ts",
      name: "watch: nothing is left of one that has ended, however it ended",
    },
  },
  {
    name: "ended-watch-kept",
    rule: "A watch that has ended is no longer looked at.",
    edits: [{
      file: "lib/kv/watch.ts",
      find: "    this.#done = true;\n    this.#history.idle.delete(this);",
      replace: "    this.#done = true;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/watch_test.ts",
      name: "watch: nothing is left of one that has ended, however it ended",
    },
  },
  {
    name: "resumed-watch-repeats",
    rule: "A resumed watch yields no change twice.",
    edits: [{ file: "lib/kv/client.ts", find: "        if (change.version < next) continue;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/client_watch_test.ts",
      name: "a watch yields no change twice, even if a server begins before the revision that was asked for",
    },
  },
  {
    name: "resumed-watch-waits-on",
    rule: "A watch that had worked is resumed after a short pause.",
    edits: [{ file: "lib/kv/client.ts", find: "      backoff.reset();\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/client_watch_test.ts",
      name: "a watch that breaks after each change lasts: its time begins anew, and its pauses stay short",
    },
  },
  {
    name: "resumed-watch-out-of-time",
    rule: "The time in which a watch must be resumed begins when it breaks.",
    edits: [{ file: "lib/kv/client.ts", find: "        brokenSinceMs = Infinity;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/kv/client_watch_test.ts",
      name: "a watch that breaks after each change lasts: its time begins anew, and its pauses stay short",
    },
  },
  {
    name: "newest-session-ends",
    rule: "The newest session stays, whatever it keeps.",
    edits: [{ file: "lib/sessions/session_table.ts", find: "&& this.#sessions.size > 1;", replace: ";" }],
    killedBy: "test",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: the newest session stays, even if its answers alone are too many bytes",
    },
  },
  {
    name: "answer-that-fits-dropped",
    rule: "An answer that just fits is kept.",
    edits: [{
      file: "lib/sessions/session_table.ts",
      find: "<= this.limits.maxReplyBytes",
      replace: "< this.limits.maxReplyBytes",
    }],
    killedBy: "test",
    test: { file: "tests/unit/sessions/sessions_test.ts", name: "sessions: an answer that just fits is kept" },
  },
  {
    name: "sessions-restored-alone",
    rule: "Sessions are restored together with the state machine within, or not at all.",
    edits: [{
      file: "lib/sessions/sessions.ts",
      find: "      await this.#inner.restore(reader.rest());\n      this.#table = table;",
      replace: "      this.#table = table;\n      await this.#inner.restore(reader.rest());",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: a snapshot whose inner part can't be restored leaves the sessions as they were",
    },
  },
  {
    name: "restores-called-atomic",
    rule: "Restores are atomic only if the state machine says so.",
    edits: [{
      file: "lib/sessions/sessions.ts",
      find: "return this.#inner.restoresAtomically ?? false;",
      replace: "return this.#inner.restoresAtomically ?? true;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: restores are atomic only if those of the state machine within are",
    },
  },
  {
    name: "full-session-not-restored",
    rule: "A session with as many kept answers as allowed can be restored.",
    edits: [{
      file: "lib/sessions/session_snapshot.ts",
      find: "return 1024 + limits.maxReplyBytes + limits.maxOutstanding * REPLY_HEAD_BYTES;",
      replace: "return 1024 + limits.maxReplyBytes + REPLY_HEAD_BYTES;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/sessions/sessions_test.ts",
      name: "sessions: a session with as many kept answers as it may have is restored",
    },
  },
];
