/**
 * Has things done with nodes, wherever they run: here, or by asking the tab that
 * runs them.
 *
 * @module
 */

import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import { randomHex } from "./cluster_record.ts";
import type { HostOperation, Observation } from "./observation.ts";
import type { PageNodes } from "./page_nodes.ts";
import { fromPlain, toPlain } from "./plain_error.ts";
import type { KnownNode, Picture } from "./picture.ts";
import { isAsked } from "./server_watch.ts";

/** What an {@linkcode Asker} needs. */
export interface AskerOptions {
  readonly page: string;
  readonly picture: Picture;
  readonly nodes: PageNodes;
  /** Whether it is a cluster of servers, whose members are not all of this origin. */
  readonly ofServers: boolean;
  say(observation: Observation): void;
}

/** A tab that has not answered for so long won't: it is closed, or asleep. */
const ANSWER_TIMEOUT_MS = 12_000;

/** Asks, and answers other tabs. */
export class Asker {
  readonly #options: AskerOptions;
  readonly #asked = new Map<string, PromiseWithResolvers<void>>();

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  /** Has it done. @throws {RaftError} what the node or its tab answers; `timeout` if nobody does */
  async ask(node: NodeId, operation: HostOperation): Promise<void> {
    const { nodes, picture, say } = this.#options;
    const known = picture.node(node);
    if (known !== undefined && this.isForeign(known)) {
      throw new RaftError("refused", `${node} is not of this browser`, { hint: "Go to where it runs." });
    }
    // A node that nobody runs may be started anywhere: all tabs of this origin have its disk.
    const here = nodes.has(node) || (operation.type === "restart" && known?.view.life === "away");
    if (here) return await this.#do(node, operation);
    if (known === undefined || known.view.life === "away") {
      throw new RaftError("unreachable", `no tab runs ${node}`, { hint: "Open its tab again, or restart it here." });
    }
    const ask = randomHex(8);
    const answered = Promise.withResolvers<void>();
    this.#asked.set(ask, answered);
    const timer = setTimeout(() => {
      const hint = "Look at that tab; it may be asleep.";
      answered.reject(
        new RaftError("timeout", `the tab that runs ${node} does not answer`, { outcome: "unknown", hint }),
      );
    }, ANSWER_TIMEOUT_MS);
    say({ type: "ask", ask, page: known.page, node, operation });
    try {
      await answered.promise;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(ask);
    }
  }

  /** Whether it is a server, or a tab of another browser: nothing here has a say in its life, or its disk. */
  isForeign({ page }: KnownNode): boolean {
    return this.#options.ofServers && isAsked(page);
  }

  /** Takes what another tab says, if it is about asking. */
  async hear(observation: Observation): Promise<void> {
    if (observation.type === "answer") {
      const asked = this.#asked.get(observation.ask);
      if (observation.error === null) asked?.resolve();
      else asked?.reject(fromPlain(observation.error));
    } else if (observation.type === "ask" && observation.page === this.#options.page) {
      const { ask, node, operation } = observation;
      const error = await this.#do(node, operation).then(() => null, toPlain);
      this.#options.say({ type: "answer", ask, error });
    }
  }

  async #do(id: NodeId, operation: HostOperation): Promise<void> {
    const { nodes } = this.#options;
    switch (operation.type) {
      case "kill":
        return nodes.kill(id);
      case "restart":
        return await nodes.start(id);
      case "wipe":
        return await nodes.wipe(id);
      case "retire":
        return await nodes.retire(id);
      case "pause":
        return await nodes.pause(id, operation.paused);
    }
  }
}
