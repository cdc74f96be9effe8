import assert from "node:assert/strict";
import { ByteReader, ByteWriter, copyBytes } from "../../../lib/bytes.ts";

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

Deno.test("bytes survive the conversion to characters, all 256 of them", () => {
  const text = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
  const reader = new ByteReader(new ByteWriter(1).byte(9).binary(text).finish());
  assert.equal(reader.byte(), 9);
  assert.deepEqual([...reader.bytes()], Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(reader.rest().length, 0);
});

Deno.test("bytes: copies are independent of their source and of each other", () => {
  const source = new Uint8Array(2000);
  const sizes = [0, 1, 63, 64, 65, 700, 1024, 1025, 2000];
  const copies = Array.from({ length: 200 }, (_, n) => {
    source.fill(n);
    return copyBytes(source, sizes[n % sizes.length]!);
  });
  source.fill(255);
  for (const [n, copy] of copies.entries()) assert.deepEqual(copy, new Uint8Array(sizes[n % sizes.length]!).fill(n));
  copies[6]!.fill(99);
  assert.deepEqual(copies[5], new Uint8Array(700).fill(5));
  assert.deepEqual(copies[7], new Uint8Array(1025).fill(7));
});
