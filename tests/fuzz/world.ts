/**
 * The cluster as inputs see it: names, incarnations and numbers as of the last look.
 *
 * @module
 */

/** The part of `GET /status` that inputs depend on. */
export interface NodeView {
  readonly id: string;
  readonly incarnation: string;
  readonly clusterId: string;
  readonly lifecycle: string;
  readonly role: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  readonly leader: { readonly id: string } | null;
}

/** One server. */
export interface Target {
  readonly id: string;
  /** The base URL. */
  readonly address: string;
}

/** Looks at the nodes from time to time. */
export class World {
  readonly targets: readonly Target[];
  readonly #views = new Map<string, NodeView>();
  /** When each node last answered. */
  readonly #answeredMs = new Map<string, number>();

  constructor(targets: readonly Target[]) {
    this.targets = targets;
    for (const { id } of targets) this.#answeredMs.set(id, performance.now());
  }

  /** Asks each node for its status. */
  async look(timeoutMs: number): Promise<void> {
    await Promise.all(this.targets.map(async ({ id, address }) => {
      try {
        const response = await fetch(`${address}/status`, { signal: AbortSignal.timeout(timeoutMs) });
        const view = await response.json() as NodeView;
        this.#answeredMs.set(id, performance.now());
        if (typeof view.incarnation === "string") this.#views.set(id, view);
      } catch {
        // It is asked again; a node that stays silent is reported by its time.
      }
    }));
  }

  /** Returns the last view of a node. */
  view(id: string): NodeView | undefined {
    return this.#views.get(id);
  }

  /** Returns the node that has been silent the longest, and for how long. */
  get quietest(): { readonly id: string; readonly ms: number } {
    const [id, ms] = [...this.#answeredMs].reduce((a, b) => a[1] <= b[1] ? a : b);
    return { id, ms: performance.now() - ms };
  }

  get clusterId(): string {
    return this.#any?.clusterId ?? "";
  }

  /** The highest term seen. */
  get term(): number {
    return this.#most(({ term }) => term);
  }

  /** The last index seen; logs may have grown since. */
  get lastIndex(): number {
    return this.#most(({ lastIndex }) => lastIndex);
  }

  /** Returns an index that a node knows to be committed. */
  committed(id: string): number {
    return this.view(id)?.commitIndex ?? 0;
  }

  /** Returns the leader of the highest term, if a node knew one. */
  get leader(): string | undefined {
    return [...this.#views.values()].find(({ term, leader }) => term === this.term && leader !== null)?.leader?.id;
  }

  /** Returns a member other than the given ones. */
  memberBut(...ids: readonly (string | undefined)[]): string {
    return this.targets.find(({ id }) => !ids.includes(id))!.id;
  }

  get #any(): NodeView | undefined {
    return this.#views.values().next().value;
  }

  #most(of: (view: NodeView) => number): number {
    return Math.max(0, ...[...this.#views.values()].map(of));
  }
}
