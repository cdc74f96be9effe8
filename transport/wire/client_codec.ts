/**
 * The calls of clients and operators as messages of ClientService and AdminService, whatever carries those.
 */

import type { AdminCallOptions, AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { callAdmin, type SendUnary } from "./admin_codec.ts";
import { present, readable, safeInteger } from "./checked.ts";
import { ClientService } from "./gen/raft/v1/client_pb.ts";
import { resultsFromWire } from "./result_codec.ts";
import { consistencyToWire, statusFromWire } from "./status_codec.ts";

/**
 * Returns a client that calls nodes by `callsTo`.
 *
 * @param forwarded Reports whether a request to an endpoint ends there, instead of being passed on to the leader.
 */
export function clientOver(
  callsTo: (endpoint: string, options: AdminCallOptions) => SendUnary,
  forwarded: (endpoint: string) => boolean,
): ClientTransport & AdminTransport {
  const { propose, read, status } = ClientService.method;
  return {
    async propose(endpoint, commands, options = {}) {
      const request = { commands: [...commands], forwarded: forwarded(endpoint) };
      const { results } = await callsTo(endpoint, options)(propose, request);
      return resultsFromWire(results, commands.length);
    },
    async read(endpoint, query, { consistency = "linearizable", ...options } = {}) {
      const request = { query, consistency: consistencyToWire(consistency), forwarded: forwarded(endpoint) };
      const { result, appliedIndex } = await callsTo(endpoint, options)(read, request);
      return readable(() => ({ result, appliedIndex: safeInteger(appliedIndex, "appliedIndex") }));
    },
    async status(endpoint, options = {}) {
      const answer = await callsTo(endpoint, options)(status, {});
      return readable(() => statusFromWire(present(answer.status, "status")));
    },
    admin: (endpoint, name, request, options = {}) => callAdmin(callsTo(endpoint, options), name, request),
  };
}
