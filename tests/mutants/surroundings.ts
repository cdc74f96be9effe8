/**
 * Rules of a node's inputs: messages and time.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of a node's inputs. */
export const surroundings: readonly Mutant[] = [
  {
    name: "damaged-message-not-refused",
    rule: "Bytes that are not a message are refused as such, and not with an error of the decoder.",
    edits: [{
      file: "transport/wire/checked.ts",
      find: 'throw withoutStack(() => new RaftError("invalid_argument", `malformed message: not ${what}`, { cause }));',
      replace: "throw what === null ? null : cause;",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/transport/wire/codec_test.ts",
      name: "codec: bytes that are not an envelope are refused",
    },
  },
  {
    name: "entries-changed-in-transit",
    rule: "An index and a term name one entry, bytes and kind included (figure 3, Log Matching).",
    edits: [{
      file: "transport/wire/codec.ts",
      find: "    type: ENTRY_TYPES[entry.type],",
      replace: '    type: ENTRY_TYPES[entry.type === "noop" ? "command" : entry.type],',
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/transport/wire/codec_test.ts",
      name: "codec: every message survives encoding and decoding, even with the largest numbers",
    },
  },
  {
    name: "answers-in-real-time",
    rule: "Clock and task queue are passed in: no task outlives its process.",
    edits: [{
      file: "lib/node/proposals.ts",
      find: "      pending.resolve({ index: entry.index, term: entry.term, result });",
      replace: "      setTimeout(() => pending.resolve({ index: entry.index, term: entry.term, result }), 1);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/node/proposals_test.ts",
      name: "a proposal ends with the answer of its entry, by index and term",
    },
  },
  {
    name: "ticks-after-close",
    rule: "A node that was closed has no timer left: its process can end.",
    edits: [{ file: "lib/node/core.ts", find: "    this.#stopTicks();", replace: "    void this.#stopTicks;" }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/node/close_test.ts",
      name: "a node that was closed has no timer left, so that its process can end",
    },
  },
];
