/**
 * Checks of transports between tabs beyond the contract of Transport: presence of
 * peers, and clients' calls. They are independent of test runners, for Deno, Node,
 * Bun and Chromium.
 *
 * @module
 */

import { Coordinator } from "../../lib/client/coordinator.ts";
import { RaftError } from "../../lib/errors.ts";
import { decodeGetAnswer, encodeGet, encodePut } from "../../lib/kv/commands.ts";
import type { Envelope } from "../../lib/transport.ts";
import { tabAddress } from "../../transport/tab/mod.ts";
import { appendEntries } from "./envelopes.ts";
import { addresses, startThree } from "./tab_cluster.ts";
import { type Mesh, until } from "./tab_transports.ts";

/** One check. */
export interface TabCheck {
  readonly name: string;
  run(): Promise<void>;
}

function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Compares plain data. */
function same(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  ensure(a === b, `found ${a}, wanted ${b}`);
}

async function rejects(call: Promise<unknown>, code: string, outcome: string): Promise<void> {
  const error = await call.then(() => undefined, (error) => error);
  ensure(error instanceof RaftError, `not a RaftError: ${error}`);
  same([error.code, error.outcome], [code, outcome]);
}

const [A, B] = [tabAddress("a"), tabAddress("b")];

/** Creates a log of the arrivals and departures of other transports. */
function diary() {
  const said: string[] = [];
  return {
    said,
    onArrived: (address: string) => void said.push(`${address} arrived`),
    onDeparted: (address: string) => void said.push(`${address} departed`),
  };
}

async function bothKnowBoth(mesh: Mesh, options: Parameters<Mesh["join"]>[1] = {}) {
  const [a, b] = [mesh.join(A, options), mesh.join(B)];
  const arrived: Envelope[] = [];
  await a.start(() => {});
  await b.start((envelope) => void arrived.push(envelope));
  await until(() => a.peers.includes(B) && b.peers.includes(A), "both know each other");
  return { a, b, arrived };
}

const checks: Readonly<Record<string, (mesh: Mesh) => Promise<void>>> = {
  async "all transports are notified of one that arrives or closes, and an arriving one learns of the others"(mesh) {
    const first = diary();
    const a = mesh.join(A, first);
    await a.start(() => {});
    same(a.peers, []);
    const second = diary();
    const b = mesh.join(B, second);
    await b.start(() => {});
    await until(() => first.said.length === 1 && second.said.length === 1, "both are notified");
    same([first.said, second.said], [["tab:b arrived"], ["tab:a arrived"]]);
    await b.close();
    await until(() => first.said.length === 2, "a is notified of b's departure");
    same([first.said[1], a.peers, b.peers], ["tab:b departed", [], []]);
    await a.close();
  },

  async "a transport that returns is reported as departed, and as arrived"(mesh) {
    const { said, ...told } = diary();
    const { a, b } = await bothKnowBoth(mesh, told);
    await b.close();
    const again = mesh.join(B);
    await again.start(() => {});
    await until(() => said.length === 3, "a is notified of both");
    same(said, ["tab:b arrived", "tab:b departed", "tab:b arrived"]);
    await Promise.all([a.close(), again.close()]);
  },

  async "a message to an absent transport is dropped and counted"(mesh) {
    const { a, b } = await bothKnowBoth(mesh);
    const { sent, dropped } = a.counts;
    for (const address of [tabAddress("nobody"), "", "http://127.0.0.1:1"]) a.send(address, appendEntries(1));
    same(a.counts, { ...a.counts, sent, dropped: dropped + 3 });
    await rejects(a.client.status(tabAddress("nobody")), "unreachable", "rejected");
    await Promise.all([a.close(), b.close()]);
  },

  async "a call whose receiver closes ends as unreachable, outcome unknown"(mesh) {
    const { a, b } = await bothKnowBoth(mesh);
    let called = false;
    b.serve(() => (called = true, new Promise(() => {})));
    const call = a.call(B, "test.Method/Never", new Uint8Array(1));
    await until(() => called, "the call arrives");
    const ended = rejects(call, "unreachable", "unknown");
    await b.close();
    await ended;
    await a.close();
  },

  async "messages in flight to a transport that hangs are bounded, and the rest is dropped and counted"(mesh) {
    const a = mesh.join(A, { maxInflightMessages: 10, maxInflightBytes: 100_000 });
    await a.start(() => {});
    const hanging = tabAddress("hanging");
    const release = mesh.hang(hanging);
    await until(() => a.peers.includes(hanging), "the hanging transport is known");
    const { sent } = a.counts;
    for (let count = 0; count < 50; count++) a.send(hanging, appendEntries(1));
    same(a.counts.sent, sent + 10);
    same(a.counts.dropped, 40);
    release();
    await a.close();
  },

  async "messages to a transport that reads never stall, even with small limits"(mesh) {
    const { a, b, arrived } = await bothKnowBoth(mesh, { maxInflightMessages: 3, maxInflightBytes: 3000 });
    for (let term = 1; term <= 100; term++) {
      const came = () => arrived.some(({ message }) => message.term === term);
      for (let attempt = 0; !came(); attempt++) {
        ensure(attempt < 5000, `message ${term} does not arrive`);
        for (const size of [0, 2000, 1]) a.send(B, appendEntries(term, size));
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
    await Promise.all([a.close(), b.close()]);
  },

  async "a closed transport can't be started again, and close ends a start in progress"(mesh) {
    const a = mesh.join(A);
    const starting = a.start(() => {});
    await a.close();
    await rejects(starting, "closed", "rejected");
    await rejects(a.start(() => {}), "closed", "rejected");
    same(a.peers, []);
    const unused = mesh.join(B);
    await unused.close();
  },

  async "three nodes elect, replicate, and continue without their leader; a client finds the new one"(mesh) {
    const nodes = await startThree((address) => mesh.join(address));
    const page = mesh.join(tabAddress("page"));
    await page.start(() => {});
    const client = new Coordinator({ endpoints: addresses, transport: page.client, timeoutMs: 20_000 });
    try {
      const key = new Uint8Array([1]);
      // Nearly as large as a command may be.
      for (const size of [10, 1.5 * 2 ** 20]) {
        await client.propose(encodePut(key, new Uint8Array(size)));
        const answer = decodeGetAnswer((await client.read(encodeGet(key))).result);
        ensure(answer.ok && answer.entry?.value.length === size, "the value comes back");
        if (size === 10) await nodes.find((node) => node.status().role === "leader")?.close();
      }
    } finally {
      await client.close();
      await Promise.all([page, ...nodes].map((each) => each.close()));
    }
  },
};

/** Returns the checks, to be run on meshes that `make` creates. */
export function tabChecks(make: () => Mesh): readonly TabCheck[] {
  return Object.entries(checks).map(([name, body]) => ({
    name,
    async run() {
      const mesh = make();
      try {
        await body(mesh);
      } finally {
        mesh.close();
      }
    },
  }));
}
