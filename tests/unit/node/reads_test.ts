import assert from "node:assert/strict";
import { Reads } from "../../../lib/node/reads.ts";

Deno.test("aborted reads are not kept, however long the state machine is paused", async () => {
  const reads = new Reads();
  const patient = reads.add(new Uint8Array(1), 5, undefined);
  for (let i = 0; i < 10_000; i++) {
    const caller = new AbortController();
    const given = reads.add(new Uint8Array(1), i % 2 === 0 ? 5 : 0, caller.signal);
    caller.abort();
    await assert.rejects(given, { code: "aborted", outcome: "rejected" });
  }
  assert.equal(reads.count, 1);
  assert(reads.held < 3_000, `${reads.held} are kept`);
  for (const read of reads.takeDue(5)) read.pending.resolve({ result: new Uint8Array(1), appliedIndex: 5 });
  assert.equal((await patient).appliedIndex, 5);
  assert.equal(reads.held, 0);
});

Deno.test("the queries of reads that wait are bounded in bytes; a single one may be larger", async () => {
  const reads = new Reads();
  const MIB = 1024 * 1024;
  const large = reads.add(new Uint8Array(20 * MIB), 5, undefined);
  await assert.rejects(reads.add(new Uint8Array(1), 5, undefined), { code: "busy", outcome: "rejected" });
  for (const read of reads.takeDue(5)) read.pending.resolve({ result: new Uint8Array(1), appliedIndex: 5 });
  await large;
  const held = Array.from({ length: 16 }, () => reads.add(new Uint8Array(MIB), 6, undefined));
  await assert.rejects(reads.add(new Uint8Array(1), 6, undefined), { code: "busy" });
  for (const read of reads.takeDue(6)) read.pending.resolve({ result: new Uint8Array(1), appliedIndex: 6 });
  assert.equal((await Promise.all(held)).length, 16);
});
