/**
 * What can be done to one node.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { Controls, NodeView } from "../source.ts";
import { button, h, setAttribute, setOptions, setText } from "./dom.ts";
import type { ClusterModel, Topic } from "./model.ts";
import { Part } from "./part.ts";
import { isLearnerView, stateWord } from "./words.ts";

/** One button of the panel. */
interface Deed {
  /** What the button says. */
  words(view: NodeView, model: ClusterModel): string;
  /** Why it can't be done now; empty if it can. */
  hindrance(view: NodeView, model: ClusterModel): string;
  act(view: NodeView, model: ClusterModel, controls: Controls): Promise<unknown> | void;
  readonly danger?: boolean;
}

const isServer = ({ home }: NodeView): boolean => home === "server";
/** Nobody runs it, and this page may: all tabs have its disk. */
const isDead = (view: NodeView): boolean =>
  view.life === "killed" || view.life === "stopped" || (view.life === "away" && !isServer(view));
const elsewhere = (view: NodeView): string => isServer(view) ? `${view.id} runs ${whereWords(view)}` : "";

function whereWords({ home }: NodeView): string {
  return home === "this page" ? "on this page" : home === "server" ? "on a server" : "in another tab";
}

const DEEDS: readonly Deed[] = [
  {
    words: (view) => isDead(view) ? "Start again" : "Kill",
    hindrance: elsewhere,
    act: (view, _, controls) => isDead(view) ? controls.restart(view.id) : controls.kill(view.id),
    danger: true,
  },
  {
    words: ({ life }) => life === "paused" ? "Go on" : "Pause",
    hindrance: (view) =>
      elsewhere(view) || (view.life === "running" || view.life === "paused" ? "" : `${view.id} does not run`),
    act: ({ id, life }, _, controls) => controls.pause(id, life !== "paused"),
  },
  {
    words: ({ id }, model) => model.isIsolated(id) ? "Reconnect" : "Isolate",
    hindrance: (_, model) => model.nodes.size > 1 ? "" : "There is no other node",
    act: ({ id }, model, controls) => controls.isolate(id, !model.isIsolated(id)),
  },
  {
    words: () => "Make it leader",
    hindrance: (view, model) => {
      if (view.life !== "running") return `${view.id} does not run`;
      if (view.role === "leader") return `${view.id} leads already`;
      if (isLearnerView(view)) return `${view.id} is a learner: it has no vote`;
      return model.leader() === null ? "Nobody leads who could hand over" : "";
    },
    act: ({ id }, _, controls) => controls.transferLeadership(id),
  },
  {
    words: () => "Take a snapshot",
    hindrance: (view) => view.life === "running" ? "" : `${view.id} does not run`,
    act: ({ id }, _, controls) => controls.takeSnapshot(id),
  },
  {
    words: () => "Wipe its disk",
    hindrance: (view) =>
      elsewhere(view) || (view.life === "away" ? `No tab runs ${view.id}: start it again here first` : ""),
    act: ({ id }, _, controls) => controls.wipe(id),
    danger: true,
  },
  {
    words: () => "Remove",
    hindrance: (_, model) => model.nodes.size > 1 ? "" : "It is the last node",
    act: ({ id }, _, controls) => controls.removeNode(id),
    danger: true,
  },
];

/** `<raft-node-panel>` */
export class NodePanel extends Part {
  readonly topics = ["nodes", "links", "selection"] as const;
  override readonly everyMs = 80;
  readonly #choice = h("select", { "aria-label": "Which node" });
  readonly #facts = h("p", { class: "facts" });
  readonly #reason = h("p", { class: "reason" });
  /** Why the last wish was refused: it stays until the next one, or another node is chosen. */
  #refusal: { readonly id: NodeId; readonly text: string } | null = null;
  readonly #buttons = DEEDS.map((deed) =>
    button("", () => void this.#do(deed), deed.danger === true ? { class: "danger" } : {})
  );

  build(): void {
    this.append(h("div", { class: "head" }, h("h2", {}, "Node"), this.#choice), this.#facts, this.#reason);
    if (this.context.controls !== null) this.append(h("div", { class: "buttons" }, ...this.#buttons));
    this.#choice.addEventListener("change", () => this.model.selectNode(this.#choice.value));
  }

  update(_changed: ReadonlySet<Topic>): void {
    if (this.#refusal?.id !== this.model.selectedNode) this.#refusal = null;
    setOptions(this.#choice, this.model.ids().map((id) => ({ value: id, text: id })));
    const view = this.#selected();
    if (view === undefined) return;
    if (this.#choice.value !== view.id) this.#choice.value = view.id;
    setText(this.#facts, factsOf(view));
    setText(
      this.#reason,
      this.#refusal?.id === view.id ? this.#refusal.text : view.life === "running" ? "" : view.lifeReason,
    );
    DEEDS.forEach((deed, index) => {
      const made = this.#buttons[index];
      if (made === undefined) return;
      const words = deed.words(view, this.model);
      const hindrance = deed.hindrance(view, this.model);
      setText(made, words);
      setAttribute(made, "aria-label", `${words}: ${view.id}`);
      setAttribute(made, "aria-disabled", hindrance === "" ? null : "true");
      setAttribute(made, "title", hindrance === "" ? null : hindrance);
      if (deed.danger === true) setAttribute(made, "class", words === "Start again" ? "primary" : "danger");
    });
  }

  #selected(): NodeView | undefined {
    const id: NodeId | null = this.model.selectedNode;
    return id === null ? undefined : this.model.nodes.get(id);
  }

  async #do(deed: Deed): Promise<void> {
    const view = this.#selected();
    const { controls } = this.context;
    if (view === undefined || controls === null) return;
    const hindrance = deed.hindrance(view, this.model);
    this.#refusal = hindrance === "" ? null : { id: view.id, text: `${hindrance}.` };
    this.model.touch("selection");
    if (hindrance !== "") return this.context.announce(`${hindrance}.`);
    await this.context.perform(
      `${deed.words(view, this.model)}: ${view.id}`,
      () => deed.act(view, this.model, controls),
    );
  }
}

function factsOf(view: NodeView): string {
  const { term, votedFor, leader, commitIndex, appliedIndex, durableIndex, lastIndex, snapshot } = view;
  const whom = leader === null ? "knows no leader" : leader === view.id ? "leads" : `follows ${leader}`;
  const vote = votedFor === null ? "no vote given" : `voted for ${votedFor === view.id ? "itself" : votedFor}`;
  const kept = snapshot === null ? "no snapshot" : `snapshot up to ${snapshot.index}`;
  return `${stateWord(view)}, ${whereWords(view)}; term ${term}, ${whom}, ${vote}; log up to ${lastIndex}, ` +
    `durable ${durableIndex}, committed ${commitIndex}, applied ${appliedIndex}; ${kept}`;
}
