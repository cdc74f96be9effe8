import assert from "node:assert/strict";
import { connectionsWithin } from "../../../server/connections.ts";

Deno.test("the limit of connections leaves descriptors for the log, snapshots and links", () => {
  assert.equal(connectionsWithin(null), 4096);
  assert.equal(connectionsWithin(1_000_000), 4096);
  for (const openFiles of [128, 256, 1024, 4096]) {
    const left = openFiles - connectionsWithin(openFiles);
    assert.ok(left >= 64 && left >= openFiles / 8, `${left} of ${openFiles} are left`);
  }
  assert.ok(connectionsWithin(64) > 0, "a node that is short of descriptors serves all the same");
});
