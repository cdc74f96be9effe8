/**
 * The theme's colours for the canvas, which knows no custom properties. They are
 * read when the theme changes, not while drawing.
 *
 * @module
 */

import { h } from "./dom.ts";

/** The colours that the canvas draws with. */
const NAMES = [
  "vote",
  "heartbeat",
  "entries",
  "snapshot",
  "timeoutNow",
  "bad",
  "timer",
  "timer-late",
  "surface",
] as const;

/** A colour by its name. */
export type Palette = Readonly<Record<(typeof NAMES)[number], string>>;

/** Keeps the palette current until the returned function is called. */
export function watchPalette(root: HTMLElement, changed: (palette: Palette) => void): () => void {
  const probe = h("span", { hidden: true });
  root.append(probe);
  const read = (): void => {
    const style = getComputedStyle(probe);
    changed(
      Object.fromEntries(NAMES.map((name) => {
        probe.style.color = `var(--${name})`;
        return [name, style.color];
      })) as Palette,
    );
  };
  read();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", read);
  const themes = new MutationObserver(read);
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", read);
    themes.disconnect();
    probe.remove();
  };
}
