/**
 * ClientService: any state machine's commands and queries, as bytes.
 *
 * @module
 */

import type { ServiceImpl } from "@connectrpc/connect";
import type { ClientTransport, ProposeResult } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import type { ClientService } from "../../transport/wire/gen/raft/v1/client_pb.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { ServedNode } from "../../hosting/served_node.ts";
import { consistencyFromWire, resultToWire, statusToWire } from "../../transport/connect/mod.ts";
import { VERSION } from "../version.ts";

/** Options of {@linkcode clientService}. */
export interface ClientServiceOptions {
  readonly node: ServedNode;
  /** Reaches the leader. */
  readonly client: ClientTransport;
  /** How long a call waits for a leader and a quorum. */
  readonly timeoutMs: number;
}

/** Commands in one call, at most. */
const MAX_COMMANDS = 4096;

/** The service to mount. */
export function clientService(options: ClientServiceOptions): ServiceImpl<typeof ClientService> {
  const { node, client, timeoutMs } = options;

  /** Proposes all at once, so that they share a batch; each has its own end. */
  async function proposeHere(commands: readonly Uint8Array[], signal: AbortSignal): Promise<readonly ProposeResult[]> {
    return await Promise.all(commands.map(async (command): Promise<ProposeResult> => {
      try {
        const { index, result } = await node.propose(command, { signal });
        return { ok: true, index, result };
      } catch (error) {
        return { ok: false, error: RaftError.from(error) };
      }
    }));
  }

  return {
    async propose({ commands, forwarded }, context) {
      if (commands.length > MAX_COMMANDS) {
        throw new RaftError(
          "too_large",
          `a call carries at most ${MAX_COMMANDS} commands, this one ${commands.length}`,
        );
      }
      const results = await atLeader(node, {
        here: (signal) => proposeHere(commands, signal),
        there: (leader, signal) => client.propose(leader.address, commands, { signal }),
      }, { timeoutMs, forwarded, signal: context.signal });
      return { results: results.map(resultToWire) };
    },
    async query({ query, consistency: wanted, forwarded }, context) {
      const consistency = consistencyFromWire(wanted);
      const { result, appliedIndex } = consistency === "stale"
        ? await node.read(query, { consistency, signal: context.signal })
        : await atLeader(node, {
          here: (signal) => node.read(query, { consistency, signal }),
          there: (leader, signal) => client.query(leader.address, query, { consistency, signal }),
        }, { timeoutMs, forwarded, signal: context.signal });
      return { result, appliedIndex: BigInt(appliedIndex) };
    },
    status() {
      return { status: statusToWire(node.status()), version: VERSION };
    },
  };
}
