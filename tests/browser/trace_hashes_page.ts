/** The page of simulation_test.ts. */

import { traceHashes } from "../support/trace_hashes.ts";

(globalThis as { traceHashes?: Promise<string> }).traceHashes = traceHashes();
