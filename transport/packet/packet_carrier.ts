/**
 * What carries packets between tabs and workers: the part of a tab's transport
 * that differs from one way to another.
 *
 * @module
 */

/** Takes a packet that arrived, and may keep it. Whether it is well-formed is not known yet. */
export type ReceivePacket = (packet: Uint8Array) => void;

/**
 * Carries packets, each one encoded `Packet` of packet.proto, to addresses.
 * Packets may be lost, repeated, reordered or late, as the contract of
 * Transport has it.
 */
export interface PacketCarrier {
  /**
   * Begins to deliver what is for this address. Called once, before any `send`.
   *
   * @param receive never called after `close` has resolved
   * @param lost for a carrier that can tell: whoever was at this address is gone, or can't be reached any more
   * @throws {RaftError} `refused` if another is at the same address, where that can be known
   */
  start(receive: ReceivePacket, lost: (address: string) => void): Promise<void>;

  /**
   * Sends, or drops. Returns at once, never throws, and never queues without
   * bound; one receiver never holds up another. The bytes, and their buffer,
   * are the carrier's from here on.
   *
   * @returns `false` if the packet has surely not left; nothing is owed otherwise
   */
  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean | void;

  /** Stops delivering, and frees what it holds. Without `start`, and a second time, it does nothing. */
  close(): Promise<void>;
}
