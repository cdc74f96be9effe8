import assert from "node:assert/strict";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";

Deno.test("after a write was undone, rot in the batch before it looks like a torn write", async () => {
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
