import { transportConformance } from "../../../transport/conformance.ts";
import { unaryConnector } from "../../../transport/connect/peer_link.ts";
import { connectFixture } from "./connect_fixture.ts";

for (const { name, run } of transportConformance) {
  Deno.test(`Connect transport (streams): ${name}`, () => run(() => Promise.resolve(connectFixture())));
}

for (const { name, run } of transportConformance) {
  Deno.test(
    `Connect transport (unary calls): ${name}`,
    () => run(() => Promise.resolve(connectFixture({ connector: unaryConnector() }))),
  );
}
