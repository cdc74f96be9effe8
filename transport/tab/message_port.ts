/**
 * Nodes in workers, joined by MessagePorts.
 *
 * @module
 */

import { type Frame, FRAME_VERSION, frameOf } from "./frame.ts";
import { MeshCarrier, type MeshMedium, type MeshOptions } from "./mesh_carrier.ts";
import { PacketTransport, type PacketTransportCounts, type TabTransportOptions } from "../packet/packet_transport.ts";

/** Options of a {@linkcode MessagePortTransport}. */
export interface MessagePortTransportOptions extends TabTransportOptions, MeshOptions {
  /** Ports to others, or to a {@linkcode MessagePortHub}. More can come later. @default none */
  readonly ports?: readonly MessagePort[];
}

/**
 * Reaches who is at the other end of its ports: other transports, or through a
 * {@linkcode MessagePortHub} all that have a port to it. Messages are moved, not
 * copied.
 *
 * Who says goodbye, or whose worker ends, is known to be gone where the browser
 * has Web Locks or the `close` event of ports.
 *
 * @example
 * ```ts ignore
 * const transport = new MessagePortTransport({ address: tabAddress("n1"), ports: [port] });
 * ```
 */
export class MessagePortTransport extends PacketTransport {
  readonly #mesh: MeshCarrier;
  readonly #ports: Ports;

  /** Opens nothing yet. @throws {RaftError} `invalid_argument` for an address that is empty or too long */
  constructor(options: MessagePortTransportOptions) {
    const ports = new Ports();
    const mesh = new MeshCarrier({ ...options, medium: ports });
    super({ ...options, carrier: mesh });
    this.#mesh = mesh;
    this.#ports = ports;
    for (const port of options.ports ?? []) this.connect(port);
  }

  /** The addresses at which somebody is. */
  get peers(): readonly string[] {
    return this.#mesh.peers;
  }

  /** Adds a way to others. The port is the transport's from here on. */
  connect(port: MessagePort): void {
    this.#ports.add(port);
    this.#mesh.greet("");
  }

  /** See {@linkcode PacketTransport.counts}. */
  override get counts(): PacketTransportCounts {
    const counts = super.counts;
    return { ...counts, malformed: counts.malformed + this.#mesh.malformed };
  }
}

/** Ports, and who was heard through which of them last. */
class Ports implements MeshMedium {
  readonly #ports = new Set<MessagePort>();
  readonly #ways = new Map<string, MessagePort>();
  #receive: ((data: unknown) => void) | undefined;
  #unheard: (address: string) => void = () => {};
  #closed = false;

  add(port: MessagePort): void {
    if (this.#closed) return port.close();
    this.#ports.add(port);
    if (this.#receive !== undefined) this.#listen(port);
  }

  open(receive: (data: unknown) => void, unheard: (address: string) => void): void {
    this.#receive = receive;
    this.#unheard = unheard;
    for (const port of this.#ports) this.#listen(port);
  }

  /** A hello shows the way by itself. */
  meet(): void {}

  /** The way stays: who comes back without having said goodbye has shown a new one already. */
  part(): void {}

  post(frame: Frame): void {
    if (frame.to === "") { for (const port of this.#ports) post(port, frame); }
    else {
      const port = this.#ways.get(frame.to);
      if (port !== undefined) post(port, frame);
    }
  }

  close(): void {
    this.#closed = true;
    this.#receive = undefined;
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    this.#ways.clear();
  }

  #listen(port: MessagePort): void {
    port.onmessage = ({ data }) => {
      const frame = frameOf(data);
      if (frame?.kind === "hello") this.#ways.set(frame.from, port);
      this.#receive?.(data);
    };
    port.addEventListener("close", () => this.#ended(port));
  }

  #ended(port: MessagePort): void {
    this.#ports.delete(port);
    for (const [address, way] of this.#ways) {
      if (way !== port) continue;
      this.#ways.delete(address);
      this.#unheard(address);
    }
  }
}

/** A member of a hub. */
interface Spoke {
  readonly port: MessagePort;
  /** The session of its last hello. */
  session: string | null;
}

/**
 * Joins the workers of a page: gives each a port, and passes on what is for
 * another by its address, without a look at the packet.
 *
 * @example
 * ```ts ignore
 * const hub = new MessagePortHub();
 * const port = hub.port(tabAddress("n1"));
 * worker.postMessage({ port }, [port]);
 * ```
 */
export class MessagePortHub {
  readonly #spokes = new Map<string, Spoke>();

  /** The addresses that have a port. */
  get addresses(): readonly string[] {
    return [...this.#spokes.keys()];
  }

  /**
   * Makes a port for a transport at this address, to be transferred to where that
   * is. It takes the place of an earlier one, whose transport is cut off.
   */
  port(address: string): MessagePort {
    this.remove(address);
    const { port1, port2 } = new MessageChannel();
    const spoke: Spoke = { port: port1, session: null };
    this.#spokes.set(address, spoke);
    port1.onmessage = ({ data }) => this.#arrived(address, spoke, frameOf(data));
    port1.addEventListener("close", () => this.#end(address, spoke));
    return port2;
  }

  /** Takes the port of an address back, and tells the others: for a worker that was terminated. */
  remove(address: string): void {
    const spoke = this.#spokes.get(address);
    if (spoke !== undefined) this.#end(address, spoke);
  }

  /** Closes all ports. */
  close(): void {
    for (const { port } of this.#spokes.values()) port.close();
    this.#spokes.clear();
  }

  /** Each speaks for its own address alone. */
  #arrived(address: string, spoke: Spoke, frame: Frame | null): void {
    if (frame === null || frame.from !== address || this.#spokes.get(address) !== spoke) return;
    if (frame.kind === "goodbye") return this.#end(address, spoke);
    if (frame.kind === "hello") spoke.session = frame.session;
    if (frame.to === "") this.#toOthers(address, frame);
    else {
      const receiver = this.#spokes.get(frame.to);
      if (receiver !== undefined) post(receiver.port, frame);
    }
  }

  #end(address: string, spoke: Spoke): void {
    if (this.#spokes.get(address) !== spoke) return;
    this.#spokes.delete(address);
    spoke.port.close();
    const { session } = spoke;
    if (session === null) return;
    this.#toOthers(address, { raftCore: FRAME_VERSION, to: "", from: address, session, kind: "goodbye" });
  }

  #toOthers(address: string, frame: Frame): void {
    for (const [other, { port }] of this.#spokes) if (other !== address) post(port, frame);
  }
}

/** A packet's buffer is its own, and goes with it. */
function post(port: MessagePort, frame: Frame): void {
  if (frame.kind === "parcel" && frame.packet !== null) port.postMessage(frame, [frame.packet.buffer as ArrayBuffer]);
  else port.postMessage(frame);
}
