import assert from "node:assert/strict";
import { type SnapshotMedium, SnapshotWriters } from "../../../storage/snapshot_writer.ts";

Deno.test("a chunk that is written as soon as another one ends follows it", async () => {
  const offsets: number[] = [];
  const medium: SnapshotMedium = {
    check() {},
    write(_chunk, offset) {
      offsets.push(offset);
      return Promise.resolve();
    },
    stage: () => Promise.resolve(),
    open: () => assert.fail("nothing is staged"),
    discard: () => Promise.resolve(),
  };
  const writer = await new SnapshotWriters().create(() => medium);
  const writes: Promise<void>[] = [];
  // A call in every microtask: most are refused, because another one is under way.
  for (let turn = 0; turn < 50; turn++) {
    writes.push(writer.write(Uint8Array.of(turn)).catch((error) => assert.match(error.message, /under way/)));
    await Promise.resolve();
  }
  await Promise.all(writes);
  assert.ok(offsets.length > 3, `${offsets.length} chunks`);
  assert.deepEqual(offsets, offsets.map((_, index) => index));
  assert.equal(writer.offset, offsets.length);
});
