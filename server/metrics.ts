/**
 * Metrics for Prometheus.
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RaftNode } from "../lib/node/mod.ts";
import type { NodeMetric, NodeStatus } from "../lib/node/types.ts";
import type { ByteBudget } from "../lib/byte_budget.ts";
import type { RelayCounts } from "../transport/relay/mod.ts";
import type { ForwardBudget } from "../hosting/forward_budget.ts";
import type { ConnectionCounts } from "./connections.ts";
import { VERSION } from "./version.ts";
import type { AnswerCounts } from "./answers.ts";
import type { WatchCounts } from "./watchers.ts";

/** The part of a node that metrics are made from. */
export type ObservedNode = Pick<RaftNode, "status" | "addEventListener">;

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The gauges without labels: name, help and value. */
const GAUGES: readonly (readonly [name: string, help: string, value: (now: NodeStatus) => number | boolean])[] = [
  ["raft_has_leader", "1 if this node knows a leader.", ({ leader }) => leader !== null],
  ["raft_is_leader", "1 if this node leads.", ({ role }) => role === "leader"],
  [
    "raft_is_learner",
    "1 if this node has no vote.",
    ({ id: self, members }) => members.some(({ id, suffrage }) => id === self && suffrage === "learner"),
  ],
  ["raft_removed", "1 if this node knows that it was removed from its cluster.", ({ removed }) => removed],
  ["raft_term", "The current term.", ({ term }) => term],
  ["raft_commit_index", "The last entry known to be committed.", ({ commitIndex }) => commitIndex],
  ["raft_applied_index", "The last entry applied.", ({ appliedIndex }) => appliedIndex],
  ["raft_durable_index", "The last entry durable here.", ({ durableIndex }) => durableIndex],
  ["raft_last_index", "The last entry of the log.", ({ lastIndex }) => lastIndex],
  ["raft_snapshot_index", "The last entry that the newest snapshot covers.", ({ snapshotIndex }) => snapshotIndex],
  ["raft_members", "Members of the cluster.", ({ members }) => members.length],
  ["raft_storage_healthy", "0 once the storage has failed.", ({ storage }) => storage.healthy],
  ["raft_uptime_seconds", "Since the node started.", ({ uptimeMs }) => uptimeMs / 1000],
];

type Sizes = Extract<NodeMetric, { readonly type: "snapshots" }>;

/** The gauges of sizes: name, help and value. */
const SIZES: readonly (readonly [name: string, help: string, value: (sizes: Sizes) => number])[] = [
  ["raft_log_bytes", "Bytes of applied entries since the newest snapshot.", ({ logBytes }) => logBytes],
  ["raft_snapshot_bytes", "Bytes of the newest snapshot.", ({ snapshotBytes }) => snapshotBytes],
  [
    "raft_retained_bytes",
    "On the leader: bytes of entries kept before its newest snapshot for members that receive an older one.",
    ({ retainedBytes }) => retainedBytes,
  ],
  ["raft_snapshot_transfers", "On the leader: snapshots being sent.", ({ transfers }) => transfers],
];

/** Counts and times the events of a node; gauges are read at each collection. */
export class Metrics {
  readonly #registry: Registry = new Registry();
  readonly #proposals = this.#counter("raft_proposals_total", "Proposals made on this node, by result.", "result");
  readonly #proposalSeconds = this.#histogram("raft_proposal_duration_seconds", "From a proposal to its answer.");
  readonly #persistSeconds = this.#histogram("raft_persist_duration_seconds", "One durable write to the log.");
  readonly #applySeconds = this.#histogram("raft_apply_duration_seconds", "One batch handed to the state machine.");
  readonly #persistBytes = this.#counter("raft_persist_bytes_total", "Bytes of entries written to the log.");
  readonly #leaderChanges = this.#counter("raft_leader_changes_total", "Changes of the leader, as seen by this node.");
  readonly #storageErrors = this.#counter("raft_storage_errors_total", "Failures of the storage.");
  readonly #refused = this.#counter(
    "raft_messages_refused_total",
    "Messages of other nodes that were refused, by the kind of the refusal.",
    "kind",
  );
  readonly #snapshots = this.#counter(
    "raft_snapshots_total",
    "Snapshots taken here or installed by a leader.",
    "reason",
  );
  readonly #snapshotBytes = this.#counter(
    "raft_snapshot_bytes_total",
    "Bytes of snapshots taken here or installed by a leader.",
    "reason",
  );
  readonly #entriesDropped = this.#counter(
    "raft_entries_dropped_total",
    "On the leader: times that a member lost entries that it needed, beyond the maximum of retained bytes.",
  );
  #sizes: Sizes = { type: "snapshots", logBytes: 0, snapshotBytes: 0, retainedBytes: 0, transfers: 0, sentBytes: 0 };

  /**
   * Creates all metrics.
   *
   * @param status Called at each collection.
   */
  constructor(status: () => NodeStatus) {
    this.#proposals.inc({ result: "committed" }, 0);
    this.#proposals.inc({ result: "failed" }, 0);
    this.#gauge(
      "raft_build_info",
      "The version, as a label.",
      (gauge) => gauge.set({ version: VERSION }, 1),
      "version",
    );
    for (const [name, help, value] of GAUGES) {
      this.#gauge(name, help, (gauge) => gauge.set(Number(value(status()))));
    }
    for (const [name, help, value] of SIZES) this.#gauge(name, help, (gauge) => gauge.set(value(this.#sizes)));
    this.#counter("raft_snapshot_sent_bytes_total", "Bytes of snapshots sent to members.", undefined, (counter) => {
      counter.reset();
      counter.inc(this.#sizes.sentBytes);
    });
    this.#gauge("raft_peer_lag_entries", "On the leader: entries that the peer does not have yet.", (gauge) => {
      const { peers, lastIndex } = status();
      for (const { id, matchIndex } of peers) gauge.set({ peer: id }, Math.max(0, lastIndex - matchIndex));
    }, "peer");
    this.#gauge("raft_peer_last_contact_seconds", "On the leader: since the peer last answered.", (gauge) => {
      for (const { id, lastContactMs } of status().peers) {
        if (lastContactMs !== null) gauge.set({ peer: id }, lastContactMs / 1000);
      }
    }, "peer");
  }

  /** The media type of {@linkcode Metrics.text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Returns all current values in the format of Prometheus. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** Begins to count a node's events. */
  observe(node: ObservedNode): void {
    let leader: string | null = null;
    node.addEventListener("metric", ({ detail }) => this.#record(detail));
    node.addEventListener("snapshot", ({ detail: { reason, size } }) => {
      this.#snapshots.inc({ reason });
      this.#snapshotBytes.inc({ reason }, size);
    });
    node.addEventListener("entriesDropped", () => this.#entriesDropped.inc());
    node.addEventListener("storageError", () => this.#storageErrors.inc());
    node.addEventListener("state", ({ detail }) => {
      if (detail.leader !== null && detail.leader !== leader) this.#leaderChanges.inc();
      leader = detail.leader;
    });
  }

  /** Adds the metrics of the relay to browser tabs. */
  observeRelay(counts: () => RelayCounts): void {
    this.#gauge("raft_relay_pages", "Browser pages attached to this server.", (gauge) => gauge.set(counts().pages));
    this.#counter("raft_relay_packets_total", "Messages from and to browser pages, by result.", "result", (counter) => {
      counter.reset();
      const { toPages, toServer, dropped, malformed } = counts();
      counter.inc({ result: "to_page" }, toPages);
      counter.inc({ result: "to_server" }, toServer);
      counter.inc({ result: "dropped" }, dropped);
      counter.inc({ result: "malformed" }, malformed);
    });
  }

  /** Adds the metrics of watchers. */
  observeWatchers(counts: () => WatchCounts): void {
    this.#gauge("raft_watchers", "Clients that watch changes.", (gauge) => gauge.set(counts().watchers));
    this.#gauge("raft_watch_buffered_bytes", "Encoded changes that are kept for watchers or being sent.", (gauge) => {
      gauge.set(counts().bufferedBytes);
    });
    this.#counter("raft_watches_ended_total", "Watches refused (busy), or ended (slow).", "reason", (counter) => {
      counter.reset();
      counter.inc({ reason: "busy" }, counts().refused);
      counter.inc({ reason: "slow" }, counts().slow);
    });
  }

  /** Adds the metrics of answers being sent. */
  observeAnswers(counts: () => AnswerCounts): void {
    this.#gauge("raft_answer_bytes", "Large answers that are being sent.", (gauge) => gauge.set(counts().bytes));
    this.#counter("raft_answers_ended_total", "Answers refused (busy), or broken off (slow).", "reason", (counter) => {
      counter.reset();
      counter.inc({ reason: "busy" }, counts().refused);
      counter.inc({ reason: "slow" }, counts().slow);
    });
  }

  /** Adds the metrics of requests that are forwarded to the leader. */
  observeForwards(counts: () => ForwardBudget["counts"]): void {
    this.#gauge("raft_forwarded_requests", "Requests that are forwarded to the leader, or wait for one.", (gauge) => {
      gauge.set(counts().requests);
    });
    this.#gauge("raft_forwarded_bytes", "The bytes of these requests.", (gauge) => gauge.set(counts().bytes));
    this.#counter("raft_forwards_refused_total", "Requests refused because too many wait.", undefined, (counter) => {
      counter.reset();
      counter.inc(counts().refused);
    });
  }

  /** Adds the metrics of requests that are being received. */
  observeReceiver(budget: ByteBudget): void {
    this.#gauge(
      "raft_receive_bytes",
      "Bytes of requests that are being received or answered.",
      (gauge) => gauge.set(budget.usedBytes),
    );
    const help = "Requests refused because others filled the limit of raft_receive_bytes.";
    this.#counter("raft_receive_refused_total", help, undefined, (counter) => {
      counter.reset();
      counter.inc(budget.refused);
    });
  }

  /** Adds the metrics of the port's connections. */
  observeConnections(counts: () => ConnectionCounts): void {
    this.#gauge("raft_connections", "Connections to this server that are open.", (gauge) => gauge.set(counts().open));
    this.#counter(
      "raft_connections_total",
      "Connections to this server so far, by what became of them.",
      "result",
      (counter) => {
        counter.reset();
        const { accepted, refused, evicted, timedOut, resetting } = counts();
        counter.inc({ result: "accepted" }, accepted);
        counter.inc({ result: "refused" }, refused);
        counter.inc({ result: "evicted" }, evicted);
        counter.inc({ result: "timed_out" }, timedOut);
        counter.inc({ result: "resetting" }, resetting);
      },
    );
  }

  #record(metric: NodeMetric): void {
    if (metric.type === "refused") return this.#refused.inc({ kind: metric.kind });
    if (metric.type === "snapshots") {
      this.#sizes = metric;
      return;
    }
    const seconds = metric.durationMs / 1000;
    switch (metric.type) {
      case "proposal":
        this.#proposals.inc({ result: metric.ok ? "committed" : "failed" });
        this.#proposalSeconds.observe(seconds);
        return;
      case "persist":
        this.#persistSeconds.observe(seconds);
        this.#persistBytes.inc(metric.bytes);
        return;
      case "apply":
        this.#applySeconds.observe(seconds);
        return;
    }
  }

  #counter(name: string, help: string, label?: string, collect: (counter: Counter) => void = () => {}): Counter {
    return new Counter({
      ...this.#configuration(name, help, label),
      collect() {
        collect(this);
      },
    });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ ...this.#configuration(name, help), buckets: SECONDS });
  }

  /** Adds a gauge whose values `set` sets anew at each collection. */
  #gauge(name: string, help: string, set: (gauge: Gauge) => void, label?: string): void {
    new Gauge({
      ...this.#configuration(name, help, label),
      collect() {
        this.reset();
        set(this);
      },
    });
  }

  #configuration(name: string, help: string, label?: string) {
    return { name, help, labelNames: label === undefined ? [] : [label], registers: [this.#registry] };
  }
}
