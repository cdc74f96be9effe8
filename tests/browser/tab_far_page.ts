/** The transports between this page and a worker, and between this page and another. */

import type { TransportEndpoint, TransportFixture } from "../../conformance.ts";
import { sampleEnvelope, transportConformance } from "../../conformance.ts";
import { decodeGetAnswer, encodeGet, encodePut } from "../../lib/kv/commands.ts";
import { Coordinator, RaftError } from "../../mod.ts";
import {
  BroadcastChannelTransport,
  type BroadcastChannelTransportOptions,
  tabAddress,
} from "../../transport/tab/mod.ts";
import { until } from "../support/tab_transports.ts";
import { FarEnd, type FarTransport } from "./far_end.ts";
import { offer, type PageCheck } from "./suite_page.ts";

const [NEAR, FAR] = [tabAddress("near"), tabAddress("far")];

type Options = Partial<BroadcastChannelTransportOptions>;

/** A cluster of its own, for the near and the far end. */
class Meeting {
  readonly clusterId = crypto.randomUUID();

  near(address: string, options: Options = {}): BroadcastChannelTransport {
    return new BroadcastChannelTransport({ clusterId: this.clusterId, address, ...options });
  }

  far(end: FarEnd, address: string): FarTransport {
    return end.open(address, this.clusterId);
  }
}

/** Puts every second endpoint at the far end. A hanging one is in a worker that hangs. */
async function farFixture(makeEnd: () => Promise<FarEnd>): Promise<TransportFixture> {
  const way = new Meeting();
  const ends = [await makeEnd()];
  const open = new Set<TransportEndpoint>();
  let last = 0;
  return {
    open(address = tabAddress(`n${++last}`)) {
      const far = Number(address.slice("tab:n".length)) % 2 === 0;
      const transport = far ? way.far(ends[0]!, address) : way.near(address);
      const endpoint = {
        transport,
        address,
        async close() {
          if (open.delete(endpoint)) await transport.close();
        },
      };
      open.add(endpoint);
      return Promise.resolve(endpoint);
    },
    gone: () => Promise.resolve(tabAddress("nobody")),
    async hanging() {
      const end = await FarEnd.worker();
      ends.push(end);
      const address = tabAddress("hanging");
      const transport = way.far(end, address);
      await transport.start(() => {});
      end.hang();
      return { address, close: () => Promise.resolve(end.dispose()) };
    },
    async close() {
      for (const endpoint of [...open]) await endpoint.close();
      for (const end of ends) end.dispose();
    },
  };
}

/** Checks that an end without a goodbye is noticed, and that calls to it fail. */
async function departs(makeEnd: () => Promise<FarEnd>): Promise<void> {
  const way = new Meeting();
  const departed: string[] = [];
  const near = way.near(NEAR, { onDeparted: (address) => void departed.push(address) });
  await near.start(() => {});
  const end = await makeEnd();
  const far = way.far(end, FAR);
  await far.start(() => {});
  await far.serveForever();
  await until(() => near.peers.includes(FAR), "the far end is there");
  const call = near.call(FAR, "test.Method/Never", new Uint8Array(1)).then(() => undefined, (error) => error);
  end.dispose();
  await until(() => departed.length > 0, "the far end is gone");
  const error = await call;
  if (!(error instanceof RaftError) || error.code !== "unreachable" || error.outcome !== "unknown") throw error;
  if (near.peers.length > 0) throw new Error("a dead peer is listed among the peers");
  const { dropped } = near.counts;
  near.send(FAR, sampleEnvelope({ type: "TimeoutNow", term: 1 }));
  if (near.counts.dropped !== dropped + 1) throw new Error("a message to a dead peer is not counted as dropped");
  await near.close();
}

/** Runs three nodes elsewhere, with this page as their client. */
async function clusterOfThree(): Promise<void> {
  const way = new Meeting();
  const addresses = ["n1", "n2", "n3"].map(tabAddress);
  const ends = await Promise.all([FarEnd.worker(), FarEnd.worker(), FarEnd.page()]);
  await Promise.all(ends.map((end, i) => {
    const address = addresses[i]!;
    return way.far(end, address).startNode(`n${i + 1}`, addresses);
  }));
  const page = way.near(NEAR);
  await page.start(() => {});
  const client = new Coordinator({ endpoints: addresses, transport: page.client, timeoutMs: 20_000 });
  const key = new Uint8Array([1]);
  for (const size of [10, 1.5 * 2 ** 20]) {
    await client.propose(encodePut(key, new Uint8Array(size)));
    const answer = decodeGetAnswer((await client.read(encodeGet(key))).result);
    if (!answer.ok || answer.entry?.value.length !== size) throw new Error("the value was not read back");
    if (size > 10) break;
    const { address } = await client.leader();
    ends[addresses.indexOf(address)]!.dispose();
  }
  await client.close();
  await page.close();
  for (const end of ends) end.dispose();
}

/** Checks that a duplicate is refused with a reason. */
async function duplicateIsRefused(makeEnd: () => Promise<FarEnd>): Promise<void> {
  const way = new Meeting();
  const near = way.near(NEAR);
  await near.start(() => {});
  const end = await makeEnd();
  const failure = await way.far(end, NEAR).start(() => {}).then(() => "", String);
  if (!failure.includes("another tab or worker is at tab:near")) throw new Error(`the duplicate started: ${failure}`);
  end.dispose();
  await near.close();
}

const worker = (): Promise<FarEnd> => FarEnd.worker();
const page = (): Promise<FarEnd> => FarEnd.page();

function conformance(name: string, end: () => Promise<FarEnd>): PageCheck[] {
  return transportConformance(() => farFixture(end)).map((check) => ({
    ...check,
    name: `${name}: ${check.name}`,
  }));
}

offer([
  ...conformance("to a worker", worker),
  ...conformance("to another page", page),
  { name: "a worker that is terminated departs", run: () => departs(worker) },
  { name: "a tab that is closed departs", run: () => departs(page) },
  { name: "a worker may not take the address of this page", run: () => duplicateIsRefused(worker) },
  { name: "another page may not take the address of this page", run: () => duplicateIsRefused(page) },
  { name: "three nodes in two workers and a page elect, replicate and lose their leader", run: clusterOfThree },
]);
