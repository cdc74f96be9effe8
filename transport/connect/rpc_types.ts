/**
 * Short names for what Connect makes of the services.
 */

import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../wire/gen/raft/v1/admin_pb.ts";
import type { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import type { KeyValueService } from "../wire/gen/raft/v1/kv_pb.ts";
import type { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import type { RelayService } from "../wire/gen/raft/v1/relay_pb.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The services of a node. */
interface Services {
  readonly peer: typeof PeerService;
  readonly client: typeof ClientService;
  readonly admin: typeof AdminService;
  readonly kv: typeof KeyValueService;
  readonly relay: typeof RelayService;
}

/**
 * An implementation of a service.
 *
 * @internal
 */
export type RpcService<Name extends keyof Services> = ServiceImpl<Services[Name]>;

/**
 * Registers services with a Connect router.
 *
 * @internal
 */
export type RpcRoutes = (router: ConnectRouter) => void;
