/** Envelopes for tests of transports. */

import type { Envelope } from "../../lib/transport.ts";
import { sampleEnvelope } from "../../transport/conformance.ts";

/** Returns an AppendEntries whose term tells it from others: a heartbeat, or one with a command of this many bytes. */
export function appendEntries(term: number, bytes = 0): Envelope {
  const entries = bytes === 0 ? [] : [{ index: 1, term, type: "command" as const, data: new Uint8Array(bytes) }];
  return sampleEnvelope({
    type: "AppendEntries",
    term,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries,
    leaderCommit: 0,
    round: 0,
  });
}
