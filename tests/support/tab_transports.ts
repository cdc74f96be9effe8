/**
 * The transports between tabs as their conformance suite wants them: all in one
 * context, a page or a process.
 *
 * @module
 */

import type { TransportEndpoint, TransportFixture } from "../../transport/conformance.ts";
import {
  BroadcastChannelTransport,
  type MeshOptions,
  MessagePortHub,
  MessagePortTransport,
  type PacketTransport,
  tabAddress,
  type TabTransportOptions,
} from "../../transport/tab/mod.ts";

/** Waits for real time to pass. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, durationMs));
}

/** Waits for a condition, for twenty seconds at most. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await pause(5);
  }
}

type Options = Partial<TabTransportOptions & MeshOptions>;

/** A mesh of transports that can be joined, and one to hang in. */
export interface Mesh {
  /** Makes a transport at the address. */
  join(address: string, options?: Options): PacketTransport & { readonly peers: readonly string[] };
  /** Says hello from this address, and reads nothing of what comes. */
  hang(address: string): () => void;
  close(): void;
}

const header = { raftCore: 1, session: "hanging" };
const hello = { ...header, to: "", kind: "hello", locked: false, answer: true };
const parcel = { ...header, kind: "parcel", packet: null, ask: 0 };

/** On a BroadcastChannel of its own. */
export function broadcastMesh(clusterId: string = crypto.randomUUID()): Mesh {
  return {
    join: (address, options = {}) => new BroadcastChannelTransport({ clusterId, address, ...options }),
    hang(address) {
      const channels = [new BroadcastChannel(`raft-core:${clusterId}`)];
      const [everyone] = channels;
      everyone!.onmessage = ({ data: { kind, from } }) => {
        if (kind !== "hello") return;
        const pair = new BroadcastChannel(`raft-core:${clusterId}:${JSON.stringify([address, from].sort())}`);
        pair.postMessage({ ...parcel, from: address, to: from });
        channels.push(pair);
      };
      everyone!.postMessage({ ...hello, from: address });
      return () => channels.forEach((channel) => channel.close());
    },
    close() {},
  };
}

/** By a hub. */
export function portMesh(): Mesh {
  const hub = new MessagePortHub();
  return {
    join: (address, options = {}) => new MessagePortTransport({ address, ports: [hub.port(address)], ...options }),
    hang(address) {
      const port = hub.port(address);
      const others = hub.addresses.filter((other) => other !== address);
      port.postMessage({ ...hello, from: address });
      for (const to of others) port.postMessage({ ...parcel, from: address, to });
      return () => hub.remove(address);
    },
    close: () => hub.close(),
  };
}

/** By a port between every two, without a hub. */
export function directPortMesh(): Mesh {
  type Member = { readonly connect: (port: MessagePort, to: string) => void };
  const joined = new Map<string, Member>();
  const introduce = (address: string, member: Member): void => {
    joined.delete(address);
    for (const [to, other] of joined) {
      const { port1, port2 } = new MessageChannel();
      other.connect(port1, address);
      member.connect(port2, to);
    }
    joined.set(address, member);
  };
  return {
    join(address, options = {}) {
      const transport = new MessagePortTransport({ address, ...options });
      introduce(address, transport);
      return transport;
    },
    hang(address) {
      const ports: MessagePort[] = [];
      introduce(address, {
        connect(port, to) {
          ports.push(port);
          port.postMessage({ ...hello, from: address });
          port.postMessage({ ...parcel, from: address, to });
        },
      });
      return () => ports.forEach((port) => port.close());
    },
    close() {},
  };
}

/** A fixture for the conformance suite. */
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
    until,
    pause,
    async close() {
      for (const endpoint of open) await endpoint.close();
      mesh.close();
    },
  };
}
