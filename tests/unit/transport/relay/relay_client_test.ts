import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { systemHost } from "../../../../lib/host.ts";
import { sampleEnvelope } from "../../../../transport/conformance.ts";
import { AttachRequestSchema, AttachResponseSchema } from "../../../../transport/wire/gen/raft/v1/relay_pb.ts";
import { type Fetch, RelayClient, relayPortTransport } from "../../../../transport/relay/mod.ts";
import { RelayPort } from "../../../../transport/relay/relay_port.ts";
import type { PacketTransport, TabTransport } from "../../../../transport/tab/mod.ts";
import { goneAddress, serveNothing, until } from "../connect/connect_fixture.ts";
import { newTab, pageOf, serveHub } from "./relay_fixture.ts";

const envelope = sampleEnvelope({ type: "TimeoutNow", term: 1 });
const attached = (relay: RelayClient) => relay.attached({ signal: AbortSignal.timeout(20_000) });

/** A transport that answers calls with its own address. */
async function answering(relay: RelayClient): Promise<TabTransport> {
  const transport = relay.transport({ address: newTab(), callTimeoutMs: 20_000 });
  await transport.start(() => {});
  transport.serve(() => Promise.resolve(new TextEncoder().encode(transport.address)));
  return transport;
}

async function ask(from: TabTransport, to: TabTransport): Promise<string> {
  return new TextDecoder().decode(await from.call(to.address, "who", new Uint8Array()));
}

/** Retries until there is an answer. */
async function heard(from: TabTransport, to: TabTransport): Promise<void> {
  for (const end = performance.now() + 20_000;;) {
    try {
      assert.equal(await ask(from, to), to.address);
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** A fetch whose Forward calls are counted, and answered by `answer`. */
function countedForwards(answer: (init: RequestInit) => Promise<Response>) {
  const forwards = {
    count: 0,
    fetch: ((url, init) => {
      if (!url.endsWith("/Forward")) return globalThis.fetch(url, init);
      forwards.count++;
      return answer(init);
    }) as Fetch,
  };
  return forwards;
}

Deno.test("relay: a server that restarts is attached to again, with the addresses of the page", async () => {
  const first = await serveHub();
  const [relay, other] = [pageOf([first.url]), pageOf([first.url])];
  const [a, b] = [await answering(relay), await answering(other)];
  await heard(a, b);
  await first.close();
  await until(() => relay.servers[0]!.state === "failed", "it notices");
  assert.equal(relay.servers[0]!.error?.code, "unreachable");
  assert.deepEqual(relay.transport({ address: newTab() }).peers, []);
  await assert.rejects(ask(a, b), { code: "unreachable", outcome: "rejected" });
  const again = await serveHub({}, Number(new URL(first.url).port));
  await heard(a, b);
  await heard(b, a);
  assert.ok(again.hub.reaches(a.address));
  await Promise.all([relay.close(), other.close()]);
  await until(() => again.hub.counts.pages === 0, "the hub notices");
  await again.close();
});

Deno.test("relay: one stream to each server, and the servers of the cluster are learned from one", async () => {
  const servers: string[] = [];
  const hubs = await Promise.all([1, 2, 3].map(() => serveHub({ servers: () => servers })));
  servers.push(...hubs.map(({ url }) => url));
  const relay = pageOf([hubs[0]!.url]);
  const nodes = [await answering(relay), await answering(relay)];
  await until(() => hubs.every(({ hub }) => nodes.every(({ address }) => hub.reaches(address))), "all are attached");
  assert.deepEqual(hubs.map(({ hub }) => hub.counts.pages), [1, 1, 1]);
  assert.equal(relay.servers.length, 3);

  // A server that has gone, and that no server names any longer, is forgotten.
  servers.splice(2);
  await hubs[2]!.close();
  await until(() => relay.servers.length === 2, "it is forgotten");
  await relay.close();
  assert.ok(relay.servers.every(({ state }) => state === "closed"));
  await Promise.all(hubs.slice(0, 2).map((hub) => hub.close()));
});

Deno.test("relay: a server under two names has one stream, and is reached by both", async () => {
  const advertised = "http://n1.example:7001";
  const served = await serveHub({ address: advertised, servers: () => [advertised] });
  const arrived: Uint8Array[] = [];
  served.hub.start((packet) => void arrived.push(packet), () => {});
  const relay = pageOf([served.url]);
  const node = await answering(relay);
  await attached(relay);
  node.send(advertised, envelope);
  node.send(served.url, envelope);
  await until(() => arrived.length === 2, "both arrive");
  assert.deepEqual(relay.servers.map(({ url }) => url), [served.url]);
  await relay.close();
  await served.close();
});

Deno.test("relay: a server that is given under two names is attached under both, and neither ends the other", async () => {
  const served = await serveHub();
  const names = [served.url, served.url.replace("127.0.0.1", "localhost")];
  let streams = 0;
  const fetch: Fetch = (url, init) => {
    if (url.endsWith("/Attach")) streams++;
    return globalThis.fetch(url, init);
  };
  const relay = pageOf(names, { fetch });
  const other = pageOf([served.url]);
  const [a, b] = [await answering(relay), await answering(other)];
  await until(() => relay.servers.every(({ state }) => state === "attached"), "both are attached");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(streams, 2);
  await heard(a, b);
  await heard(b, a);
  await Promise.all([relay.close(), other.close()]);
  await served.close();
});

Deno.test("relay: a packet that one server can't deliver goes through another; if none can, the caller is notified", async () => {
  const hubs = await Promise.all([1, 2].map(() => serveHub()));
  const both = pageOf(hubs.map(({ url }) => url));
  const second = pageOf([hubs[1]!.url]);
  const [a, b] = [await answering(both), await answering(second)];
  await until(() => hubs.every(({ hub }) => hub.reaches(a.address)), "one is attached to both");
  await attached(second);
  assert.equal(await ask(a, b), b.address);
  assert.equal(await ask(b, a), a.address);
  await second.close();
  await until(() => !hubs[1]!.hub.reaches(b.address), "the other is gone");
  await assert.rejects(ask(a, b), { code: "unreachable" });
  await both.close();
  await Promise.all(hubs.map((hub) => hub.close()));
});

Deno.test("relay: packets for a tab go to the server that announced it", async () => {
  const hubs = await Promise.all([1, 2].map(() => serveHub()));
  let misled = 0;
  const fetch: Fetch = (url, init) => {
    if (url === `${hubs[0]!.url}/raft.v1.RelayService/Forward`) misled++;
    return globalThis.fetch(url, init);
  };
  const both = pageOf(hubs.map(({ url }) => url), { fetch });
  const second = pageOf([hubs[1]!.url]);
  const [a, b] = [await answering(both), await answering(second)];
  await until(() => hubs.every(({ hub }) => hub.reaches(a.address)), "one is attached to both");
  await attached(second);
  assert.equal(await ask(b, a), a.address);
  assert.equal(await ask(a, b), b.address);
  assert.equal(misled, 0);
  await Promise.all([both.close(), second.close()]);
  await Promise.all(hubs.map((hub) => hub.close()));
});

Deno.test("relay: a call to a server ends when the server does, and a call to a tab when the connection breaks", async () => {
  const served = await serveHub();
  let calls = 0;
  served.hub.start(() => void calls++, () => {});
  let broken = false;
  let streams = 0;
  const fetch: Fetch = (url, init) => {
    if (url.endsWith("/Attach")) streams++;
    if (broken && url.endsWith("/Forward")) return Promise.reject(new TypeError("Failed to fetch"));
    return globalThis.fetch(url, init);
  };
  const relay = pageOf([served.url], { fetch });
  const node = await answering(relay);
  await attached(relay);
  broken = true;
  await assert.rejects(node.call(newTab(), "any", new Uint8Array()), { code: "unreachable", outcome: "unknown" });
  broken = false;
  await until(() => streams === 2, "it connects again");
  await attached(relay);
  const call = node.call(served.url, "any", new Uint8Array());
  call.catch(() => {});
  await until(() => calls === 1, "the call has come");
  await served.close();
  await assert.rejects(call, { code: "unreachable", outcome: "unknown" });
  await relay.close();
});

Deno.test("relay: nodes of one page reach each other without a server", async () => {
  const relay = pageOf([`http://${await goneAddress()}`]);
  const [a, b] = [await answering(relay), await answering(relay)];
  assert.equal(await ask(a, b), b.address);
  await assert.rejects(relay.transport({ address: a.address }).start(() => {}), { code: "refused" });
  await relay.close();
  await assert.rejects(ask(a, b), { code: "unreachable" });
  await assert.rejects(relay.transport({ address: newTab() }).start(() => {}), { code: "closed" });
  await assert.rejects(relay.attached(), { code: "closed" });
});

Deno.test("relay: a node in a worker has a port; a new one at its address takes the place of the old one", async () => {
  const served = await serveHub();
  const [relay, other] = [pageOf([served.url]), pageOf([served.url])];
  const far = await answering(other);
  const address = newTab();
  const open = async (): Promise<PacketTransport> => {
    const transport = relayPortTransport({ address, port: relay.port(address) });
    await transport.start(() => {});
    transport.serve(() => Promise.resolve(new TextEncoder().encode(address)));
    return transport;
  };
  const first = await open();
  await until(() => first.peers.length === 1, "it knows the servers");
  assert.deepEqual(first.peers, [served.url]);
  await heard(far, first);
  const second = await open();
  await until(() => first.peers.length === 0, "the first is cut off");
  await heard(far, second);
  await heard(second, far);
  await assert.rejects(ask(first, far), { code: "unreachable" });

  await relay.transport({ address: newTab() }).start(() => {});
  const taken = await answering(relay);
  assert.throws(() => relay.port(taken.address), { code: "refused" });
  relay.removePort(address);
  await until(() => !served.hub.reaches(address), "its address is taken back");
  await assert.rejects(ask(far, second), { code: "unreachable" });
  const third = await open();
  await heard(far, third);
  await third.close();
  await until(() => !served.hub.reaches(address), "its address is taken back again");
  await Promise.all([first.close(), second.close(), relay.close(), other.close()]);
  await served.close();
});

Deno.test("relay: a port whose worker starts nothing, as in a duplicated tab, takes over no address", async () => {
  const served = await serveHub();
  const [page, duplicate] = [pageOf([served.url]), pageOf([served.url])];
  const address = newTab();
  const original = relayPortTransport({ address, port: page.port(address) });
  await original.start(() => {});
  original.serve(() => Promise.resolve(new TextEncoder().encode(address)));
  await until(() => served.hub.reaches(address), "the original is there");
  const unused = duplicate.port(address);
  const other = await answering(duplicate);
  await until(() => served.hub.reaches(other.address), "the duplicate is there");
  assert.equal(await ask(other, original), address);
  await Promise.all([original.close(), page.close(), duplicate.close()]);
  unused.close();
  await served.close();
});

Deno.test("relay: packets waiting for a worker that hangs are bounded", async () => {
  let receive: (packet: Uint8Array) => void = () => {};
  const channel = {
    start: (take: typeof receive) => Promise.resolve(void (receive = take)),
    send: () => true,
    close: () => Promise.resolve(),
  };
  const made = new RelayPort(channel, systemHost(), () => {});
  await made.open();
  for (let i = 0; i < 10_000; i++) receive(new Uint8Array(1));
  let arrived = 0;
  let ended = false;
  made.port.onmessage = ({ data }) => {
    if (data.kind === "packet") arrived++;
    if (data.kind === "close") ended = true;
  };
  made.close();
  await until(() => ended, "everything has arrived");
  assert.equal(arrived, 4096);
  made.port.close();
});

Deno.test("relay: a packet goes to a worker without the rest of the stream that it came with", async () => {
  let receive: (packet: Uint8Array) => void = () => {};
  const channel = {
    start: (take: typeof receive) => Promise.resolve(void (receive = take)),
    send: () => true,
    close: () => Promise.resolve(),
  };
  const made = new RelayPort(channel, systemHost(), () => {});
  await made.open();
  const stream = Uint8Array.from({ length: 100_000 }, (_, i) => i);
  receive(stream.subarray(10, 20));
  receive(stream.subarray(20, 30));
  const arrived: Uint8Array[] = [];
  made.port.onmessage = ({ data }) => void (data.kind === "packet" && arrived.push(data.packet));
  await until(() => arrived.length === 2, "both arrive");
  assert.deepEqual([...arrived[1]!], [...stream.subarray(20, 30)]);
  assert.deepEqual(arrived.map(({ buffer }) => buffer.byteLength), [10, 10]);
  made.close();
  made.port.close();
});

Deno.test("relay: a server that hangs is noticed, and holds up no other", async () => {
  const hanging = await serveNothing();
  const served = await serveHub();
  const relay = pageOf([`http://${hanging.address}`, served.url], { hangTimeoutMs: 1000 });
  const other = pageOf([served.url]);
  const [a, b] = [await answering(relay), await answering(other)];
  await heard(a, b);
  await until(() => relay.servers[0]!.state === "failed", "it is noticed");
  assert.match(relay.servers[0]!.error?.message ?? "", /nothing came from/);
  await heard(a, b);
  await until(() => hanging.connections() >= 2, "it is tried again");
  await Promise.all([relay.close(), other.close()]);
  await hanging.close();
  await served.close();
});

Deno.test("relay: packets waiting for a server are bounded in number and bytes, and the excess is dropped and counted", async () => {
  const served = await serveHub();
  // Calls are taken, and never answered.
  const forwards = countedForwards(({ signal }) =>
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)))
  );
  const relay = pageOf([served.url], { fetch: forwards.fetch, maxQueuedPackets: 10, maxQueuedBytes: 100_000 });
  const node = await answering(relay);
  await attached(relay);
  for (let i = 0; i < 100; i++) node.send(served.url, envelope);
  assert.equal(forwards.count, 1);
  assert.deepEqual([relay.counts.queued, relay.counts.dropped], [10, 89]);
  await assert.rejects(node.call(served.url, "any", new Uint8Array(200_000)), { code: "unreachable" });
  await relay.close();
  assert.equal(relay.counts.queued, 0);
  await served.close();
});

Deno.test("relay: a call that was under way when the connection broke has an unknown outcome, and is not sent again", async () => {
  const served = await serveHub();
  const forwards = countedForwards(() => Promise.reject(new TypeError("Failed to fetch")));
  const relay = pageOf([served.url], { fetch: forwards.fetch });
  const node = await answering(relay);
  await attached(relay);
  await assert.rejects(node.call(served.url, "any", new Uint8Array()), { code: "unreachable", outcome: "unknown" });
  await attached(relay);
  assert.equal(forwards.count, 1);
  await relay.close();
  await served.close();
});

Deno.test("relay: a malformed stream is abandoned, and retried later", async () => {
  let streams = 0;
  const nonsense = new Uint8Array([0, 0, 0, 0, 3, 255, 255, 255]);
  const headers = { "content-type": "application/connect+proto" };
  const fetch: Fetch = () => Promise.resolve((streams++, new Response(nonsense, { headers })));
  const relay = pageOf(["http://n1.example"], { fetch });
  await until(() => streams > 2, "it is tried again");
  assert.ok(["failed", "connecting"].includes(relay.servers[0]!.state));
  await relay.close();
});

Deno.test("relay: a server whose streams break at once is retried at growing intervals", async () => {
  let streams = 0;
  const fetch: Fetch = (url, init) => {
    if (url.endsWith("/Attach")) streams++;
    // Like a proxy that refuses large requests.
    if (url.endsWith("/Forward")) return Promise.resolve(new Response(null, { status: 413 }));
    return globalThis.fetch(url, init);
  };
  const served = await serveHub();
  const relay = pageOf([served.url], { fetch, minBackoffMs: 10, maxBackoffMs: 5000 });
  const node = await answering(relay);
  for (const end = performance.now() + 1000; performance.now() < end;) {
    node.send(served.url, envelope);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(streams <= 9, `${streams} streams in a second`);
  await relay.close();
  await served.close();
});

/** A stream that falls silent after its first answer. */
function silentStream(): Response {
  const hello = toBinary(AttachResponseSchema, create(AttachResponseSchema, { address: "http://n1.example" }));
  const frame = new Uint8Array([0, 0, 0, 0, hello.length, ...hello]);
  const body = new ReadableStream({ start: (controller) => controller.enqueue(frame) });
  return new Response(body, { headers: { "content-type": "application/connect+proto" } });
}

Deno.test("relay: a silent stream is abandoned", async () => {
  let streams = 0;
  const fetch: Fetch = (_, { signal }) => {
    const response = silentStream();
    const { body, headers } = response;
    if (streams++ > 0) {
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    }
    return Promise.resolve(new Response(body!.pipeThrough(new TransformStream(), { signal: signal! }), { headers }));
  };
  const relay = pageOf(["http://n1.example"], { fetch, hangTimeoutMs: 200 });
  await attached(relay);
  await until(() => streams > 1, "it connects again");
  await relay.close();
});

Deno.test("relay: pending calls end with their stream, and the next stream reports what was forwarded before", async () => {
  const served = await serveHub();
  const attaches: number[] = [];
  let forwards = 0;
  let aborted = 0;
  const fetch: Fetch = (url, init) => {
    if (url.endsWith("/Attach")) {
      const body = (init.body as Uint8Array).subarray(5);
      attaches.push(fromBinary(AttachRequestSchema, body).forwarded);
    }
    if (!url.endsWith("/Forward")) return globalThis.fetch(url, init);
    forwards++;
    return new Promise((_, reject) =>
      init.signal?.addEventListener("abort", () => (aborted++, reject(init.signal!.reason)))
    );
  };
  const relay = pageOf([served.url], { fetch, hangTimeoutMs: 60_000 });
  const node = await answering(relay);
  await attached(relay);
  const call = node.call(served.url, "any", new Uint8Array());
  call.catch(() => {});
  await until(() => forwards === 1, "the call is under way");
  served.hub.close();
  await assert.rejects(call, { code: "unreachable", outcome: "unknown" });
  assert.equal(aborted, 1);
  await until(() => attaches.length > 1, "it connects again");
  assert.deepEqual(attaches.slice(0, 2), [0, 1]);
  await relay.close();
  await served.close();
});

Deno.test("relay: an error thrown by a listener is reported, and ends no connection", async () => {
  const reported: string[] = [];
  const report = (event: ErrorEvent): void => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  globalThis.addEventListener("error", report);
  try {
    const served = await serveHub();
    const relay = pageOf([served.url]);
    relay.onChange(() => {
      throw new Error("not now");
    });
    await attached(relay);
    assert.equal(reported[0], "not now");
    await relay.close();
    await served.close();
  } finally {
    globalThis.removeEventListener("error", report);
  }
});

Deno.test("relay: an address that is neither a server nor a tab is refused at once", async () => {
  assert.throws(() => new RelayClient({ servers: [] }), { code: "invalid_argument" });
  assert.throws(() => new RelayClient({ servers: ["ftp://n1"] }), { code: "invalid_argument" });
  const relay = pageOf([`http://${await goneAddress()}`]);
  assert.throws(() => relay.channel("http://n1.example"), { code: "invalid_argument", hint: /tabAddress/ });
  await assert.rejects(relay.attached({ signal: AbortSignal.abort() }), Error);
  const node = await answering(relay);
  for (const address of ["", "no port here", "n1:7001", "ftp://n1:1"]) node.send(address, envelope);
  assert.equal(relay.servers.length, 1);
  node.send("http://127.0.0.1:1", envelope);
  assert.equal(relay.servers.length, 2);
  await relay.close();
});
