/**
 * What the commands need of a cluster.
 *
 * @module
 */

import type { CompareResult, KeyValueList } from "../../lib/kv/client.ts";
import type { ExpectedVersion, VersionedValue } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { Consistency, Suffrage } from "../../lib/node/types.ts";
import type { Member } from "../../lib/raft/types.ts";
import type { StatusDocument } from "../status.ts";

/** Who is in the cluster, as one node has it. */
export interface MemberList {
  readonly clusterId: string;
  /** `null` if none is known. */
  readonly leader: string | null;
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  /** The entry that set the membership. */
  readonly membershipIndex: number;
  /** Whether that entry is committed. */
  readonly membershipCommitted: boolean;
}

/** Options of every call. */
export interface RemoteCallOptions {
  /** Fires by Ctrl-C. */
  readonly signal: AbortSignal;
  /** How long the call may take in all; a whole number, as Node wants it. */
  readonly timeoutMs: number;
}

/** Options of reads. */
export interface ReadOptions extends RemoteCallOptions {
  readonly consistency: Consistency;
}

/** Options of a page of keys. */
export interface ListOptions extends ReadOptions {
  readonly prefix: Uint8Array;
  readonly startAfter?: Uint8Array;
  readonly limit: number;
  readonly keysOnly: boolean;
}

/**
 * A cluster, reached through some of its servers. Whatever a call rejects with
 * is a `RaftError`.
 */
export interface Remote {
  /** Asks one server about itself. */
  status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument>;

  /** Writes exactly once, whatever is retried. */
  put(
    key: Uint8Array,
    value: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult>;
  /** Removes exactly once. */
  delete(key: Uint8Array, expected: ExpectedVersion | undefined, options: RemoteCallOptions): Promise<CompareResult>;
  /** `null` if there is no such key. */
  get(key: Uint8Array, options: ReadOptions): Promise<VersionedValue | null>;
  /** One page. */
  list(options: ListOptions): Promise<KeyValueList>;
  /** Changes from a version on, until the signal fires; ends with an error if the connection breaks. */
  watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<KeyValueChange>;

  listMembers(options: RemoteCallOptions): Promise<MemberList>;
  addMember(
    member: { readonly id: string; readonly address: string; readonly learner: boolean },
    options: RemoteCallOptions,
  ): Promise<void>;
  promoteMember(id: string, options: RemoteCallOptions): Promise<void>;
  removeMember(id: string, options: RemoteCallOptions): Promise<void>;
  /** Resolves with the new leader. */
  transferLeadership(to: string | null, options: RemoteCallOptions): Promise<string>;
  /** Makes the server at the endpoint take a snapshot; resolves with the index it covers. */
  takeSnapshot(endpoint: string, options: RemoteCallOptions): Promise<number>;

  close(): Promise<void>;
}
