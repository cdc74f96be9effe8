/**
 * Looks at the members of the cluster that no tab of this browser tells of:
 * servers, and tabs of other browsers. They are asked for their status.
 *
 * @module
 */

import type { NodeStatus } from "../../mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import type { EntryView, NodeView } from "../source.ts";
import { isServerAddress } from "./addresses.ts";
import { machineMs } from "./observation.ts";
import type { Picture } from "./picture.ts";

/** In place of a page's name: who was asked by this page itself. */
export const ASKED_SERVER = "server";
export const ASKED_TAB = "tab of another browser";

const ASK_INTERVAL_MS = 400;
const ANSWER_TIMEOUT_MS = 1500;

/** Asks for as long as the page lives. */
export class ServerWatch {
  readonly #servers: readonly string[];
  readonly #transport: TabTransport;
  readonly #picture: Picture;
  readonly #asking = new Set<string>();

  constructor(servers: readonly string[], transport: TabTransport, picture: Picture) {
    this.#servers = servers;
    this.#transport = transport;
    this.#picture = picture;
  }

  /** Begins. */
  start(): void {
    setInterval(() => this.#askAll(), ASK_INTERVAL_MS);
    this.#askAll();
  }

  #askAll(): void {
    const told = new Set(this.#picture.nodes.filter(({ page }) => !isAsked(page)).map(({ view }) => view.address));
    const members = this.#picture.membership.members.map(({ address }) => address);
    for (const address of new Set([...this.#servers, ...members])) {
      if (!told.has(address) && !this.#asking.has(address)) void this.#ask(address);
    }
  }

  async #ask(address: string): Promise<void> {
    this.#asking.add(address);
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const status = await this.#transport.client.status(address, { signal });
      const page = isServerAddress(address) ? ASKED_SERVER : ASKED_TAB;
      const report = { page, run: `${status.id} ${status.incarnation}`, view: this.#view(status, address) };
      this.#picture.observe({ type: "report", report, links: null, messages: [], happened: [] });
    } catch {
      // Who does not answer is away before long.
    } finally {
      this.#asking.delete(address);
    }
  }

  /** What is committed is the same everywhere (§5.4.3), so that a tab's node has it for the others, too. */
  #view(status: NodeStatus, address: string): Omit<NodeView, "home"> {
    const own = this.#picture.nodes.map(({ view }) => view).filter(({ home }) => home === "this page");
    const entries = own.map((view) => {
      const committed = Math.min(view.commitIndex, status.commitIndex);
      return view.entries.filter(({ index }) => index >= status.firstIndex && index <= committed);
    });
    return viewOf(status, address, entries.find(({ length }) => length > 0) ?? []);
  }
}

/** Whether this page asks that node itself. */
export function isAsked(page: string): boolean {
  return page === ASKED_SERVER || page === ASKED_TAB || page === "";
}

/** A status tells less than a report: no vote, and no timer. */
function viewOf(status: NodeStatus, asked: string, entries: readonly EntryView[]): Omit<NodeView, "home"> {
  const { id, lifecycle, snapshotIndex, members } = status;
  return {
    id,
    address: members.find((member) => member.id === id)?.address ?? asked,
    life: lifecycle === "running" ? "running" : "stopped",
    lifeReason: status.storage.error ?? "",
    role: status.role,
    term: status.term,
    votedFor: null,
    leader: status.leader?.id ?? null,
    votes: [],
    electionTimer: null,
    commitIndex: status.commitIndex,
    appliedIndex: status.appliedIndex,
    durableIndex: status.durableIndex,
    firstIndex: status.firstIndex,
    lastIndex: status.lastIndex,
    snapshot: snapshotIndex === 0 ? null : { index: snapshotIndex, term: 0 },
    membership: status.membership,
    membershipIndex: status.membershipIndex,
    entries,
    progress: status.peers.map(({ id, matchIndex, nextIndex, state }) => ({ id, matchIndex, nextIndex, state })),
    seenMs: machineMs(),
  };
}
