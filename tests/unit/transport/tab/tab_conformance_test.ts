import { transportConformance } from "../../../../transport/conformance.ts";
import { tabChecks } from "../../../support/tab_checks.ts";
import { broadcastMesh, directPortMesh, portMesh, tabFixture } from "../../../support/tab_transports.ts";

for (const [kind, mesh] of Object.entries({ broadcastMesh, portMesh, directPortMesh })) {
  for (const { name, run } of [...transportConformance(() => tabFixture(mesh())), ...tabChecks(mesh)]) {
    Deno.test(`tab transport (${kind}): ${name}`, run);
  }
}
