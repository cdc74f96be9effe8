import assert from "node:assert/strict";
import type { RelayHubOptions } from "../../../../transport/relay/mod.ts";
import { type RelayDelivery, RelayHub } from "../../../../transport/relay/relay_hub.ts";
import { VirtualHost } from "../../../support/virtual_host.ts";

const address = "http://n1.example:7001";
const packet = (...bytes: number[]) => new Uint8Array(bytes);
const never = new AbortController().signal;

function hubOf(options: Partial<RelayHubOptions> = {}): { hub: RelayHub; host: VirtualHost; gone: string[] } {
  const host = new VirtualHost();
  const hub = new RelayHub({ address, host, ...options });
  const gone: string[] = [];
  hub.start(() => {}, (address) => void gone.push(address));
  return { hub, host, gone };
}

async function packetsOf(stream: AsyncIterator<RelayDelivery>): Promise<RelayDelivery["packets"]> {
  const { done, value } = await stream.next();
  return done === true ? [] : value.packets;
}

Deno.test("hub: the first answer comes at once and lists the servers; then the page's packets follow together", async () => {
  const { hub } = hubOf({ servers: () => ["http://n2.example:7001"] });
  const stream = hub.attach("p", ["tab:a", "tab:b"], never);
  assert.deepEqual((await stream.next()).value, { packets: [], address, servers: ["http://n2.example:7001"] });
  assert.ok(hub.send("tab:a", packet(1)));
  assert.ok(hub.send("tab:b", packet(2)));
  assert.ok(!hub.send("tab:c", packet(3)));
  assert.deepEqual((await stream.next()).value, {
    packets: [{ to: "tab:a", from: address, packet: packet(1) }, { to: "tab:b", from: address, packet: packet(2) }],
  });
  assert.deepEqual(hub.counts, { pages: 1, toPages: 2, toServer: 0, dropped: 1, malformed: 0, queuedPackets: 0 });
});

Deno.test("hub: a page receives keepalives even under load", async () => {
  const { hub, host } = hubOf({ keepAliveMs: 100 });
  const stream = hub.attach("p", ["tab:a"], never);
  await stream.next();
  const waiting = stream.next();
  await host.runFor(100);
  assert.deepEqual((await waiting).value?.packets, []);
  hub.send("tab:a", packet(1));
  await host.runFor(100);
  assert.deepEqual((await stream.next()).value?.servers, []);
  assert.equal((await stream.next()).value?.packets.length, 1);
});

Deno.test("hub: packets waiting for a page are bounded in number and bytes, and the excess is dropped and counted", async () => {
  const { hub } = hubOf({ maxQueuedPackets: 3, maxQueuedBytes: 100 });
  const stream = hub.attach("p", ["tab:a"], never);
  await stream.next();
  for (let i = 0; i < 5; i++) hub.send("tab:a", packet(i));
  assert.deepEqual([hub.counts.queuedPackets, hub.counts.dropped], [3, 2]);
  assert.deepEqual((await packetsOf(stream)).map((item) => item.packet[0]), [0, 1, 2]);
  assert.ok(hub.send("tab:a", new Uint8Array(60)));
  assert.ok(!hub.send("tab:a", new Uint8Array(60)));
  assert.ok(!hub.send("tab:a", new Uint8Array(101)));
});

Deno.test("hub: packets waiting for all pages together are bounded, and room is freed as they leave", async () => {
  const { hub } = hubOf({ maxTotalBytes: 100 });
  const [a, b] = [hub.attach("pa", ["tab:a"], never), hub.attach("pb", ["tab:b"], never)];
  await a.next();
  await b.next();
  assert.ok(hub.send("tab:a", new Uint8Array(60)));
  assert.ok(!hub.send("tab:b", new Uint8Array(60)));
  await a.next();
  assert.ok(hub.send("tab:b", new Uint8Array(60)));
  await b.return(undefined);
  assert.ok(hub.send("tab:a", new Uint8Array(100)));
});

Deno.test("hub: pages that read nothing leave room for other pages' packets", async () => {
  const { hub } = hubOf({ maxTotalBytes: 1000, maxQueuedBytes: 250 });
  const hung = ["tab:a", "tab:b", "tab:c", "tab:d", "tab:e"];
  for (const address of hung) await hub.attach(address, [address], never).next();
  for (let i = 0; i < 100; i++) for (const address of hung) hub.send(address, new Uint8Array(10));
  await hub.attach("p", ["tab:p"], never).next();
  for (let i = 0; i < 5; i++) assert.ok(hub.send("tab:p", new Uint8Array(10)), `the packet ${i}`);
});

Deno.test("hub: a stream carries batches of limited size, one packet at least", async () => {
  const { hub } = hubOf({ maxBatchBytes: 100 });
  const stream = hub.attach("p", ["tab:a"], never);
  await stream.next();
  for (const length of [60, 60, 30, 300]) hub.send("tab:a", new Uint8Array(length));
  const lengths = async () => (await packetsOf(stream)).map((item) => item.packet.length);
  assert.deepEqual(await lengths(), [60]);
  assert.deepEqual(await lengths(), [60, 30]);
  assert.deepEqual(await lengths(), [300]);
});

Deno.test("hub: a second attachment of a page ends the first, and its addresses remain", async () => {
  const { hub, gone } = hubOf();
  const first = hub.attach("p", ["tab:a", "tab:b"], never);
  await first.next();
  const second = hub.attach("p", ["tab:a"], never);
  await second.next();
  assert.equal((await first.next()).done, true);
  assert.deepEqual(gone, ["tab:b"]);
  hub.send("tab:a", packet(1));
  assert.equal((await second.next()).value?.packets.length, 1);
  assert.equal(hub.counts.pages, 1);
});

Deno.test("hub: an address belongs to the page that announced it last; the previous owner's end does not affect it", async () => {
  const { hub, gone } = hubOf();
  const first = hub.attach("p1", ["tab:a"], never);
  await first.next();
  const second = hub.attach("p2", ["tab:a"], never);
  await second.next();
  // Its former holder no longer answers: the page was reloaded, and the connection of the old one lives a little longer.
  assert.deepEqual(gone, ["tab:a"]);
  await first.return(undefined);
  assert.deepEqual(gone, ["tab:a"]);
  hub.send("tab:a", packet(1));
  assert.equal((await second.next()).value?.packets.length, 1);
  const third = hub.attach("p3", [], never);
  await third.next();
  hub.announce("p3", ["tab:a"]);
  hub.announce("p3", ["tab:a", "tab:b"]);
  assert.deepEqual(gone, ["tab:a", "tab:a"]);
});

Deno.test("hub: an address that a page takes over, as a duplicated tab does, returns to the first page when the second ends", async () => {
  const { hub, gone } = hubOf();
  const [first, second, third] = ["p1", "p2", "p3"].map((name) => hub.attach(name, ["tab:a"], never));
  for (const stream of [first, second, third]) await stream!.next();
  gone.length = 0;
  await third!.return(undefined);
  hub.send("tab:a", packet(1));
  assert.equal((await second!.next()).value?.packets.length, 1);
  hub.announce("p2", []);
  hub.send("tab:a", packet(2));
  assert.equal((await first!.next()).value?.packets.length, 1);
  assert.deepEqual(gone, []);
  await first!.return(undefined);
  assert.deepEqual(gone, ["tab:a"]);
});

Deno.test("hub: a page that goes, by itself or with the connection, is forgotten at once", async () => {
  const { hub, gone } = hubOf();
  const aborted = new AbortController();
  const stream = hub.attach("p", ["tab:a"], aborted.signal);
  await stream.next();
  const waiting = stream.next();
  aborted.abort();
  assert.equal((await waiting).done, true);
  assert.deepEqual(gone, ["tab:a"]);
  assert.ok(!hub.reaches("tab:a"));
  assert.equal(hub.counts.pages, 0);
  const late = hub.attach("p", ["tab:a"], aborted.signal);
  assert.equal((await late.next()).done, true);
  assert.equal(hub.counts.pages, 0);
});

Deno.test("hub: a page that reads nothing for too long is detached, and its pending packets are dropped", async () => {
  const { hub, host, gone } = hubOf({ hangTimeoutMs: 1000 });
  const stream = hub.attach("p", ["tab:a"], never);
  await stream.next();
  hub.send("tab:a", packet(1));
  await host.runFor(999);
  assert.equal(hub.counts.pages, 1);
  await host.runFor(1);
  assert.equal(hub.counts.pages, 0);
  assert.equal(hub.counts.dropped, 1);
  assert.deepEqual(gone, ["tab:a"]);
  assert.equal((await stream.next()).done, true);
});

Deno.test("hub: packets go to this server or to other pages, only from the page's own addresses, and once", async () => {
  const { hub } = hubOf();
  const arrived: Uint8Array[] = [];
  hub.start((one) => void arrived.push(one), () => {});
  const [a, b] = [hub.attach("pa", ["tab:a"], never), hub.attach("pb", ["tab:b"], never)];
  await a.next();
  await b.next();
  const packets = [
    { to: address, from: "tab:a", packet: packet(1) },
    { to: "http://another.name:7001", from: "tab:a", packet: packet(2) },
    { to: "tab:b", from: "tab:a", packet: packet(3) },
    { to: "tab:nobody", from: "tab:a", packet: packet(4) },
    { to: address, from: "tab:b", packet: packet(5) },
    { to: "", from: "tab:a", packet: packet(6) },
    { to: "x".repeat(2000), from: "tab:a", packet: packet(7) },
  ];
  assert.deepEqual(hub.forward("pa", packets, 1), ["tab:nobody"]);
  assert.deepEqual(arrived, [packet(1), packet(2)]);
  assert.deepEqual((await b.next()).value?.packets, [{ to: "tab:b", from: "tab:a", packet: packet(3) }]);
  assert.equal(hub.counts.malformed, 3);
  // A browser sent the same request again.
  assert.deepEqual(hub.forward("pa", packets, 1), []);
  assert.equal(arrived.length, 2);
  assert.throws(() => hub.forward("nobody", packets, 1), { code: "not_ready" });
  // And once more, when the page had lost its stream and has another.
  await hub.attach("pa", ["tab:a"], never, 1).next();
  assert.deepEqual(hub.forward("pa", packets, 1), []);
  hub.forward("pa", packets, 2);
  assert.equal(arrived.length, 4);
});

Deno.test("hub: addresses are announced and withdrawn", async () => {
  const { hub, gone } = hubOf();
  await hub.attach("p", ["tab:a"], never).next();
  hub.announce("p", ["tab:b"]);
  assert.deepEqual(gone, ["tab:a"]);
  assert.deepEqual([hub.reaches("tab:a"), hub.reaches("tab:b")], [false, true]);
  assert.throws(() => hub.announce("nobody", []), { code: "not_ready" });
});

Deno.test("hub: invalid attachments are refused", async () => {
  const { hub } = hubOf({ maxPages: 1 });
  const attach = (name: string, addresses: readonly string[] = []) => hub.attach(name, addresses, never).next();
  await assert.rejects(attach(""), { code: "invalid_argument" });
  await assert.rejects(attach("x".repeat(300)), { code: "invalid_argument" });
  await assert.rejects(attach("p", ["http://n1.example"]), { code: "invalid_argument", hint: /tab:/ });
  await assert.rejects(attach("p", [`tab:${"x".repeat(2000)}`]), { code: "invalid_argument" });
  await assert.rejects(attach("p", Array.from({ length: 65 }, (_, i) => `tab:${i}`)), { code: "invalid_argument" });
  await attach("p");
  await assert.rejects(attach("q"), { code: "busy" });
  await attach("p");
  hub.close();
  await assert.rejects(attach("p"), { code: "closed" });
});

Deno.test("hub: nothing is left of a page that went away, no timer least of all", async () => {
  const { hub, host, gone } = hubOf();
  const controller = new AbortController();
  const stream = hub.attach("p", ["tab:a"], controller.signal);
  await stream.next();
  hub.send("tab:a", packet(1));
  await stream.next();
  assert.equal(host.pendingTimers, 1, "it is waited for");
  controller.abort();
  await host.drain();
  assert.deepEqual([gone, hub.counts.pages, host.pendingTimers], [["tab:a"], 0, 0]);
});
