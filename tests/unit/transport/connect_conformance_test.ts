import { transportConformance } from "../../../transport/conformance.ts";
import { unaryConnector } from "../../../transport/connect/peer_link.ts";
import { connectFixture } from "./connect_fixture.ts";

for (const { name, run } of transportConformance(() => connectFixture())) {
  Deno.test(`Connect transport (streams): ${name}`, run);
}

for (const { name, run } of transportConformance(() => connectFixture({ connector: unaryConnector() }))) {
  Deno.test(`Connect transport (unary calls): ${name}`, run);
}
