import { checks } from "./indexeddb_checks.ts";
import { offer } from "./suite_page.ts";

offer(checks);
