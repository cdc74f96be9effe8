/**
 * A page's relay, for nodes in its workers: each has a port to it.
 */

import type { Host } from "../../lib/clock.ts";
import { systemHost } from "../../lib/host.ts";
import { MAX_ACK_REQUEST, SendWindow } from "../packet/send_window.ts";
import type { PacketChannel, ReceivePacket } from "../packet/packet_channel.ts";
import { PacketTransport, type TabTransportOptions } from "../packet/packet_transport.ts";

/** A message through a port. */
type PortMessage =
  /** The worker's transport starts; only then is its address announced. */
  | { readonly kind: "start" }
  /** `to` is empty on the way down; a number other than 0 requests an acknowledgement. */
  | { readonly kind: "packet"; readonly to: string; readonly packet: Uint8Array | null; readonly ask: number }
  | { readonly kind: "ack"; readonly ack: number }
  /** The node at this address is no longer reachable. */
  | { readonly kind: "lost"; readonly address: string }
  /** The servers that are attached now. */
  | { readonly kind: "servers"; readonly urls: readonly string[] }
  | { readonly kind: "close" };

/** Limits of messages in flight through a port: the queue of a worker that hangs must not grow without bound. */
const LIMITS = { maxMessages: 4096, maxBytes: 32 * 1024 * 1024 };

/** One end of a port. */
class PortEnd {
  readonly #port: MessagePort;
  readonly #credit: SendWindow;

  constructor(port: MessagePort, host: Host, take: (message: PortMessage) => void) {
    this.#port = port;
    this.#credit = new SendWindow(LIMITS, Math.floor(host.random() * MAX_ACK_REQUEST));
    port.onmessage = ({ data }: MessageEvent<PortMessage>) => {
      if (data.kind === "ack") {
        const ask = this.#credit.acknowledge(data.ack);
        if (ask !== 0) this.post({ kind: "packet", to: "", packet: null, ask });
        return;
      }
      if (data.kind === "packet" && data.ask !== 0) this.post({ kind: "ack", ack: data.ask });
      if (data.kind !== "packet" || data.packet !== null) take(data);
    };
  }

  /** Returns false if too much is already in flight. */
  send(to: string, packet: Uint8Array): boolean {
    const ask = this.#credit.take(packet.length);
    if (ask === null) return false;
    // A packet from a stream is a view of a larger buffer, all of which would be copied.
    const own = packet.byteLength === packet.buffer.byteLength ? packet : packet.slice();
    this.#port.postMessage({ kind: "packet", to, packet: own, ask }, [own.buffer as ArrayBuffer]);
    return true;
  }

  post(message: PortMessage): void {
    this.#port.postMessage(message);
  }

  close(): void {
    this.#port.onmessage = null;
    this.#port.close();
  }
}

/** The page's end. */
export class RelayPort {
  /** To be transferred to the worker. */
  readonly port: MessagePort;
  readonly #channel: PacketChannel;
  readonly #ended: () => void;
  readonly #end: PortEnd;
  #sentUrls = "";
  #closed = false;

  /**
   * @param channel Carries the packets of the worker's node.
   * @param ended Called when the port has been closed, at either end.
   */
  constructor(channel: PacketChannel, host: Host, ended: () => void) {
    const { port1, port2 } = new MessageChannel();
    this.port = port2;
    this.#channel = channel;
    this.#ended = ended;
    this.#end = new PortEnd(port1, host, (message) => this.#take(message));
    // In browsers that have this event, it also fires when the worker ends.
    port1.addEventListener("close", () => this.close());
  }

  /** Starts the channel when the worker's transport starts. @throws {RaftError} `refused` if another is at the address; `closed` */
  async open(): Promise<void> {
    const lost = (address: string): void => this.#end.post({ kind: "lost", address });
    await this.#channel.start((packet) => void this.#end.send("", packet), lost);
    this.changed();
  }

  /** Called when the state of a server has changed. */
  changed(): void {
    const urls = this.#channel.peers ?? [];
    const joined = urls.join("\n");
    if (this.#closed || joined === this.#sentUrls) return;
    this.#sentUrls = joined;
    this.#end.post({ kind: "servers", urls });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end.post({ kind: "close" });
    this.#end.close();
    void this.#channel.close();
    this.#ended();
  }

  #take(message: PortMessage): void {
    if (message.kind === "start") this.open().catch(() => this.close());
    if (message.kind === "close") this.close();
    if (message.kind !== "packet" || message.packet === null) return;
    const packet = new Uint8Array(message.packet);
    if (this.#channel.send(message.to, packet) === false) this.#end.post({ kind: "lost", address: message.to });
  }
}

/** The worker's end. */
class PortChannel implements PacketChannel {
  peers: readonly string[] = [];
  readonly #port: MessagePort;
  readonly #host: Host;
  #end: PortEnd | undefined;

  constructor(port: MessagePort, host: Host) {
    this.#port = port;
    this.#host = host;
  }

  start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    this.#end = new PortEnd(this.#port, this.#host, (message) => {
      if (message.kind === "packet") receive(message.packet!);
      else if (message.kind === "lost") lost(message.address);
      else if (message.kind === "servers") this.peers = message.urls;
      else if (message.kind === "close") this.#stop();
    });
    this.#end.post({ kind: "start" });
    return Promise.resolve();
  }

  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean {
    return this.#end?.send(to, packet) ?? false;
  }

  close(): Promise<void> {
    this.#end?.post({ kind: "close" });
    this.#stop();
    return Promise.resolve();
  }

  #stop(): void {
    this.peers = [];
    this.#end?.close();
    this.#end = undefined;
  }
}

/** Options of {@linkcode relayPortTransport}. */
export interface RelayPortTransportOptions extends TabTransportOptions {
  /** A port from the page's `RelayClient.port`. The transport owns it from now on. */
  readonly port: MessagePort;
}

/**
 * The transport of a node in a worker, over the relay of its page.
 *
 * @example
 * ```ts
 * import { type RelayClient, relayPortTransport } from "./transport/relay/mod.ts";
 * import { tabAddress } from "./transport/tab/mod.ts";
 *
 * export function inPage(relay: RelayClient, worker: Worker): void {
 *   const port = relay.port(tabAddress("t1"));
 *   worker.postMessage({ port }, [port]);
 * }
 *
 * export function inWorker(port: MessagePort) {
 *   return relayPortTransport({ address: tabAddress("t1"), port });
 * }
 * ```
 */
export function relayPortTransport(options: RelayPortTransportOptions): PacketTransport {
  return new PacketTransport({ ...options, channel: new PortChannel(options.port, options.host ?? systemHost()) });
}
