/** The look of the picture of the cluster. */
export const PICTURE_STYLE = `
raft-cluster-picture { display: block; }
raft-cluster-picture .stage { position: relative; container-type: inline-size; width: 100%; max-width: 640px; margin: 0 auto; }
raft-cluster-picture .links, raft-cluster-picture .moving { position: absolute; inset: 0; width: 100%; height: 100%; }
raft-cluster-picture .moving { pointer-events: none; }
.links .base { stroke: var(--line); stroke-width: 0.5; pointer-events: none; }
.links .hit { stroke: transparent; stroke-width: 5; cursor: pointer; pointer-events: stroke; }
.links .link:hover .base { stroke: var(--edge); }
.links .link[data-selected] .base { stroke: var(--accent); stroke-width: 0.7; }
.links .link[data-cut] .base { stroke-dasharray: 1.2 1.6; }
.links .link[data-cut] .lane { visibility: hidden; }
.links .lane, .links .bar { stroke: transparent; stroke-width: 0.5; pointer-events: none; }
.links .lane[data-state="cut"] { stroke: var(--bad); stroke-dasharray: 1 1.4; opacity: 0.75; }
.links .lane[data-state="slow"] { stroke: var(--amber); stroke-dasharray: 2.4 1.2; }
.links .bar[data-state="cut"] { stroke: var(--bad); stroke-width: 0.8; stroke-linecap: round; }
.links .lane-label { font-size: 2.5px; fill: var(--ink); pointer-events: none; paint-order: stroke; stroke: var(--surface); stroke-width: 0.8px; }
.raft-demo .node {
  position: absolute; width: var(--size); height: var(--size); transform: translate(-50%, -50%);
  padding: 0; margin: 0; border: 0; background: none; color: var(--ink); font: inherit; cursor: pointer; border-radius: 50%;
}
.raft-demo .node:focus-visible { outline-offset: 6px; border-radius: 50%; }
.node .shape { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.node .round, .node .diamond { fill: var(--surface); stroke: var(--edge); stroke-width: 3.5; }
.node .diamond, .node .crown, .node .cross, .node .bars { display: none; }
.node .inside { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; line-height: 1.15; }
.node .id { max-width: 88%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 700; font-size: clamp(13px, calc(var(--size) * 0.25), 24px); letter-spacing: -0.01em; }
.node .term { font-size: clamp(9px, calc(var(--size) * 0.135), 13px); color: var(--soft); font-variant-numeric: tabular-nums; }
.node .under { position: absolute; top: 104%; left: 50%; transform: translateX(-50%); width: max-content; max-width: 26cqi; display: flex; flex-direction: column; align-items: center; gap: 1px; font-size: clamp(11px, 2.1cqi, 13px); line-height: 1.3; }
.node[data-words="beside"] .under { top: 50%; left: 112%; transform: translateY(-50%); align-items: flex-start; }
.node .role { font-weight: 600; padding: 0 5px; border-radius: 5px; background: var(--surface); }
raft-cluster-picture .home { color: var(--soft); font-size: 0.92em; background: var(--surface); padding: 0 4px; }
.node .voted { color: var(--amber); background: var(--surface); padding: 0 4px; }
.node .chip { color: var(--ink); background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 0 7px; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@container (max-width: 460px) { .node .chip .key { display: none; } }
.node .chip[data-empty] { color: var(--soft); background: var(--surface); border-style: dashed; }
.node[aria-pressed="true"] .role { background: var(--accent-wash); box-shadow: 0 0 0 1px var(--accent); }
.node:hover .round, .node:hover .diamond { stroke: var(--accent); }
.node[data-state="leader"] .round { fill: var(--accent); stroke: var(--accent); }
.node[data-state="leader"] .crown { display: block; fill: var(--accent); stroke: var(--surface); stroke-width: 2.5; stroke-linejoin: round; }
.node[data-state="leader"] .id, .node[data-state="leader"] .term { color: var(--on-accent); }
.node[data-state="leader"] .role { color: var(--accent); }
.node[data-state="candidate"] .round, .node[data-state="pre-candidate"] .round { display: none; }
.node[data-state="candidate"] .diamond, .node[data-state="pre-candidate"] .diamond { display: block; stroke: var(--amber); }
.node[data-state="pre-candidate"] .diamond { stroke-dasharray: 9 6; }
.node[data-state="candidate"] .role, .node[data-state="pre-candidate"] .role { color: var(--amber); }
.node[data-state="learner"] .round { stroke-dasharray: 2 7; stroke-linecap: round; }
.node:is([data-state="killed"], [data-state="stopped"], [data-state="away"], [data-state="starting"]) .round { fill: var(--raised); stroke: var(--edge); stroke-dasharray: 5 6; }
.node:is([data-state="killed"], [data-state="stopped"]) .cross { display: block; stroke: var(--bad); stroke-width: 3; opacity: 0.45; }
.node:is([data-state="killed"], [data-state="stopped"]) .role { color: var(--bad); }
.node:is([data-state="killed"], [data-state="stopped"], [data-state="away"]) :is(.id, .term) { color: var(--soft); }
.node[data-state="paused"] .round { fill: var(--raised); }
.node[data-state="paused"] .bars { display: block; stroke: var(--soft); stroke-width: 5; stroke-linecap: round; }
.node .vote circle { fill: var(--surface); stroke: var(--edge); stroke-width: 2; }
.node .vote path { fill: none; stroke: var(--on-accent); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
.node .vote.granted circle { fill: var(--good); stroke: var(--good); }
.node .vote.granted path { stroke: var(--surface); }
.node .vote.denied circle { fill: var(--surface); stroke: var(--bad); }
.node .vote.denied path { stroke: var(--bad); }
.node .vote.open circle { stroke-dasharray: 3 3; }
.raft-demo .legend { list-style: none; margin: 14px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 13px; }
raft-cluster-picture .legend { justify-content: center; }
.legend li { display: inline-flex; align-items: center; gap: 6px; }
.legend .glyph path { fill: currentColor; }
.legend .glyph.hollow path, .legend .glyph.ring path { fill: none; stroke: currentColor; stroke-width: 2; }
.legend .glyph.ring path { stroke-linecap: round; }
`;
