import { pageSuite } from "./suite.ts";

pageSuite("nodes on IndexedDB, in Chromium", "tests/browser/indexeddb_node_page.ts");
