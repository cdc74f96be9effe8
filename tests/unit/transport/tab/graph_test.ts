import assert from "node:assert/strict";
import { foreignModules } from "../../../../tools/build.ts";

Deno.test("the transports of tabs need no package but protobuf: Connect is 20 kB that a page can do without", async () => {
  const foreign = await foreignModules("transport/tab/mod.ts");
  assert.deepEqual(foreign.filter((module) => !/^npm:\/?@bufbuild\/protobuf@/.test(module)), []);
});
