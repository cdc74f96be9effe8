import assert from "node:assert/strict";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";

Deno.test("a write that was taken back leaves the batch before it the one whose rot can't be told", async () => {
  const fs = new FakeFileSystem();
  await fs.makeDirectory("/data");
  const file = await fs.open("/data/log", "create");
  await fs.syncDirectory("/data");
  await file.write(new Uint8Array(100), 0);
  await file.sync();
  assert.equal(fs.settledBytes("/data/log"), 0);
  await file.write(new Uint8Array(50), 100);
  await file.sync();
  assert.equal(fs.settledBytes("/data/log"), 100);
  await file.write(new Uint8Array(20), 150);
  await file.truncate(150);
  await file.sync();
  assert.equal(fs.settledBytes("/data/log"), 100);
});
