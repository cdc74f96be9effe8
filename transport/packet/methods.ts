/**
 * Methods that a node answers over a tab's transport, by name, and calls of them.
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { CallOptions } from "../../lib/client/client_transport.ts";
import type { DirectNode } from "../../lib/client/direct.ts";
import { RaftError } from "../../lib/errors.ts";
import type { SendUnary } from "../wire/admin_codec.ts";
import { readable, wellFormed } from "../wire/checked.ts";
import { clientService } from "../wire/client_service.ts";
import { decodeMessage } from "../wire/message_check.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";

/** Options of a call that is answered. */
export interface ServedCallOptions {
  /** Fires when the caller is gone, the call has timed out, or the transport is closed. */
  readonly signal: AbortSignal;
}

/** Answers calls of every method. A RaftError that it throws is an answer too. */
export type CallHandler = (method: string, request: Uint8Array, options: ServedCallOptions) => Promise<Uint8Array>;

/** Answers calls of one method. */
export type CallMethod = (request: Uint8Array, options: ServedCallOptions) => Promise<Uint8Array>;

/** Methods by their full name, such as `raft.v1.ClientService/Propose`. */
export type CallMethods = Readonly<Record<string, CallMethod>>;

/** Returns the name by which a method is called. */
export function methodName(method: { readonly name: string; readonly parent: { readonly typeName: string } }): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Returns a method of a generated service, for a table of {@linkcode CallMethods}. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  answer: (
    request: MessageShape<I>,
    options: ServedCallOptions,
  ) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
): CallMethods {
  return {
    async [methodName(method)](bytes, options) {
      const request = wellFormed(`a request of ${methodName(method)}`, () => decodeMessage(method.input, bytes));
      return toBinary(method.output, create(method.output, await answer(request, options)));
    },
  };
}

/** Calls a method at an address: {@linkcode TabTransport.call}. */
export type CallSender = (
  to: string,
  method: string,
  request: Uint8Array,
  options?: CallOptions,
) => Promise<Uint8Array>;

/** Returns a function that calls the node at an address. @throws {RaftError} see {@linkcode TabTransport.call} */
export function tabCalls(transport: { readonly call: CallSender }, to: string, options?: CallOptions): SendUnary {
  return async (method, request) => {
    const bytes = toBinary(method.input, create(method.input, request));
    const answer = await transport.call(to, methodName(method), bytes, options);
    return readable(() => decodeMessage(method.output, answer));
  };
}

/**
 * Returns a handler for the calls of ClientService, and those of `more`. A call
 * that only a leader takes is not forwarded: the error names the leader.
 */
export function serveNode(node: DirectNode, more: CallMethods = {}): CallHandler {
  const methods = new Map(Object.entries({ ...clientMethods(node), ...more }));
  // deno-lint-ignore require-await -- an error is a rejection
  return async (method, request, options) => {
    const answer = methods.get(method);
    if (answer === undefined) throw new RaftError("unsupported", `there is no method ${method} here`);
    return answer(request, options);
  };
}

function clientMethods(node: DirectNode): CallMethods {
  const { propose, read, status } = ClientService.method;
  const service = clientService({ node });
  return { ...unary(propose, service.propose), ...unary(read, service.read), ...unary(status, service.status) };
}
