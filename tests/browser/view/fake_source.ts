/**
 * A fake cluster: it records the calls of its controls, and elects, replicates and
 * answers just enough to be tried by hand. The test moves its clock.
 *
 * @module
 */

import { RaftError } from "../../../mod.ts";
import type { NodeId } from "../../../mod.ts";
import { freshNode, votersOf } from "../../support/demo_views.ts";
import type {
  ClusterEvent,
  ClusterSource,
  EntryView,
  KeyValueAnswer,
  LinkView,
  MessageView,
  NodeView,
  SourceListener,
} from "../../../browser-demo/source.ts";

/** The fake cluster. */
export class FakeSource implements ClusterSource {
  readonly inviteUrl = "http://localhost/?join=demo";
  readonly shareUrl = "http://localhost/?join";
  /** The calls of controls: the name of the method, and its arguments. */
  readonly calls: unknown[][] = [];
  readonly nodes = new Map<NodeId, NodeView>();
  readonly links = new Map<string, LinkView>();
  /** The error of the next call. */
  failure: RaftError | null = null;
  #listeners = new Set<SourceListener>();
  #nowMs = 1000;
  #due: { atMs: number; run: () => void }[] = [];
  #messages = 0;
  readonly #values = new Map<string, { value: string; version: number }>();

  constructor(ids: readonly NodeId[]) {
    const membership = votersOf(ids);
    for (const id of ids) this.nodes.set(id, freshNode(id, membership));
  }

  // The source.

  now(): number {
    return this.#nowMs;
  }

  subscribe(listener: SourceListener): void {
    this.#listeners.add(listener);
    for (const view of this.nodes.values()) listener.node(view);
    for (const view of this.links.values()) listener.link(view);
  }

  // For scripts.

  /** Lets time pass, and runs everything that is due. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (;;) {
      const next = this.#due.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = until;
  }

  after(ms: number, run: () => void): void {
    this.#due.push({ atMs: this.#nowMs + ms, run });
  }

  /** Changes the view of a node. */
  set(id: NodeId, change: Partial<NodeView>): void {
    const view = { ...(this.nodes.get(id) ?? freshNode(id)), ...change, seenMs: this.#nowMs };
    this.nodes.set(id, view);
    for (const listener of this.#listeners) listener.node(view);
  }

  happen(node: NodeId, what: ClusterEvent["what"]): void {
    for (const listener of this.#listeners) listener.event({ node, atMs: this.#nowMs, what });
  }

  send(from: NodeId, to: NodeId, type: MessageView["type"], change: Partial<MessageView> = {}): void {
    const link = this.links.get(`${from} ${to}`);
    const down = this.nodes.get(to)?.life !== "running";
    const view: MessageView = {
      id: String(++this.#messages),
      from,
      to,
      type,
      term: this.nodes.get(from)?.term ?? 0,
      label: type,
      heartbeat: false,
      refusal: false,
      sentMs: this.#nowMs,
      arrivesMs: this.#nowMs + (link?.delayMs ?? 0) + 0.4,
      fate: link?.cut === true ? "cut" : down ? "lost" : "delivered",
      ...change,
    };
    for (const listener of this.#listeners) listener.message(view);
  }

  view(id: NodeId): NodeView {
    const view = this.nodes.get(id);
    if (view === undefined) throw new RaftError("invalid_argument", `there is no ${id}`);
    return view;
  }

  running(): NodeView[] {
    return [...this.nodes.values()].filter(({ life }) => life === "running");
  }

  leader(): NodeView | undefined {
    return this.running().find(({ role }) => role === "leader");
  }

  /** Runs an election that `id` wins, with its messages and events. */
  elect(id: NodeId): void {
    const term = Math.max(...[...this.nodes.values()].map((view) => view.term)) + 1;
    const others = this.running().filter((view) => view.id !== id).map((view) => view.id);
    this.happen(id, { type: "electionStarted", term, preVote: true, reason: "timeout" });
    for (const preVote of [true, false]) {
      if (!preVote) this.happen(id, { type: "electionStarted", term, preVote, reason: "timeout" });
      for (const other of others) {
        this.send(id, other, "RequestVote", { term });
        this.happen(other, { type: "voteGranted", to: id, term, preVote });
        this.send(other, id, "RequestVoteResponse", { term, sentMs: this.#nowMs + 1, arrivesMs: this.#nowMs + 1.4 });
      }
    }
    for (const { id: other } of this.running()) {
      const role = other === id ? "leader" : "follower";
      this.set(other, { term, role, leader: id, votedFor: id, votes: [], progress: [], ...this.#timer(other === id) });
      if (other !== id) this.happen(other, { type: "leaderChanged", leader: id, term });
    }
    this.happen(id, { type: "roleChanged", role: "leader", term, reason: "a quorum voted for it" });
    this.append("noop", "");
  }

  #timer(leads: boolean): Pick<NodeView, "electionTimer"> {
    return { electionTimer: leads ? null : { startedMs: this.#nowMs, dueMs: this.#nowMs + 1500 } };
  }

  /** Appends an entry to the leader and to all nodes that it reaches; committed if those are a majority. */
  append(type: EntryView["type"], label: string): number {
    const leader = this.leader();
    if (leader === undefined) throw new RaftError("no_leader", "there is no leader", { hint: "Wait for an election." });
    const entry: EntryView = { index: leader.lastIndex + 1, term: leader.term, type, label };
    const entries = [...leader.entries, entry].slice(-40);
    const reached = this.running().filter(({ id }) => id === leader.id || this.#reaches(leader.id, id));
    const commits = reached.length > this.nodes.size / 2;
    const commitIndex = commits ? entry.index : leader.commitIndex;
    const progress = [...this.nodes.keys()].filter((id) => id !== leader.id).map((id) => {
      const matchIndex = reached.some((view) => view.id === id) ? entry.index : this.view(id).durableIndex;
      return { id, matchIndex, nextIndex: matchIndex + 1, state: "replicate" as const };
    });
    for (const { id } of reached) {
      const log = { entries, lastIndex: entry.index, durableIndex: entry.index };
      this.set(id, { ...log, commitIndex, appliedIndex: commitIndex, ...(id === leader.id ? { progress } : {}) });
      if (id !== leader.id) this.#exchange(leader.id, id, false);
    }
    if (commits) this.happen(leader.id, { type: "committed", index: entry.index });
    return entry.index;
  }

  #reaches(from: NodeId, to: NodeId): boolean {
    return ![`${from} ${to}`, `${to} ${from}`].some((key) => this.links.get(key)?.cut === true);
  }

  #exchange(leader: NodeId, id: NodeId, heartbeat: boolean): void {
    this.send(leader, id, "AppendEntries", { heartbeat, label: heartbeat ? "heartbeat" : "1 entry" });
    if (this.links.get(`${leader} ${id}`)?.cut === true || this.view(id).life !== "running") return;
    const times = { sentMs: this.#nowMs + 1, arrivesMs: this.#nowMs + 1.4 };
    this.send(id, leader, "AppendEntriesResponse", { heartbeat, label: "matches", ...times });
  }

  /** Sends a round of heartbeats. */
  beat(): void {
    const leader = this.leader();
    if (leader === undefined) return;
    for (const { id, life } of [...this.nodes.values()]) {
      if (id === leader.id) continue;
      this.#exchange(leader.id, id, true);
      if (life === "running" && this.#reaches(leader.id, id)) this.set(id, this.#timer(false));
    }
  }

  // The controls.

  #called(name: string, ...args: unknown[]): void {
    this.calls.push([name, ...args]);
    const { failure } = this;
    this.failure = null;
    if (failure !== null) throw failure;
  }

  #answer(key: string, servedBy: NodeId): KeyValueAnswer {
    const found = this.#values.get(key);
    return { value: found?.value ?? null, version: found?.version ?? 0, servedBy, tookMs: 3.2 };
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async put(key: string, value: string): Promise<KeyValueAnswer> {
    this.#called("put", key, value);
    const version = this.append("command", `put ${key} = ${value}`);
    this.#values.set(key, { value, version });
    return this.#answer(key, this.leader()?.id ?? "");
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer> {
    if (consistency === "linearizable") this.#called("get", key, consistency);
    else this.calls.push(["get", key, consistency, from]);
    const servedBy = from ?? this.leader()?.id;
    if (servedBy === undefined) {
      throw new RaftError("no_leader", "there is no leader", { hint: "Wait for an election." });
    }
    return this.#answer(key, servedBy);
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async remove(key: string): Promise<KeyValueAnswer> {
    this.#called("remove", key);
    const version = this.append("command", `delete ${key}`);
    this.#values.delete(key);
    return { value: null, version, servedBy: this.leader()?.id ?? "", tookMs: 2.1 };
  }

  setLink(link: LinkView): void {
    this.#called("setLink", link);
    this.#link(link);
  }

  #link(link: LinkView): void {
    this.links.set(`${link.from} ${link.to}`, link);
    for (const listener of this.#listeners) listener.link(link);
  }

  isolate(id: NodeId, isolated: boolean): void {
    this.#called("isolate", id, isolated);
    for (const other of this.nodes.keys()) {
      if (other === id) continue;
      this.#link({ from: id, to: other, cut: isolated, delayMs: 0, loss: 0 });
      this.#link({ from: other, to: id, cut: isolated, delayMs: 0, loss: 0 });
    }
  }

  heal(): void {
    this.#called("heal");
    for (const { from, to } of [...this.links.values()]) this.#link({ from, to, cut: false, delayMs: 0, loss: 0 });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async kill(id: NodeId): Promise<void> {
    this.#called("kill", id);
    const led = this.leader()?.id === id;
    this.set(id, { life: "killed", role: "follower", leader: null, electionTimer: null, progress: [] });
    this.happen(id, { type: "life", life: "killed", reason: "" });
    if (!led) return;
    for (const view of this.running()) this.set(view.id, { leader: null });
    this.after(1300, () => {
      const next = this.running()[0];
      if (next !== undefined && this.running().length > this.nodes.size / 2) this.elect(next.id);
    });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async restart(id: NodeId): Promise<void> {
    this.#called("restart", id);
    const { entries = [], lastIndex = 0, commitIndex = 0, id: leader = null, term = 0 } = this.leader() ?? {};
    const log = { entries, lastIndex, commitIndex, appliedIndex: commitIndex, durableIndex: lastIndex };
    this.set(id, { life: "running", leader, term, ...log, ...this.#timer(false) });
    this.happen(id, { type: "life", life: "running", reason: "" });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async pause(id: NodeId, paused: boolean): Promise<void> {
    this.#called("pause", id, paused);
    this.set(id, { life: paused ? "paused" : "running" });
    this.happen(id, { type: "life", life: paused ? "paused" : "running", reason: "" });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async wipe(id: NodeId): Promise<void> {
    this.#called("wipe", id);
    this.set(id, { ...freshNode(id, this.view(id).membership), life: "stopped", lifeReason: "its disk was wiped" });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async transferLeadership(to: NodeId): Promise<void> {
    this.#called("transferLeadership", to);
    const leader = this.leader();
    if (leader === undefined) throw new RaftError("no_leader", "there is no leader");
    this.happen(leader.id, { type: "transferStarted", to });
    this.send(leader.id, to, "TimeoutNow");
    this.set(leader.id, { role: "follower" });
    this.elect(to);
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async takeSnapshot(id: NodeId): Promise<void> {
    this.#called("takeSnapshot", id);
    const { appliedIndex, term, entries } = this.view(id);
    const kept = entries.filter(({ index }) => index > appliedIndex - 3);
    this.set(id, { snapshot: { index: appliedIndex, term }, firstIndex: Math.max(1, appliedIndex - 2), entries: kept });
    this.happen(id, { type: "snapshot", index: appliedIndex, reason: "taken" });
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async addNode(): Promise<NodeId> {
    this.#called("addNode");
    const id = `n${this.nodes.size + 1}`;
    const membership = votersOf([...this.nodes.keys(), id]);
    this.set(id, freshNode(id, membership));
    for (const other of this.nodes.keys()) this.set(other, { membership });
    if (this.leader() !== undefined) this.append("membership", `add ${id}`);
    return id;
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async removeNode(id: NodeId): Promise<void> {
    this.#called("removeNode", id);
    this.nodes.delete(id);
    for (const listener of this.#listeners) listener.gone(id);
    for (const other of this.nodes.keys()) this.set(other, { membership: votersOf([...this.nodes.keys()]) });
  }
}
