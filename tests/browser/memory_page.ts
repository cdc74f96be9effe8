import { storageConformance } from "../../conformance.ts";
import { MemoryDisk, MemoryStorage } from "../../mod.ts";
import { offer } from "./suite_page.ts";

offer(storageConformance(() => {
  const disk = new MemoryDisk();
  return {
    open: () => new MemoryStorage(disk),
    crash: (storage) => (storage as MemoryStorage).crash(),
    dispose: () => {},
  };
}));
