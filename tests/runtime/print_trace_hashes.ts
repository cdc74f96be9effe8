/** The program that simulation_test.ts starts in every runtime. */

import { traceHashes } from "../support/trace_hashes.ts";

console.log(await traceHashes());
