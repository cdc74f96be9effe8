/**
 * Rules of the transports: connections to peers, lanes and calls.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of transports. */
export const transports: readonly Mutant[] = [
  {
    name: "ended-connection-online",
    rule: "A connection that has ended is offline.",
    edits: [{
      file: "transport/connect/peer_connection.ts",
      find: "    this.#online = false;\n    this.#wake = undefined;",
      replace: "    this.#wake = undefined;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "peer connection: a connection that ended is offline, until the peer acknowledges again",
    },
  },
  {
    name: "former-error-reported",
    rule: "An error of a connection is forgotten once the peer acknowledges.",
    edits: [{
      file: "transport/connect/peer_connection.ts",
      find: "    this.#error = null;\n    if (this.#online) return;",
      replace: "    if (this.#online) return;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "peer connection: an error is forgotten once the peer acknowledges",
    },
  },
  {
    name: "any-acknowledgement-counts",
    rule: "Only the newest request is acknowledged: a peer that hangs is noticed.",
    edits: [{
      file: "transport/connect/peer_connection.ts",
      find: "if (ack !== this.#ack) return;",
      replace: "if (ack > this.#ack) return;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "peer connection: an acknowledgement of an earlier request does not hide that the peer hangs",
    },
  },
  {
    name: "sent-after-the-close",
    rule: "A closed connection takes no messages.",
    edits: [{
      file: "transport/connect/peer_connection.ts",
      find:
        "    if (this.#closing.signal.aborted) {\n      this.#counts.dropped++;\n      return;\n    }\n    const { host",
      replace: "    const { host",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "peer connection: what is sent after the close, or waits for it, is dropped and counted",
    },
  },
  {
    name: "lane-bytes-leak",
    rule: "Messages that leave a queue leave its bytes.",
    edits: [{ file: "lib/bounded_queue.ts", find: "    this.#bytes -= taken;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "send queue: chunks go behind everything else, one with each batch",
    },
  },
  {
    name: "chunks-crowd-a-batch",
    rule: "One chunk of a snapshot goes with each batch.",
    edits: [{
      file: "transport/connect/send_queue.ts",
      find: "...this.#bulk.take(ONE)];",
      replace: "...this.#bulk.take(limits)];",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/peer_connection_test.ts",
      name: "send queue: chunks go behind everything else, one with each batch",
    },
  },
  {
    name: "timer-of-an-answered-call",
    rule: "An answered call leaves no timer.",
    edits: [{
      file: "transport/packet/served_calls.ts",
      find: "    cancel();\n    this.#bytes",
      replace: "    if (this.#bytes < 0) cancel();\n    this.#bytes",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/packet/served_calls_test.ts",
      name: "served calls: an answered call leaves no timer, and its bytes and place are free again",
    },
  },
  {
    name: "bytes-of-an-answered-call",
    rule: "The bytes of an answered call are free again.",
    edits: [{ file: "transport/packet/served_calls.ts", find: "    this.#bytes -= request.length;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/packet/served_calls_test.ts",
      name: "served calls: an answered call leaves no timer, and its bytes and place are free again",
    },
  },
  {
    name: "one-call-too-many",
    rule: "Calls that are answered at a time are bounded.",
    edits: [{
      file: "transport/packet/served_calls.ts",
      find: "if (this.#underWay.size >= maxServed) {",
      replace: "if (this.#underWay.size > maxServed) {",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/packet/served_calls_test.ts",
      name: "served calls: an answered call leaves no timer, and its bytes and place are free again",
    },
  },
  {
    name: "answer-to-nobody",
    rule: "A caller that is gone gets no answer.",
    edits: [{
      file: "transport/packet/served_calls.ts",
      find: "if (this.#underWay.delete(call)) answer(",
      replace: "this.#underWay.delete(call);\n    answer(",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/packet/served_calls_test.ts",
      name: "served calls: those of a caller that is gone end unanswered, those of others go on",
    },
  },
  {
    name: "event-reported-twice",
    rule: "A page that observes an event twice gets it once.",
    edits: [{ file: "browser/page_link.ts", find: "    observed.get(event)?.();\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/browser/link_test.ts",
      name: "an event that a page observes twice is reported once, and not after it stopped",
    },
  },
  {
    name: "late-page-not-told",
    rule: "A page that connects late is told what the first one was.",
    edits: [{
      file: "browser/page_link.ts",
      find: "for (const message of [this.#opened, this.#life, this.#leads])",
      replace: "for (const message of [this.#opened, this.#life])",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/browser/link_test.ts",
      name: "a page that connects late receives what the first one was told: the node, its life, and that it leads",
    },
  },
  {
    name: "due-task-runs-twice",
    rule: "What was due during a pause runs once.",
    edits: [{
      file: "browser/pausable_host.ts",
      find: "this.#run(task, this.#due.delete(task))",
      replace: "this.#run(task)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/browser/pause_test.ts",
      name: "what was due while a host was paused runs once, however often it is paused and resumed",
    },
  },
  {
    name: "timer-of-a-page-that-left",
    rule: "A page that has left leaves no timer.",
    edits: [{
      file: "transport/relay/relay_page.ts",
      find: "    this.#ended = true;\n    this.#hangTimer?.();",
      replace: "    this.#ended = true;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/relay/relay_hub_test.ts",
      name: "hub: nothing is left of a page that went away, no timer least of all",
    },
  },
  {
    name: "large-bodies-take-all-room",
    rule: "Large bodies that have arrived, and wait for their turn, leave room for small ones.",
    edits: [{
      file: "transport/connect/receive.ts",
      find: "(isSmall ? 1 / 4 : 3 / 8)",
      replace: "(isSmall ? 1 / 4 : 1 / 4)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/receive_test.ts",
      name: "large bodies that have arrived leave room for small ones",
    },
  },
  {
    name: "hopeless-bodies-read",
    rule: "A large body for which there is no room is refused before it is read.",
    edits: [{
      file: "lib/byte_budget.ts",
      find: "if (isFull && this.#largestOver(bytes) === null) throw",
      replace: "if (isFull && bytes < 0 && this.#largestOver(bytes) === null) throw",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/receive_test.ts",
      name: "a large body for which there is no room is refused before it is read, unless larger ones still arrive",
    },
  },
  {
    name: "json-as-large-as-protobuf",
    rule: "A message in JSON, which takes many times as long to decode, has a limit of its own.",
    edits: [{
      file: "transport/connect/fetch_handler.ts",
      find: "json ? Math.min(maxBytes, jsonMaxBytes) : maxBytes",
      replace: "json && jsonMaxBytes < 0 ? jsonMaxBytes : maxBytes",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/receive_test.ts",
      name: "a message in JSON may be as large as one command needs, and no larger",
    },
  },
  {
    name: "small-messages-end-a-stream",
    rule: "A stream of small messages lasts: small pieces are bounded within one message.",
    edits: [{
      file: "transport/connect/receive.ts",
      find: "      this.#pieces = FREE_PIECES;\n    }",
      replace: "    }",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/receive_test.ts",
      name: "a stream of small messages lasts, each in a piece of its own",
    },
  },
  {
    name: "member-counted-as-unknown",
    rule: "A link to a member takes no place of those to unknown addresses.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "if (this.#isKnown(address)) this.#unknown.delete(address);",
      replace: "if (this.#isKnown(address)) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: a link to an address that became a member's takes no place of the unknown",
    },
  },
  {
    name: "ended-link-counted",
    rule: "A link that has ended makes room for another one.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "    this.#unknown.delete(address);\n    void peer.close();",
      replace: "    void peer.close();",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: a link to an address that became a member's takes no place of the unknown",
    },
  },
  {
    name: "busiest-stream-ended",
    rule: "Of too many streams the most silent one ends.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "const isNew = !this.#incoming.delete(end);",
      replace: "const isNew = !this.#incoming.has(end);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: of too many streams the most silent one ends, and those that ended don't count",
    },
  },
  {
    name: "ended-stream-counted",
    rule: "A stream that has ended counts no longer.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "  ended(end: () => void): void {\n    this.#incoming.delete(end);",
      replace: "  ended(end: () => void): void {\n    if (this.#closed) this.#incoming.delete(end);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: of too many streams the most silent one ends, and those that ended don't count",
    },
  },
  {
    name: "silent-stream-kept",
    rule: "A stream that carries nothing ends, however late.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find:
        "        if (nowMs - lastReceivedMs >= 2 * this.#idleTimeoutMs) end();\n      }\n      this.#scheduleSweep();",
      replace: "        if (nowMs - lastReceivedMs >= 2 * this.#idleTimeoutMs) end();\n      }",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: a stream that carries nothing ends, however late, and all end with the transport",
    },
  },
  {
    name: "sweep-after-the-close",
    rule: "A closed transport has no timer left.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "    this.#sweep?.();\n",
      replace: "    if (this.#peers.size < 0) this.#sweep?.();\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: a stream that carries nothing ends, however late, and all end with the transport",
    },
  },
  {
    name: "streams-outlast-the-transport",
    rule: "All streams end with their transport.",
    edits: [{
      file: "transport/connect/connect_transport.ts",
      find: "    for (const end of this.#incoming.keys()) end();\n    await",
      replace: "    await",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/links_test.ts",
      name: "Connect transport: a stream that carries nothing ends, however late, and all end with the transport",
    },
  },
];
