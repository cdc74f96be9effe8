import { pageSuite } from "./suite.ts";

pageSuite("storage in memory, in Chromium", "tests/browser/memory_page.ts");
