/**
 * The view of a cluster: everything visible of the demo, and every control.
 *
 * @module
 */

import type { ClusterSource } from "../source.ts";
import { Announcer } from "./announcer.ts";
import { ClusterPanel } from "./cluster_panel.ts";
import { ClusterPicture } from "./cluster_picture.ts";
import { h } from "./dom.ts";
import { Feed } from "./feed.ts";
import { startFrameLoop } from "./frame_loop.ts";
import { Headline } from "./headline.ts";
import { LinkPanel } from "./link_panel.ts";
import { LogTable } from "./log_table.ts";
import { ClusterModel } from "./model.ts";
import { NodePanel } from "./node_panel.ts";
import { Notice } from "./notice.ts";
import { define } from "./part.ts";
import type { ViewContext } from "./part.ts";
import { Playground } from "./playground.ts";
import { Tables } from "./tables.ts";
import { addTheme, themeButton } from "./theme.ts";

const ELEMENTS: readonly [string, CustomElementConstructor][] = [
  ["raft-headline", Headline],
  ["raft-cluster-picture", ClusterPicture],
  ["raft-cluster-panel", ClusterPanel],
  ["raft-playground", Playground],
  ["raft-node-panel", NodePanel],
  ["raft-link-panel", LinkPanel],
  ["raft-log-table", LogTable],
  ["raft-feed", Feed],
  ["raft-tables", Tables],
];

/** Shows a cluster in `root`, for as long as the page lives. */
export function mountDemo(root: HTMLElement, source: ClusterSource): void {
  for (const [name, element] of ELEMENTS) define(name, element);
  addTheme(root.ownerDocument);
  const model = new ClusterModel();
  const [announcer, notice] = [new Announcer(), new Notice()];
  const context: ViewContext = {
    source,
    model,
    announce: (text) => announcer.say(text),
    async perform(what, work) {
      try {
        await work();
        notice.hide();
      } catch (error) {
        notice.show(what, error);
      }
    },
  };
  const headline = new Headline().mount(context);
  const picture = new ClusterPicture().mount(context);
  const panel = new ClusterPanel().mount(context);
  const playground = new Playground().mount(context);
  const node = new NodePanel().mount(context);
  const link = new LinkPanel().mount(context);
  const logs = new LogTable().mount(context);
  const feed = new Feed().mount(context);
  const tables = new Tables().mount(context);
  root.append(h(
    "div",
    { class: "raft-demo" },
    h("header", {}, headline, themeButton()),
    h(
      "main",
      {},
      h("section", { class: "card cluster", "aria-label": "The cluster" }, picture, panel),
      h("section", { class: "card try", "aria-label": "Try it" }, playground),
      h("section", { class: "card node-card", "aria-label": "Node" }, node),
      h("section", { class: "card link-card", "aria-label": "Link" }, link),
      h("section", { class: "card logs", "aria-label": "The logs" }, logs),
      h("section", { class: "card why-card", "aria-label": "What happens, and why" }, feed),
      h("section", { class: "card tables", "aria-label": "In tables" }, tables),
    ),
    announcer.element,
    notice.element,
  ));
  startFrameLoop(source, model, [headline, picture, panel, playground, node, link, logs, feed, tables]);
  source.subscribe(model);
}
