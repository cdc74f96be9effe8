/**
 * The part of a tab's transport that differs from one way to another: it carries
 * packets between tabs, workers and servers.
 *
 * @module
 */

/** Takes a packet that arrived, and may keep it. It may be malformed. */
export type ReceivePacket = (packet: Uint8Array) => void;

/**
 * Carries packets, each one an encoded `Packet` of packet.proto, to addresses.
 * Packets may be lost, repeated, reordered or late, as the contract of
 * Transport has it.
 */
export interface PacketChannel {
  /** The addresses that are reachable now, where that can be known. */
  readonly peers?: readonly string[];

  /**
   * Begins to deliver what is for this address. Called once, before any `send`.
   *
   * @param receive never called after `close` has resolved
   * @param lost called, where that can be known, when the node at an address is gone or no longer reachable
   * @throws {RaftError} `refused` if another is at the same address, where that can be known
   */
  start(receive: ReceivePacket, lost: (address: string) => void): Promise<void>;

  /**
   * Sends, or drops. Returns at once, never throws, and never queues without
   * bound; one receiver never holds up another. The bytes, and their buffer,
   * belong to the channel from here on.
   *
   * @returns `false` if the packet has surely not left; nothing is promised otherwise
   */
  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean | void;

  /** Stops delivering, and frees its resources. Does nothing without `start`, and a second time. */
  close(): Promise<void>;
}
