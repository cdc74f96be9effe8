/**
 * The transport between clients and nodes.
 */

import type { Consistency, NodeStatus } from "../node/types.ts";
import type { RaftError } from "../errors.ts";
import type { AdminCalls, AdminMethod } from "./admin_calls.ts";

/** The answer to one command. */
export type ProposeOutcome =
  | { readonly ok: true; readonly index: number; readonly result: Uint8Array }
  | { readonly ok: false; readonly error: RaftError };

/** Options of every call. */
export interface CallOptions {
  /** Gives up the call; its outcome is then unknown. */
  readonly signal?: AbortSignal;
}

/** Options of an operator's call. */
export interface AdminCallOptions extends CallOptions {
  /** How long the node may take, in milliseconds: it answers by then with what it knows. @default the node's own limit */
  readonly timeoutMs?: number;
}

/**
 * One call, one answer, to a node at an endpoint. It never retries: that is the
 * Coordinator's part.
 *
 * A call rejects with a {@linkcode RaftError}; its `outcome` is `rejected` only if
 * the request has certainly not reached the node, or the node refused it, and
 * `unknown` otherwise.
 */
export interface ClientTransport {
  /** Proposes the commands in order, in one call; the results are in the same order. Only a leader takes them. */
  propose(endpoint: string, commands: readonly Uint8Array[], options?: CallOptions): Promise<readonly ProposeOutcome[]>;
  /** Asks the state machine. */
  read(
    endpoint: string,
    query: Uint8Array,
    options?: CallOptions & { readonly consistency?: Consistency },
  ): Promise<{ readonly result: Uint8Array; readonly appliedIndex: number }>;
  /** Asks the node about itself. */
  status(endpoint: string, options?: CallOptions): Promise<NodeStatus>;
  /** Frees connections. */
  close?(): Promise<void>;
}

/** The transport of an operator, with the contract of {@linkcode ClientTransport}. */
export interface AdminTransport extends Pick<ClientTransport, "status"> {
  /**
   * Executes an operator's call. Except for `takeSnapshot`, a node that does not lead
   * forwards it to the leader once, if the transport can.
   */
  admin<Method extends AdminMethod>(
    endpoint: string,
    method: Method,
    request: AdminCalls[Method]["request"],
    options?: AdminCallOptions,
  ): Promise<AdminCalls[Method]["answer"]>;
}
