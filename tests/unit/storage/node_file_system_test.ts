import assert from "node:assert/strict";
import { nodeFileSystem } from "../../../storage/file/mod.ts";

Deno.test("a file that was created and could not be opened for writing is not left in the way", async () => {
  const folder = await Deno.makeTempDir({ prefix: "raft-create-" });
  const { open } = Deno;
  try {
    const fs = nodeFileSystem();
    Deno.open = () => Promise.reject(Object.assign(new Error("too many open files"), { code: "EMFILE" }));
    await assert.rejects(fs.open(`${folder}/log`, "create"), { code: "EMFILE" });
    Deno.open = open;
    const file = await fs.open(`${folder}/log`, "create");
    assert.equal(await file.write(new Uint8Array(3), 0), 3);
    await file.close();
  } finally {
    Deno.open = open;
    await Deno.remove(folder, { recursive: true });
  }
});
