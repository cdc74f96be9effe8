import { transportConformance } from "../../../../transport/conformance.ts";
import { connectFixture } from "./connect_fixture.ts";

for (const { name, run } of transportConformance(() => connectFixture())) {
  Deno.test(`ConnectTransport: ${name}`, run);
}
