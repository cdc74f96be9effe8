import { pageSuite } from "./suite.ts";

pageSuite(
  "a storage in IndexedDB whose database, lock or transaction goes away",
  "tests/browser/indexeddb_faults_page.ts",
);
