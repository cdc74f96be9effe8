import { transportConformance } from "../../../../transport/conformance.ts";
import { tabChecks } from "../../../support/tab_checks.ts";
import { broadcastMesh, tabFixture } from "../../../support/tab_transports.ts";

for (const { name, run } of [...transportConformance(() => tabFixture(broadcastMesh())), ...tabChecks(broadcastMesh)]) {
  Deno.test(`BroadcastChannelTransport: ${name}`, run);
}
