import { pageSuite } from "./suite.ts";

pageSuite("what a storage in IndexedDB stores, and damage to it", "tests/browser/indexeddb_damage_page.ts");
