import { onDisk } from "./profile.ts";
import { runChecks } from "./suite.ts";

for (const [where, module] of [["a page", "indexeddb_page"], ["a dedicated worker", "indexeddb_worker_page"]]) {
  Deno.test(`storage in IndexedDB, in ${where}`, (test) =>
    onDisk(`tests/browser/${module}.ts`, (page) => runChecks(test, page)));
}
