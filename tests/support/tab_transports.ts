/**
 * The fixture of the transports between tabs for their conformance suite: all in one
 * context, a page or a process.
 *
 * @module
 */

import type { TransportEndpoint, TransportFixture } from "../../transport/conformance.ts";
import {
  BroadcastChannelTransport,
  type BroadcastChannelTransportOptions,
  tabAddress,
} from "../../transport/tab/mod.ts";

/** Waits for real time to pass. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, durationMs));
}

/** Waits for a condition, for at most twenty seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen in time: ${what}`);
    await pause(5);
  }
}

type Options = Partial<BroadcastChannelTransportOptions>;

/** A mesh of transports that can be joined, and one to hang in. */
export interface Mesh {
  /** Makes a transport at the address. */
  join(address: string, options?: Options): BroadcastChannelTransport;
  /** Announces this address, but reads no message. */
  hang(address: string): () => void;
  close(): void;
}

const header = { raftCore: 1, session: "hanging" };
const hello = { ...header, to: "", kind: "hello", locked: false, answer: true };
const packet = { ...header, kind: "packet", packet: null, ackRequest: 0 };

/** Makes a mesh on a BroadcastChannel of its own. */
export function broadcastMesh(clusterId: string = crypto.randomUUID()): Mesh {
  return {
    join: (address, options = {}) => new BroadcastChannelTransport({ clusterId, address, ...options }),
    hang(address) {
      const channels = [new BroadcastChannel(`raft-core:${clusterId}`)];
      const [everyone] = channels;
      everyone!.onmessage = ({ data: { kind, from } }) => {
        if (kind !== "hello") return;
        const pair = new BroadcastChannel(`raft-core:${clusterId}:${JSON.stringify([address, from].sort())}`);
        pair.postMessage({ ...packet, from: address, to: from });
        channels.push(pair);
      };
      everyone!.postMessage({ ...hello, from: address });
      return () => channels.forEach((channel) => channel.close());
    },
    close() {},
  };
}

/** Makes a fixture for the conformance suite. */
export function tabFixture(mesh: Mesh): TransportFixture {
  const open = new Set<TransportEndpoint>();
  let last = 0;
  return {
    open(address = tabAddress(`n${++last}`)) {
      const transport = mesh.join(address);
      const endpoint = {
        transport,
        address,
        async close() {
          open.delete(endpoint);
          await transport.close();
        },
      };
      open.add(endpoint);
      return Promise.resolve(endpoint);
    },
    gone: () => Promise.resolve(tabAddress("nobody")),
    hanging() {
      const address = tabAddress("hanging");
      const release = mesh.hang(address);
      return Promise.resolve({ address, close: () => Promise.resolve(release()) });
    },
    async close() {
      for (const endpoint of open) await endpoint.close();
      mesh.close();
    },
  };
}
