/**
 * How a node in a tab becomes a member of a cluster of servers.
 *
 * @module
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { abortedError, RaftError, type RaftErrorCode } from "../../lib/errors.ts";
import type { Membership, NodeId } from "../../lib/raft/types.ts";
import { baseUrl } from "../wire/address.ts";
import { present } from "../wire/checked.ts";
import { AddMemberRequestSchema, AddMemberResponseSchema } from "../wire/gen/raft/v1/admin_pb.ts";
import { membershipFromWire } from "../wire/membership_codec.ts";
import { fetchUnary, type RelayFetch } from "../wire/connect_call.ts";

/** Options of {@linkcode askToJoin}. */
export interface AskToJoinOptions {
  /** Base URLs of servers; any one passes the request on to the leader. */
  readonly servers: readonly string[];
  /** The name of the node that is to be added. It must run, and be reachable: the leader asks it who it is. */
  readonly id: NodeId;
  /** Where it is reached. */
  readonly address: string;
  /** Whether it becomes a voter, once it has caught up. A tab comes and goes: each voter that is away is missing from the quorum. @default false */
  readonly voter?: boolean;
  /** What carries the call. @default globalThis.fetch */
  readonly fetch?: RelayFetch;
  /** Gives up. The node may be added nevertheless. */
  readonly signal?: AbortSignal;
}

/** Passing troubles: no leader just now, the page not attached to the leader yet, another change under way. */
const TRY_AGAIN: readonly RaftErrorCode[] = [
  "unreachable",
  "not_leader",
  "no_leader",
  "leadership_lost",
  "timeout",
  "not_ready",
  "busy",
  "membership_change_in_progress",
];

const PAUSE_MS = 250;

/**
 * Asks the servers to add a node, one after the other, until one does: as a
 * learner, unless a voter is asked for. Asking for what is so already does no harm.
 *
 * @returns the new membership
 * @throws {RaftError} why it is refused; or, when the signal fires, why it did not work until then
 */
export async function askToJoin(options: AskToJoinOptions): Promise<Membership> {
  const { id, address, voter = false, fetch, signal } = options;
  const servers = options.servers.map(baseUrl);
  if (servers.length === 0) throw new RaftError("invalid_argument", "there is no server to ask");
  const request = toBinary(
    AddMemberRequestSchema,
    create(AddMemberRequestSchema, { id, address, learner: !voter }),
  );
  const call = { ...(fetch === undefined ? {} : { fetch }), ...(signal === undefined ? {} : { signal }) };
  let why: RaftError | undefined;
  for (let attempt = 0;; attempt++) {
    if (signal?.aborted) throw why ?? abortedError(signal, "rejected");
    try {
      const server = servers[attempt % servers.length]!;
      const answer = await fetchUnary(server, "raft.v1.AdminService/AddMember", request, call);
      return membershipOf(answer);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      // What an earlier request may have done is in doubt for good.
      const outcome = why?.outcome === "unknown" ? "unknown" : error.outcome;
      // That the signal fired says less than what was heard before.
      const cut = signal?.aborted === true && (error.code === "aborted" || error.code === "timeout");
      why = (cut && why !== undefined ? why : error).withOutcome(outcome);
      if (signal?.aborted || !TRY_AGAIN.includes(error.code)) throw why;
    }
    await pause(signal);
  }
}

/** An answer that can't be read says nothing of what became of the request. */
function membershipOf(answer: Uint8Array): Membership {
  try {
    return membershipFromWire(present(fromBinary(AddMemberResponseSchema, answer).membership, "membership"));
  } catch (cause) {
    throw new RaftError("internal", "the answer is malformed", { outcome: "unknown", cause });
  }
}

function pause(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, PAUSE_MS);
    signal?.addEventListener("abort", done);
  });
}
