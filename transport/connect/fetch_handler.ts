/**
 * Connect services behind a `Request` → `Response` function, for any server that has one.
 *
 * @module
 */

import { type ConnectRouter, createConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { raftErrorInterceptor } from "./errors.ts";
import { AdminService } from "./gen/raft/v1/admin_pb.ts";
import { ClientService } from "./gen/raft/v1/client_pb.ts";
import { KeyValueService } from "./gen/raft/v1/kv_pb.ts";
import { PeerService } from "./gen/raft/v1/peer_pb.ts";

/** The services of a node. What is left out isn't served. */
export interface RaftServices {
  readonly peer?: ServiceImpl<typeof PeerService>;
  readonly client?: ServiceImpl<typeof ClientService>;
  readonly admin?: ServiceImpl<typeof AdminService>;
  readonly kv?: ServiceImpl<typeof KeyValueService>;
}

/** The largest message that is read, in bytes. */
export interface ConnectLimits {
  /** Between nodes. @default 64 MiB */
  readonly peerMaxBytes?: number;
  /** From clients. @default 16 MiB */
  readonly clientMaxBytes?: number;
}

const MIB = 1024 * 1024;

/** Registers the services of a node with a Connect router. Errors carry their details. */
export function createRaftRoutes(services: RaftServices, limits: ConnectLimits = {}): (router: ConnectRouter) => void {
  const interceptors = [raftErrorInterceptor];
  const peer = { interceptors, readMaxBytes: limits.peerMaxBytes ?? 64 * MIB };
  const client = { interceptors, readMaxBytes: limits.clientMaxBytes ?? 16 * MIB };
  return (router) => {
    if (services.peer !== undefined) router.service(PeerService, services.peer, peer);
    if (services.client !== undefined) router.service(ClientService, services.client, client);
    if (services.admin !== undefined) router.service(AdminService, services.admin, client);
    if (services.kv !== undefined) router.service(KeyValueService, services.kv, client);
  };
}

/**
 * A function that answers Connect and gRPC-Web calls, and gives `null` for any
 * other path. gRPC itself needs trailers, which a `Response` doesn't have.
 */
export function connectFetchHandler(
  routes: (router: ConnectRouter) => void,
): (request: Request) => Promise<Response | null> {
  const router = createConnectRouter({ grpc: false, acceptCompression: [] });
  routes(router);
  const handlers = new Map(
    router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)] as const),
  );
  return async (request) => {
    const handler = handlers.get(new URL(request.url).pathname);
    return handler === undefined ? null : await handler(request);
  };
}
