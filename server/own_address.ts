/**
 * A node's comparison of its own address with that in the membership, where the other
 * nodes send to.
 */

import { messageOf } from "../lib/node/errors.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { sentence } from "../lib/sentence.ts";
import type { PeerIdentity } from "../transport/wire/identity.ts";
import { isTabAddress } from "../transport/wire/address.ts";
import type { Logger } from "./log.ts";

/** Options of {@linkcode OwnAddress}. */
export interface OwnAddressOptions {
  readonly status: () => NodeStatus;
  /** The base URL of the port that it listens on. */
  readonly listens: string;
  /** The base URL at which it was told to be reached, if it was told. */
  readonly advertise?: string | undefined;
  /** Asks the node at an address for its identity. */
  identify(address: string, signal: AbortSignal): Promise<Pick<PeerIdentity, "nodeId" | "incarnation">>;
  readonly logger: Logger;
}

const ANSWER_TIMEOUT_MS = 2000;

/** Finds out whether a node is reached at the address that the membership has for it. */
export class OwnAddress {
  readonly #options: OwnAddressOptions;
  #trouble: string | undefined;

  constructor(options: OwnAddressOptions) {
    this.#options = options;
  }

  /** Returns the difference in words, with what to do; `undefined` if there is none, or none that matters. */
  reason(): string | undefined {
    const { leader, role } = this.#options.status();
    // A leader that this node hears has reached it, by whatever way.
    return leader === null && role !== "leader" ? this.#trouble : undefined;
  }

  /** Compares, and logs a difference. Called at the start, and after each change of the membership. */
  async check(signal: AbortSignal): Promise<void> {
    const found = await this.#compare(signal);
    if (signal.aborted || found === this.#trouble) return;
    this.#trouble = found;
    if (found !== undefined) this.#options.logger.warn(sentence(found), { hint: this.#hint() });
  }

  get #own(): string | undefined {
    const { id, members } = this.#options.status();
    return members.find((member) => member.id === id)?.address;
  }

  async #compare(signal: AbortSignal): Promise<string | undefined> {
    const { listens, advertise } = this.#options;
    const address = this.#own;
    if (address === undefined || isTabAddress(address)) return undefined;
    if (isSame(address, advertise ?? listens)) return undefined;
    // Something may forward from that address to this node.
    const problem = await this.#probe(address, signal);
    if (problem === null) return undefined;
    const where = advertise === undefined ? `it listens on ${listens}` : `it advertises ${advertise}`;
    return `the membership has this node at ${address}, but ${where}: other nodes do not reach it (${problem})`;
  }

  /** Returns why this node is not reached at an address; `null` if it is. */
  async #probe(address: string, signal: AbortSignal): Promise<string | null> {
    const { status, identify } = this.#options;
    const own = status();
    try {
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
      const { nodeId, incarnation } = await identify(address, inTime);
      if (nodeId === own.id && incarnation === own.incarnation) return null;
      return nodeId === own.id ? "another data folder answers there" : `node ${nodeId} answers there`;
    } catch (error) {
      return messageOf(error);
    }
  }

  #hint(): string {
    const { listens, advertise, status } = this.#options;
    const own = this.#own ?? "";
    // An address that it can't listen on is that of a proxy, or of another network.
    const here = URL.canParse(own) && new URL(own).protocol === "http:" && hostOf(own) === hostOf(listens);
    const flag = advertise === undefined && here ? "listen" : "advertise";
    // A node that listens everywhere is nowhere in particular.
    const anywhere = advertise === undefined && /^http:\/\/(0\.0\.0\.0|\[::\]):/.test(listens);
    const now = anywhere ? `HOST:${new URL(listens).port}` : shortest(advertise ?? listens);
    return `Start it with --${flag} ${shortest(own)} again. ` +
      `Or, while the other nodes have a leader, tell them: raft member add ${status().id} ${now}`;
  }
}

function hostOf(address: string): string {
  return new URL(address).hostname;
}

/** Returns an address as flags and commands take it: without the scheme that they suppose. */
function shortest(address: string): string {
  return address.replace(/^http:\/\//, "");
}

/** Reports whether two base URLs are the same place. */
function isSame(address: string, own: string): boolean {
  return URL.canParse(address) && new URL(address).href === new URL(own).href;
}
