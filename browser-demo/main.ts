/**
 * The page of the demo: reads from its address which cluster it shows and which
 * nodes it runs, starts them, and shows the view.
 *
 * @module
 */

/// <reference lib="dom" />

import { requestPersistence } from "../storage/indexeddb/mod.ts";
import { defaultCluster, tabBeginning } from "./live/cluster_record.ts";
import { asksToJoin, giveConsent, questionOf, readConsent } from "./live/consent.ts";
import type { Consent } from "./live/consent.ts";
import { joinUrl, pageUrl, readParameters, serversName } from "./live/url.ts";
import type { ClusterAddress, PageParameters } from "./live/url.ts";
import { LiveSource } from "./live_source.ts";
import { askConsent } from "./view/consent_page.ts";
import { mountDemo } from "./view/mod.ts";
import { errorWords, listOf } from "./view/words.ts";

const root = document.querySelector<HTMLElement>("#demo")!;
const notice = document.querySelector<HTMLElement>("#notice")!;

/** Shows a text that matters to everyone who looks at this tab; an empty one hides the notice. */
function say(text: string): void {
  notice.textContent = text;
  notice.hidden = text === "";
}

function failed(error: unknown): void {
  const { message, hint } = errorWords(error);
  say(`${message} ${hint}`.trim());
}

function lockedElsewhere(ids: readonly string[]): string {
  return `${listOf(ids)} ${ids.length === 1 ? "runs" : "run"} in another tab, which has the storage locked. ` +
    "This tab only shows the cluster. Add a node to take part from here.";
}

/** Requests persistent storage: a browser may clear a site's data otherwise. It decides by itself, or asks the user. */
function askToPersist(): void {
  const ask = (): void => void requestPersistence().catch(() => {});
  addEventListener("pointerdown", ask, { once: true });
  addEventListener("keydown", ask, { once: true });
}

/** Returns the user's consent to what the address asks for, and the nodes to run; asks for it if need be. */
async function consented(address: ClusterAddress, parameters: PageParameters): Promise<Consent> {
  const { founders } = tabBeginning(null);
  const question = questionOf(address, parameters, { consent: await readConsent(address), founders });
  if (question === null) return await giveConsent(address, []);
  await askConsent(root, question, location.pathname);
  const consent = await giveConsent(address, question.nodes);
  // Reloaded before its node has a name, the page goes on.
  if (asksToJoin(address, parameters)) {
    history.replaceState(null, "", joinUrl(location.href, address, consent.invitation));
  }
  return consent;
}

async function main(): Promise<void> {
  const parameters = readParameters(location.href);
  const { servers, electionTimeoutMs } = parameters;
  const cluster = servers.length > 0 ? serversName(servers) : parameters.cluster ?? await defaultCluster();
  const address = { cluster, servers };
  const { invitation } = await consented(address, parameters);
  const source = await LiveSource.open({
    ...{ cluster, servers, electionTimeoutMs, failed, invitation },
    script: new URL("node_worker.js", import.meta.url),
    href: location.href,
    nodesChanged(ids) {
      // First the consent: a page that is reloaded with its nodes in its address must not ask again.
      const moved = (): void => history.replaceState(null, "", pageUrl(location.href, address, ids));
      giveConsent(address, ids).then(moved, failed);
      say("");
    },
  });
  // For the console.
  Object.assign(globalThis, { raftDemo: source });
  addEventListener("pagehide", () => source.leave());
  // A page that comes back from the back-forward cache has lost its workers' storage.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  askToPersist();
  mountDemo(root, source);
  if (asksToJoin(address, parameters)) return void await source.addNode();
  const locked = await source.host(parameters.nodes ?? source.founders);
  if (locked.length > 0) say(lockedElsewhere([...locked].sort()));
}

main().catch(failed);
