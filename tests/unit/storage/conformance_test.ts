import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storageConformance } from "../../../storage/conformance.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { createFileStorage, FileStorage } from "../../../storage/file/mod.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";

const memory = storageConformance(() => {
  const disk = new MemoryDisk();
  return {
    open: () => new MemoryStorage(disk),
    crash: (storage) => (storage as MemoryStorage).crash(),
    dispose: () => {},
  };
});
for (const { name, run } of memory) Deno.test(`memory: ${name}`, run);

for (const segmentBytes of [64 * 1024 * 1024, 200]) {
  const fake = storageConformance(() => {
    const fs = new FakeFileSystem();
    return {
      open: () => new FileStorage(fs, "/data", { segmentBytes }),
      crash: () => fs.restart("none", () => 0),
      dispose: () => {},
    };
  });
  for (const { name, run } of fake) Deno.test(`fake files, segments of ${segmentBytes} bytes: ${name}`, run);

  const files = storageConformance(async () => {
    const dir = await mkdtemp(join(tmpdir(), "raft-storage-"));
    return {
      open: () => createFileStorage(join(dir, "data"), { segmentBytes }),
      dispose: () => rm(dir, { recursive: true }),
    };
  });
  for (const { name, run } of files) Deno.test(`files, segments of ${segmentBytes} bytes: ${name}`, run);
}
