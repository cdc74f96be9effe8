/** The look of the logs. */
export const LOG_STYLE = `
raft-log-table h2 { margin-bottom: 10px; }
/* From the right: the tail is what one sees. */
raft-log-table .scroller { display: flex; flex-direction: row-reverse; padding: 3px; }
raft-log-table .scroller > div { flex: 1 0 auto; }
.raft-demo .log { border-collapse: separate; border-spacing: 2px 3px; font-variant-numeric: tabular-nums; }
.log th[scope="row"], .log thead th:first-child { position: sticky; left: -3px; background: var(--surface); z-index: 1; text-align: left; font-weight: 400; min-width: 152px; padding: 0 10px 0 0; }
.log thead th { font-weight: 400; padding: 0; color: var(--soft); font-size: 13px; }
.log thead button { width: 100%; min-width: 31px; min-height: 24px; padding: 0 2px; border: 0; border-radius: 6px; background: none; color: var(--soft); font-size: 12px; font-weight: 450; }
.log thead button[aria-pressed="true"] { background: var(--accent-wash); color: var(--ink); box-shadow: inset 0 0 0 1px var(--accent); }
.log .who { display: block; line-height: 1.3; }
.log .role { color: var(--soft); font-size: 13px; }
.log tr[data-state="leader"] .role { color: var(--accent); font-weight: 600; }
.log tr:is([data-state="killed"], [data-state="stopped"]) .role { color: var(--bad); }
.log .cursors { display: block; font-size: 11.5px; color: var(--soft); white-space: nowrap; }
.log td { padding: 0; vertical-align: top; min-width: 31px; }
.log .box, .legend .sample .box { display: flex; align-items: center; justify-content: center; height: 26px; border-radius: 5px; font-size: 13px; position: relative; color: var(--soft); }
.log td.none .box { background: none; }
.log td.none .box::before { content: ""; width: 3px; height: 3px; border-radius: 50%; background: var(--line); }
:is(.log, .legend) .entry .box { color: var(--ink); border: 1.5px dashed light-dark(oklch(0.66 0.11 var(--hue)), oklch(0.62 0.1 var(--hue))); }
:is(.log, .legend) .entry.durable .box { border-style: solid; }
:is(.log, .legend) .entry.committed .box { background: light-dark(oklch(0.89 0.075 var(--hue)), oklch(0.4 0.085 var(--hue))); border-color: light-dark(oklch(0.89 0.075 var(--hue)), oklch(0.4 0.085 var(--hue))); font-weight: 600; }
:is(.log, .legend) .entry.committed:not(.durable) .box { border-color: var(--edge); }
:is(.log, .legend) .entry.applied .box::after { content: ""; position: absolute; right: 3px; bottom: 3px; width: 4px; height: 4px; border-radius: 50%; background: currentColor; opacity: 0.65; }
:is(.log, .legend) .compacted .box { background: repeating-linear-gradient(135deg, var(--raised) 0 4px, var(--line) 4px 5px); }
.log td.boundary { box-shadow: 2.5px 0 0 0 var(--snapshot); border-radius: 5px; }
.log td.marked .box { outline: 2px solid var(--accent); outline-offset: 1px; }
.log .marks { display: block; height: 13px; font-size: 11px; line-height: 13px; text-align: center; color: var(--accent); font-weight: 650; letter-spacing: 1px; }
@media (max-width: 560px) {
  .log th[scope="row"], .log thead th:first-child { min-width: 92px; max-width: 92px; padding-right: 4px; }
  .log .cursors { white-space: normal; line-height: 1.3; }
  .log td, .log thead button { min-width: 28px; }
}
raft-log-table .entry-words { margin-top: 8px; color: var(--soft); min-height: 1.5em; }
raft-log-table .why:not(:empty) { margin-top: 8px; border-left: 3px solid var(--bad); padding-left: 10px; }
.legend .sample { display: inline-block; --hue: 45; }
.legend .sample .box { width: 24px; height: 20px; font-size: 12px; }
.legend .letter { color: var(--accent); font-weight: 650; }
`;
