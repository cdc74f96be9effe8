/**
 * A cluster over Connect: keys and values through the Coordinator, the rest at
 * whichever server answers.
 *
 * @module
 */

import type { Client } from "@connectrpc/connect";
import { systemClock } from "../../lib/host.ts";
import { pause } from "../../lib/pause.ts";
import { createClient } from "@connectrpc/connect";
import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { Coordinator } from "../../lib/client/coordinator.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { CompareResult, KeyValueList } from "../../lib/kv/client.ts";
import type { ExpectedVersion, VersionedValue } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { safeInteger } from "../../transport/wire/checked.ts";
import { AdminService } from "../../transport/wire/gen/raft/v1/admin_pb.ts";
import { ChangeType, KeyValueService } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Change } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Fetch } from "../../transport/connect/http_client.ts";
import { called, fetchTransport } from "../../transport/connect/http_client.ts";
import { memberFromWire } from "../../transport/wire/membership_codec.ts";
import { isTabAddress } from "../../transport/wire/addresses.ts";
import { suffrageFromWire } from "../../transport/wire/status_codec.ts";
import type { StatusDocument } from "../status.ts";
import { answering } from "./answering.ts";
import { withoutEffect } from "./errors.ts";
import { readStatus } from "./read_status.ts";
import type { ListOptions, MemberList, ReadOptions, Remote, RemoteCallOptions } from "./remote.ts";

/** Options of {@linkcode ConnectRemote}. */
export interface ConnectRemoteOptions {
  /** At least one. */
  readonly endpoints: readonly string[];
  /** Carries commands and queries. */
  readonly client: ClientTransport;
  /** @default the runtime's */
  readonly fetch?: Fetch;
}

type Admin = Client<typeof AdminService>;

/** How long to wait before all servers are asked again. */
const RETRY_MS = 100;
/** A server that is told the deadline answers with what it knows; so its answer is waited for a little longer. */
const GRACE_MS = 250;

/** The real {@linkcode Remote}. */
export class ConnectRemote implements Remote {
  readonly #endpoints: readonly string[];
  readonly #client: ClientTransport;
  readonly #fetch: Fetch | undefined;
  #coordinator: Coordinator | undefined;

  constructor(options: ConnectRemoteOptions) {
    this.#endpoints = options.endpoints;
    this.#client = options.client;
    this.#fetch = options.fetch;
  }

  async status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument> {
    return await readStatus(endpoint, options, this.#fetch);
  }

  async put(
    key: Uint8Array,
    value: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult> {
    const kv = await this.#reach(options);
    if (expected !== undefined) return await kv.compareAndSet(key, expected, value, options);
    return { ok: true, ...await kv.put(key, value, options) };
  }

  async delete(
    key: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult> {
    const kv = await this.#reach(options);
    if (expected !== undefined) return await kv.compareAndSet(key, expected, null, options);
    return { ok: true, ...await kv.delete(key, options) };
  }

  async get(key: Uint8Array, options: ReadOptions): Promise<VersionedValue | null> {
    return await (await this.#reach(options)).get(key, options);
  }

  async list(options: ListOptions): Promise<KeyValueList> {
    return await (await this.#reach(options)).list(options);
  }

  async *watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<KeyValueChange> {
    const client = createClient(KeyValueService, fetchTransport(endpoint, this.#fetch));
    const responses = client.watch({ prefix, fromVersion: BigInt(fromVersion) }, { signal })[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await called(signal, () => responses.next());
      if (done === true) return;
      yield* value.changes.map(changeOf);
    }
  }

  async listMembers(options: RemoteCallOptions): Promise<MemberList> {
    try {
      const answer = await this.#admin(options, (admin, call) => admin.listMembers({}, call));
      return {
        clusterId: answer.clusterId,
        leader: answer.leaderId === "" ? null : answer.leaderId,
        members: answer.members.map(({ member, suffrage }) => {
          if (member === undefined) throw new RaftError("internal", "a member of the answer is empty");
          return { ...memberFromWire(member), suffrage: suffrageFromWire(suffrage) };
        }),
        membershipIndex: safeInteger(answer.membershipIndex, "membership_index"),
        membershipCommitted: answer.membershipCommitted,
      };
    } catch (error) {
      throw withoutEffect(error);
    }
  }

  async addMember(
    member: { readonly id: string; readonly address: string; readonly learner: boolean },
    options: RemoteCallOptions,
  ): Promise<void> {
    await this.#admin(options, (admin, call) => admin.addMember(member, call));
  }

  async promoteMember(id: string, options: RemoteCallOptions): Promise<void> {
    await this.#admin(options, (admin, call) => admin.promoteMember({ id }, call));
  }

  async removeMember(id: string, options: RemoteCallOptions): Promise<void> {
    await this.#admin(options, (admin, call) => admin.removeMember({ id }, call));
  }

  async transferLeadership(to: string | null, options: RemoteCallOptions): Promise<string> {
    const request = to === null ? {} : { to };
    return (await this.#admin(options, (admin, call) => admin.transferLeadership(request, call))).leaderId;
  }

  async takeSnapshot(endpoint: string, options: RemoteCallOptions): Promise<number> {
    const { index } = await this.#adminAt(endpoint, options, (admin, call) => admin.takeSnapshot({}, call));
    return safeInteger(index, "index");
  }

  async close(): Promise<void> {
    // A coordinator closes its transport.
    await (this.#coordinator ?? this.#client).close?.();
  }

  /**
   * The key-value client, once some server has answered. Its coordinator would go on
   * trying until the deadline; but that nobody is there at all is better said at once.
   */
  async #reach(options: RemoteCallOptions): Promise<KeyValueClient> {
    if (this.#coordinator === undefined) {
      await this.#answering(options);
      this.#coordinator = new Coordinator({ endpoints: this.#endpoints, transport: this.#client });
    }
    return new KeyValueClient(this.#coordinator);
  }

  async #answering(options: RemoteCallOptions): Promise<string[]> {
    return [...await answering(this.#endpoints, options, (endpoint, ask) => this.status(endpoint, ask))];
  }

  /**
   * Asks the servers that answer, likely leaders first; each passes the request
   * on to the leader. Goes on only after what surely had no effect, until the
   * deadline; but not if nobody is there.
   */
  async #admin<Answer>(
    options: RemoteCallOptions,
    call: (admin: Admin, options: CallSettings) => Promise<Answer>,
  ): Promise<Answer> {
    const end = performance.now() + options.timeoutMs;
    const left = (): RemoteCallOptions => ({ ...options, timeoutMs: Math.max(1, Math.ceil(end - performance.now())) });
    let before: RaftError | undefined;
    for (;;) {
      let failure: RaftError | undefined;
      const queue = await this.#answering(left()).catch((error) => {
        // Too little time was left to hear from anybody again: what they said before is what is known.
        throw before !== undefined && performance.now() >= end ? before : error;
      });
      for (let hops = 0; queue.length > 0; hops++) {
        try {
          return await this.#adminAt(queue.shift() as string, left(), call);
        } catch (error) {
          if (!(error instanceof RaftError) || !mayTryElsewhere(error)) throw error;
          // Of several reasons "nobody answers" is the least telling.
          if (failure === undefined || failure.code === "unreachable") failure = error;
          const hint = error.leader?.address;
          if (hint !== undefined && !isTabAddress(hint) && hops < MAX_HOPS) queue.unshift(hint);
        }
      }
      before = failure;
      if (failure !== undefined && performance.now() + RETRY_MS > end) throw failure;
      await pause(systemClock, RETRY_MS, options.signal);
      if (options.signal.aborted) throw new RaftError("aborted", "interrupted");
    }
  }

  async #adminAt<Answer>(
    endpoint: string,
    { signal, timeoutMs }: RemoteCallOptions,
    call: (admin: Admin, options: CallSettings) => Promise<Answer>,
  ): Promise<Answer> {
    const admin = createClient(AdminService, fetchTransport(endpoint, this.#fetch));
    const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs + GRACE_MS)]);
    const headers = { "Connect-Timeout-Ms": String(timeoutMs) };
    try {
      return await called(ended, () => call(admin, { signal: ended, headers }));
    } catch (error) {
      throw signal.aborted ? error : deadlinePassed(error, endpoint, timeoutMs);
    }
  }
}

/** Without Ctrl-C nothing but the deadline ends a call, here or at the server. */
function deadlinePassed(error: unknown, endpoint: string, timeoutMs: number): unknown {
  if (!(error instanceof RaftError) || (error.code !== "aborted" && error.code !== "timeout")) return error;
  const { outcome, hint } = error;
  const message = `no answer from ${new URL(endpoint).host} within ${timeoutMs} ms`;
  return new RaftError("timeout", message, { outcome, hint, cause: error });
}

/** What a Connect call takes. */
interface CallSettings {
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
}

/** Leader hints that are followed in one round. */
const MAX_HOPS = 3;

function mayTryElsewhere({ code, outcome }: RaftError): boolean {
  return outcome === "rejected" && ["unreachable", "not_leader", "no_leader", "leadership_lost", "stopped", "closed"]
    .includes(code);
}

function changeOf({ type, key, value, version }: Change): KeyValueChange {
  const isPut = type === ChangeType.PUT;
  return { type: isPut ? "put" : "delete", key, value: isPut ? value : null, version: safeInteger(version, "version") };
}
