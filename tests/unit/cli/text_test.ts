import assert from "node:assert/strict";
import { count, duration, safeLines, showBytes, table } from "../../../server/cli/text.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("bytes for people: text as it is, without characters that control a terminal", () => {
  assert.equal(showBytes(bytes("grün 日本 👍")), "grün 日本 👍");
  assert.equal(showBytes(bytes("a\n\t\r\\")), "a\\n\\t\\r\\\\");
  assert.equal(showBytes(bytes("\x1b[31m\x00\x7f")), "\\x1b[31m\\x00\\x7f");
  assert.equal(showBytes(bytes("\u009b\u202e\u2028")), "\\u{9b}\\u{202e}\\u{2028}");
  assert.equal(showBytes(new Uint8Array([0x61, 0xff, 0x5c])), "a\\xff\\x5c");
  assert.equal(showBytes(new Uint8Array()), "");
});

Deno.test("bytes for people: long ones are cut, never within a character", () => {
  assert.equal(showBytes(bytes("abcdef"), 6), "abcdef");
  assert.equal(showBytes(bytes("abcdefg"), 6), "abcde…");
  for (let length = 1; length < 60; length++) {
    assert.equal(showBytes(bytes("x".repeat(length % 4) + "日".repeat(length)), 5).includes("\\x"), false);
  }
});

Deno.test("messages keep their line breaks, and no other control characters", () => {
  assert.equal(safeLines("a\nb\x1b\x07"), "a\nb\\x1b\\x07");
});

Deno.test("tables are aligned by visible width", () => {
  assert.equal(
    table(["K", "N", "V"], [["日本", "1", "x"], ["a", "100", ""]], ["N"]),
    "K       N  V\n日本    1  x\na     100\n",
  );
  assert.equal(table(["K", "V"], [["\x1b[1mab\x1b[0m", "x"]]), "K   V\n\x1b[1mab\x1b[0m  x\n");
});

Deno.test("durations and counts", () => {
  assert.deepEqual([0, 59_999, 61_000, 3_660_000, 200_000_000].map(duration), ["0s", "59s", "1m 1s", "1h 1m", "2d 7h"]);
  assert.deepEqual([count(1, "byte"), count(0, "byte")], ["1 byte", "0 bytes"]);
});
