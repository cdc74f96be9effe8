/**
 * The far end of tests of transports between tabs, as a worker or as a page of
 * its own: it opens transports and nodes on request. See far_end.ts.
 */

import type { Envelope } from "../../lib/transport.ts";
import { membershipOf } from "../../lib/raft/membership.ts";
import { KeyValue } from "../../lib/kv/key_value.ts";
import { RaftNode } from "../../lib/node/raft_node.ts";
import { Sessions } from "../../lib/sessions/sessions.ts";
import { MemoryStorage } from "../../storage/memory.ts";
import {
  BroadcastChannelTransport,
  type BroadcastChannelTransportOptions,
  type PacketTransport,
  serveNode,
} from "../../transport/tab/mod.ts";

/** A message of the near end. */
export type Order =
  | {
    readonly op: "open";
    readonly id: number;
    readonly address: string;
    readonly clusterId: string;
    readonly options: Pick<BroadcastChannelTransportOptions, "locks">;
  }
  | { readonly op: "start"; readonly id: number }
  | { readonly op: "send"; readonly id: number; readonly to: string; readonly envelope: Envelope }
  | { readonly op: "serveForever"; readonly id: number }
  | { readonly op: "close"; readonly id: number }
  | { readonly op: "node"; readonly id: number; readonly nodeId: string; readonly addresses: readonly string[] }
  | { readonly op: "hang" }
  | { readonly op: "die" };

/** A message of the far end. */
export type Report =
  | { readonly ready: true }
  | { readonly done: number; readonly failure: string }
  | { readonly id: number; readonly envelope: Envelope };

interface Control {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

const inWorker = !("document" in globalThis);
const control: Control = inWorker
  ? globalThis as unknown as Control
  : new BroadcastChannel(`control ${new URLSearchParams(location.search).get("name")}`);
const transports = new Map<number, PacketTransport>();
const report = (message: Report): void => control.postMessage(message);

async function startNode(transport: PacketTransport, nodeId: string, addresses: readonly string[]): Promise<void> {
  const members = addresses.map((address) => ({ id: address.slice("tab:".length), address, incarnation: "" }));
  const node = await RaftNode.start({
    id: nodeId,
    address: transport.address,
    transport,
    storage: new MemoryStorage(),
    stateMachine: new Sessions(new KeyValue()),
    bootstrap: { clusterId: "c", membership: membershipOf({ voters: members }) },
    electionTimeoutMs: 500,
    heartbeatIntervalMs: 50,
  });
  transport.serve(serveNode(node));
}

async function obey(order: Order): Promise<void> {
  if (order.op === "hang") { for (;;); }
  if (order.op === "die") return globalThis.close();
  if (order.op === "open") {
    const { id, address, clusterId, options } = order;
    transports.set(id, new BroadcastChannelTransport({ clusterId, address, ...options }));
    return;
  }
  const transport = transports.get(order.id);
  if (transport === undefined) throw new Error(`there is no transport ${order.id}`);
  const { id } = order;
  if (order.op === "start") await transport.start((envelope) => report({ id, envelope }));
  else if (order.op === "send") transport.send(order.to, order.envelope);
  else if (order.op === "serveForever") transport.serve(() => new Promise(() => {}));
  else if (order.op === "node") await startNode(transport, order.nodeId, order.addresses);
  else await transport.close();
}

control.onmessage = async ({ data }: MessageEvent<{ readonly number: number; readonly order: Order }>) => {
  if (data.order === undefined) return;
  try {
    await obey(data.order);
    if (data.order.op !== "send") report({ done: data.number, failure: "" });
  } catch (error) {
    report({ done: data.number, failure: String(error) });
  }
};
report({ ready: true });
