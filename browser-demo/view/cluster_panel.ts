/**
 * The controls of the cluster as a whole.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import { isHealthy } from "../live/links.ts";
import { Part } from "./part.ts";

export class ClusterPanel extends Part {
  readonly topics = ["links"] as const;
  #adding = false;
  #copied = false;

  content(): TemplateResult {
    const { source, perform } = this.context;
    const healthy = [...this.model.links.values()].every(isHealthy);
    const heal = (): void => void perform("Healing the links", () => source.heal());
    return html`
      <div class="buttons">
        <button type="button" @click=${() => this.#addNode()}>${this.#adding ? "Adding a node…" : "Add a node"}</button>
        <button type="button" aria-disabled=${healthy || nothing} @click=${heal}>Heal all links</button>
      </div>
      <div class="buttons">
        <button type="button" @click=${() => this.#copyUrl()}>${this.#copied ? "Copied" : "Copy link"}</button>
        <a class="button" href=${source.inviteUrl} target="_blank" rel="noopener">Open another tab</a>
      </div>
    `;
  }

  async #addNode(): Promise<void> {
    if (this.#adding) return;
    this.#adding = true;
    this.update();
    await this.context.perform("Adding a node", async () => {
      const id = await this.context.source.addNode();
      this.context.announce(`${id} has joined.`);
      this.model.selectNode(id);
    });
    this.#adding = false;
    this.update();
  }

  async #copyUrl(): Promise<void> {
    await this.context.perform("Copying the link", async () => {
      await navigator.clipboard.writeText(this.context.source.shareUrl);
      this.#copied = true;
      this.update();
      this.context.announce("The link is copied.");
    });
  }
}
