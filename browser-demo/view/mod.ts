/**
 * The view of a cluster: everything that one sees of the demo, and every control.
 *
 * @module
 */

import type { ClusterSource } from "../source.ts";
import { Announcer } from "./announcer.ts";
import { ClusterPanel } from "./cluster_panel.ts";
import { ClusterPicture } from "./cluster_picture.ts";
import { h } from "./dom.ts";
import { Feed } from "./feed.ts";
import { FrameLoop } from "./frame_loop.ts";
import type { FrameTiming } from "./frame_loop.ts";
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
import { addTheme } from "./theme.ts";
import { themeButton } from "./theme_button.ts";

export type { FrameTiming } from "./frame_loop.ts";

/** What a view may be told besides its source. */
export interface DemoOptions {
  /** The name of the page, above its headline. @default "Raft, live" */
  readonly name?: string;
  /** Called after each frame, for measurements. */
  readonly onFrame?: (timing: FrameTiming) => void;
}

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

/**
 * Shows a cluster in `root`, until the returned function is called.
 */
export function mountDemo(root: HTMLElement, source: ClusterSource, options: DemoOptions = {}): () => void {
  for (const [name, element] of ELEMENTS) define(name, element);
  const endTheme = addTheme(root.ownerDocument);
  const model = new ClusterModel();
  const [announcer, notice] = [new Announcer(), new Notice()];
  let loop: FrameLoop | null = null;
  const context: ViewContext = {
    source,
    model,
    controls: source.controls,
    rate: () => loop?.rate ?? 1,
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
  const headline = new Headline();
  if (options.name !== undefined) headline.name = options.name;
  headline.mount(context);
  const picture = new ClusterPicture().mount(context);
  const panel = new ClusterPanel().mount(context);
  const playground = new Playground().mount(context);
  const node = new NodePanel().mount(context);
  const link = new LinkPanel().mount(context);
  const logs = new LogTable().mount(context);
  const feed = new Feed().mount(context);
  const tables = new Tables().mount(context);
  const demo = h(
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
  );
  root.append(demo);
  const parts = [headline, picture, panel, playground, node, link, logs, feed, tables];
  loop = new FrameLoop(source, model, parts, options.onFrame);
  const unsubscribe = source.subscribe(model);
  return () => {
    unsubscribe();
    loop?.stop();
    announcer.close();
    demo.remove();
    endTheme();
  };
}
