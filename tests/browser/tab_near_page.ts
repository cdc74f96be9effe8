/** The transports between tabs, all within one page. */

import { transportConformance } from "../../conformance.ts";
import { tabChecks } from "../support/tab_checks.ts";
import { broadcastMesh, directPortMesh, portMesh, tabFixture } from "../support/tab_transports.ts";
import { offer } from "./suite_page.ts";

const meshes = { "BroadcastChannel": broadcastMesh, "hub of MessagePorts": portMesh, "MessagePorts": directPortMesh };
offer(
  Object.entries(meshes).flatMap(([kind, mesh]) => {
    const checks = [...transportConformance(() => tabFixture(mesh())), ...tabChecks(mesh)];
    return checks.map(({ name, run }) => ({ name: `${kind}: ${name}`, run }));
  }),
);
