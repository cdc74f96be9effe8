/**
 * The cluster, as the commands need it.
 *
 * @module
 */

import type { NewMember } from "../../lib/client/admin_calls.ts";
import type { CompareResult, KeyValueList } from "../../lib/kv/client.ts";
import type { ExpectedVersion, VersionedValue } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { Consistency, Suffrage } from "../../lib/node/types.ts";
import type { Member } from "../../lib/raft/types.ts";
import type { StatusDocument } from "../status.ts";

/** The members of a cluster, as one node knows them. */
export interface MemberList {
  readonly clusterId: string;
  /** `null` if none is known. */
  readonly leader: string | null;
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  /** The index of the entry that set the membership. */
  readonly membershipIndex: number;
  /** Reports whether that entry is committed. */
  readonly membershipCommitted: boolean;
}

/** Options of every call. */
export interface RemoteCallOptions {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The time limit of the whole call; a whole number, as Node requires. */
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
 * A cluster, reached through some of its servers. Calls reject with a `RaftError`.
 */
export interface Remote {
  /** Returns the status of one server. */
  status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument>;

  /** Writes exactly once, even if requests are retried. */
  put(
    key: Uint8Array,
    value: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult>;
  /** Removes a key exactly once. */
  delete(key: Uint8Array, expected: ExpectedVersion | undefined, options: RemoteCallOptions): Promise<CompareResult>;
  /** `null` if there is no such key. */
  get(key: Uint8Array, options: ReadOptions): Promise<VersionedValue | null>;
  /** Reads one page of keys. */
  list(options: ListOptions): Promise<KeyValueList>;
  /** Yields changes from a version on, until the signal fires; throws if the connection breaks. */
  watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<KeyValueChange>;

  listMembers(options: RemoteCallOptions): Promise<MemberList>;
  addMember(member: NewMember, options: RemoteCallOptions): Promise<void>;
  promoteMember(id: string, options: RemoteCallOptions): Promise<void>;
  demoteMember(id: string, options: RemoteCallOptions): Promise<void>;
  removeMember(id: string, options: RemoteCallOptions): Promise<void>;
  /** Transfers leadership. Resolves with the new leader. */
  transferLeadership(to: string | null, options: RemoteCallOptions): Promise<string>;
  /** Makes the server at the endpoint take a snapshot. Resolves with the index it covers. */
  takeSnapshot(endpoint: string, options: RemoteCallOptions): Promise<number>;

  close(): Promise<void>;
}
