/// <reference lib="dom" />
/** Opens a node, writes, and stays. */

import { run } from "../../storage/conformance_bench.ts";
import { openNew, persist } from "./indexeddb_support.ts";

const storage = await openNew("held");
await persist(storage, { entries: run(1, 3, 1) });
postMessage("open");
