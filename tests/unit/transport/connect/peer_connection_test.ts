import assert from "node:assert/strict";
import type { Message } from "../../../../lib/raft/types.ts";
import type { Envelope } from "../../../../lib/transport.ts";
import { sampleEnvelope, sampleMessages } from "../../../../transport/conformance.ts";
import {
  PeerConnection,
  type PeerConnectionCounts,
  type PeerConnectionOptions,
} from "../../../../transport/connect/peer_connection.ts";
import { SendQueue } from "../../../../transport/connect/send_queue.ts";
import type { PeerBatch, PeerConnector } from "../../../../transport/connect/peer_link.ts";
import { appendEntries } from "../../../support/envelopes.ts";
import { VirtualHost } from "../../../support/virtual_host.ts";

const ROOMY = { maxItems: 1000, maxBytes: 1e9 };

function heartbeat(term: number): Envelope {
  return sampleEnvelope({ type: "TimeoutNow", term });
}

function chunk(term: number): Envelope {
  const sample = sampleMessages().find((message) => message.type === "InstallSnapshot")!;
  return sampleEnvelope({ ...sample, term } as Message);
}

const terms = (envelopes: readonly Envelope[]): number[] => envelopes.map(({ message }) => message.term);

Deno.test("send queue: chunks go behind everything else, one with each batch", () => {
  const queue = new SendQueue();
  for (const envelope of [chunk(100), chunk(101), heartbeat(1), heartbeat(2), heartbeat(3)]) {
    assert.equal(queue.push(envelope, ROOMY, false), 0);
  }
  assert.deepEqual(terms(queue.take({ maxItems: 2, maxBytes: 1e9 })), [1, 2, 100]);
  assert.deepEqual(terms(queue.take({ maxItems: 2, maxBytes: 1e9 })), [3, 101]);
  assert.deepEqual([queue.length, queue.bytes], [0, 0]);
});

Deno.test("send queue: a batch has a limit in bytes, and one message may be over it", () => {
  const queue = new SendQueue();
  for (const length of [5000, 100, 100, 5000]) queue.push(appendEntries(length, length), ROOMY, false);
  const limits = { maxItems: 10, maxBytes: 1000 };
  assert.deepEqual([1, 2, 3].map(() => terms(queue.take(limits))), [[5000], [100, 100], [5000]]);
});

Deno.test("send queue: over its limits it drops the new, or the oldest, and chunks don't crowd out heartbeats", () => {
  const limits = { maxItems: 3, maxBytes: 1e9 };
  const queue = new SendQueue();
  const drops = [1, 2, 3, 4].map((term) => queue.push(heartbeat(term), limits, false));
  assert.deepEqual(drops, [0, 0, 0, 1]);
  assert.equal(queue.push(heartbeat(5), limits, true), 1);
  for (let term = 100; term < 110; term++) queue.push(chunk(term), limits, false);
  assert.equal(queue.push(heartbeat(6), limits, true), 1);
  assert.deepEqual(terms(queue.take(ROOMY)), [3, 5, 6, 100]);
  assert.equal(
    queue.push(appendEntries(1, 5000), { maxItems: 3, maxBytes: 4000 }, true),
    1,
    "what never fits is dropped",
  );
  assert.equal(queue.clear(), 2);
  assert.deepEqual([queue.length, queue.bytes], [0, 0]);
});

/** A peer's reaction to a connection. */
type Peer = (batches: AsyncIterable<PeerBatch>, signal: AbortSignal) => AsyncIterable<number>;

/** A connection to a peer in virtual time. */
function connectionTo(peer: Peer, options: Partial<PeerConnectionOptions> = {}) {
  const host = new VirtualHost(3);
  const attemptsMs: number[] = [];
  let closed = 0;
  const connector: PeerConnector = () => {
    attemptsMs.push(host.now);
    return { carry: peer, close: () => void closed++ };
  };
  const counts: PeerConnectionCounts = { sent: 0, dropped: 0, connected: 0, failed: 0, hung: 0 };
  const connection = new PeerConnection("n2", {
    host,
    connector,
    queue: { maxItems: 10, maxBytes: 1e6 },
    offlineQueue: { maxItems: 4, maxBytes: 1e6 },
    batch: { maxItems: 5, maxBytes: 1e6 },
    minBackoffMs: 50,
    maxBackoffMs: 1000,
    hangTimeoutMs: 400,
    ...options,
  }, counts);
  return { host, connection, counts, attemptsMs, closedLinks: () => closed };
}

/** Acknowledges on request, and keeps what arrives. */
function goodPeer(batches: number[][], acks: number[] = []): Peer {
  return async function* (arriving) {
    for await (const { envelopes, ack } of arriving) {
      batches.push((envelopes ?? []).map(({ message }) => Number(message?.value?.term)));
      acks.push(ack);
      if (ack !== 0) yield ack;
    }
  };
}

// deno-lint-ignore require-yield -- it never gets that far
const absentPeer: Peer = async function* () {
  await Promise.resolve();
  throw new Error("no node is there");
};

Deno.test("peer connection: messages of one turn are sent together, and acknowledgements are rarely requested", async () => {
  const batches: number[][] = [];
  const acks: number[] = [];
  const { host, connection, counts } = connectionTo(goodPeer(batches, acks));
  for (const term of [1, 2, 3]) connection.send(heartbeat(term));
  await host.drain();
  for (let term = 4; term <= 8; term++) {
    connection.send(heartbeat(term));
    await host.drain();
  }
  await host.runFor(150);
  connection.send(heartbeat(9));
  await host.drain();
  assert.deepEqual(batches, [[1, 2, 3], [4], [5], [6], [7], [8], [9]]);
  assert.deepEqual(acks, [1, 0, 0, 0, 0, 0, 2]);
  assert.deepEqual(counts, { sent: 9, dropped: 0, connected: 1, failed: 0, hung: 0 });
  await connection.close();
  assert.equal(host.pendingTimers, 0);
});

Deno.test("peer connection: a peer that is gone is tried at growing, random pauses, and only the newest messages wait", async () => {
  const { host, connection, counts, attemptsMs } = connectionTo(absentPeer);
  for (let term = 1; term <= 100; term++) {
    connection.send(heartbeat(term));
    await host.runFor(100);
    assert.ok(connection.queued.messages <= 4);
  }
  const pauses = attemptsMs.slice(1).map((atMs, i) => atMs - attemptsMs[i]!);
  pauses.slice(0, 5).forEach((pauseMs, i) => {
    const fullMs = 50 * 2 ** i;
    assert.ok(pauseMs >= fullMs / 2 && pauseMs <= fullMs + 100, `pause ${i} was ${pauseMs} ms`);
  });
  for (const pauseMs of pauses.slice(5)) assert.ok(pauseMs >= 500 && pauseMs <= 1100, `${pauseMs}`);
  assert.ok(new Set(pauses.slice(5)).size > 1, "pauses differ");
  assert.equal(counts.failed, attemptsMs.length);
  assert.equal(counts.sent, 0);
  assert.ok(counts.dropped >= 90);
  await connection.close();
  assert.deepEqual([host.pendingTimers, connection.queued.messages, connection.queued.bytes], [0, 0, 0]);
  assert.equal(counts.dropped, 100);
});

Deno.test("peer connection: the backoff is reset when a peer returns", async () => {
  let there = false;
  const batches: number[][] = [];
  const good = goodPeer(batches);
  const { host, connection, attemptsMs } = connectionTo((arriving, signal) =>
    (there ? good : absentPeer)(arriving, signal)
  );
  connection.send(heartbeat(1));
  await host.runFor(10_000);
  there = true;
  await host.runUntil(() => batches.length > 0);
  assert.deepEqual(batches, [[1]], "what waited is sent");
  there = false;
  await connection.close();
  assert.ok(attemptsMs.length > 5);
});

Deno.test("peer connection: a peer that accepts messages without acknowledging them is reconnected", async () => {
  const silent: Peer = async function* (arriving) {
    for await (const _ of arriving);
    await new Promise(() => {});
    yield 0;
  };
  const { host, connection, counts, attemptsMs, closedLinks } = connectionTo(silent);
  for (let i = 0; i < 30; i++) {
    connection.send(heartbeat(i));
    await host.runFor(100);
  }
  assert.ok(counts.hung >= 3, `given up ${counts.hung} times`);
  assert.equal(counts.connected, 0);
  for (const [i, atMs] of attemptsMs.slice(1).entries()) assert.ok(atMs - attemptsMs[i]! >= 400);
  await connection.close();
  assert.equal(closedLinks(), attemptsMs.length, "every link was closed");
  assert.equal(host.pendingTimers, 0);
});

Deno.test("peer connection: a peer that hangs after it worked is noticed, and the queue stays within its limits", async () => {
  const stalling: Peer = async function* (arriving) {
    for await (const { ack } of arriving) {
      if (ack !== 0) yield ack;
      break;
    }
    await new Promise(() => {});
  };
  const { host, connection, counts, attemptsMs } = connectionTo(stalling);
  connection.send(heartbeat(0));
  await host.drain();
  assert.equal(counts.connected, 1);
  for (let i = 0; i < 100; i++) connection.send(heartbeat(i));
  assert.equal(connection.queued.messages, 10);
  assert.equal(counts.dropped, 90);
  await host.runFor(150);
  connection.send(heartbeat(100));
  await host.runFor(400);
  assert.equal(counts.hung, 1, "given up, though it took no batch that could ask");
  await host.runFor(1000);
  assert.ok(attemptsMs.length > 1);
  await connection.close();
});

Deno.test("peer connection: an idle connection sets no timers, and close ends it", async () => {
  const batches: number[][] = [];
  const { host, connection, closedLinks } = connectionTo(goodPeer(batches));
  connection.send(heartbeat(1));
  await host.drain();
  assert.equal(host.pendingTimers, 0);
  await connection.close();
  connection.send(heartbeat(2));
  await host.runFor(1000);
  assert.deepEqual(batches, [[1]]);
  assert.equal(closedLinks(), 1);
});

Deno.test("peer connection: a connection that ended is offline, until the peer acknowledges again", async () => {
  let connections = 0;
  const leaving: Peer = async function* (arriving) {
    const first = connections++ === 0;
    for await (const { ack } of arriving) {
      if (first && ack !== 0) yield ack;
      if (first) throw new Error("the peer has left");
    }
  };
  const { host, connection, counts } = connectionTo(leaving);
  connection.send(heartbeat(0));
  await host.runFor(10);
  assert.deepEqual(connection.link, { connected: false, error: "the peer has left" });
  // Nothing is taken before an acknowledgement: only the newest messages wait.
  for (let i = 0; i < 20; i++) connection.send(heartbeat(i));
  assert.ok(connection.queued.messages <= 4, `${connection.queued.messages} wait`);
  assert.equal(counts.connected, 1);
  await connection.close();
});

Deno.test("peer connection: an error is forgotten once the peer acknowledges", async () => {
  let absent = true;
  const returning: Peer = (batches, signal) => absent ? absentPeer(batches, signal) : goodPeer([])(batches, signal);
  const { host, connection } = connectionTo(returning);
  connection.send(heartbeat(0));
  await host.runFor(10);
  assert.deepEqual(connection.link, { connected: false, error: "no node is there" });
  absent = false;
  await host.runFor(1000);
  connection.send(heartbeat(1));
  await host.runFor(1000);
  assert.deepEqual(connection.link, { connected: true, error: null });
  await connection.close();
});

Deno.test("peer connection: an acknowledgement of an earlier request does not hide that the peer hangs", async () => {
  const repeating: Peer = async function* (arriving) {
    let first = 0;
    for await (const { ack } of arriving) {
      if (first === 0) first = ack;
      yield first;
    }
  };
  const { host, connection, counts } = connectionTo(repeating);
  for (let i = 0; i < 8; i++) {
    connection.send(heartbeat(i));
    await host.runFor(100);
  }
  assert.equal(counts.hung, 1);
  await connection.close();
});

Deno.test("peer connection: what is sent after the close, or waits for it, is dropped and counted", async () => {
  const { host, connection, counts, attemptsMs } = connectionTo(absentPeer);
  for (let i = 0; i < 3; i++) connection.send(heartbeat(i));
  await host.runFor(5);
  const closing = connection.close();
  assert.deepEqual([counts.dropped, connection.queued.messages], [3, 0]);
  await closing;
  const attempts = attemptsMs.length;
  connection.send(heartbeat(9));
  await host.runFor(2000);
  assert.deepEqual([counts.dropped, attemptsMs.length, connection.queued.messages], [4, attempts, 0]);
  assert.equal(host.pendingTimers, 0);
});
