/** What the page of simulation_test.ts runs. */

import { traceHashes } from "../support/trace_hashes.ts";

(globalThis as { traceHashes?: Promise<string> }).traceHashes = traceHashes();
