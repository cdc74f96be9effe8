/**
 * The controls of the cluster as a whole.
 */

import { isHealthy } from "../live/links.ts";
import { button, h, setAttribute, setText } from "./dom.ts";
import type { Topic } from "./model.ts";
import { Part } from "./part.ts";

/** `<raft-cluster-panel>` */
export class ClusterPanel extends Part {
  readonly topics = ["links"] as const;
  readonly #add = button("Add a node", () => void this.#addNode());
  readonly #heal = button("Heal all links", () => void this.#healAll());
  readonly #open = h("a", { target: "_blank", rel: "noopener", class: "button" }, "Open another tab");
  readonly #copy = button("Copy link", () => void this.#copyUrl());
  #adding = false;

  build(): void {
    this.#open.href = this.context.source.inviteUrl;
    this.append(
      h("div", { class: "buttons" }, this.#add, this.#heal),
      h("div", { class: "buttons" }, this.#copy, this.#open),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    const healthy = [...this.model.links.values()].every(isHealthy);
    setAttribute(this.#heal, "aria-disabled", healthy ? "true" : null);
  }

  async #addNode(): Promise<void> {
    if (this.#adding) return;
    this.#adding = true;
    setText(this.#add, "Adding a node…");
    await this.context.perform("Adding a node", async () => {
      const id = await this.context.source.addNode();
      this.context.announce(`${id} has joined.`);
      this.model.selectNode(id);
    });
    setText(this.#add, "Add a node");
    this.#adding = false;
  }

  async #healAll(): Promise<void> {
    await this.context.perform("Healing the links", () => this.context.source.heal());
  }

  async #copyUrl(): Promise<void> {
    await this.context.perform("Copying the link", async () => {
      await navigator.clipboard.writeText(this.context.source.inviteUrl);
      setText(this.#copy, "Copied");
      this.context.announce("The link is copied.");
    });
  }
}
