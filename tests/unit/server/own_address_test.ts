import assert from "node:assert/strict";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { RaftError } from "../../../lib/errors.ts";
import { OwnAddress } from "../../../server/own_address.ts";

const base = new BootstrappingNode({ nodeId: "n3", incarnation: "i3", clusterId: "c" }).status();

/** Returns the hint of a node that the membership has at `address`, where no node answers. */
async function hintOf(address: string, listens: string, advertise?: string): Promise<string | undefined> {
  const hints: unknown[] = [];
  const own = new OwnAddress({
    status: () => ({ ...base, members: [{ id: "n3", incarnation: "i3", address, suffrage: "voter" }] }),
    listens,
    advertise,
    identify: () => Promise.reject(new RaftError("unreachable", "no node answers there")),
    logger: { warn: (_: string, fields?: { hint?: unknown }) => hints.push(fields?.hint) } as never,
  });
  await own.check(new AbortController().signal);
  assert.equal(own.reason() !== undefined, hints.length === 1);
  return hints[0] as string | undefined;
}

for (
  const [what, address, listens, advertise, first, second] of [
    [
      "another port",
      "http://127.0.0.1:7003",
      "http://127.0.0.1:7013",
      undefined,
      "--listen 127.0.0.1:7003",
      "127.0.0.1:7013",
    ],
    ["IPv6", "http://[::1]:7003", "http://[::1]:7013", undefined, "--listen [::1]:7003", "[::1]:7013"],
    [
      "a proxy that ends TLS",
      "https://10.0.0.3:7443",
      "http://127.0.0.1:7003",
      undefined,
      "--advertise https://10.0.0.3:7443",
      "127.0.0.1:7003",
    ],
    [
      "TLS on the host that it listens on",
      "https://10.0.0.3:7443",
      "http://10.0.0.3:7003",
      undefined,
      "--advertise https://10.0.0.3:7443",
      "10.0.0.3:7003",
    ],
    [
      "another network",
      "http://node-3:7003",
      "http://127.0.0.1:7003",
      undefined,
      "--advertise node-3:7003",
      "127.0.0.1:7003",
    ],
    [
      "another advertised address",
      "http://10.0.0.3:7003",
      "http://10.0.0.3:7003",
      "http://10.0.0.9:7003",
      "--advertise 10.0.0.3:7003",
      "10.0.0.9:7003",
    ],
    [
      "every address",
      "http://10.0.0.3:7003",
      "http://0.0.0.0:7003",
      undefined,
      "--advertise 10.0.0.3:7003",
      "HOST:7003",
    ],
    [
      "every address, IPv6",
      "http://node-3:7003",
      "http://[::]:7013",
      undefined,
      "--advertise node-3:7003",
      "HOST:7013",
    ],
  ] as const
) {
  Deno.test(`a node at another address is told a flag that the server takes: ${what}`, async () => {
    assert.equal(
      await hintOf(address, listens, advertise),
      `Start it with ${first} again. Or, while the other nodes have a leader, tell them: raft member add n3 ${second}`,
    );
  });
}

Deno.test("a node that is where the membership has it is told nothing", async () => {
  assert.equal(await hintOf("http://127.0.0.1:7003", "http://127.0.0.1:7003"), undefined);
  assert.equal(await hintOf("https://a:7443", "http://127.0.0.1:7003", "https://a:7443/"), undefined);
});
