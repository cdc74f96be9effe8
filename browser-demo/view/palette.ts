/**
 * The theme's colours for the canvas, which has no custom properties. They are read
 * when the theme changes, not while drawing.
 */

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

/** Calls `changed` with the palette now and after every change of the theme. */
export function watchPalette(root: HTMLElement, changed: (palette: Palette) => void): void {
  const probe = document.createElement("span");
  probe.hidden = true;
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
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", read);
  new MutationObserver(read).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
}
