import assert from "node:assert/strict";
import { secureRandom } from "../../../lib/host.ts";
import { randomId } from "../../../lib/random_id.ts";
import { RelayClient } from "../../../transport/relay/mod.ts";

Deno.test("insecure page: one that came by plain HTTP from another machine has no randomUUID, and needs none", async () => {
  const prototype = Object.getPrototypeOf(crypto);
  const kept = Object.getOwnPropertyDescriptor(prototype, "randomUUID")!;
  delete prototype.randomUUID;
  try {
    assert.equal("randomUUID" in crypto, false);
    assert.match(randomId(secureRandom), /^[0-9a-f]{32}$/);
    assert.notEqual(randomId(secureRandom), randomId(secureRandom));
    await new RelayClient({ servers: ["http://127.0.0.1:1"] }).close();
  } finally {
    Object.defineProperty(prototype, "randomUUID", kept);
  }
});
