import assert from "node:assert/strict";
import { sampleEnvelope } from "../../../../transport/conformance.ts";
import { ConnectTransport } from "../../../../transport/connect/mod.ts";
import { VirtualHost } from "../../../support/virtual_host.ts";

/** A transport whose links carry nothing, in virtual time. */
function transportOf(isKnown: (address: string) => boolean = () => true) {
  const host = new VirtualHost();
  const transport = new ConnectTransport({
    host,
    isKnown,
    maxUnknownLinks: 2,
    hangTimeoutMs: 100,
    idleTimeoutMs: 1000,
    connector: () => ({
      // deno-lint-ignore require-yield -- it hangs
      async *carry() {
        await new Promise(() => {});
      },
      close() {},
    }),
  });
  return { host, transport };
}

const heartbeat = sampleEnvelope({ type: "TimeoutNow", term: 1 });

Deno.test("Connect transport: a link to an address that became a member's takes no place of the unknown", async () => {
  const members = new Set<string>();
  const { host, transport } = transportOf((address) => members.has(address));
  await transport.start(() => {});
  for (const address of ["http://a:1", "http://b:1", "http://c:1"]) transport.send(address, heartbeat);
  assert.equal(transport.counts.dropped, 1);
  members.add("http://a:1").add("http://b:1");
  for (const address of ["http://c:1", "http://d:1"]) transport.send(address, heartbeat);
  assert.deepEqual([transport.counts.dropped, transport.link("http://d:1")?.connected], [1, false]);
  // A link that ended makes room as well.
  await host.runFor(2000);
  for (const address of ["http://e:1", "http://f:1"]) transport.send(address, heartbeat);
  assert.ok(transport.link("http://e:1") !== undefined && transport.link("http://f:1") !== undefined);
  await transport.close();
  assert.equal(host.pendingTimers, 0);
});

Deno.test("Connect transport: of too many streams the most silent one ends, and those that ended don't count", async () => {
  const { host, transport } = transportOf();
  await transport.start(() => {});
  const ended: number[] = [];
  const streams = Array.from({ length: 513 }, (_, i) => () => void ended.push(i));
  for (const stream of streams.slice(0, 512)) transport.touch(stream);
  await host.runFor(1);
  for (const stream of [...streams.slice(0, 3), ...streams.slice(4, 512)]) transport.touch(stream);
  await host.runFor(1);
  transport.touch(streams[512]!);
  assert.deepEqual(ended, [3]);
  transport.ended(streams[0]!);
  for (let i = 0; i < 1000; i++) {
    const stream = () => void ended.push(-1);
    transport.touch(stream);
    transport.ended(stream);
  }
  assert.deepEqual(ended, [3]);
  await transport.close();
});

Deno.test("Connect transport: a stream that carries nothing ends, however late, and all end with the transport", async () => {
  const { host, transport } = transportOf();
  await transport.start(() => {});
  await host.runFor(5000);
  let silent = false;
  let open = true;
  transport.touch(() => silent = true);
  const end = () => void (open = false);
  for (let i = 0; i < 6; i++) {
    transport.touch(end);
    await host.runFor(500);
  }
  assert.deepEqual([silent, open], [true, true]);
  await transport.close();
  assert.deepEqual([open, host.pendingTimers], [false, 0]);
});
