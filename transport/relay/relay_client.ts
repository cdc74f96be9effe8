/**
 * A page's part of the relay, shared by all of its nodes.
 */

import type { Cancel } from "../../lib/clock.ts";
import { closedError, RaftError } from "../../lib/errors.ts";
import { Pending } from "../../lib/pending.ts";
import { baseUrl, isTabAddress, nodeUrl } from "../wire/address.ts";
import type { RelayedPacket } from "../wire/gen/raft/v1/relay_pb.ts";
import { notify } from "../packet/listeners.ts";
import type { PacketChannel, ReceivePacket } from "../packet/packet_channel.ts";
import { PacketTransport, type TabTransportOptions } from "../packet/packet_transport.ts";
import { type LinkOptions, linkOptions } from "./options.ts";
import type { RelayClientCounts, RelayClientOptions, RelayServer } from "./options.ts";
import { RelayPort } from "./relay_port.ts";
import { type LinkPage, type Outgoing, ServerLink } from "./server_link.ts";

/** The most servers that are learned. */
const MAX_LEARNED = 32;

/** The most senders whose server is remembered. */
const MAX_ROUTES = 1024;

/** A learned server that no other server names is forgotten after this many failures. */
const MAX_FAILURES = 5;

const NONE: ReadonlySet<ServerLink> = new Set();

/** A node whose channel has been started. */
interface LocalNode {
  readonly receive: ReceivePacket;
  readonly lost: (address: string) => void;
}

/**
 * Keeps one stream to each server of a cluster, and carries the packets of all
 * nodes of a page over them. Packets for a server go to it; packets for a
 * node in a tab go to the server that it last sent through, or through any other.
 *
 * @example
 * ```ts
 * import { RelayClient } from "./transport/relay/mod.ts";
 * import { tabAddress } from "./transport/tab/mod.ts";
 *
 * const relay = new RelayClient({ servers: ["https://n1.example:7001"] });
 * console.log(relay.transport({ address: tabAddress("t1") }).address);
 * ```
 */
export class RelayClient {
  readonly #options: LinkOptions;
  readonly #links = new Map<string, ServerLink>();
  /** Of those, the servers that the user named. */
  readonly #given = new Set<string>();
  /** Servers under another name: their advertised address. */
  readonly #aliases = new Map<string, ServerLink>();
  /** The other servers that each server named. */
  readonly #named = new Map<ServerLink, readonly string[]>();
  readonly #routes = new Map<string, ServerLink>();
  /** The nodes that have started here. */
  readonly #nodes = new Map<string, LocalNode>();
  readonly #ports = new Map<string, RelayPort>();
  readonly #listeners = new Set<(servers: readonly RelayServer[]) => void>();
  readonly #page: LinkPage;
  readonly #counts = { sent: 0, dropped: 0, received: 0 };
  #closed = false;

  /** Connects at once. @throws {RaftError} `invalid_argument` without a server, or for an invalid URL */
  constructor(options: RelayClientOptions) {
    this.#options = linkOptions(options);
    const urls = options.servers.map(baseUrl);
    if (urls.length === 0) throw new RaftError("invalid_argument", "a relay needs a server");
    this.#page = {
      addresses: () => [...this.#nodes.keys()],
      deliver: (link, packets) => this.#deliver(link, packets),
      learned: (link, address, servers) => this.#learned(link, address, servers),
      undelivered: (link, packets) => this.#undelivered(link, packets),
      lost: (packets) => this.#lost(packets),
      changed: (link) => this.#changed(link),
    };
    for (const url of urls) {
      this.#given.add(url);
      this.#link(url);
    }
  }

  /** The counts so far. */
  get counts(): RelayClientCounts {
    let queued = 0;
    for (const link of this.#links.values()) queued += link.queued;
    return { ...this.#counts, queued };
  }

  /** All servers, and how the page is connected to each. */
  get servers(): readonly RelayServer[] {
    return [...this.#links.values()].map(({ url, state, error }) => ({ url, state, error }));
  }

  /**
   * Calls `listener` whenever the state of a server changes, such as to
   * `waiting` when other tabs hold all streams.
   *
   * @returns a function that removes the listener
   */
  onChange(listener: (servers: readonly RelayServer[]) => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * The channel of one node's packets. To be closed with the node; the relay goes on.
   *
   * @throws {RaftError} `invalid_argument` if the address doesn't begin with `tab:`
   */
  channel(address: string): PacketChannel {
    if (!isTabAddress(address)) {
      throw new RaftError("invalid_argument", `a relay carries for no such address: ${JSON.stringify(address)}`, {
        hint: "tabAddress(id) makes one that begins with tab:",
      });
    }
    const attachedUrls = (): string[] => this.#attachedUrls();
    let node: LocalNode | undefined;
    const started = (): boolean => node !== undefined && this.#nodes.get(address) === node;
    return {
      get peers() {
        return attachedUrls();
      },
      // deno-lint-ignore require-await -- an error is a rejection
      start: async (receive, lost) => {
        node = this.#open(address, { receive, lost });
      },
      send: (to, packet) => started() && this.#send({ to, from: address, packet, triedBy: NONE }),
      close: () => {
        if (started()) this.#close(address);
        return Promise.resolve();
      },
    };
  }

  /** The transport of one node, over {@linkcode RelayClient.channel}. */
  transport(options: TabTransportOptions): PacketTransport {
    return new PacketTransport({ host: this.#options.host, ...options, channel: this.channel(options.address) });
  }

  /**
   * A port to this relay, for a node in a worker: the worker makes its transport
   * of it, by `relayPortTransport`. It takes the place of an earlier one, and has
   * the address once that transport starts: the worker of a duplicated tab, which
   * finds its storage locked, takes the address from no other.
   *
   * @throws {RaftError} `refused` if a transport of this page is at the address; `invalid_argument`
   */
  port(address: string): MessagePort {
    this.removePort(address);
    if (this.#nodes.has(address)) throw takenError(address);
    const made = new RelayPort(this.channel(address), this.#options.host, () => {
      if (this.#ports.get(address) === made) this.#ports.delete(address);
    });
    this.#ports.set(address, made);
    return made.port;
  }

  /** Takes the port of an address back: for a worker that was terminated. */
  removePort(address: string): void {
    this.#ports.get(address)?.close();
  }

  /**
   * Resolves once a server is attached, and knows the nodes that have started here.
   *
   * @throws {RaftError} the reason why no server is attached once the signal fires, `timeout` or `aborted` if none is known; `closed`
   */
  async attached({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#ready()) return;
    const waiting = new Pending<void>({ signals: [signal] });
    const check = (): void => {
      if (this.#closed) waiting.reject(closedError("the relay"));
      else if (this.#ready()) waiting.resolve();
    };
    const stop = this.onChange(check);
    check();
    try {
      await waiting.promise;
    } catch (error) {
      throw signal?.aborted ? this.servers.find(({ error }) => error)?.error ?? error : error;
    } finally {
      stop();
    }
  }

  /** Ends all streams. Nodes that go on reach no other. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const port of [...this.#ports.values()]) port.close();
    this.#nodes.clear();
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #attachedUrls(): string[] {
    return [...this.#links.values()].filter(({ attached }) => attached).map(({ url }) => url);
  }

  #ready(): boolean {
    return [...this.#links.values()].some((link) => link.announced);
  }

  #open(address: string, node: LocalNode): LocalNode {
    if (this.#closed) throw closedError("the relay");
    if (this.#nodes.has(address)) throw takenError(address);
    this.#nodes.set(address, node);
    for (const link of this.#links.values()) link.announce();
    return node;
  }

  #close(address: string): void {
    this.#nodes.delete(address);
    for (const link of this.#links.values()) link.announce();
  }

  /** Returns false if a packet has surely been dropped. */
  #send(item: Outgoing): boolean {
    const neighbour = this.#nodes.get(item.to);
    if (neighbour !== undefined) {
      this.#counts.sent++;
      this.#options.host.enqueue(() => this.#nodes.get(item.to)?.receive(item.packet));
      return true;
    }
    const sent = this.#wayTo(item)?.send(item) ?? false;
    if (sent) this.#counts.sent++;
    else this.#counts.dropped++;
    return sent;
  }

  #wayTo({ to, triedBy }: Outgoing): ServerLink | undefined {
    if (!isTabAddress(to)) return this.#serverAt(to);
    const usable = (link: ServerLink | undefined): boolean => link?.attached === true && !triedBy.has(link);
    const known = this.#routes.get(to);
    return usable(known) ? known : [...this.#links.values()].find(usable);
  }

  /** The server at an address, which becomes known by that. */
  #serverAt(address: string): ServerLink | undefined {
    const known = this.#aliases.get(address) ?? this.#links.get(address);
    if (known !== undefined) return known;
    if (!/^https?:/.test(address)) return undefined;
    try {
      return this.#link(nodeUrl(address));
    } catch {
      return undefined;
    }
  }

  #link(url: string): ServerLink | undefined {
    const known = this.#aliases.get(url) ?? this.#links.get(url);
    if (known !== undefined || this.#closed) return known;
    if (!this.#given.has(url) && this.#links.size - this.#given.size >= MAX_LEARNED) return undefined;
    const link = new ServerLink(url, this.#page, this.#options);
    this.#links.set(url, link);
    return link;
  }

  #learned(link: ServerLink, address: string, servers: readonly string[]): void {
    if (address !== link.url) this.#alias(address, link);
    this.#named.set(link, servers);
    for (const server of servers) this.#serverAt(server);
  }

  /** Notes that a server is reached under another name too: one stream is enough. */
  #alias(address: string, link: ServerLink): void {
    const other = this.#links.get(address);
    if (other !== undefined && other !== link) {
      if (this.#given.has(address)) return;
      this.#drop(other);
    }
    this.#aliases.set(address, link);
  }

  #drop(link: ServerLink): void {
    this.#links.delete(link.url);
    this.#named.delete(link);
    for (const map of [this.#aliases, this.#routes]) {
      for (const [address, other] of map) if (other === link) map.delete(address);
    }
    void link.close();
  }

  #deliver(link: ServerLink, packets: readonly RelayedPacket[]): void {
    for (const { to, from, packet } of packets) {
      if (isTabAddress(from)) this.#remember(from, link);
      const node = this.#nodes.get(to);
      if (node === undefined) continue;
      this.#counts.received++;
      node.receive(packet);
    }
  }

  #remember(address: string, link: ServerLink): void {
    if (this.#routes.get(address) === link) return;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    this.#routes.set(address, link);
  }

  /** Another server may have them. */
  #undelivered(link: ServerLink, packets: readonly Outgoing[]): void {
    this.#lostReceivers(packets.filter((item) => {
      if (this.#routes.get(item.to) === link) this.#routes.delete(item.to);
      return !this.#send({ ...item, triedBy: new Set(item.triedBy).add(link) });
    }));
  }

  #lost(packets: readonly Outgoing[]): void {
    this.#counts.dropped += packets.length;
    this.#lostReceivers(packets);
  }

  /** Calls to the receivers that wait for an answer wait in vain. */
  #lostReceivers(packets: readonly Outgoing[]): void {
    for (const [to, lost] of Map.groupBy(packets, ({ to }) => to)) {
      for (const from of new Set(lost.map(({ from }) => from))) this.#nodes.get(from)?.lost(to);
    }
  }

  #changed(link: ServerLink): void {
    const named = (): boolean => [...this.#named.values()].some((servers) => servers.includes(link.url));
    if (!link.attached) {
      this.#named.delete(link);
      // Answers would have come by the stream.
      if (link.state === "failed") {
        const names = [...this.#aliases].filter(([, other]) => other === link).map(([address]) => address);
        for (const to of [link.url, ...names]) for (const { lost } of this.#nodes.values()) lost(to);
      }
      if (link.failures >= MAX_FAILURES && !this.#given.has(link.url) && !named()) this.#drop(link);
    }
    for (const port of this.#ports.values()) port.changed();
    for (const listener of this.#listeners) notify(listener, this.servers);
  }
}

function takenError(address: string): RaftError {
  return new RaftError("refused", `another transport of this page is open at ${address}`, {
    hint: "Close that one first, or choose another address.",
  });
}
