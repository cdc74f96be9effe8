/**
 * ClientService for any state machine: commands and queries are bytes. Connect
 * and the packets between tabs both serve it.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientTransport, ProposeOutcome } from "../../lib/client/client_transport.ts";
import type { DirectNode } from "../../lib/client/direct.ts";
import { type LeaderHint, RaftError, withoutStack } from "../../lib/errors.ts";
import { wireError } from "./error_detail.ts";
import type { ClientService } from "./gen/raft/v1/client_pb.ts";
import type { ProposeRequest, ReadRequest } from "./gen/raft/v1/client_pb.ts";
import { resultToWire } from "./result_codec.ts";
import { consistencyFromWire, statusToWire } from "./status_codec.ts";

/** Carries a request out at the leader, be it this node or another. */
export interface LeaderForwarding {
  /** Reaches the leader. */
  readonly client: ClientTransport;
  /**
   * Runs `here` if this node leads, otherwise `there`.
   *
   * @param options.forwarded Another node has forwarded the request: it must end here.
   * @param options.bytes The size of the request.
   */
  run<Result>(
    work: {
      here(signal: AbortSignal): Promise<Result>;
      there(leader: LeaderHint, signal: AbortSignal): Promise<Result>;
    },
    options: { readonly forwarded: boolean; readonly bytes: number; readonly signal: AbortSignal },
  ): Promise<Result>;
}

/** Options of {@linkcode clientService}. */
export interface ClientServiceOptions {
  /** The node that answers. */
  readonly node: DirectNode;
  /** Forwards to the leader. Without it a node that doesn't lead answers `not_leader`, with the leader's address. */
  readonly forwarding?: LeaderForwarding;
  /** Throws if there is no room for an answer of so many bytes. @default there always is */
  admit?(bytes: number): void;
  /** The version of the program, for its status. @default "" */
  readonly version?: string;
}

type Method = typeof ClientService.method;
type Context = { readonly signal: AbortSignal };

/**
 * The methods of ClientService.
 *
 * @internal
 */
export interface ClientServiceMethods {
  /** Proposes commands. */
  propose(request: ProposeRequest, context: Context): Promise<MessageInitShape<Method["propose"]["output"]>>;
  /** Queries the state machine. */
  read(request: ReadRequest, context: Context): Promise<MessageInitShape<Method["read"]["output"]>>;
  /** Returns the node's status. */
  status(): MessageInitShape<Method["status"]["output"]>;
}

/**
 * Reads at another node.
 *
 * @throws {RaftError} never in doubt about the outcome: a read changes nothing
 */
export async function readAt(
  client: ClientTransport,
  { address }: LeaderHint,
  query: Uint8Array,
  options: NonNullable<Parameters<ClientTransport["read"]>[2]>,
): ReturnType<ClientTransport["read"]> {
  try {
    return await client.read(address, query, options);
  } catch (error) {
    throw RaftError.from(error).withOutcome("rejected");
  }
}

/** Returns the implementation of ClientService for a node. */
export function clientService(options: ClientServiceOptions): ClientServiceMethods {
  const { node, forwarding, version = "" } = options;
  return {
    async propose({ commands, forwarded }, { signal }) {
      const here = (signal: AbortSignal) => proposeAll(node, commands, signal);
      const results = forwarding === undefined ? await here(signal) : await forwarding.run({
        here,
        there: (leader, signal) => forwarding.client.propose(leader.address, commands, { signal }),
      }, { forwarded, bytes: commands.reduce((sum, { length }) => sum + length, 0), signal });
      return { results: results.map(resultToWire) };
    },
    async read({ query, consistency: wanted, forwarded }, { signal }) {
      const consistency = consistencyFromWire(wanted);
      const here = (signal: AbortSignal) => node.read(query, { consistency, signal });
      const { result, appliedIndex } = forwarding === undefined || consistency === "stale"
        ? await here(signal)
        : await forwarding.run({
          here,
          there: (leader, signal) => readAt(forwarding.client, leader, query, { consistency, signal }),
        }, { forwarded, bytes: query.length, signal });
      options.admit?.(result.length);
      return { result, appliedIndex: BigInt(appliedIndex) };
    },
    status: () => ({ status: statusToWire(node.status()), version }),
  };
}

/** Proposes all commands at once, so that they share a batch; each one succeeds or fails by itself. */
async function proposeAll(
  node: DirectNode,
  commands: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<readonly ProposeOutcome[]> {
  const propose = async (command: Uint8Array): Promise<ProposeOutcome> => {
    try {
      const { index, result } = await node.propose(command, { signal });
      return { ok: true, index, result };
    } catch (error) {
      return { ok: false, error: wireError(error) };
    }
  };
  // A node that refuses commands refuses thousands at once.
  return await Promise.all(withoutStack(() => commands.map(propose)));
}
