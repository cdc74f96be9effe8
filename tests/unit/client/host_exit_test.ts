import assert from "node:assert/strict";

Deno.test("a program ends by itself once its task queue is empty and its client is closed", async () => {
  const lib = new URL("../../../lib/", import.meta.url);
  const program = `
    import { Coordinator } from ${JSON.stringify(new URL("client/coordinator.ts", lib).href)};
    import { DirectClientTransport } from ${JSON.stringify(new URL("client/direct.ts", lib).href)};
    import { systemHost } from ${JSON.stringify(new URL("host.ts", lib).href)};
    const host = systemHost();
    const client = new Coordinator({ endpoints: ["n1"], transport: new DirectClientTransport(new Map()), host });
    await client.propose(new Uint8Array([1]), { timeoutMs: 50 }).catch((error) => console.log(error.code));
    await client.close();
    host.enqueue(() => host.enqueue(() => console.log("last")));
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", program],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, 20_000);
  const { code, stdout } = await child.output();
  clearTimeout(timer);
  assert.equal(late, false, "it did not end");
  assert.equal(code, 0);
  assert.equal(new TextDecoder().decode(stdout), "timeout\nlast\n");
});
