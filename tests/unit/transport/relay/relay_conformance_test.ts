import { transportConformance } from "../../../../transport/conformance.ts";
import { RELAY_ENDS, relayFixture } from "./relay_fixture.ts";

for (const [first, second] of RELAY_ENDS) {
  for (const { name, run } of transportConformance(() => relayFixture(first, second))) {
    Deno.test(`relay (${first} to ${second}): ${name}`, run);
  }
}
