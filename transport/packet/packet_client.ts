/**
 * Calls of ClientService, over whatever carries a call.
 */

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { AdminTransport, CallOptions, ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { callAdmin, type SendUnary } from "../wire/admin_codec.ts";
import { present, safeInteger } from "../wire/checked.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import { resultsFromWire } from "../wire/result_codec.ts";
import { consistencyToWire, statusFromWire } from "../wire/status_codec.ts";
import { methodName, type UnaryMethod } from "./methods.ts";

/** Calls a method at an address: {@linkcode TabTransport.call}. */
export type CallSender = (
  to: string,
  method: string,
  request: Uint8Array,
  options?: CallOptions,
) => Promise<Uint8Array>;

/**
 * Calls a method of a generated service at an address.
 *
 * @internal
 *
 * @throws {RaftError} see {@linkcode TabTransport.call}
 */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  transport: { readonly call: CallSender },
  method: UnaryMethod<I, O>,
  to: string,
  request: MessageInitShape<I>,
  options?: CallOptions,
): Promise<MessageShape<O>> {
  const bytes = toBinary(method.input, create(method.input, request));
  const answer = await transport.call(to, methodName(method), bytes, options);
  return readable(() => fromBinary(method.output, answer));
}

/** Returns a client whose endpoints are the addresses of nodes. It does not own `transport`. */
export function tabClient(transport: { readonly call: CallSender }): ClientTransport & AdminTransport {
  const { propose, read, status } = ClientService.method;
  return {
    async propose(endpoint, commands, options) {
      // A node in a tab passes no calls on, and a server need not: the Coordinator follows the leader itself.
      const request = { commands: [...commands], forwarded: true };
      const { results } = await callUnary(transport, propose, endpoint, request, options);
      return resultsFromWire(results, commands.length);
    },
    async read(endpoint, bytes, { consistency = "linearizable", ...options } = {}) {
      const request = { query: bytes, consistency: consistencyToWire(consistency), forwarded: true };
      const answer = await callUnary(transport, read, endpoint, request, options);
      return readable(() => ({
        result: answer.result,
        appliedIndex: safeInteger(answer.appliedIndex, "appliedIndex"),
      }));
    },
    admin(endpoint, name, request, options) {
      const send: SendUnary = (method, message) => callUnary(transport, method, endpoint, message, options);
      return callAdmin(send, name, request);
    },
    async status(endpoint, options) {
      const answer = await callUnary(transport, status, endpoint, {}, options);
      return readable(() => statusFromWire(present(answer.status, "status")));
    },
  };
}

/** Reads an answer. If it can't be read, the outcome of the request is unknown. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RaftError("internal", "the answer is malformed", { outcome: "unknown", cause });
  }
}
