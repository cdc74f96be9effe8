/** A tab that answers calls, through the server in `?server=` and under the name in `?name=`. */

import { RelayClient } from "../../transport/relay/mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";

const query = new URL(location.href).searchParams;
const name = query.get("name")!;

const relay = new RelayClient({ servers: [query.get("server")!], minBackoffMs: 20, maxBackoffMs: 200 });
const transport = relay.transport({ address: tabAddress(name), callTimeoutMs: 5000 });
await transport.start(() => {});
const encoder = new TextEncoder();
const decoder = new TextDecoder();
transport.serve((_method, request) => Promise.resolve(encoder.encode(`${name} heard ${decoder.decode(request)}`)));

Object.assign(globalThis, {
  /** Returns the state of the connection, with the error if there is one. */
  relayState() {
    const { state, error } = relay.servers[0]!;
    return { state, code: error?.code ?? "", message: error?.message ?? "", hint: error?.hint ?? "" };
  },
  /** Calls another tab, and returns the answer. */
  async ask(other: string): Promise<string> {
    try {
      return decoder.decode(await transport.call(tabAddress(other), "any", encoder.encode(name)));
    } catch (error) {
      return String(error);
    }
  },
});
