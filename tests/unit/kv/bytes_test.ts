import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "../../../lib/bytes.ts";

Deno.test("writers within writers, finished twice or never, keep their bytes apart", () => {
  const outer = new ByteWriter().string("outer");
  const inner = new ByteWriter().string("inner");
  assert.throws(() => new ByteWriter().varint(-1), RangeError);
  const first = inner.finish();
  const next = new ByteWriter().string("other").finish();
  inner.string("more");
  const second = inner.finish();
  outer.bytes(new Uint8Array(5000).fill(7));
  const large = outer.finish();
  assert.equal(new ByteReader(first).string(), "inner");
  assert.equal(new ByteReader(next).string(), "other");
  const reader = new ByteReader(second);
  assert.equal(reader.string() + reader.string(), "innermore");
  const largeReader = new ByteReader(large);
  assert.equal(largeReader.string(), "outer");
  assert.deepEqual(largeReader.bytes(), new Uint8Array(5000).fill(7));
  largeReader.end();
});

Deno.test("bytes as characters come back, all 256 of them", () => {
  const text = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
  const reader = new ByteReader(new ByteWriter(1).byte(9).binary(text).finish());
  assert.equal(reader.byte(), 9);
  assert.deepEqual([...reader.bytes()], Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(reader.rest().length, 0);
});
