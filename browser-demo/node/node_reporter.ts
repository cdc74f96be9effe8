/**
 * Looks at a node many times a second, and tells all tabs what changed.
 *
 * @module
 */

import type { LifeState } from "../../browser/mod.ts";
import type { RaftNode, RaftView, Storage } from "../../mod.ts";
import { machineMs, REPORT_INTERVAL_MS } from "../live/observation.ts";
import type { NodeReport, Observation } from "../live/observation.ts";
import type { Happening, Life, NodeView } from "../source.ts";
import type { FaultyTransport } from "./faulty_transport.ts";
import { LogWindow } from "./log_window.ts";
import { TimerGuess } from "./timer_guess.ts";

/** How often it looks: about once a frame or two. */
const LOOK_INTERVAL_MS = 33;
/** Happenings that wait to be told, at most. */
const MAX_HAPPENED = 256;

/** What a reporter is made of. */
export interface ReporterOptions {
  readonly node: RaftNode;
  /** Whether it runs, stands still or has stopped, and why. */
  life(): LifeState;
  readonly storage: Storage;
  readonly transport: FaultyTransport;
  readonly tickMs: number;
  /** The page and the life of the worker that the reports are of. */
  readonly origin: Pick<NodeReport, "page" | "run">;
  say(observation: Observation): void;
}

/** The account of one node. */
export class NodeReporter {
  readonly #options: ReporterOptions;
  readonly #log: LogWindow;
  readonly #timer: TimerGuess;
  #happened: Happening[] = [];
  #toldMs = 0;
  #told = "";
  #commitIndex: number;
  #life: Life = "starting";

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#log = new LogWindow(options.storage);
    this.#timer = new TimerGuess(options.tickMs);
    this.#commitIndex = options.node.inspect().commitIndex;
    this.#listen(options.node);
  }

  /** Begins to tell, for as long as the worker lives: a node that stopped is worth a look, too. */
  start(): void {
    setInterval(() => this.look(), LOOK_INTERVAL_MS);
    this.look();
  }

  /** Tells what is new, if anything is, or if nothing was told for a while. */
  look(): void {
    const { node, transport, origin, say } = this.#options;
    const raft = node.inspect();
    const { commitIndex: index } = raft;
    if (index > this.#commitIndex) this.#happen({ type: "committed", index, from: this.#commitIndex + 1 });
    this.#commitIndex = index;
    const view = this.#view(raft);
    const links = transport.links;
    const messages = transport.takeMessages();
    const signature = JSON.stringify([{ ...view, seenMs: 0 }, links]);
    const due = view.seenMs - this.#toldMs >= REPORT_INTERVAL_MS;
    if (signature === this.#told && messages.length === 0 && this.#happened.length === 0 && !due) return;
    this.#told = signature;
    this.#toldMs = view.seenMs;
    const happened = this.#happened;
    this.#happened = [];
    say({ type: "report", report: { ...origin, view }, links, messages, happened });
  }

  /** Looks at how it is, and tells if that is new. */
  #lifeNow(): { readonly life: Life; readonly reason: string } {
    const { life: state, reason } = this.#options.life();
    const life = state === "closed" ? "stopped" : state === "waiting" ? "starting" : state;
    if (life !== this.#life) this.#happen({ type: "life", life, reason });
    this.#life = life;
    return { life, reason };
  }

  #view(raft: RaftView): Omit<NodeView, "home"> {
    const { transport } = this.#options;
    const seenMs = machineMs();
    const { life, reason: lifeReason } = this.#lifeNow();
    const running = life === "running" || life === "paused";
    const canCampaign = life === "running" && raft.role !== "leader" && raft.membership.voters.includes(raft.id);
    const guess = this.#timer.look(raft.electionTimer, seenMs);
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
      entries: this.#log.look(raft),
      progress: raft.progress().map(({ id, matchIndex, nextIndex, state }) => ({ id, matchIndex, nextIndex, state })),
      seenMs,
    };
  }

  #listen(node: RaftNode): void {
    node.addEventListener("raft", ({ detail }) => this.#happen(detail));
    node.addEventListener("snapshot", ({ detail: { index, reason } }) => {
      this.#happen({ type: "snapshot", index, reason });
    });
    node.addEventListener("storageError", ({ detail: { error, consequence } }) => {
      this.#happen({ type: "storageError", message: error.message, consequence });
    });
    node.addEventListener("refused", ({ detail }) => this.#happen({ type: "refused", ...detail }));
  }

  #happen(what: Happening["what"]): void {
    if (this.#happened.length >= MAX_HAPPENED) return;
    this.#happened.push({ node: this.#options.node.id, atMs: machineMs(), what });
  }
}
