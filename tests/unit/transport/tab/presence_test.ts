import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import {
  BroadcastChannelTransport,
  type BroadcastChannelTransportOptions,
  type Locks,
} from "../../../../transport/tab/mod.ts";
import { originLocks } from "../../../../transport/packet/locks.ts";
import { sampleEnvelope } from "../../../../transport/conformance.ts";
import { until } from "../../../support/tab_transports.ts";

const [A, B, C] = ["tab:a", "tab:b", "tab:c"];
const vote = sampleEnvelope({ type: "TimeoutNow", term: 1 });

function isRefused(error: unknown): true {
  assert.ok(error instanceof RaftError, String(error));
  assert.deepEqual([error.code, error.outcome], ["refused", "rejected"]);
  assert.match(error.hint, /another node id/);
  return true;
}

/** Where the transports of one test meet. */
function channel() {
  const clusterId = crypto.randomUUID();
  const frames: { from: string; kind: string; session: string }[] = [];
  const raw = new BroadcastChannel(`raft-core:${clusterId}`);
  raw.onmessage = ({ data }) => void frames.push(data);
  return {
    frames,
    post: (data: unknown) => raw.postMessage(data),
    /** The channel shared by two addresses alone. */
    pair: (a: string, b: string) => new BroadcastChannel(`raft-core:${clusterId}:${JSON.stringify([a, b].sort())}`),
    make: (address: string, options: Partial<BroadcastChannelTransportOptions> = {}) =>
      new BroadcastChannelTransport({ clusterId, address, ...options }),
    [Symbol.dispose]: () => raw.close(),
  };
}

/** Locks of which a holder can die. */
class MortalLocks implements Locks {
  readonly #locks = originLocks()!;
  readonly #held = new Map<string, () => void>();

  async request(
    ...[name, options, held]: Parameters<Locks["request"]>
  ): Promise<unknown> {
    const died = Promise.withResolvers<void>();
    return await this.#locks.request(name, options, async (lock) => {
      this.#held.set(name, died.resolve);
      await Promise.race([held(lock), died.promise]);
      this.#held.delete(name);
    });
  }

  /** Releases a tab's locks, as the browser does when the tab dies. */
  die(): void {
    for (const free of this.#held.values()) free();
  }
}

Deno.test("a transport that dies without a goodbye is detected by its lock, by all others at once", async () => {
  using meeting = channel();
  const departed: string[] = [];
  const onDeparted = (address: string): void => void departed.push(address);
  const locks = new MortalLocks();
  const [a, b, c] = [meeting.make(A, { onDeparted }), meeting.make(B, { locks }), meeting.make(C, { onDeparted })];
  for (const transport of [a, b, c]) await transport.start(() => {});
  await until(() => a.peers.length === 2 && c.peers.length === 2, "all know each other");
  let called = false;
  b.serve(() => (called = true, new Promise(() => {})));
  const call = a.call(B, "test.Method/Never", new Uint8Array(1));
  await until(() => called, "a call arrives");
  locks.die();
  await assert.rejects(
    call,
    (error) => error instanceof RaftError && error.code === "unreachable" && error.outcome === "unknown",
  );
  await until(() => departed.length === 2, "both are notified");
  assert.deepEqual([departed, a.peers, c.peers], [[B, B], [C], [A]]);
  const { dropped } = a.counts;
  a.send(B, vote);
  assert.equal(a.counts.dropped, dropped + 1);
  await Promise.all([a, b, c].map((transport) => transport.close()));
});

Deno.test("a goodbye of an earlier instance does not remove its successor", async () => {
  using meeting = channel();
  const a = meeting.make(A);
  const b = meeting.make(B);
  await a.start(() => {});
  await b.start(() => {});
  await until(() => a.peers.includes(B), "b is there");
  const hello = meeting.frames.find(({ from, kind }) => from === B && kind === "hello")!;
  await b.close();
  await until(() => !a.peers.includes(B), "b is gone");
  const again = meeting.make(B);
  await again.start(() => {});
  await until(() => a.peers.includes(B), "b is there again");
  const { malformed } = a.counts;
  meeting.post({ ...hello, kind: "goodbye" });
  meeting.post("a mark: all before it was read");
  await until(() => a.counts.malformed > malformed, "a has read both");
  assert.deepEqual(a.peers, [B]);
  await Promise.all([a.close(), again.close()]);
});

Deno.test("a transport that returns without a goodbye had departed, and calls to it end", async () => {
  using meeting = channel();
  const said: string[] = [];
  const a = meeting.make(A, {
    onArrived: (address) => void said.push(`${address} arrived`),
    onDeparted: (address) => void said.push(`${address} departed`),
  });
  await a.start(() => {});
  const hello = { raftCore: 1, to: "", from: B, kind: "hello", locked: false, answer: true };
  const pair = meeting.pair(A, B);
  const frame = { raftCore: 1, to: A, from: B, kind: "packet", packet: null, ackRequest: 1 };
  const { promise: opened, resolve } = Promise.withResolvers<unknown>();
  pair.onmessage = resolve;
  meeting.post({ ...hello, session: "first" });
  await opened;
  assert.deepEqual(a.peers, [], "nothing but a hello came from b");
  const { dropped, malformed } = a.counts;
  a.send(B, vote);
  assert.equal(a.counts.dropped, dropped + 1, "nothing is sent to a transport that may not receive it");
  pair.postMessage({ ...frame, session: "of an earlier life" });
  pair.postMessage("a mark: all before it was read");
  await until(() => a.counts.malformed > malformed, "a has read both");
  assert.deepEqual(a.peers, [], "a message from an earlier instance does not affect this one");
  pair.postMessage({ ...frame, session: "first" });
  await until(() => a.peers.includes(B), "b is there");
  const call = a.call(B, "test.Method/Never", new Uint8Array(1));
  meeting.post({ ...hello, session: "first" });
  meeting.post({ ...hello, session: "second" });
  await assert.rejects(call, (error) => error instanceof RaftError && error.code === "unreachable");
  assert.deepEqual([said, a.peers], [["tab:b arrived", "tab:b departed"], []]);
  await until(() => {
    pair.postMessage({ ...frame, session: "second" });
    return a.peers.includes(B);
  }, "b is there again");
  meeting.post({ ...hello, session: "third" });
  meeting.post({ ...hello, session: "third", kind: "goodbye" });
  await until(() => said.length === 4, "b is gone");
  const before = a.counts.malformed;
  meeting.post("a mark: all before it was read");
  await until(() => a.counts.malformed > before, "a has read all");
  assert.deepEqual(said.slice(2), ["tab:b arrived", "tab:b departed"], "a transport that never arrived doesn't depart");
  pair.close();
  await a.close();
});

Deno.test("messages between two transports are not posted to a third, which may hang", async () => {
  using meeting = channel();
  const [a, b] = [meeting.make(A), meeting.make(B)];
  await a.start(() => {});
  await b.start(() => {});
  await until(() => a.peers.includes(B) && b.peers.includes(A), "both know each other");
  b.serve(() => Promise.resolve(new Uint8Array(1)));
  for (let count = 0; count < 10; count++) await a.call(B, "test.Method/Any", new Uint8Array(1));
  const kinds = new Set(meeting.frames.map(({ kind }) => kind));
  assert.deepEqual([...kinds], ["hello"]);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("a second transport at the same address is refused, in the same cluster", async () => {
  using meeting = channel();
  using elsewhere = channel();
  const first = meeting.make(A);
  await first.start(() => {});
  const second = meeting.make(A, { takeOverMs: 20 });
  await assert.rejects(second.start(() => {}), isRefused);
  await second.close();
  const other = elsewhere.make(A, { takeOverMs: 20 });
  await other.start(() => {});
  await other.close();
  await first.close();
});

Deno.test("a departing transport is waited for, and its observer blocks no other transport", async () => {
  using meeting = channel();
  const watcher = meeting.make(B);
  await watcher.start(() => {});
  const first = meeting.make(A);
  await first.start(() => {});
  await until(() => watcher.peers.includes(A), "the first is watched");
  const second = meeting.make(A, { takeOverMs: 20_000 });
  const starting = second.start(() => {});
  await first.close();
  await starting;
  await until(() => watcher.peers.includes(A), "the second is known");
  await Promise.all([second.close(), watcher.close()]);
});

Deno.test("close ends the wait for another's address, and leaves it to others", async () => {
  using meeting = channel();
  const first = meeting.make(A);
  await first.start(() => {});
  const second = meeting.make(A, { takeOverMs: 1_000_000 });
  const ended = assert.rejects(
    second.start(() => {}),
    (error) => error instanceof RaftError && error.code === "closed",
  );
  await second.close();
  await ended;
  await first.close();
  const third = meeting.make(A);
  await third.start(() => {});
  await third.close();
});

for (
  const [why, locks] of Object.entries({
    "no locks": null,
    "locks that are refused": { request: () => Promise.reject(new DOMException("not here", "SecurityError")) },
  })
) {
  Deno.test(`with ${why} goodbyes report departures`, async () => {
    using meeting = channel();
    const [a, b] = [meeting.make(A, { locks }), meeting.make(B, { locks })];
    await a.start(() => {});
    await b.start(() => {});
    await until(() => a.peers.includes(B) && b.peers.includes(A), "both know each other");
    await b.close();
    await until(() => a.peers.length === 0, "b is gone");
    await a.close();
  });
}

Deno.test("malformed frames are dropped and counted, and frames for another transport are not read", async () => {
  using meeting = channel();
  const a = meeting.make(A);
  let received = 0;
  await a.start(() => void received++);
  const frame = { raftCore: 1, to: A, from: B, session: "s", kind: "packet", packet: null, ackRequest: 0 };
  const wrong: unknown[] = [
    "text",
    null,
    {},
    { ...frame, raftCore: 2 },
    { ...frame, to: 1 },
    { ...frame, from: "" },
    { ...frame, from: "x".repeat(1025) },
    { ...frame, kind: "unknown" },
    { ...frame, packet: "text" },
    { ...frame, ackRequest: "1" },
    { ...frame, kind: "ack" },
    { ...frame, session: 1 },
    { ...frame, session: "x".repeat(257) },
    { ...frame, kind: "hello", locked: false },
    { ...frame, kind: "hello", answer: true },
  ];
  for (const data of wrong) meeting.post(data);
  await until(() => a.counts.malformed === wrong.length, "all are counted");
  meeting.post({ ...frame, to: C });
  meeting.post({ ...frame, from: A });
  // Its packet is none, and counted as such.
  meeting.post({ ...frame, packet: new Uint8Array(1) });
  await until(() => a.counts.malformed === wrong.length + 1, "a malformed packet is counted");
  assert.deepEqual([a.counts.received, received, a.peers], [0, 0, []]);
  await a.close();
});

Deno.test("a channel that can't send costs messages, and nothing else", async () => {
  const real = globalThis.BroadcastChannel;
  globalThis.BroadcastChannel = class extends real {
    override postMessage(): void {
      throw new TypeError("expected i32");
    }
  };
  try {
    const transport = new BroadcastChannelTransport({ clusterId: crypto.randomUUID(), address: A });
    await transport.start(() => {});
    transport.send(B, vote);
    await transport.close();
  } finally {
    globalThis.BroadcastChannel = real;
  }
});
