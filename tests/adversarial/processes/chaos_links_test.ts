/**
 * The network of `deno task chaos`: it determines the sender of a connection, and
 * cuts single directions.
 */

import assert from "node:assert/strict";
import { Links } from "../../chaos/links.ts";
import { canTellProcesses, hasIPv6, processOf } from "../../chaos/sockets.ts";
import { eventually, freePort } from "../../support/server_processes.ts";

/** A node that sends back what it received, and remembers it. */
class Echo {
  heard = "";
  readonly #listener: Deno.TcpListener;
  readonly #conns: Deno.TcpConn[] = [];
  readonly port: number;

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.#conns.push(conn);
      void readAll(conn, (text) => {
        this.heard += text;
        void conn.write(new TextEncoder().encode(text.toUpperCase()));
      });
    }
  }

  close(): void {
    this.#listener.close();
    for (const conn of this.#conns) close(conn);
  }
}

/** Reads until the connection ends in any way; resolves then. */
async function readAll(conn: Deno.TcpConn, hear: (text: string) => void): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      hear(new TextDecoder().decode(buffer.subarray(0, count)));
    }
  } catch {
    // Broken off.
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It is closed.
  }
}

async function withLinks(work: (links: Links, echo: Echo, port: number) => Promise<void>): Promise<void> {
  const echo = new Echo();
  const port = await freePort();
  const links = new Links(() => "n1");
  links.listen({ to: "n2", advertised: `http://127.0.0.1:${port}`, address: `http://127.0.0.1:${echo.port}` });
  try {
    await work(links, echo, port);
  } finally {
    links.close();
    echo.close();
  }
}

const say = (conn: Deno.TcpConn, text: string) => conn.write(new TextEncoder().encode(text));

Deno.test("a silent link holds back the bytes of one direction, and delivers them once it is healed", async () => {
  await withLinks(async (links, echo, port) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    let answer = "";
    const read = readAll(conn, (text) => answer += text);
    await say(conn, "a");
    await eventually("the first answer", () => answer === "A");

    links.cut("n2", "n1", "silent");
    await say(conn, "b");
    await eventually("n2 hearing", () => echo.heard === "ab");
    assert.equal(answer, "A");
    links.heal();
    await eventually("the late answer", () => answer === "AB");

    links.cut("n1", "n2", "silent");
    links.cut("n3", "n2", "reset");
    await say(conn, "c");
    links.delay("n2", "n1", 5);
    assert.equal(echo.heard, "ab");
    links.heal();
    await eventually("the last answer", () => answer === "ABC");
    close(conn);
    await read;
  });
});

Deno.test("a link that is reset breaks its connections, and accepts no new ones", async () => {
  await withLinks(async (links, echo, port) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await say(conn, "a");
    await eventually("n2 hearing", () => echo.heard === "a");
    links.cut("n1", "n2", "reset");
    await readAll(conn, () => {});
    const second = await Deno.connect({ hostname: "127.0.0.1", port });
    await readAll(second, () => {});
    assert.equal(echo.heard, "a");

    links.heal();
    const third = await Deno.connect({ hostname: "127.0.0.1", port });
    await say(third, "b");
    await eventually("n2 hearing again", () => echo.heard === "ab");
    for (const each of [conn, second, third]) close(each);
  });
});

Deno.test("the process that has a connection is found by the kernel's tables", async () => {
  // On other systems the links are left out, and the tool reports it.
  if (!canTellProcesses()) return;
  for (const hostname of hasIPv6() ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const listener = Deno.listen({ hostname, port: 0 });
    const conn = await Deno.connect({ hostname, port: listener.addr.port });
    const accepted = await listener.accept();
    const { port } = conn.localAddr;
    assert.equal(processOf([1, Deno.pid], port, listener.addr.port), Deno.pid);
    assert.equal(processOf([1], port, listener.addr.port), undefined);
    assert.equal(processOf([Deno.pid], port, 1), undefined);
    for (const each of [conn, accepted, listener]) each.close();
  }
});

Deno.test("a node that moves is reached at its new address alone", async () => {
  await withLinks(async (links, echo, port) => {
    const before = await Deno.connect({ hostname: "127.0.0.1", port });
    const moved = await freePort();
    links.listen({ to: "n2", advertised: `http://127.0.0.1:${moved}`, address: `http://127.0.0.1:${echo.port}` });
    await readAll(before, () => {});
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
    const after = await Deno.connect({ hostname: "127.0.0.1", port: moved });
    await say(after, "a");
    await eventually("n2 hearing", () => echo.heard === "a");
    for (const each of [before, after]) close(each);
  });
});
