/**
 * The cluster, as the commands need it.
 */

import type { ClusterAdmin } from "../../lib/client/cluster_admin.ts";
import type { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { StatusDocument } from "../status.ts";

/** Options of every call. */
export interface RemoteCallOptions {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The time limit of the whole call; a whole number, as Node requires. */
  readonly timeoutMs: number;
}

/** Reads keys, and writes them exactly once, even if requests are retried. */
export type RemoteKeys = Pick<KeyValueClient, "compareAndSet" | "get" | "list">;

/** A cluster, reached through some of its servers. Calls reject with a `RaftError`. */
export interface Remote {
  /** Returns the status of one server. */
  status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument>;
  /** Returns the client for keys and values, once a server has answered. */
  keys(options: RemoteCallOptions): Promise<RemoteKeys>;
  /** Returns the operator's client, once a server has answered. */
  admin(options: RemoteCallOptions): Promise<Omit<ClusterAdmin, "change">>;
  /** Yields changes from a version on, until the signal fires; throws if the connection breaks. */
  watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<KeyValueChange>;
  close(): Promise<void>;
}
