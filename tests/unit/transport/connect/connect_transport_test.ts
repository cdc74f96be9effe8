import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { createClient, type HandlerContext } from "@connectrpc/connect";
import { RaftError } from "../../../../lib/errors.ts";
import type { Envelope } from "../../../../lib/transport.ts";
import { sampleEnvelope } from "../../../../transport/conformance.ts";
import { envelopeToWire } from "../../../../transport/wire/codec.ts";
import { fromConnectError } from "../../../../transport/wire/connect_errors.ts";
import { connectFetchHandler, createRaftRoutes } from "../../../../transport/connect/fetch_handler.ts";
import { EnvelopeSchema, PeerService, StreamRequestSchema } from "../../../../transport/wire/gen/raft/v1/peer_pb.ts";
import { askIdentity } from "../../../../transport/wire/identity.ts";
import { http2Connector } from "../../../../transport/connect/http2_connector.ts";
import { fetchTransport, httpCalls } from "../../../../transport/connect/http_client.ts";
import { peerService } from "../../../../transport/connect/peer_service.ts";
import { ConnectTransport } from "../../../../transport/connect/connect_transport.ts";
import { appendEntries } from "../../../support/envelopes.ts";
import { VirtualHost } from "../../../support/virtual_host.ts";
import { goneAddress, pause, serve, serveNothing, serveTransport, until } from "./connect_fixture.ts";

const heartbeat = (term: number): Envelope => sampleEnvelope({ type: "TimeoutNow", term });

Deno.test("Connect transport: a peer that accepts the connection and hangs is abandoned, and later reconnected", async () => {
  const hanging = await serveNothing();
  const sender = serveTransport({ hangTimeoutMs: 100, minBackoffMs: 10, maxBackoffMs: 20 });
  await sender.transport.start(() => {});
  const port = hanging.address;
  const end = performance.now() + 20_000;
  for (let term = 0; sender.transport.counts.hung < 2 && performance.now() < end; term++) {
    sender.transport.send(port, heartbeat(term));
    await pause(10);
  }
  assert.ok(hanging.connections() >= 2);
  await hanging.close();
  const receiver = serveTransport({}, port);
  const arrived: Envelope[] = [];
  await receiver.transport.start((envelope) => void arrived.push(envelope));
  sender.transport.send(port, heartbeat(1000));
  await until(() => arrived.some(({ message }) => message.term === 1000), "a message arrives once the peer is sound");
  await sender.close();
  await receiver.close();
});

Deno.test("Connect transport: a process that stops reading is abandoned, and uses no more memory than the limits", async () => {
  let reading = false;
  const stalled = serve(connectFetchHandler((router) =>
    router.service(PeerService, {
      async *stream(requests) {
        reading = true;
        for await (const { ack } of requests) {
          if (ack === 0) continue;
          yield { ack };
          if (reading) await new Promise<void>((resolve) => release.push(resolve));
        }
      },
    })
  ));
  const release: (() => void)[] = [];
  const limits = { maxQueuedMessages: 50, hangTimeoutMs: 200, minBackoffMs: 10 };
  const sender = serveTransport(limits);
  await sender.transport.start(() => {});
  const end = performance.now() + 20_000;
  const isDone = () => sender.transport.counts.hung > 0 && sender.transport.counts.dropped > 0;
  for (let term = 1; !isDone() && performance.now() < end; term++) {
    sender.transport.send(
      stalled.address,
      appendEntries(term, 200_000),
    );
    assert.ok(sender.transport.counts.queuedMessages <= 50);
    await pause(2);
  }
  assert.ok(isDone(), "given up, and some messages dropped");
  await sender.close();
  reading = false;
  for (const go of release) go();
  await stalled.close();
});

Deno.test("Connect transport: a malformed message is dropped and counted, and the stream continues", async () => {
  const told: RaftError[] = [];
  const receiver = serveTransport({ onMalformed: (error) => void told.push(error) });
  const sender = serveTransport();
  const arrived: number[] = [];
  await receiver.transport.start(({ message }) => void arrived.push(message.term));
  await sender.transport.start(() => {});
  const send = (term: number): void => sender.transport.send(receiver.address, heartbeat(term));
  send(1);
  await until(() => arrived.length === 1, "the first arrives");
  sender.transport.send(receiver.address, { ...heartbeat(2), to: "" });
  await until(() => told.length === 1, "the malformed one arrives");
  send(3);
  await until(() => arrived.length === 2, "the one after the malformed one arrives");
  assert.deepEqual(arrived, [1, 3]);
  assert.equal(receiver.transport.counts.malformed, 1);
  assert.match(told[0]!.message, /to is empty/);
  assert.equal(sender.transport.counts.connected, 1);
  await sender.close();
  await receiver.close();
});

Deno.test("Connect transport: a stream ends that carries nothing, or nothing but malformed messages", async () => {
  const receiver = serveTransport();
  await receiver.transport.start(() => {});
  const url = `http://${receiver.address}/raft.v1.PeerService/Stream`;
  const stream = async (...message: number[]): Promise<string> => {
    const frame = [0, 0, 0, 0, message.length, ...message];
    const body = new Uint8Array(new Array(1000).fill(frame).flat());
    const headers = { "Content-Type": "application/connect+proto" };
    return await (await fetch(url, { method: "POST", headers, body })).text();
  };
  assert.match(await stream(), /a batch has no envelopes/);
  assert.match(await stream(0x10, 1), /a batch has no envelopes/);
  assert.equal(receiver.transport.counts.malformed, 0);
  assert.match(await stream(0x0a, 2, 8, 1), /from is empty/);
  assert.equal(receiver.transport.counts.malformed, 16, "of a thousand");
  await receiver.close();
});

Deno.test("Connect transport: the first malformed message of a call ends it, as an invalid_argument", async () => {
  const receiver = serveTransport();
  const arrived: number[] = [];
  await receiver.transport.start(({ message }) => void arrived.push(message.term));
  const client = createClient(PeerService, fetchTransport(receiver.address));
  const large = create(EnvelopeSchema, {
    from: "n1",
    to: "n2",
    message: { case: "timeoutNow", value: { term: 2n ** 64n - 1n } },
  });
  await assert.rejects(
    client.send({ envelopes: [envelopeToWire(heartbeat(4)), large, large, envelopeToWire(heartbeat(5))] }).catch(
      (error) => {
        throw fromConnectError(error);
      },
    ),
    (error) => error instanceof RaftError && error.code === "invalid_argument" && /out of range/.test(error.message),
  );
  assert.deepEqual(arrived, [4]);
  assert.equal(receiver.transport.counts.malformed, 1, "one error, however many are malformed");
  await receiver.close();
});

Deno.test("Connect transport: bytes that are not protobuf are refused, and the next call works", async () => {
  const receiver = serveTransport();
  await receiver.transport.start(() => {});
  const url = `http://${receiver.address}/raft.v1.PeerService/Send`;
  for (const type of ["application/proto", "application/json"]) {
    const response = await fetch(url, { method: "POST", headers: { "Content-Type": type }, body: "\xff\xff{" });
    assert.equal(response.status, 400, await response.text());
  }
  const good = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
  assert.deepEqual([good.status, await good.text()], [200, "{}"]);
  const nothing = await fetch(`http://${receiver.address}/raft.v1.PeerService/Nothing`, { method: "POST" });
  assert.equal(nothing.status, 404);
  await nothing.body?.cancel();
  await receiver.close();
});

Deno.test("Connect transport: connections that carry nothing are closed, by the sender first", async () => {
  const host = new VirtualHost();
  const sender = serveTransport({ host, idleTimeoutMs: 60_000 });
  const receiver = serveTransport({ host, idleTimeoutMs: 60_000 });
  const arrived: number[] = [];
  await receiver.transport.start(({ message }) => void arrived.push(message.term));
  await sender.transport.start(() => {});
  for (const [term, connections, idleMs] of [[1, 1, 50_000], [2, 1, 100_000], [3, 2, 0]] as const) {
    sender.transport.send(receiver.address, heartbeat(term));
    await until(() => arrived.length === term, "a message arrives");
    await until(() => sender.transport.counts.connected === connections, `${connections} connections so far`);
    await host.runFor(idleMs);
  }
  assert.equal(sender.transport.counts.failed, 0);
  await sender.close();
  await receiver.close();
  assert.equal(host.pendingTimers, 0);
});

Deno.test("Connect transport: a closed one refuses streams and calls, and can't be started", async () => {
  const receiver = serveTransport();
  const client = createClient(PeerService, fetchTransport(receiver.address));
  const isClosed = (error: unknown) => fromConnectError(error).code === "closed";
  await assert.rejects(client.send({ envelopes: [] }), isClosed);
  await receiver.transport.start(() => {});
  await client.send({ envelopes: [] });
  await receiver.transport.close();
  await assert.rejects(client.send({ envelopes: [] }), isClosed);
  await assert.rejects(receiver.transport.start(() => {}), (error) => (error as RaftError).code === "closed");
  await receiver.close();
});

Deno.test("identity: returns the identity of the node at an address, or the reason why none can be asked", async () => {
  const transport = new ConnectTransport({ connector: http2Connector() });
  const caller = { nodeId: "n2", incarnation: "i2", address: "127.0.0.1:7002" };
  const identity = { nodeId: "n1", incarnation: "i1", clusterId: "", address: "http://127.0.0.1:7001", empty: true };
  const asked: unknown[] = [];
  const peer = peerService(transport, (who) => {
    asked.push(who);
    return { ...identity, knowsCaller: who.nodeId === "n2", membership: new Uint8Array([1, 2]) };
  });
  const server = serve(connectFetchHandler(createRaftRoutes({ peer })));
  assert.deepEqual(await askIdentity(httpCalls(server.address), caller), {
    ...identity,
    knowsCaller: true,
    membership: new Uint8Array([1, 2]),
  });
  assert.deepEqual(asked, [caller]);
  await assert.rejects(
    askIdentity(httpCalls(server.address), { ...caller, nodeId: "x".repeat(1000) }),
    (error) => (error as RaftError).code === "invalid_argument",
  );
  await server.close();
  await assert.rejects(askIdentity(httpCalls(await goneAddress()), caller), (error) => {
    assert.ok(error instanceof RaftError);
    assert.deepEqual([error.code, error.outcome], ["unreachable", "rejected"]);
    return true;
  });
  const hanging = await serveNothing();
  await assert.rejects(
    askIdentity(httpCalls(hanging.address, AbortSignal.timeout(100)), caller),
    (error) => (error as RaftError).code === "timeout",
  );
  await hanging.close();
  await transport.close();
});

Deno.test("Connect transport: forged senders get few links, which end; members always get theirs", async () => {
  const links = new Map<string, number>();
  const transport = new ConnectTransport({
    connector: (address) => ({
      // deno-lint-ignore require-yield -- a peer that acknowledges nothing
      async *carry(_batches, signal) {
        links.set(address, (links.get(address) ?? 0) + 1);
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      close: () => {},
    }),
    isKnown: (address) => address.startsWith("member"),
    maxUnknownLinks: 4,
    hangTimeoutMs: 50,
    minBackoffMs: 10_000,
    maxBackoffMs: 10_000,
  });
  await transport.start(() => {});
  for (let count = 0; count < 1000; count++) transport.send(`forged-${count}:1`, heartbeat(1));
  for (let count = 0; count < 8; count++) transport.send(`member-${count}:1`, heartbeat(1));
  await until(() => links.size === 12, "links to all members, and to four others");
  assert.equal(transport.counts.dropped, 996);
  // Links that carry nothing make room.
  await until(() => {
    transport.send("late:1", heartbeat(1));
    return links.has("late:1");
  }, "a link to a node that is not known yet");
  await transport.close();
});

Deno.test("Connect transport: of more than 512 incoming streams the most silent ones end, and no peer's", async () => {
  const host = new VirtualHost();
  const transport = new ConnectTransport({ host, connector: http2Connector() });
  let received = 0;
  await transport.start(() => void received++);
  const { stream } = peerService(transport, () => Promise.reject(new Error("not asked")));
  if (stream === undefined) throw new Error("there is no such method");
  const { signal } = new AbortController();
  /** Opens a stream; returns what sends a batch on it, and whether it has ended. */
  const open = () => {
    const batches: (() => void)[] = [];
    const state = { ended: false, send: () => batches.shift()?.() };
    async function* requests() {
      for (;;) {
        await new Promise<void>((resolve) => batches.push(resolve));
        yield create(StreamRequestSchema, { envelopes: [envelopeToWire(heartbeat(1))] });
      }
    }
    const answers = stream(requests(), { signal } as HandlerContext)[Symbol.asyncIterator]();
    void answers.next().then(() => state.ended = true, () => state.ended = true);
    return state;
  };
  const peer = open();
  const strangers: ReturnType<typeof open>[] = [];
  for (let at = 0; at < 2000; at++) {
    strangers.push(open());
    if (at % 100 !== 0) continue;
    await host.runFor(100);
    peer.send();
    await pause(0);
  }
  await until(() => strangers.filter(({ ended }) => ended).length === 2000 - 511, "those beyond the limit end");
  assert.equal(peer.ended, false);
  assert.equal(received, 20);
  assert.ok(strangers.slice(-511).every(({ ended }) => !ended), "newer ones stay");
  await transport.close();
  await until(() => peer.ended && strangers.every(({ ended }) => ended), "all end with the transport");
});
