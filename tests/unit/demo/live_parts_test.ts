import assert from "node:assert/strict";
import { MemoryNetwork, PROTOCOL_VERSION } from "../../../mod.ts";
import type { Envelope } from "../../../mod.ts";
import { allLinks, isolatedLinks } from "../../../browser-demo/live/links.ts";
import { joinUrl, pageUrl, readParameters, serversName } from "../../../browser-demo/live/url.ts";
import { FaultyTransport } from "../../../browser-demo/node/faulty_transport.ts";
import { TimerGuess } from "../../../browser-demo/node/timer_guess.ts";
import type { TabTransport } from "../../../transport/tab/mod.ts";

const PAGE = "https://host.example/raft/index.html";

Deno.test("the page's address is parsed as written, and invalid values are left out", () => {
  const none = { cluster: null, servers: [], nodes: null, join: null, electionTimeoutMs: null };
  assert.deepEqual(readParameters(PAGE), none);
  assert.deepEqual(readParameters(`${PAGE}?cluster=<b>&nodes=n1,<i>,n2&election=-1&servers=javascript:x`), {
    ...none,
    nodes: ["n1", "n2"],
  });
  const own = pageUrl(PAGE, { cluster: "c", servers: [] }, ["n1", "n4"]);
  assert.equal(own, `${PAGE}?cluster=c&nodes=n1,n4`);
  assert.deepEqual(readParameters(own), { ...none, cluster: "c", nodes: ["n1", "n4"] });
  assert.equal(pageUrl(PAGE, { cluster: "c", servers: [] }, []), `${PAGE}?cluster=c`);
  assert.deepEqual(readParameters(joinUrl(PAGE, { cluster: "c", servers: [] })), { ...none, cluster: "c", join: "" });
  assert.equal(readParameters(joinUrl(PAGE, { cluster: "c", servers: [] }, "a b")).join, "a b");
});

Deno.test("servers in any order are the same cluster", () => {
  const { servers } = readParameters(`${PAGE}?servers=http://127.0.0.1:7002/,http://127.0.0.1:7001`);
  assert.deepEqual(servers, ["http://127.0.0.1:7001", "http://127.0.0.1:7002"]);
  assert.equal(serversName(servers), "127.0.0.1-7001_127.0.0.1-7002");
  assert.deepEqual(readParameters(joinUrl(PAGE, { cluster: "x", servers })).servers, servers);
});

Deno.test("isolating a node cuts all of its links both ways, and keeps their delays", () => {
  const slow = { from: "n2", to: "n1", cut: false, delayMs: 50, loss: 0 };
  const links = isolatedLinks("n1", true, ["n1", "n2", "n3"], [slow]);
  assert.deepEqual(links.map(({ from, to, cut, delayMs }) => `${from} ${to} ${cut} ${delayMs}`), [
    "n1 n2 true 0",
    "n1 n3 true 0",
    "n2 n1 true 50",
    "n3 n1 true 0",
  ]);
  assert.equal(allLinks(["n1", "n2", "n3"]).length, 6);
});

Deno.test("an election timer keeps its start until it is reset", () => {
  const timer = new TimerGuess(100);
  assert.deepEqual(timer.observe({ elapsedTicks: 0, timeoutTicks: 12 }, 1000), { startedMs: 1000, dueMs: 2200 });
  assert.deepEqual(timer.observe({ elapsedTicks: 1, timeoutTicks: 12 }, 1133), { startedMs: 1000, dueMs: 2200 });
  assert.deepEqual(timer.observe({ elapsedTicks: 0, timeoutTicks: 20 }, 1166), { startedMs: 1166, dueMs: 3166 });
  // It was paused meanwhile.
  assert.deepEqual(timer.observe({ elapsedTicks: 1, timeoutTicks: 20 }, 9000), { startedMs: 8900, dueMs: 10_900 });
});

/** Returns a faulty transport of n1, and the messages that arrive at n2. */
async function faulty() {
  const network = new MemoryNetwork();
  const arrived: Envelope[] = [];
  const calls: string[] = [];
  const inner = network.transport("tab:n1");
  const call = (to: string) => (calls.push(to), Promise.resolve(new Uint8Array()));
  const transport = new FaultyTransport(
    Object.assign(inner, { address: "tab:n1", client: {}, serve() {}, call }) as unknown as TabTransport,
    { id: "n1", run: "r" },
  );
  const received: Envelope[] = [];
  await transport.start((envelope) => void received.push(envelope));
  const other = network.transport("tab:n2");
  await other.start((envelope) => void arrived.push(envelope));
  const deliver = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    transport,
    other,
    arrived,
    received,
    calls,
    deliver,
    close: () => Promise.all([transport.close(), other.close()]),
  };
}

function envelope(from: string, to: string, fromAddress = `tab:${from}`): Envelope {
  const identity = { protocolVersion: PROTOCOL_VERSION, clusterId: "c", fromIncarnation: "", toIncarnation: "" };
  return { ...identity, from, to, fromAddress, message: { type: "TimeoutNow", term: 3 } };
}

Deno.test("a link is cut one way, and its messages are recorded", async () => {
  const { transport, arrived, calls, deliver, close } = await faulty();
  transport.send("tab:n2", envelope("n1", "n2"));
  transport.setLink({ from: "n1", to: "n2", cut: true, delayMs: 0, loss: 0 });
  transport.setLink({ from: "n2", to: "n1", cut: true, delayMs: 0, loss: 0 });
  transport.send("tab:n2", envelope("n1", "n2"));
  await deliver();
  assert.equal(arrived.length, 1);
  assert.deepEqual(transport.takeMessages().map(({ to, fate, label }) => `${to} ${fate} ${label}`), [
    "n2 delivered take over",
    "n2 cut take over",
  ]);
  assert.deepEqual(transport.links.map(({ from, to }) => `${from} ${to}`), ["n1 n2"], "n2 controls its own links");
  await assert.rejects(transport.call("tab:n2", "m", new Uint8Array()), { code: "unreachable" });
  await transport.call("tab:page-x", "m", new Uint8Array());
  assert.deepEqual(calls, ["tab:page-x"]);
  await close();
});

Deno.test("a slow link delivers late unless it is cut meanwhile; a lossy one loses messages", async () => {
  const { transport, arrived, deliver, close } = await faulty();
  const link = { from: "n1", to: "n2", cut: false, delayMs: 20, loss: 0 };
  transport.setLink(link);
  transport.send("tab:n2", envelope("n1", "n2"));
  assert.equal(arrived.length, 0);
  await deliver();
  assert.equal(arrived.length, 1);
  transport.send("tab:n2", envelope("n1", "n2"));
  transport.setLink({ ...link, cut: true });
  await deliver();
  assert.equal(arrived.length, 1);
  transport.setLink({ ...link, delayMs: 0, loss: 1 });
  transport.send("tab:n2", envelope("n1", "n2"));
  await deliver();
  assert.equal(arrived.length, 1);
  assert.equal(transport.takeMessages().at(-1)?.fate, "lost");
  await close();
});

Deno.test("messages from a server are cut on arrival", async () => {
  const { transport, other, received, deliver, close } = await faulty();
  const link = { from: "s1", to: "n1", cut: true, delayMs: 0, loss: 0 };
  other.send("tab:n1", envelope("s1", "n1", "http://127.0.0.1:7001"));
  await deliver();
  transport.setLink(link);
  other.send("tab:n1", envelope("s1", "n1", "http://127.0.0.1:7001"));
  await deliver();
  assert.equal(received.length, 1);
  assert.deepEqual(transport.takeMessages().map(({ from, fate }) => `${from} ${fate}`), ["s1 delivered", "s1 cut"]);
  assert.deepEqual(transport.links, [link]);
  await close();
});
