/**
 * Inspects a node many times a second, and reports changes to all tabs.
 */

import type { LifeState } from "../../browser/mod.ts";
import type { RaftNode, RaftView, Storage } from "../../mod.ts";
import { machineMs, REPORT_INTERVAL_MS } from "../live/host_message.ts";
import type { HostMessage, NodeReport } from "../live/host_message.ts";
import type { ClusterEvent, NodeLife, NodeView } from "../source.ts";
import type { FaultyTransport } from "./faulty_transport.ts";
import { LogWindow } from "./log_window.ts";
import { TimerGuess } from "./timer_guess.ts";

/** About every second frame. */
const INSPECT_INTERVAL_MS = 33;
/** At most this many events wait for a report. */
const MAX_EVENTS = 256;

export interface ReporterOptions {
  readonly node: RaftNode;
  /** Returns the state of the node, with the reason. */
  life(): LifeState;
  readonly storage: Storage;
  readonly transport: FaultyTransport;
  readonly tickMs: number;
  /** The page and the life of the worker, for the reports. */
  readonly origin: Pick<NodeReport, "page" | "run">;
  send(message: HostMessage): void;
}

/** Reports one node. */
export class NodeReporter {
  readonly #options: ReporterOptions;
  readonly #log: LogWindow;
  readonly #timer: TimerGuess;
  #events: ClusterEvent[] = [];
  #reportedMs = 0;
  #reported = "";
  #commitIndex: number;
  #life: NodeLife = "starting";

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#log = new LogWindow(options.storage);
    this.#timer = new TimerGuess(options.tickMs);
    this.#commitIndex = options.node.inspect().commitIndex;
    this.#listen(options.node);
  }

  /** Reports for as long as the worker lives, even a node that stopped. */
  start(): void {
    setInterval(() => this.#inspect(), INSPECT_INTERVAL_MS);
    this.#inspect();
  }

  /** Reports changes, or after a while that there are none. */
  #inspect(): void {
    const { node, transport, origin, send } = this.#options;
    const raft = node.inspect();
    const { commitIndex: index } = raft;
    if (index > this.#commitIndex) this.#event({ type: "committed", index, from: this.#commitIndex + 1 });
    this.#commitIndex = index;
    const view = this.#view(raft);
    const links = transport.links;
    const messages = transport.takeMessages();
    const signature = JSON.stringify([{ ...view, seenMs: 0 }, links]);
    const due = view.seenMs - this.#reportedMs >= REPORT_INTERVAL_MS;
    if (signature === this.#reported && messages.length === 0 && this.#events.length === 0 && !due) return;
    this.#reported = signature;
    this.#reportedMs = view.seenMs;
    const events = this.#events;
    this.#events = [];
    send({ type: "report", report: { ...origin, view }, links, messages, events });
  }

  /** Returns the state of the node, and notes an event if it is new. */
  #lifeNow(): { readonly life: NodeLife; readonly reason: string } {
    const { life: state, reason } = this.#options.life();
    const life = state === "closed" ? "stopped" : state === "waiting" ? "starting" : state;
    if (life !== this.#life) this.#event({ type: "life", life, reason });
    this.#life = life;
    return { life, reason };
  }

  #view(raft: RaftView): Omit<NodeView, "home"> {
    const { transport } = this.#options;
    const seenMs = machineMs();
    const { life, reason: lifeReason } = this.#lifeNow();
    const running = life === "running" || life === "paused";
    const canCampaign = life === "running" && raft.role !== "leader" && raft.membership.voters.includes(raft.id);
    const guess = this.#timer.observe(raft.electionTimer, seenMs);
    const { snapshot } = raft;
    return {
      id: raft.id,
      address: transport.address,
      life,
      lifeReason,
      role: running ? raft.role : "follower",
      term: raft.term,
      votedFor: raft.votedFor,
      leader: running ? raft.leader : null,
      votes: [...raft.votes].map(([from, granted]) => ({ from, granted })),
      electionTimer: canCampaign ? guess : null,
      commitIndex: raft.commitIndex,
      appliedIndex: raft.appliedIndex,
      durableIndex: raft.durableIndex,
      firstIndex: raft.firstIndex,
      lastIndex: raft.lastIndex,
      snapshot: snapshot === null ? null : { index: snapshot.index, term: snapshot.term },
      membership: raft.membership,
      membershipIndex: raft.membershipIndex,
      entries: this.#log.entries(raft),
      progress: raft.progress().map(({ id, matchIndex, nextIndex, state }) => ({ id, matchIndex, nextIndex, state })),
      seenMs,
    };
  }

  #listen(node: RaftNode): void {
    node.addEventListener("raft", ({ detail }) => this.#event(detail));
    node.addEventListener("snapshot", ({ detail: { index, reason } }) => {
      this.#event({ type: "snapshot", index, reason });
    });
    node.addEventListener("storageError", ({ detail: { error, consequence } }) => {
      this.#event({ type: "storageError", message: error.message, consequence });
    });
    node.addEventListener("refused", ({ detail }) => this.#event({ type: "refused", ...detail }));
  }

  #event(what: ClusterEvent["what"]): void {
    if (this.#events.length >= MAX_EVENTS) return;
    this.#events.push({ node: this.#options.node.id, atMs: machineMs(), what });
  }
}
