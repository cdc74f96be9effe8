/**
 * What can be done to the cluster as a whole.
 *
 * @module
 */

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
    const { controls } = this.context;
    if (controls === null) return;
    this.#open.href = controls.inviteUrl;
    this.append(
      h("div", { class: "buttons" }, this.#add, this.#heal),
      h("div", { class: "buttons" }, this.#copy, this.#open),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    const faulty = [...this.model.links.values()].some(({ cut, delayMs, loss }) => cut || delayMs > 0 || loss > 0);
    setAttribute(this.#heal, "aria-disabled", faulty ? null : "true");
  }

  async #addNode(): Promise<void> {
    const { controls } = this.context;
    if (controls === null || this.#adding) return;
    this.#adding = true;
    setText(this.#add, "Adding a node…");
    await this.context.perform("Adding a node", async () => {
      const id = await controls.addNode();
      this.context.announce(`${id} takes part now.`);
      this.model.selectNode(id);
    });
    setText(this.#add, "Add a node");
    this.#adding = false;
  }

  async #healAll(): Promise<void> {
    const { controls } = this.context;
    if (controls === null) return;
    await this.context.perform("Healing the links", () => controls.heal());
  }

  async #copyUrl(): Promise<void> {
    const { controls } = this.context;
    if (controls === null) return;
    await this.context.perform("Copying the link", async () => {
      await navigator.clipboard.writeText(controls.inviteUrl);
      setText(this.#copy, "Copied");
      this.context.announce("The link is copied.");
    });
  }
}
