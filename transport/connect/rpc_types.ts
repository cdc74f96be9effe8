/**
 * Short names for what Connect makes of the services.
 */

import type { ConnectRouter, ServiceImpl, Transport } from "@connectrpc/connect";
import type { AdminService } from "../wire/gen/raft/v1/admin_pb.ts";
import type { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import type { KeyValueService } from "../wire/gen/raft/v1/kv_pb.ts";
import type { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import type { RelayService } from "../wire/gen/raft/v1/relay_pb.ts";

/**
 * An implementation of PeerService.
 *
 * @internal
 */
export type PeerServiceImpl = ServiceImpl<typeof PeerService>;

/**
 * An implementation of ClientService.
 *
 * @internal
 */
export type ClientServiceImpl = ServiceImpl<typeof ClientService>;

/**
 * An implementation of AdminService.
 *
 * @internal
 */
export type AdminServiceImpl = ServiceImpl<typeof AdminService>;

/**
 * An implementation of KeyValueService.
 *
 * @internal
 */
export type KeyValueServiceImpl = ServiceImpl<typeof KeyValueService>;

/**
 * An implementation of RelayService.
 *
 * @internal
 */
export type RelayServiceImpl = ServiceImpl<typeof RelayService>;

/**
 * Registers services with a Connect router.
 *
 * @internal
 */
export type RpcRoutes = (router: ConnectRouter) => void;

/**
 * Connect's transport: how a client's calls are carried.
 *
 * @internal
 */
export type RpcTransport = Transport;
