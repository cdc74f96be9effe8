/**
 * The questions of a node without a leader. It asks the members that it knows for
 * their status: whether it is still one of them, since a node that was removed while it
 * was down receives nothing that would say so, and who answers at all. After a while
 * without a leader it tells its clients what it has seen, because it is no election then
 * that they wait for.
 */

import { attempt } from "../lib/client/attempts.ts";
import type { ClientTransport } from "../lib/client/client_transport.ts";
import type { Clock } from "../lib/clock.ts";
import { RaftError } from "../lib/errors.ts";
import { messageOf } from "../lib/node/errors.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { pause } from "../lib/pause.ts";
import { hasQuorum } from "../lib/raft/quorum.ts";

/** Options of {@linkcode LeaderSearch}. Times in milliseconds. */
export interface LeaderSearchOptions {
  readonly node: Pick<RaftNode, "status" | "learn"> & Partial<Pick<RaftNode, "diagnostics">>;
  /** Asks the members. */
  readonly client: Pick<ClientTransport, "status">;
  readonly clock: Clock;
  /** The minimum election timeout. @default 1000 */
  readonly electionTimeoutMs?: number | undefined;
  /** Called once the node has had no leader for much longer than an election takes, with the reason; and without one once it has a leader. */
  report?(reason: string | undefined): void;
  /** The interval of its looks for a leader. @default 250 */
  readonly intervalMs?: number;
  /** The longest pause between two rounds of questions; the first one is `intervalMs`. @default 5000 */
  readonly maxPauseMs?: number;
}

/** The time that a member may take to answer. */
const ANSWER_TIMEOUT_MS = 2000;
/** The election timeouts after which the lack of a leader is more than an election: that takes one or two … */
const PATIENCE_TIMEOUTS = 4;
/** … or a few more among nodes that answer, if they have just started, or split their votes. */
const ELECTION_TIMEOUTS = 8;

/** The last answer of another member, or the error in its place. */
interface Asked {
  readonly status: NodeStatus | null;
  readonly error: string;
  /** The time since when it has been so. */
  readonly sinceMs: number;
}

/** Looks for a leader, for one node. */
export class LeaderSearch {
  readonly #options: LeaderSearchOptions;
  readonly #asked = new Map<string, Asked>();
  /** The time since when the node has had no leader; `null` while it has one. */
  #sinceMs: number | null = null;
  #reported = false;

  constructor(options: LeaderSearchOptions) {
    this.#options = options;
  }

  /** Asks, at growing intervals, for as long as the node has no leader; until it ends, or the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { node, clock, intervalMs = 250, maxPauseMs = 5000 } = this.#options;
    let pauseMs = 0;
    let askedMs = -Infinity;
    while (!signal.aborted && node.status().lifecycle === "running") {
      if (this.#followed()) pauseMs = 0;
      else if (clock.monotonicMs() - askedMs >= pauseMs) {
        await this.#ask(signal);
        askedMs = clock.monotonicMs();
        pauseMs = Math.min(maxPauseMs, Math.max(intervalMs, pauseMs * 2));
      }
      this.#report();
      await pause(clock, intervalMs, signal);
    }
  }

  /**
   * Returns why the node has no leader, as far as it can see; `undefined` while it has one, or has lost one not long
   * ago. To be read after "it has no leader".
   */
  reason(): string | undefined {
    const status = this.#options.node.status();
    if (status.lifecycle !== "running" || this.#followed()) return undefined;
    if (status.clusterId === "") return "it waits to be added to a cluster";
    const { electionTimeoutMs = 1000, clock } = this.#options;
    const forMs = clock.monotonicMs() - this.#sinceMs!;
    if (forMs < PATIENCE_TIMEOUTS * electionTimeoutMs) return undefined;
    if (status.members.every(({ id }) => id === status.id)) return undefined;
    const mayElect = hasQuorum(status.membership, (voter) => this.#answers(status, voter));
    return mayElect && forMs < ELECTION_TIMEOUTS * electionTimeoutMs ? undefined : this.#seen(status, seconds(forMs));
  }

  /** Says which members answer, and what they say of a leader. */
  #seen(status: NodeStatus, duration: string): string {
    const { id, membership, members } = status;
    const others = members.filter((member) => member.id !== id);
    const leader = others.map((other) => this.#asked.get(other.id)?.status).find((status) => status?.role === "leader");
    if (leader) return `${leader.id} leads, but nothing that it sent has been taken for ${duration}${this.#refusals()}`;
    const voters = [...new Set([...membership.voters, ...membership.outgoing])];
    const answers = (voter: string): boolean => this.#answers(status, voter);
    const up = `${voters.filter(answers).length} of ${voters.length} voters`;
    const nowMs = this.#options.clock.monotonicMs();
    const silent = voters.filter((voter) => !answers(voter)).map((voter) => {
      const { error = "not asked yet", sinceMs = nowMs } = this.#asked.get(voter) ?? {};
      return `${voter} for ${seconds(nowMs - sinceMs)} (${error})`;
    });
    if (hasQuorum(membership, answers)) {
      return `${up} answer, and none has had a leader for ${duration}${this.#refusals()}`;
    }
    return `only ${up} answer, which is no quorum; no answer from ${silent.join(", ")}`;
  }

  /** Reports whether a voter answers: this node, or one that it has reached. */
  #answers({ id }: NodeStatus, voter: string): boolean {
    return voter === id || Boolean(this.#asked.get(voter)?.status);
  }

  /** Names the latest message of another member that was refused. */
  #refusals(): string {
    const [last] = this.#options.node.diagnostics?.().refused ?? [];
    return last === undefined ? "" : `; it refuses messages of ${last.from}: ${last.reason}`;
  }

  /** Reports whether the node has a leader, and keeps the time since when it has none. */
  #followed(): boolean {
    const { node, clock } = this.#options;
    const { role, leader } = node.status();
    const followed = role === "leader" || leader !== null;
    if (!followed) this.#sinceMs ??= clock.monotonicMs();
    else if (this.#sinceMs !== null) {
      this.#sinceMs = null;
      this.#asked.clear();
    }
    return followed;
  }

  #report(): void {
    const { node, report } = this.#options;
    const { clusterId, removed } = node.status();
    const reason = removed || clusterId === "" ? undefined : this.reason();
    if (this.#reported === (reason !== undefined)) return;
    this.#reported = !this.#reported;
    report?.(reason);
  }

  /** Asks each other member that the node knows for its status. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { node, client, clock } = this.#options;
    const { id, members, clusterId } = node.status();
    if (clusterId === "") return;
    await Promise.all(
      members.filter((member) => member.id !== id).map(async ({ id, address }) => {
        const before = this.#asked.get(id);
        const beganMs = clock.monotonicMs();
        const since = (answered: boolean) => before !== undefined && (before.status !== null) === answered;
        try {
          const ask = (signal: AbortSignal) => client.status(address, { signal });
          const status = await attempt({ clock }, ANSWER_TIMEOUT_MS, [signal], ask);
          this.#asked.set(id, { status, error: "", sinceMs: since(true) ? before!.sinceMs : beganMs });
          node.learn(status);
        } catch (thrown) {
          if (signal.aborted) return;
          const late = RaftError.from(thrown).code === "timeout";
          const error = late ? `no answer within ${ANSWER_TIMEOUT_MS / 1000} s` : messageOf(thrown);
          this.#asked.set(id, { status: null, error, sinceMs: since(false) ? before!.sinceMs : beganMs });
        }
      }),
    );
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
