/**
 * The view of a cluster: everything visible of the demo, and every control.
 *
 * @module
 */

import { html, nothing, render } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { ClusterSource } from "../source.ts";
import { Announcer } from "./announcer.ts";
import { ClusterPanel } from "./cluster_panel.ts";
import { ClusterPicture } from "./cluster_picture.ts";
import { Feed } from "./feed.ts";
import { startFrameLoop } from "./frame_loop.ts";
import { Headline } from "./headline.ts";
import { LinkPanel } from "./link_panel.ts";
import { LogTable } from "./log_table.ts";
import { ClusterModel } from "./model.ts";
import { NodePanel } from "./node_panel.ts";
import { notice } from "./notice.ts";
import type { ViewContext } from "./part.ts";
import { Playground } from "./playground.ts";
import { Tables } from "./tables.ts";
import { addTheme, themeButton } from "./theme.ts";

const PARTS = {
  "raft-headline": Headline,
  "raft-cluster-picture": ClusterPicture,
  "raft-cluster-panel": ClusterPanel,
  "raft-playground": Playground,
  "raft-node-panel": NodePanel,
  "raft-link-panel": LinkPanel,
  "raft-log-table": LogTable,
  "raft-feed": Feed,
  "raft-tables": Tables,
};

for (const [name, part] of Object.entries(PARTS)) customElements.define(name, part);

/** Shows a cluster in `root`, for as long as the page lives. */
export function mountDemo(root: HTMLElement, source: ClusterSource): void {
  addTheme(root.ownerDocument);
  const model = new ClusterModel();
  const shown: { announced: string; notice: TemplateResult | typeof nothing } = { announced: "", notice: nothing };
  const announcer = new Announcer((announced) => show({ announced }));
  const dismiss = (): void => show({ notice: nothing });
  const context: ViewContext = {
    source,
    model,
    announce: (text) => announcer.say(text),
    async perform(what, work) {
      try {
        await work();
        dismiss();
      } catch (error) {
        show({ notice: notice(what, error, dismiss) });
      }
    },
  };
  const parts = Object.values(PARTS).map((Part) => new Part().mount(context));
  const [headline, picture, panel, playground, node, link, logs, feed, tables] = parts;
  /** Shows the page, with another announcement or notice. */
  function show(change: Partial<typeof shown>): void {
    const { announced, notice } = Object.assign(shown, change);
    render(
      html`
        <div class="raft-demo">
          <header>${headline}${themeButton()}</header>
          <main>
            <section class="card cluster" aria-label="The cluster">${picture}${panel}</section>
            <section class="card try" aria-label="Try it">${playground}</section>
            <section class="card node-card" aria-label="Node">${node}</section>
            <section class="card link-card" aria-label="Link">${link}</section>
            <section class="card logs" aria-label="The logs">${logs}</section>
            <section class="card why-card" aria-label="What happens, and why">${feed}</section>
            <section class="card tables" aria-label="In tables">${tables}</section>
          </main>
          <div class="visually-hidden" role="status" aria-live="polite">${announced}</div>
          <div role="alert">${notice}</div>
        </div>
      `,
      root,
    );
  }
  show({});
  startFrameLoop(source, model, parts);
  source.subscribe(model);
}
