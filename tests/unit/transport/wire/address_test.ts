import assert from "node:assert/strict";
import { nodeAddress, nodeUrl } from "../../../../transport/wire/address.ts";
import { http2Connector } from "../../../../transport/connect/mod.ts";
import { httpCalls } from "../../../../transport/connect/http_client.ts";

const REFUSED = [
  "",
  "host",
  "host:",
  "host:0",
  "host:99999",
  "ftp://h:1",
  "file:///etc/passwd",
  "http://",
  "http://h:1/path",
  "h:1/path",
  "h:1/?q",
  "h:1?q=1",
  "http://h:1/#f",
  "http://user@h:1",
  "http://user:secret@h:1",
  "user:secret@h:1",
  "h:1\\path",
  "http:\\\\h:1",
  " h:1",
  "h:1\n",
  "h:1\t/x",
  "h:1//",
  "http://h:1/..",
  "http://h:1/%2e",
];

Deno.test("the address of a node is a host and a port, and nothing else", () => {
  assert.equal(nodeUrl("127.0.0.1:7001"), "http://127.0.0.1:7001");
  assert.equal(nodeUrl("[::1]:7001"), "http://[::1]:7001");
  assert.equal(nodeUrl("http://n1.example:7001/"), "http://n1.example:7001");
  assert.equal(nodeUrl("https://n1.example:7001"), "https://n1.example:7001");
  // Its result is an address, too: a URL leaves the port of its scheme out.
  assert.equal(nodeUrl(nodeUrl("https://n1.example:443")), "https://n1.example");
  assert.equal(nodeAddress("tab:n1"), "tab:n1");
  for (const address of [...REFUSED, "tab:n1"]) {
    assert.throws(() => nodeUrl(address), { code: "invalid_argument" }, address);
  }
  for (const address of [...REFUSED, "tab:", "tab:a\nb"]) {
    assert.throws(() => nodeAddress(address), { code: "invalid_argument" }, address);
  }
});

Deno.test("a membership with another address, as a peer may send it, makes a node call nothing", async () => {
  for (const address of ["http://127.0.0.1:1/path", "http://user@127.0.0.1:1"]) {
    assert.throws(() => http2Connector()(address), { code: "invalid_argument" });
    await assert.rejects(httpCalls(address)({} as never, {}), { code: "invalid_argument", outcome: "rejected" });
  }
});
