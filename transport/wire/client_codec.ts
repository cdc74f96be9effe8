/**
 * The calls of clients and operators as messages of ClientService and AdminService, whatever carries those.
 */

import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { AdminCallOptions, AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { callAdmin } from "./admin_codec.ts";
import { present, readable, safeInteger } from "./checked.ts";
import { ClientService } from "./gen/raft/v1/client_pb.ts";
import { resultsFromWire } from "./result_codec.ts";
import { consistencyToWire, statusFromWire } from "./status_codec.ts";

/** Calls a unary method of the node at an endpoint. */
export type CallEndpoint = <I extends DescMessage, O extends DescMessage>(
  endpoint: string,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: AdminCallOptions,
) => Promise<MessageShape<O>>;

/**
 * Returns a client that makes its calls by `call`.
 *
 * @param forwarded true if a request to an endpoint ends there, instead of being passed on to the leader
 */
export function clientOver(
  call: CallEndpoint,
  forwarded: (endpoint: string) => boolean,
): ClientTransport & AdminTransport {
  const { propose, read, status } = ClientService.method;
  return {
    async propose(endpoint, commands, options = {}) {
      const request = { commands: [...commands], forwarded: forwarded(endpoint) };
      const { results } = await call(endpoint, propose, request, options);
      return resultsFromWire(results, commands.length);
    },
    async read(endpoint, query, { consistency = "linearizable", ...options } = {}) {
      const request = { query, consistency: consistencyToWire(consistency), forwarded: forwarded(endpoint) };
      const { result, appliedIndex } = await call(endpoint, read, request, options);
      return readable(() => ({ result, appliedIndex: safeInteger(appliedIndex, "appliedIndex") }));
    },
    async status(endpoint, options = {}) {
      const answer = await call(endpoint, status, {}, options);
      return readable(() => statusFromWire(present(answer.status, "status")));
    },
    admin(endpoint, name, request, options = {}) {
      return callAdmin((method, message) => call(endpoint, method, message, options), name, request);
    },
  };
}
