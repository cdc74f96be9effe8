/**
 * Operations on nodes, wherever they run: on this page, or by a call to the tab
 * that runs them.
 */

import { CallTable } from "../../lib/call_table.ts";
import { RaftError, systemHost } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import type { ClusterView, KnownNode } from "./cluster_view.ts";
import { isAsked } from "./host_message.ts";
import type { HostMessage, HostOperation } from "./host_message.ts";
import type { PageNodes } from "./page_nodes.ts";

export interface HostCallsOptions {
  readonly page: string;
  readonly cluster: ClusterView;
  readonly nodes: PageNodes;
  /** Marks a cluster of servers, whose members are not all of this origin. */
  readonly ofServers: boolean;
  send(message: HostMessage): void;
}

/** A tab that has not answered for this long is closed, or asleep. */
const ANSWER_TIMEOUT_MS = 12_000;

/** Calls other tabs, and answers their calls. */
export class HostCalls {
  readonly #options: HostCallsOptions;
  readonly #calls = new CallTable<null>();

  constructor(options: HostCallsOptions) {
    this.#options = options;
  }

  /** Carries out an operation on a node. @throws {RaftError} from the node or its tab; `timeout` without an answer */
  async call(node: NodeId, operation: HostOperation): Promise<void> {
    const { cluster, nodes, page: from, send } = this.#options;
    const known = cluster.node(node);
    if (known !== undefined && this.isForeign(known)) {
      throw new RaftError("refused", `${node} does not belong to this browser`, { hint: "Go to where it runs." });
    }
    // A node that no tab runs may be started in any: all tabs of this origin have its disk.
    const here = nodes.has(node) || (operation === "start" && known?.view.life === "away");
    if (here) return await nodes[operation](node);
    if (known === undefined || known.view.life === "away") {
      throw new RaftError("unreachable", `no tab runs ${node}`, { hint: "Open its tab again, or restart it here." });
    }
    const to = known.page;
    await this.#calls.call({
      to,
      timeout: {
        clock: systemHost().clock,
        ms: ANSWER_TIMEOUT_MS,
        message: `the tab that runs ${node} does not answer; it may be asleep`,
      },
      post: (id) => send({ type: "call", id, from, to, node, operation }),
    });
  }

  /** Reports whether it is a server, or in a tab of another browser: neither its life nor its disk is controlled here. */
  isForeign({ page }: KnownNode): boolean {
    return this.#options.ofServers && isAsked(page);
  }

  /** Takes a call of another tab, or the answer to one of this page's. */
  async receive(message: HostMessage): Promise<void> {
    const { page, nodes, send } = this.#options;
    if (message.type === "answer" && message.to === page) {
      const { id, from, error } = message;
      this.#calls.answered(id, error === null ? null : RaftError.fromJSON(error), from);
    } else if (message.type === "call" && message.to === page) {
      const { id, from, node, operation } = message;
      const error = await nodes[operation](node).then(() => null, (thrown) => RaftError.from(thrown).toJSON());
      send({ type: "answer", id, from: page, to: from, error });
    }
  }
}
