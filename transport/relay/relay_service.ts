/**
 * RelayService: a {@linkcode RelayHub} on the wire.
 */

import type { RpcService } from "../connect/rpc_types.ts";
import type { RelayHub } from "./relay_hub.ts";

/** The service to mount: by it pages reach the hub. */
export function relayService(hub: RelayHub): RpcService<"relay"> {
  return {
    attach: ({ page, addresses, forwarded }, { signal }) => hub.attach(page, addresses, signal, forwarded),
    announce({ page, addresses }) {
      hub.announce(page, addresses);
      return {};
    },
    forward({ page, packets, number }) {
      return { unreachable: hub.forward(page, packets, number) };
    },
  };
}
