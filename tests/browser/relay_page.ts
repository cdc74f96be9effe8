/** The transport suite over a relay: each endpoint has a client of its own, all at the server in `?server=`. */

import { transportConformance } from "../../conformance.ts";
import type { TransportEndpoint, TransportFixture } from "../../transport/conformance.ts";
import { RelayClient } from "../../transport/relay/mod.ts";
import { offer } from "./suite_page.ts";

const query = new URL(location.href).searchParams;
const server = query.get("server")!;
/** Accepts connections, and never answers. */
const hanging = query.get("hanging")!;

let lastTab = 0;

function fixture(): TransportFixture {
  const open: TransportEndpoint[] = [];
  return {
    open(address = `tab:${++lastTab}`) {
      const relay = new RelayClient({ servers: [server] });
      const transport = relay.transport({ address });
      let closed: Promise<void> | undefined;
      const close = () => closed ??= transport.close().then(() => relay.close());
      const endpoint = { transport, address, close };
      open.push(endpoint);
      return Promise.resolve(endpoint);
    },
    gone: () => Promise.resolve(`tab:${++lastTab}`),
    hanging: () => Promise.resolve({ address: hanging, close: () => Promise.resolve() }),
    async close() {
      await Promise.all(open.map((endpoint) => endpoint.close()));
    },
  };
}

offer(transportConformance(fixture));
