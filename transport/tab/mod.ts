/**
 * Transports between the tabs and workers of one origin, and clients' calls over
 * them.
 *
 * {@linkcode BroadcastChannelTransport} reaches every tab and worker of the
 * origin, and knows which are there. It is a {@linkcode PacketTransport} over a
 * {@linkcode PacketChannel}, the part that differs from one way to another: write
 * one of your own for other ways. It carries calls too, since a tab can't be
 * connected to in another way: `transport.client` is for a Coordinator, and
 * {@linkcode serveNode} answers.
 *
 * Nothing here needs more of the runtime than browsers have.
 *
 * @module
 */

export { BroadcastChannelTransport } from "./broadcast_channel.ts";
export type { BroadcastChannelTransportOptions } from "./broadcast_packet_channel.ts";
export { serveNode } from "../packet/methods.ts";
export type { CallHandler, CallMethod, CallMethods, ServedCallOptions } from "../packet/methods.ts";
export type { PacketChannel, ReceivePacket } from "../packet/packet_channel.ts";
export { PacketTransport } from "../packet/packet_transport.ts";
export type {
  PacketTransportCounts,
  PacketTransportOptions,
  TabTransport,
  TabTransportOptions,
} from "../packet/packet_transport.ts";
export type { Locks } from "../packet/locks.ts";
export { tabAddress } from "../wire/address.ts";
