/**
 * Methods that a node answers over a tab's transport, by name.
 *
 * @module
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ProposeResult } from "../../lib/client/client_transport.ts";
import type { DirectNode } from "../../lib/client/direct.ts";
import { RaftError } from "../../lib/errors.ts";
import { toldError } from "../wire/error_detail.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import { resultToWire } from "../wire/result_codec.ts";
import { consistencyFromWire, statusToWire } from "../wire/status_codec.ts";

/** Options of a call that is answered. */
export interface ServedCallOptions {
  /** Fires when the caller is gone, when nobody waits any more, and when the transport is closed. */
  readonly signal: AbortSignal;
}

/** Answers calls of every method. What it throws is the answer too, if it is a RaftError. */
export type CallHandler = (method: string, request: Uint8Array, options: ServedCallOptions) => Promise<Uint8Array>;

/** Answers calls of one method. */
export type CallMethod = (request: Uint8Array, options: ServedCallOptions) => Promise<Uint8Array>;

/** Methods by their full name, such as `raft.v1.ClientService/Propose`. */
export type CallMethods = Readonly<Record<string, CallMethod>>;

/**
 * A unary method of a generated service, such as `AdminService.method.addMember`.
 *
 * @internal
 */
export type UnaryMethod<I extends DescMessage, O extends DescMessage> = DescMethodUnary<I, O>;

/** Commands in one call, at most. */
const MAX_COMMANDS = 4096;

/**
 * The name by which a method is called.
 *
 * @internal
 */
export function methodName(method: { readonly name: string; readonly parent: { readonly typeName: string } }): string {
  return `${method.parent.typeName}/${method.name}`;
}

/**
 * A method of a generated service, for a table of {@linkcode CallMethods}.
 *
 * @example
 * ```ts ignore
 * const methods = { ...unary(AdminService.method.takeSnapshot, async () => ({ index: await node.takeSnapshot() })) };
 * ```
 *
 * @internal
 */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: UnaryMethod<I, O>,
  answer: (
    request: MessageShape<I>,
    options: ServedCallOptions,
  ) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
): CallMethods {
  return {
    async [methodName(method)](bytes, options) {
      let request: MessageShape<I>;
      try {
        request = fromBinary(method.input, bytes);
      } catch (cause) {
        throw new RaftError("invalid_argument", `malformed request of ${methodName(method)}`, { cause });
      }
      return toBinary(method.output, create(method.output, await answer(request, options)));
    },
  };
}

/**
 * What answers ClientService's calls for a node, and those of `more`. A call
 * that only a leader takes is not passed on: the error says who leads.
 *
 * @example
 * ```ts ignore
 * transport.serve(serveNode(node));
 * ```
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
  const { propose, query, status } = ClientService.method;
  return {
    ...unary(propose, async ({ commands }, { signal }) => {
      if (commands.length > MAX_COMMANDS) {
        const message = `A call carries at most ${MAX_COMMANDS} commands, this one ${commands.length}.`;
        throw new RaftError("too_large", message);
      }
      const results = await Promise.all(commands.map((command) => proposed(node, command, signal)));
      return { results: results.map(resultToWire) };
    }),
    ...unary(query, async (request, { signal }) => {
      const consistency = consistencyFromWire(request.consistency);
      const { result, appliedIndex } = await node.read(request.query, { consistency, signal });
      return { result, appliedIndex: BigInt(appliedIndex) };
    }),
    ...unary(status, () => ({ status: statusToWire(node.status()) })),
  };
}

/** Each command has its own end. */
async function proposed(node: DirectNode, command: Uint8Array, signal: AbortSignal): Promise<ProposeResult> {
  try {
    const { index, result } = await node.propose(command, { signal });
    return { ok: true, index, result };
  } catch (error) {
    return { ok: false, error: toldError(error) };
  }
}
