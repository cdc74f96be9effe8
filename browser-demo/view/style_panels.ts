/** The look of the panels: playground, node, link, feed, tables. */
export const PANEL_STYLE = `
.raft-demo button, .raft-demo .button {
  font: inherit; font-weight: 550; color: var(--ink); background: var(--surface); border: 1px solid var(--edge);
  border-radius: 9px; padding: 5px 13px; min-height: 36px; cursor: pointer; text-decoration: none; display: inline-flex; align-items: center; justify-content: center;
}
.raft-demo button:hover, .raft-demo .button:hover { background: var(--raised); }
.raft-demo button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.raft-demo button.primary:hover { background: color-mix(in oklab, var(--accent), var(--ink) 14%); }
.raft-demo button.danger { color: var(--bad); border-color: color-mix(in oklab, var(--bad), transparent 35%); }
.raft-demo button.danger:hover { background: var(--bad-wash); }
.raft-demo button.big { min-height: 44px; padding-inline: 18px; font-weight: 620; }
.raft-demo button.big.danger { background: var(--bad-wash); }
.raft-demo button.quiet { border-color: transparent; background: none; color: var(--soft); min-height: 30px; padding: 2px 9px; font-weight: 500; white-space: nowrap; }
.raft-demo button.quiet:hover, .raft-demo button.quiet[aria-pressed="true"] { background: var(--raised); color: var(--ink); }
.raft-demo button[aria-disabled="true"] { color: var(--soft); background: var(--raised); border-color: var(--line); cursor: not-allowed; }
.raft-demo button.theme { font-size: 20px; min-width: 40px; min-height: 40px; }
.raft-demo .buttons { display: flex; flex-wrap: wrap; gap: 8px; }
.raft-demo input:not([type]), .raft-demo select {
  font: inherit; color: var(--ink); background: var(--surface); border: 1px solid var(--edge); border-radius: 9px; padding: 5px 10px; min-height: 36px; min-width: 0; width: 100%; font-size: 15px;
}
.raft-demo select { width: auto; }
.raft-demo fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.raft-demo legend { padding: 0; font-weight: 600; font-size: 14px; }
.raft-demo .field { display: flex; flex-direction: column; gap: 3px; min-width: 0; font-size: 13px; color: var(--soft); }
.raft-demo .head { display: flex; align-items: center; justify-content: space-between; gap: 12px; margin-bottom: 8px; }
raft-playground, raft-node-panel, raft-link-panel, raft-log-table, raft-tables { display: block; }
raft-playground .next { color: var(--soft); margin: 2px 0 12px; min-height: 1.5em; }
raft-playground .put { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
raft-playground .put .buttons { grid-column: 1 / -1; }
raft-playground .put .primary { min-width: 96px; }
raft-playground .consistency { margin-top: 10px; font-size: 13px; color: var(--soft); display: grid; gap: 2px; }
raft-playground .consistency legend { font-size: 13px; font-weight: 500; }
raft-playground .consistency label { display: inline-flex; gap: 7px; align-items: baseline; }
raft-playground .consistency .stale { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
raft-playground .consistency select { min-height: 28px; padding: 1px 6px; }
raft-playground .answer { margin-top: 12px; min-height: 46px; border-radius: 9px; background: var(--raised); padding: 11px 13px; overflow-wrap: anywhere; }
raft-playground .answer .facts { color: var(--soft); }
raft-playground .answer .asking { color: var(--soft); }
raft-playground .answer .error { color: var(--bad); }
raft-playground .answer .error span { color: var(--ink); }
raft-playground .history { margin: 8px 0 0; padding: 0 0 0 13px; list-style: none; color: var(--soft); font-size: 13px; max-height: 3.2em; overflow: hidden; }
raft-playground .history li:first-child { display: none; }
raft-playground .deeds { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 14px; }
raft-node-panel .facts { color: var(--soft); font-size: 14px; margin-bottom: 10px; min-height: 3em; }
raft-node-panel .reason { color: var(--bad); font-size: 14px; margin-bottom: 10px; }
.raft-demo .cluster { position: relative; }
raft-cluster-panel { display: flex; flex-wrap: wrap; gap: 8px; justify-content: space-between; margin-top: 14px; padding-top: 14px; border-top: 1px solid var(--line); }
.raft-demo raft-cluster-panel :is(button, .button) { font-size: 14px; font-weight: 500; min-height: 32px; padding: 3px 11px; }
/* Where there is room, in the corners above the ring. */
@media (min-width: 760px) {
  raft-cluster-panel { position: absolute; inset: 14px 14px auto; margin: 0; padding: 0; border: 0; pointer-events: none; }
  raft-cluster-panel .buttons { flex-direction: column; align-items: flex-start; pointer-events: auto; gap: 6px; }
  raft-cluster-panel .buttons:last-child { align-items: flex-end; }
}
raft-link-panel .directions { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px 24px; margin-top: 14px; }
raft-link-panel .direction legend { float: left; line-height: 30px; }
raft-link-panel .range { display: grid; grid-template-columns: 46px minmax(0, 1fr) 58px; gap: 8px; align-items: center; min-height: 30px; }
raft-link-panel .range input { width: 100%; margin: 0; }
raft-link-panel .check { float: right; display: inline-flex; gap: 8px; align-items: center; min-height: 30px; }
raft-link-panel .range { clear: both; }
raft-link-panel .check input { width: 17px; height: 17px; margin: 0; }
raft-link-panel .number { color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; font-size: 13px; }
.raft-demo .why-card { display: flex; min-height: 280px; }
raft-feed { display: flex; flex-direction: column; flex: 1; min-width: 0; }
raft-feed .scroller { flex: 1 1 0; min-height: 220px; margin: 0 -6px; padding: 0 6px; }
raft-feed .lines { list-style: none; margin: 0; padding: 0; }
raft-feed li { display: grid; grid-template-columns: 52px minmax(0, 1fr); gap: 10px; padding: 7px 0; border-top: 1px solid var(--line); font-size: 14px; line-height: 1.45; }
raft-feed li:first-child { border-top: 0; }
raft-feed .time { color: var(--soft); font-size: 12.5px; font-variant-numeric: tabular-nums; text-align: right; padding-top: 1px; }
raft-feed .said { overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: 10px; }
raft-feed li[data-tone="good"] .said { border-color: var(--good); }
raft-feed li[data-tone="bad"] .said { border-color: var(--bad); }
raft-feed a, raft-log-table a { white-space: nowrap; font-size: 0.92em; }
raft-feed .empty { color: var(--soft); }
.raft-demo .facts-table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
.facts-table caption { text-align: left; font-weight: 600; padding: 10px 0 4px; }
.facts-table th, .facts-table td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
.facts-table thead th { color: var(--soft); font-size: 12.5px; }
.facts-table tbody th { font-weight: 600; }
.raft-demo .notice { position: fixed; left: 50%; bottom: 18px; transform: translateX(-50%); width: min(680px, calc(100vw - 24px)); display: flex; gap: 14px; align-items: center; justify-content: space-between; background: var(--surface); border: 1px solid var(--bad); border-left-width: 5px; border-radius: 12px; padding: 12px 14px; box-shadow: 0 8px 30px rgb(0 0 0 / 0.22); z-index: 5; }
.notice .hint { color: var(--soft); }
`;
