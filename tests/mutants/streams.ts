/**
 * Rules of what runs over streams of bytes: the transport, the server, and the lock of a folder.
 *
 * @module
 */

import type { DirectedTest, Mutant } from "./mutant.ts";

const PEER = "transport/connect/peer_connection.ts";
const FORWARD = "hosting/forward.ts";
const LOCK = "storage/file/lock_file.ts";
const CHANNEL = "transport/tab/broadcast_packet_channel.ts";

const LANES = seeds("lanes: in order, once, within their limits; back-off and hang detection keep their bounds");
const SERVERS = seeds(
  "servers: REST is linearizable, watches miss nothing, the guard refuses, and nothing is left when idle",
);
const FOLDER = seeds(
  "lock: one process holds a folder, that of a dead one is taken over, and none is refused for nothing",
);

const TABS = seeds(
  "tabs: messages arrive in order, once and within their limits; tabs know who is there, and calls end",
);

/** Names a test that runs seeds of a part. */
function seeds(name: string): DirectedTest {
  return { file: "tests/seeds/parts/parts_test.ts", name };
}

/** Mutants of the transport, the server and the lock. */
export const streams: readonly Mutant[] = [
  {
    name: "acknowledged-peer-hangs",
    rule: "A peer that acknowledges is not given up.",
    edits: [{
      file: PEER,
      find: "    if (ack !== this.#ack) return;\n    this.#hangTimer?.();\n",
      replace: "    if (ack !== this.#ack) return;\n",
    }],
    killedBy: "test",
    test: LANES,
  },
  {
    name: "hang-asked-once",
    rule: "A peer that stops acknowledging later is given up, too.",
    edits: [{
      file: PEER,
      find: "if (this.#online && requestedLongAgo",
      replace: "if (!this.#online && requestedLongAgo",
    }],
    killedBy: "test",
    test: LANES,
  },
  {
    name: "backoff-kept-after-success",
    rule: "The pause before a new connection starts over once one has worked.",
    edits: [{
      file: PEER,
      find: "    this.#online = true;\n    this.#backoff.reset();\n",
      replace: "    this.#online = true;\n",
    }],
    killedBy: "test",
    test: LANES,
  },
  {
    name: "chunks-hold-up-heartbeats",
    rule: "At most one chunk of a snapshot goes with a batch.",
    edits: [{
      file: "transport/connect/send_queue.ts",
      find: "...this.#bulk.take(ONE)];",
      replace: "...this.#bulk.take(limits)];",
    }],
    killedBy: "test",
    test: LANES,
  },
  {
    name: "abandoned-frames-kept",
    rule: "A request gives the bytes that it holds back, however it ends.",
    edits: [{
      file: "transport/connect/fetch_handler.ts",
      find: '  gone.signal.addEventListener("abort", end);\n',
      replace: "",
    }, {
      file: "transport/connect/fetch_handler.ts",
      find: "stream.body.stream(endingWith(body, end), options)",
      replace: "stream.body.stream(endingWith(body, () => {}), options)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/transport/connect/abandoned_stream_test.ts",
      name: "a stream that breaks off while a large message is acknowledged leaves nothing in the budget",
    },
  },
  {
    name: "forward-budget-leaks",
    rule: "A forwarded request gives its room back when it has ended.",
    edits: [{ file: FORWARD, find: "    (giveBack as (() => void) | null)?.();\n", replace: "" }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "watch-resumes-one-late",
    rule: "A watch that resumes continues with the change after the last one.",
    edits: [{ file: "server/kv_routes.ts", find: "Number(last) + 1 : null", replace: "Number(last) + 2 : null" }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "watch-resumes-from-its-beginning",
    rule: "The id of the last event counts for a watch that resumes, and not the version that its address begins with.",
    edits: [{ file: "server/kv_routes.ts", find: "resumed ?? from", replace: "from ?? resumed" }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "forward-without-deadline",
    rule: "A request is answered within the server's time for it, whether or not the leader answers.",
    edits: [{
      file: FORWARD,
      find: "    controller.abort();\n  });",
      replace: "  });",
    }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "own-origin-by-its-beginning",
    rule: "Only the server's own origin is its own, and none that begins like it.",
    edits: [{
      file: "server/guard.ts",
      find: "return origin === `http://${authority.toLowerCase()}`",
      replace: "return origin.startsWith(`http://${authority.toLowerCase()}`)",
    }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "create-overwrites",
    rule: "A write with If-None-Match: * creates a key, and never overwrites one.",
    edits: [{
      file: "server/kv_routes.ts",
      find: '    if (noneMatch === "*") return 0;',
      replace: '    if (noneMatch === "*") return undefined;',
    }],
    killedBy: "test",
    test: SERVERS,
  },
  {
    name: "newest-lock-deleted",
    rule: "The newest lock of a folder is emptied when it is released, and never deleted.",
    edits: [{
      file: LOCK,
      find: "await host.truncate(lockPath(dir, before + 1));",
      replace: "await host.unlink(lockPath(dir, before + 1));",
    }],
    killedBy: "test",
    test: FOLDER,
  },
  {
    name: "slow-taker-not-checked",
    rule: "A process that was slow to take the lock of a folder checks that it has the newest one.",
    edits: [{ file: LOCK, find: "if (numbers.at(-1) !== own || (before > 0", replace: "if ((before > 0" }],
    killedBy: "test",
    test: FOLDER,
  },
  {
    name: "lock-before-its-content",
    rule: "A lock's file is complete when it appears under its name.",
    edits: [{
      file: LOCK,
      find:
        "    await host.writeNew(candidate, `${JSON.stringify(owner)}\\n`);\n    await host.link(candidate, lockPath(dir, own));\n",
      replace: "    await host.writeNew(lockPath(dir, own), `${JSON.stringify(owner)}\\n`);\n",
    }],
    killedBy: "test",
    test: FOLDER,
  },
  {
    name: "goodbye-of-an-earlier-life",
    rule: "A tab's goodbye does not concern its successor.",
    edits: [{
      file: CHANNEL,
      find: "return this.#departed(frame.from, frame.session);",
      replace: "return this.#departed(frame.from);",
    }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "former-life-kept",
    rule: "Of a peer that came back, the former life has departed.",
    edits: [{ file: CHANNEL, find: "    this.#departed(address);\n    const", replace: "    const" }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "rest-of-a-window-unread",
    rule: "Once all was read there is room for any message to a tab.",
    edits: [{
      file: "transport/packet/send_window.ts",
      find: "return this.inflight.messages > 0 ? this.#request() : 0;",
      replace: "return 0;",
    }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "one-message-over-the-window",
    rule: "No more messages are on their way to a tab than it may have.",
    edits: [{
      file: "transport/packet/send_window.ts",
      find: "messages >= maxMessages ||",
      replace: "messages > maxMessages ||",
    }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "locks-of-a-closed-transport",
    rule: "A transport that is closed frees its address.",
    edits: [{
      file: CHANNEL,
      find: "    await Promise.all(this.#releases.map((release) => release()));\n",
      replace: "",
    }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "sent-before-a-tab-is-met",
    rule: "Nothing is sent to a tab that may not receive it yet.",
    edits: [{ file: CHANNEL, find: "peer?.reachable ? peer", replace: "peer ? peer" }],
    killedBy: "test",
    test: TABS,
  },
  {
    name: "calls-of-a-tab-that-is-gone",
    rule: "A call ends once its receiver is gone.",
    edits: [{
      file: "transport/packet/packet_transport.ts",
      find: "    this.#calls.lost(address,",
      replace: '    this.#calls.lost("",',
    }],
    killedBy: "test",
    test: TABS,
  },
];
