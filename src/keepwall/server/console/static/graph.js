// The inventory as a graph that can be walked: click or arrows to go, Enter to load neighbours.
// Names arrive from the server with everything that hides or controls already made visible.
"use strict";

const MANY = 600; // from so many nodes on, drawing saves what nobody can see
const MOST_WALKED = 400; // walking keeps so many nodes; what is farthest from the way is dropped
const LABEL = 22;
const LEGIBLE = 0.6; // a picture that fits at this scale is shown as a whole
const SHAPES = {
  agent: "round-hexagon", tool: "rhomboid", "mcp-server": "octagon", prompt: "tag",
  "model-file": "ellipse", "hosted-model": "ellipse", provider: "pentagon",
  "inference-server": "round-triangle", endpoint: "triangle", guardrail: "vee",
  dataset: "barrel", "vector-store": "barrel", "feature-store": "barrel", secret: "star",
  notebook: "bottom-round-rectangle", library: "rectangle", project: "round-rectangle",
  pipeline: "cut-rectangle", "training-job": "cut-rectangle", image: "round-octagon",
  workload: "heptagon", "kubernetes-object": "heptagon", process: "diamond", host: "round-diamond",
};

const start = async (box) => {
  const say = (text) => { document.getElementById("graph-say").textContent = text; };
  const counted = document.getElementById("graph-count");
  const known = new Map(); // id → node as it came
  const drawn = new Map(); // "source kind target" → edge
  const trail = []; // the way that was walked
  let here = null; // what is selected
  let walked = null; // whose neighbours were loaded last

  const fetched = async (address) => {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (answer.status === 401) location.reload(); // the page becomes the sign-in form
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  };
  const failed = () => {
    const notice = document.getElementById("notice");
    notice.textContent = "The control plane does not answer. What is drawn is from before.";
    notice.hidden = false;
  };

  const take = (piece) => {
    for (const node of piece.nodes) known.set(node.id, node);
    for (const [source, target, kind] of piece.edges) {
      const one = piece.nodes[source].id, other = piece.nodes[target].id;
      drawn.set(`${one} ${kind} ${other}`, { source: one, target: other, kind });
    }
  };

  let first;
  try { first = await fetched(box.dataset.graph); } catch { failed(); return; }
  take(first);
  if (!known.size) return;
  box.hidden = false;
  document.querySelectorAll(".graph-tools").forEach((each) => { each.hidden = false; });

  const large = () => known.size > MANY;
  const cy = cytoscape({
    container: box,
    style: styles(),
    layout: { name: "preset" },
    minZoom: 0.02,
    maxZoom: 3,
    autoungrabify: true,
    boxSelectionEnabled: false,
    selectionType: "single",
    textureOnViewport: large(),
    hideEdgesOnViewport: large(),
    pixelRatio: large() ? 1 : "auto",
    renderer: { name: "canvas", webgl: new URLSearchParams(location.search).get("renderer") === "webgl" },
  });

  const elements = () => {
    const edges = [...drawn.values()];
    const { places, bands } = placed([...known.values()], edges, { width: box.clientWidth - 40, height: box.clientHeight - 40 });
    const shown = new Map();
    for (const { source, target } of edges) {
      shown.set(source, (shown.get(source) || 0) + 1);
      shown.set(target, (shown.get(target) || 0) + 1);
    }
    const cut = (text) => text.length > LABEL ? `${text.slice(0, LABEL - 1)}…` : text;
    return [
      ...bands.map((band) => ({
        group: "nodes", classes: "lane", selectable: false,
        data: { id: `lane ${band.surface}`, label: `${band.surface} · ${band.count}`, width: band.width, height: band.height },
        position: { x: band.x, y: band.y },
      })),
      ...[...known.values()].map((node) => {
        const more = node.relations - (shown.get(node.id) || 0);
        return {
          group: "nodes", classes: `asset ${node.worst}`,
          data: {
            id: node.id, shape: SHAPES[node.kind] || "ellipse",
            label: `${cut(node.name)}\n${node.kind}${more > 0 ? ` · ${more} more` : ""}`,
          },
          position: places.get(node.id),
        };
      }),
      ...edges.map((edge) => ({
        group: "edges",
        classes: bent(places.get(edge.source), places.get(edge.target)),
        data: {
          id: `${edge.source} ${edge.kind} ${edge.target}`, source: edge.source, target: edge.target, label: edge.kind,
          bow: places.get(edge.source).x <= places.get(edge.target).x ? -44 : 44,
        },
      })),
    ];
  };

  const draw = () => {
    const zoom = { zoom: cy.zoom(), pan: { ...cy.pan() } };
    const before = here && cy.getElementById(here).nonempty() ? { ...cy.getElementById(here).position() } : null;
    cy.batch(() => {
      cy.elements().remove();
      cy.add(elements());
      cy.edges().toggleClass("named", drawn.size <= 40);
      cy.edges().toggleClass("plain", drawn.size > 400);
    });
    fit();
    if (before && cy.zoom() < LEGIBLE) { // what one looks at stays where it is
      const after = cy.getElementById(here).position();
      cy.viewport({ zoom: zoom.zoom, pan: {
        x: zoom.pan.x + (before.x - after.x) * zoom.zoom, y: zoom.pan.y + (before.y - after.y) * zoom.zoom } });
    }
  };

  const fit = () => {
    cy.fit(cy.nodes(), 20);
    if (cy.zoom() > CLOSEST) { cy.zoom(CLOSEST); cy.center(cy.nodes()); }
  };

  // Select: light up what is near, say it, and show the same as a table.
  const select = (id, { silent = false } = {}) => {
    here = id;
    const node = cy.getElementById(id);
    cy.batch(() => {
      cy.elements().removeClass("here near far in out");
      if (!large()) cy.elements(".asset, edge").addClass("far"); // thousands would take a second
      node.closedNeighborhood().removeClass("far").addClass("near");
      node.outgoers("edge").addClass("out");
      node.incomers("edge").addClass("in");
      node.addClass("here");
    });
    const place = node.renderedPosition();
    const outside = place.x < 8 || place.y < 8 || place.x > box.clientWidth - 60 || place.y > box.clientHeight - 8;
    if (outside && !silent) cy.center(node);
    const it = known.get(id);
    const found = it.findings ? `${it.findings} finding${it.findings === 1 ? "" : "s"}, worst ${it.worst}` : "no findings";
    if (!silent) say(`${it.name}, ${it.kind}, ${it.surface}, ${found}, ${it.relations} relation${it.relations === 1 ? "" : "s"}`);
  };

  const load = async (id) => {
    let piece;
    try { piece = await fetched(`/inventory/graph/data?asset=${id}&limit=40`); } catch { failed(); return; }
    const size = known.size, lines = drawn.size;
    take(piece);
    if (known.size > MOST_WALKED && known.size > size) forget(id);
    if (known.size !== size || drawn.size !== lines) draw();
    select(id, { silent: true });
    const left = piece.total - piece.nodes.length;
    say(`${known.size - size} neighbours added${left > 0 ? `, ${left} more not drawn` : ""}`);
    if (counted) counted.textContent = `${known.size.toLocaleString("en")} assets drawn${left > 0 ? `, ${left} more neighbours of ${known.get(id).name} not drawn` : ""}`;
  };
  const forget = (id) => {
    const kept = new Set([id, ...trail.slice(-8)]);
    for (const { source, target } of drawn.values()) {
      if (source === id || trail.at(-1) === source) kept.add(target);
      if (target === id || trail.at(-1) === target) kept.add(source);
    }
    for (const each of [...known.keys()]) if (!kept.has(each)) known.delete(each);
    for (const [name, edge] of [...drawn]) if (!known.has(edge.source) || !known.has(edge.target)) drawn.delete(name);
  };

  const frame = document.getElementById("near-frame");
  const back = document.getElementById("graph-back");
  const describe = (id) => {
    if (frame) htmx.ajax("GET", `/inventory/graph/near?id=${id}`, { target: "#near-frame", swap: "innerHTML" });
  };
  const walk = async (id) => {
    if (walked && walked !== id) trail.push(walked);
    walked = id;
    if (back) back.disabled = !trail.length;
    if (known.has(id)) select(id);
    describe(id);
    await load(id);
    history.replaceState(null, "", frame ? `/inventory/graph?asset=${id}` : location.href);
  };
  const turn = () => {
    const id = trail.pop();
    if (back) back.disabled = !trail.length;
    if (!id) return;
    walked = null;
    walk(id);
  };

  // The nearest asset in a direction; what is straight ahead counts as nearer.
  const ahead = (x, y) => {
    const from = cy.getElementById(here).position();
    let best = null, least = Infinity;
    cy.nodes(".asset").forEach((node) => {
      const to = node.position();
      const along = (to.x - from.x) * x + (to.y - from.y) * y;
      const aside = Math.abs((to.x - from.x) * y) + Math.abs((to.y - from.y) * x);
      if (along > 1 && along + 3 * aside < least) { least = along + 3 * aside; best = node.id(); }
    });
    return best;
  };
  const zoomed = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: box.clientWidth / 2, y: box.clientHeight / 2 } });
  const keys = {
    ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  };
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = keys[event.key];
    if (step) {
      const to = here && known.has(here) ? ahead(...step) : [...known.keys()][0];
      if (to) select(to); else say("Nothing further that way");
    } else if (event.key === "Enter") {
      if (here) walk(here);
    } else if (event.key === "Escape") {
      if (trail.length) turn(); else box.blur();
    } else if (event.key === "+") zoomed(1.3);
    else if (event.key === "-") zoomed(1 / 1.3);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  cy.on("tap", "node.asset", (event) => walk(event.target.id()));
  cy.on("tap", (event) => { if (event.target === cy) { box.focus({ preventScroll: true }); } });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-walk]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); walk(link.dataset.walk); }
    const zoom = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (zoom === "in") zoomed(1.3);
    if (zoom === "out") zoomed(1 / 1.3);
    if (zoom === "fit") fit();
  });
  back?.addEventListener("click", turn);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(styles()));

  draw();
  const middle = new URLSearchParams(new URL(box.dataset.graph, location).search).get("asset");
  if (middle) {
    walked = first.nodes[0].id;
    select(walked, { silent: true });
  }
  box.dataset.ready = "true";
};

// Relations inside a column bow out, those that would cross a column of names bow above it.
const bent = (from, to) => {
  const far = Math.abs(from.x - to.x);
  if (far < CELL.width / 2) return "same";
  return far > CELL.width + GAP + 1 && Math.abs(from.y - to.y) < CELL.height ? "over" : "";
};

// Colours come from the style sheet, so that light and dark are said once.
const styles = () => {
  const sheet = getComputedStyle(document.documentElement);
  const of = (name) => sheet.getPropertyValue(`--${name}`).trim();
  const worst = (level) => ({ selector: `.${level}`, style: { "background-color": of(level), "border-color": of(level) } });
  return [
    { selector: "node.asset", style: {
      shape: "data(shape)", width: 20, height: 20, "background-color": of("card"),
      "border-width": 2, "border-color": of("faint"),
      label: "data(label)", "text-wrap": "wrap", "text-halign": "right", "text-valign": "center",
      "text-justification": "left", "text-margin-x": 6, "line-height": 1.15,
      color: of("text"), "text-background-color": of("card"), "text-background-opacity": 0.85, "text-background-padding": 1, "font-size": 12, "font-family": sheet.fontFamily, "min-zoomed-font-size": 6,
      "text-events": "yes", "overlay-opacity": 0 } },
    { selector: ".lane", style: {
      shape: "round-rectangle", width: "data(width)", height: "data(height)",
      "background-color": of("card"), "background-opacity": 0.6, "border-width": 1, "border-color": of("line"),
      label: "data(label)", "text-valign": "top", "text-halign": "center", "text-margin-y": 24,
      color: of("faint"), "font-size": 14, "font-weight": 600, "font-family": sheet.fontFamily,
      events: "no", "z-index": 0, "z-index-compare": "manual", "overlay-opacity": 0 } },
    { selector: "edge", style: {
      width: 1.3, "line-color": of("edge"), "curve-style": "straight",
      "target-arrow-shape": "triangle", "target-arrow-color": of("edge"), "arrow-scale": 0.8,
      "font-size": 10, "font-family": sheet.fontFamily, color: of("faint"),
      "text-background-color": of("page"), "text-background-opacity": 0.85, "text-background-padding": 1,
      "source-text-rotation": "autorotate", "target-text-rotation": "autorotate", "min-zoomed-font-size": 7, "z-index": 1, "z-index-compare": "manual",
      events: "no", "overlay-opacity": 0 } },
    { selector: "edge.same", style: { "curve-style": "unbundled-bezier", "control-point-distances": -34, "control-point-weights": 0.5 } },
    { selector: "edge.over", style: { "curve-style": "unbundled-bezier", "control-point-distances": "data(bow)", "control-point-weights": 0.5 } },
    { selector: "edge.named, edge.out", style: { "target-label": "data(label)", "target-text-offset": 40 } },
    { selector: "edge.in", style: { "source-label": "data(label)", "source-text-offset": 40, "target-label": "" } },
    { selector: "edge.plain", style: { "curve-style": "haystack", "target-arrow-shape": "none", width: 1, "line-opacity": 0.4 } },
    { selector: "node.asset", style: { "z-index": 3, "z-index-compare": "manual" } },
    worst("info"), worst("low"), worst("medium"), worst("high"), worst("critical"),
    { selector: ".far", style: { opacity: 0.45 } },
    { selector: "edge.far", style: { opacity: 0.25 } },
    { selector: "edge.near", style: { width: 2, "line-opacity": 1, "line-color": of("primary"), "target-arrow-color": of("primary"), "z-index": 2 } },
    { selector: ".here", style: { width: 28, height: 28, "border-width": 4, "border-color": of("focus"), "z-index": 4 } },
  ];
};

document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("graph");
  if (box) start(box);
});
