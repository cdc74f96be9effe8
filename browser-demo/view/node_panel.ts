/**
 * The controls of one node.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import { sentence } from "../../lib/sentence.ts";
import type { NodeId } from "../../mod.ts";
import type { ClusterSource, NodeView } from "../source.ts";
import { options, valueOf } from "./dom.ts";
import type { ClusterModel } from "./model.ts";
import { Part } from "./part.ts";
import { isLearnerView, stateWord } from "./words.ts";

/** One button of the panel. */
interface NodeAction {
  /** Returns the text of the button. */
  label(view: NodeView, model: ClusterModel): string;
  /** Returns the reason why it is not possible now; empty if it is. */
  obstacle(view: NodeView, model: ClusterModel): string;
  act(view: NodeView, model: ClusterModel, source: ClusterSource): Promise<unknown> | void;
  readonly danger?: boolean;
}

const isServer = ({ home }: NodeView): boolean => home === "server";
/** Reports whether no tab runs it, so that this page may: all tabs have its disk. */
const isDead = (view: NodeView): boolean =>
  view.life === "killed" || view.life === "stopped" || (view.life === "away" && !isServer(view));
const elsewhere = (view: NodeView): string => isServer(view) ? `${view.id} runs ${whereWords(view)}` : "";

function whereWords({ home }: NodeView): string {
  return home === "this page" ? "on this page" : home === "server" ? "on a server" : "in another tab";
}

const ACTIONS: readonly NodeAction[] = [
  {
    label: (view) => isDead(view) ? "Start again" : "Kill",
    obstacle: elsewhere,
    act: (view, _, source) => isDead(view) ? source.restart(view.id) : source.kill(view.id),
    danger: true,
  },
  {
    label: ({ life }) => life === "paused" ? "Resume" : "Pause",
    obstacle: (view) =>
      elsewhere(view) || (view.life === "running" || view.life === "paused" ? "" : `${view.id} does not run`),
    act: ({ id, life }, _, source) => source.pause(id, life !== "paused"),
  },
  {
    label: ({ id }, model) => model.isIsolated(id) ? "Reconnect" : "Isolate",
    obstacle: (_, model) => model.nodes.size > 1 ? "" : "There is no other node",
    act: ({ id }, model, source) => source.isolate(id, !model.isIsolated(id)),
  },
  {
    label: () => "Make it leader",
    obstacle: (view, model) => {
      if (view.life !== "running") return `${view.id} does not run`;
      if (view.role === "leader") return `${view.id} is the leader already`;
      if (isLearnerView(view)) return `${view.id} is a learner: it has no vote`;
      return model.leader() === null ? "There is no leader that could hand over" : "";
    },
    act: ({ id }, _, source) => source.transferLeadership(id),
  },
  {
    label: () => "Take a snapshot",
    obstacle: (view) => view.life === "running" ? "" : `${view.id} does not run`,
    act: ({ id }, _, source) => source.takeSnapshot(id),
  },
  {
    label: () => "Wipe its disk",
    obstacle: (view) =>
      elsewhere(view) || (view.life === "away" ? `No tab runs ${view.id}: start it again here first` : ""),
    act: ({ id }, _, source) => source.wipe(id),
    danger: true,
  },
  {
    label: () => "Remove",
    obstacle: (_, model) => model.nodes.size > 1 ? "" : "It is the last node",
    act: ({ id }, _, source) => source.removeNode(id),
    danger: true,
  },
];

export class NodePanel extends Part {
  readonly topics = ["nodes", "links", "selection"] as const;
  override readonly everyMs = 80;
  /** The obstacle to the last action; it stays until the next one, or until another node is selected. */
  #refusal: { readonly id: NodeId; readonly text: string } | null = null;

  content(): TemplateResult {
    const { model } = this;
    const view = model.nodes.get(model.selectedNode ?? "");
    if (this.#refusal?.id !== view?.id) this.#refusal = null;
    if (view === undefined) return html`<h2>Node</h2>`;
    const reason = this.#refusal?.text ?? (view.life === "running" ? "" : sentence(view.lifeReason));
    const select = (event: Event): void => model.selectNode(valueOf(event));
    return html`
      <div class="head">
        <h2>Node</h2>
        <select aria-label="Which node" @change=${select}>${options(model.ids(), view.id)}</select>
      </div>
      <p class="facts">${factsOf(view)}</p>
      ${reason === "" ? nothing : html`<p class="reason">${reason}</p>`}
      <div class="buttons">${ACTIONS.map((action) => this.#button(action, view))}</div>
    `;
  }

  #button(action: NodeAction, view: NodeView): TemplateResult {
    const label = action.label(view, this.model);
    const obstacle = action.obstacle(view, this.model);
    const look = label === "Start again" ? "primary" : action.danger === true ? "danger" : "";
    return html`
      <button
        type="button"
        class=${look}
        aria-label="${label}: ${view.id}"
        aria-disabled=${obstacle !== "" || nothing}
        title=${obstacle || nothing}
        @click=${() => this.#do(action, view)}
      >
        ${label}
      </button>
    `;
  }

  async #do(action: NodeAction, view: NodeView): Promise<void> {
    const obstacle = action.obstacle(view, this.model);
    this.#refusal = obstacle === "" ? null : { id: view.id, text: `${obstacle}.` };
    this.update();
    if (obstacle !== "") return this.context.announce(`${obstacle}.`);
    await this.context.perform(
      `${action.label(view, this.model)}: ${view.id}`,
      () => action.act(view, this.model, this.context.source),
    );
  }
}

function factsOf(view: NodeView): string {
  const { term, votedFor, leader, commitIndex, appliedIndex, durableIndex, lastIndex, snapshot } = view;
  const whom = leader === null ? "without a leader" : leader === view.id ? "leads" : `follows ${leader}`;
  const vote = votedFor === null ? "no vote" : `voted for ${votedFor === view.id ? "itself" : votedFor}`;
  const kept = snapshot === null ? "no snapshot" : `snapshot up to ${snapshot.index}`;
  return `${stateWord(view)}, ${whereWords(view)}; term ${term}, ${whom}, ${vote}; log up to ${lastIndex}, ` +
    `durable ${durableIndex}, committed ${commitIndex}, applied ${appliedIndex}; ${kept}`;
}
