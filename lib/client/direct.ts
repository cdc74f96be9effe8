/**
 * The transport to nodes in the same process, for tests and small programs.
 */

import { RaftError } from "../errors.ts";
import type { RaftNode } from "../node/raft_node.ts";
import type { Consistency, NodeStatus, ReadResult } from "../node/types.ts";
import type { CallOptions, ClientTransport, ProposeOutcome } from "./client_transport.ts";

/** The part of a node that a client needs. */
export type DirectNode = Pick<RaftNode, "propose" | "read" | "status">;

/**
 * A transport that calls nodes directly. It looks up the map at each call, so nodes
 * may be added, replaced and removed at any time; a missing one is `unreachable`.
 *
 * @example
 * ```ts
 * import { DirectClientTransport } from "./lib/client/direct.ts";
 *
 * const transport = new DirectClientTransport(new Map());
 * await transport.status("n1").catch((error) => console.log(error.code)); // unreachable
 * ```
 */
export class DirectClientTransport implements ClientTransport {
  readonly #nodes: ReadonlyMap<string, DirectNode>;

  /** Creates a transport to these nodes. @param nodes by endpoint, which is the node's address in the membership */
  constructor(nodes: ReadonlyMap<string, DirectNode>) {
    this.#nodes = nodes;
  }

  /** See {@linkcode ClientTransport.propose}. */
  async propose(
    endpoint: string,
    commands: readonly Uint8Array[],
    options: CallOptions = {},
  ): Promise<readonly ProposeOutcome[]> {
    const node = this.#node(endpoint);
    return await Promise.all(commands.map(async (command): Promise<ProposeOutcome> => {
      try {
        const { index, result } = await node.propose(command, options);
        return { ok: true, index, result };
      } catch (error) {
        return { ok: false, error: RaftError.from(error) };
      }
    }));
  }

  /** See {@linkcode ClientTransport.read}. */
  async read(
    endpoint: string,
    query: Uint8Array,
    options: CallOptions & { readonly consistency?: Consistency } = {},
  ): Promise<ReadResult> {
    return await this.#node(endpoint).read(query, options);
  }

  /** See {@linkcode ClientTransport.status}. */
  status(endpoint: string): Promise<NodeStatus> {
    try {
      return Promise.resolve(this.#node(endpoint).status());
    } catch (error) {
      return Promise.reject(RaftError.from(error));
    }
  }

  #node(endpoint: string): DirectNode {
    const node = this.#nodes.get(endpoint);
    if (node === undefined) throw new RaftError("unreachable", `there is no node at ${endpoint}`);
    return node;
  }
}
