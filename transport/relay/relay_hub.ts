/**
 * A server's part of the relay: the attached pages, their addresses, and the
 * packets that wait for them.
 */

import { RaftError } from "../../lib/errors.ts";
import { isTabAddress } from "../wire/address.ts";
import type { QueuedPacket } from "./packet_queue.ts";
import { MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, shortString } from "../wire/checked.ts";
import { type HubOptions, hubOptions, type RelayCounts, type RelayHubOptions } from "./options.ts";
import { RelayPage } from "./relay_page.ts";

/** One answer of a stream. */
export interface RelayDelivery {
  /** Empty in an answer with the following fields. */
  readonly packets: QueuedPacket[];
  /** The advertised address of this server. */
  readonly address?: string;
  /** Where the servers of the cluster are reached. */
  readonly servers?: string[];
}

/** The most addresses of one page. */
const MAX_ADDRESSES = 64;

/**
 * Knows the pages that are attached to this server. Carries what is for them, in
 * a bounded queue each, so that a page that takes nothing costs no more than
 * that; and hands on what is for this server.
 */
export class RelayHub {
  /** The advertised address of this server. */
  readonly address: string;
  readonly #options: HubOptions;
  /** The bytes left for all pages together. */
  readonly #room: { bytes: number };
  readonly #pages = new Map<string, RelayPage>();
  /** The page of each address. */
  readonly #routes = new Map<string, RelayPage>();
  #receive: ((packet: Uint8Array) => void) | undefined;
  #gone: (address: string) => void = () => {};
  readonly #counts = { toPages: 0, toServer: 0, dropped: 0, malformed: 0 };
  #closed = false;

  /** Creates a hub without pages. */
  constructor(options: RelayHubOptions) {
    this.address = options.address;
    this.#options = hubOptions(options);
    this.#room = { bytes: this.#options.maxTotalBytes };
  }

  /** The counts so far. */
  get counts(): RelayCounts {
    let queuedPackets = 0;
    for (const page of this.#pages.values()) queuedPackets += page.queued;
    return { ...this.#counts, pages: this.#pages.size, queuedPackets };
  }

  /** Begins to hand on packets for this server, and to report addresses whose page is gone. */
  start(receive: (packet: Uint8Array) => void, gone: (address: string) => void): void {
    this.#receive = receive;
    this.#gone = gone;
  }

  /** Reports whether a page has this address. */
  reaches(address: string): boolean {
    return this.#routes.has(address);
  }

  /** Puts a packet of this server in the queue of the page that has the address; returns false if there is none, or no room. */
  send(to: string, packet: Uint8Array): boolean {
    return this.#pass({ to, from: this.address, packet });
  }

  /**
   * For `relayService`: yields what goes down a page's stream, until the page or
   * the hub ends it, or another stream of the same page does.
   *
   * @internal
   *
   * @param forwarded The number of the page's last `forward`.
   * @throws {RaftError} `closed`, `busy` or `invalid_argument`
   */
  async *attach(
    name: string,
    addresses: readonly string[],
    signal: AbortSignal,
    forwarded = 0,
  ): AsyncGenerator<RelayDelivery> {
    const page = this.#open(name, addresses);
    page.lastForward = forwarded;
    const end = (): void => this.#close(page);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      for (;;) {
        const packets = await page.next();
        if (packets === null) return;
        if (packets.length > 0) yield { packets };
        else yield { packets, address: this.address, servers: [...this.#options.servers()] };
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#close(page);
    }
  }

  /**
   * For `relayService`.
   *
   * @internal
   *
   * @throws {RaftError} `not_ready` if no such page is attached; `invalid_argument`
   */
  announce(name: string, addresses: readonly string[]): void {
    const page = this.#attached(name);
    const announced = checkedAddresses(addresses);
    const removed = [...page.addresses].filter((address) => !announced.has(address));
    page.addresses = announced;
    for (const address of announced) this.#route(address, page);
    this.#forget(page, removed);
  }

  /**
   * For `relayService`: takes packets from a page, once for each number.
   *
   * @internal
   *
   * @returns receivers that are not attached here
   * @throws {RaftError} `not_ready` if no such page is attached
   */
  forward(name: string, packets: readonly QueuedPacket[], number: number): string[] {
    const page = this.#attached(name);
    if (number <= page.lastForward) return [];
    page.lastForward = number;
    const unreachable = new Set<string>();
    for (const { to, from, packet } of packets) {
      if (!page.addresses.has(from) || to === "" || to.length > MAX_ADDRESS_LENGTH) {
        this.#counts.malformed++;
      } else if (!isTabAddress(to)) {
        this.#counts.toServer++;
        this.#receive?.(packet);
      } else if (!this.#pass({ to, from, packet }) && !this.reaches(to)) {
        unreachable.add(to);
      }
    }
    return [...unreachable];
  }

  /** Notes a packet for this server that could not be read. */
  malformed(): void {
    this.#counts.malformed++;
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true;
    this.#receive = undefined;
    for (const page of [...this.#pages.values()]) this.#close(page);
  }

  #pass(item: QueuedPacket): boolean {
    const taken = this.#routes.get(item.to)?.push(item) ?? false;
    if (taken) this.#counts.toPages++;
    else this.#counts.dropped++;
    return taken;
  }

  #attached(name: string): RelayPage {
    const page = this.#pages.get(name);
    if (page !== undefined) return page;
    throw new RaftError("not_ready", "no page of this name is attached to this server", {
      hint: "Attach first; the stream may have ended a moment ago.",
    });
  }

  #open(name: string, addresses: readonly string[]): RelayPage {
    if (this.#closed) {
      throw new RaftError("closed", "this server takes no pages", { hint: "It is stopping; try again." });
    }
    if (name === "") throw new RaftError("invalid_argument", "a page needs a name");
    shortString(name, MAX_ID_LENGTH, "page");
    const announced = checkedAddresses(addresses);
    const before = this.#pages.get(name);
    if (before === undefined && this.#pages.size >= this.#options.maxPages) {
      throw new RaftError("busy", `${this.#options.maxPages} pages are attached to this server already`, {
        hint: "Close some of them, or use another server.",
      });
    }
    const page = new RelayPage(name, this.#options, this.#room, () => this.#close(page));
    page.addresses = announced;
    this.#pages.set(name, page);
    for (const address of announced) this.#route(address, page);
    // After the routes are the new page's: an address that stays is not gone.
    if (before !== undefined) this.#close(before);
    return page;
  }

  /** Calls to a node that had the address at another page wait in vain. An earlier stream of the same page may have brought them. */
  #route(address: string, page: RelayPage): void {
    const before = this.#routes.get(address);
    this.#routes.set(address, page);
    if (before !== undefined && before.name !== page.name) this.#gone(address);
  }

  #close(page: RelayPage): void {
    this.#counts.dropped += page.end();
    if (this.#pages.get(page.name) === page) this.#pages.delete(page.name);
    this.#forget(page, page.addresses);
  }

  /** Another page may have the address too: a duplicated tab takes it for a moment, until it finds the node's storage locked. */
  #forget(page: RelayPage, addresses: Iterable<string>): void {
    for (const address of addresses) {
      if (this.#routes.get(address) !== page) continue;
      const other = [...this.#pages.values()].findLast(({ addresses }) => addresses.has(address));
      if (other !== undefined) this.#routes.set(address, other);
      else {
        this.#routes.delete(address);
        this.#gone(address);
      }
    }
  }
}

function checkedAddresses(addresses: readonly string[]): Set<string> {
  if (addresses.length > MAX_ADDRESSES) {
    throw new RaftError("invalid_argument", `a page has at most ${MAX_ADDRESSES} addresses, not ${addresses.length}`);
  }
  for (const address of addresses) {
    shortString(address, MAX_ADDRESS_LENGTH, "address");
    if (!isTabAddress(address)) {
      throw new RaftError("invalid_argument", `a page can't have the address ${JSON.stringify(address)}`, {
        hint: "Addresses of nodes in tabs begin with tab:",
      });
    }
  }
  return new Set(addresses);
}
