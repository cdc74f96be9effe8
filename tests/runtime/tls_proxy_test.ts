/** Servers behind proxies that end TLS: peers and clients reach them by https, in each runtime. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimes } from "../../tools/runtimes.ts";
import { commandOf, eventually, freePort, Node } from "../support/server_processes.ts";
import { CERTIFICATE, startTlsProxy } from "../support/tls_proxy.ts";
import type { TlsProxy } from "../support/tls_proxy.ts";

const programs = await runtimes();
const CLI = fileURLToPath(new URL("../../server/cli/main.ts", import.meta.url));

/** Nodes that advertise the addresses of proxies. */
class ProxiedNodes implements AsyncDisposable {
  readonly all: readonly Node[];
  /** The addresses of the proxies. */
  readonly endpoints: readonly string[];
  /** The file of the certificate. */
  readonly certificate: string;
  readonly #folder: string;
  readonly #proxies: readonly TlsProxy[];

  private constructor(
    folder: string,
    certificate: string,
    nodes: readonly Node[],
    endpoints: readonly string[],
    proxies: readonly TlsProxy[],
  ) {
    this.#folder = folder;
    this.certificate = certificate;
    this.all = nodes;
    this.endpoints = endpoints;
    this.#proxies = proxies;
  }

  static async start(runtime: keyof typeof programs): Promise<ProxiedNodes> {
    const folder = mkdtempSync(join(tmpdir(), "raft-core-"));
    const certificate = join(folder, "cert.pem");
    writeFileSync(certificate, CERTIFICATE);
    // Deno reads the first, Node and Bun read the second.
    const trust = ["env", `DENO_CERT=${certificate}`, `NODE_EXTRA_CA_CERTS=${certificate}`];
    const command = [...trust, ...commandOf(runtime, programs[runtime])];
    const places = await Promise.all([1, 2, 3].map(async (n) => {
      return { id: `n${n}`, port: await freePort(), proxyPort: await freePort() };
    }));
    const proxies = await Promise.all(places.map(({ port, proxyPort }) => startTlsProxy(proxyPort, port)));
    const nodes = places.map(({ id, port }) => new Node(id, `http://127.0.0.1:${port}`, join(folder, id), command));
    const endpoints = places.map(({ proxyPort }) => `https://127.0.0.1:${proxyPort}`);
    const peers = places.map(({ id }, at) => `${id}=${endpoints[at]}`).join(",");
    for (const node of nodes) node.start(["--peers", peers]);
    return new ProxiedNodes(folder, certificate, nodes, endpoints, proxies);
  }

  /** Resolves once one node leads, and all follow it. */
  async agreed(): Promise<void> {
    await eventually("a leader that all follow", async () => {
      const statuses = await Promise.all(this.all.map((node) => node.status()));
      const leaders = new Set(statuses.map((status) => status?.leader?.id));
      return leaders.size === 1 && !leaders.has(undefined);
    });
  }

  /** The output of all nodes. */
  get output(): string {
    return this.all.map(({ id, output }) => `--- ${id}\n${output}`).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((node) => node.end("SIGKILL")));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

for (const runtime of ["deno", "node", "bun"] as const) {
  Deno.test(`${runtime}: nodes behind TLS proxies elect, forward, and replicate`, async () => {
    await using nodes = await ProxiedNodes.start(runtime);
    await nodes.agreed().catch((cause) => {
      throw new Error(`no leader\n${nodes.output}`, { cause });
    });
    for (const [at, node] of nodes.all.entries()) {
      const put = await node.put(`key${at}`, `value ${at}`);
      const text = await put.text();
      assert.ok(put.ok, `${node.id}: ${text}`);
    }
    for (const node of nodes.all) for (const at of [0, 1, 2]) assert.equal(await node.get(`key${at}`), `value ${at}`);
    const status = await nodes.all[0]!.status();
    assert.ok(status?.members.every((member) => /^https:/.test((member as { address?: string }).address ?? "")));
  });
}

Deno.test("the command line reaches servers behind TLS proxies", async () => {
  await using nodes = await ProxiedNodes.start("node");
  await nodes.agreed();
  const raft = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-check", CLI, ...args, "--server", nodes.endpoints.join(",")],
      env: { NO_COLOR: "1", DENO_CERT: nodes.certificate },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  await raft("kv", "put", "key", "value");
  assert.equal(await raft("kv", "get", "key"), "value");
  assert.match(await raft("status"), /3 of 3 voters/);
});
