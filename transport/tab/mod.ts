/**
 * Transports between the tabs and workers of one origin, and clients' calls over
 * them.
 *
 * {@linkcode BroadcastChannelTransport} reaches every tab and worker of the
 * origin; {@linkcode MessagePortTransport} whom it is given a port to, as a
 * {@linkcode MessagePortHub} in the page does for its workers. Both know who is
 * there.
 *
 * A tab's transport is a {@linkcode PacketTransport} over a
 * {@linkcode PacketCarrier}, the part that differs from one way to another. It
 * carries calls too, since nobody can connect to a tab in another way:
 * `transport.client` is for a Coordinator, and {@linkcode serveNode} answers.
 *
 * Nothing here needs more of the runtime than browsers have.
 *
 * @module
 */

export { BroadcastChannelTransport } from "./broadcast_channel.ts";
export type { BroadcastChannelTransportOptions } from "./broadcast_channel.ts";
export type { MeshOptions } from "./mesh_carrier.ts";
export { MessagePortHub, MessagePortTransport } from "./message_port.ts";
export type { MessagePortTransportOptions } from "./message_port.ts";
export { serveNode, unary } from "../packet/methods.ts";
export type { CallHandler, CallMethod, CallMethods, ServedCallOptions, UnaryMethod } from "../packet/methods.ts";
export type { PacketCarrier, ReceivePacket } from "../packet/packet_carrier.ts";
export { decodePacket, encodePacket } from "../packet/packet_codec.ts";
export type { Answer, Call, EnvelopeBody, Packet } from "../packet/packet_codec.ts";
export { PacketTransport, tabAddress } from "../packet/packet_transport.ts";
export type {
  PacketTransportCounts,
  PacketTransportOptions,
  TabTransport,
  TabTransportOptions,
} from "../packet/packet_transport.ts";
export type { Locks } from "./presence.ts";
export { callUnary, tabClient } from "../packet/tab_client.ts";
export type { CallSender } from "../packet/tab_client.ts";
