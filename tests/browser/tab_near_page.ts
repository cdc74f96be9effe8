/** The transport between tabs, within one page. */

import { transportConformance } from "../../conformance.ts";
import { tabChecks } from "../support/tab_checks.ts";
import { broadcastMesh, tabFixture } from "../support/tab_transports.ts";
import { offer } from "./suite_page.ts";

offer([...transportConformance(() => tabFixture(broadcastMesh())), ...tabChecks(broadcastMesh)]);
