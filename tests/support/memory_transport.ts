/**
 * The fixture of the transport in memory for its conformance suite, in real or
 * virtual time.
 *
 * @module
 */

import type { TransportFixture } from "../../transport/conformance.ts";
import type { MemoryNetwork } from "../../transport/memory.ts";

/** Makes a fixture on this network. */
export function memoryTransportFixture(
  network: MemoryNetwork,
  time: Pick<TransportFixture, "pause"> = {},
): TransportFixture {
  let last = 0;
  return {
    open(address = `node-${++last}`) {
      const transport = network.transport(address);
      return Promise.resolve({ transport, address, close: () => transport.close() });
    },
    gone: () => Promise.resolve("nobody"),
    async hanging() {
      const transport = network.transport("hanging");
      await transport.start(() => {});
      network.block("hanging", "node-1");
      return { address: transport.address, close: () => transport.close() };
    },
    ...time,
    close: () => Promise.resolve(),
  };
}
