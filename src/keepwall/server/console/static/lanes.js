// Where assets stand in the picture: a lane for each surface, what runs above what it is built
// from, and in each lane rows whose neighbours are near. No forces: the same graph looks the same
// every time, and 5,000 assets are placed in milliseconds.
"use strict";

const ABOVE = ["agent", "inference", "registry"];
const BELOW = ["notebook", "pipeline", "data"];
const CELL = { width: 190, height: 46 };
const GAP = 56; // between lanes
const HEAD = 44; // above the first row of a lane
const SWEEPS = 4;
const CLOSEST = 1.1; // no picture is drawn larger than this

// Takes nodes {id, surface, kind, name}, edges {source, target} of ids, and the box {width, height}
// to fill. Returns a map of id to {x, y}, and the lanes as {surface, x, y, width, height, count}.
const placed = (nodes, edges, box) => {
  const lanes = [...ABOVE, ...BELOW]
    .map((surface) => ({ surface, nodes: nodes.filter((each) => each.surface === surface) }))
    .filter((lane) => lane.nodes.length);
  ordered(lanes, edges);
  const { rows, shelves } = arrangement(lanes, box);
  const places = new Map();
  const bands = [];
  let top = 0;
  for (const shelf of shelves) {
    let left = 0;
    const tall = Math.max(...shelf.map((lane) => depth(lane, rows)));
    for (const [number, lane] of shelf.entries()) {
      const wide = Math.ceil(lane.nodes.length / rows) * CELL.width;
      const deep = depth(lane, rows);
      // Lanes side by side are half a row apart, so that few relations run along a row of names.
      const down = top + HEAD + (number % 2) * (CELL.height / 2);
      lane.nodes.forEach((node, index) => places.set(node.id, {
        x: left + 26 + Math.floor(index / deep) * CELL.width,
        y: down + (index % deep) * CELL.height,
      }));
      bands.push({
        surface: lane.surface, count: lane.nodes.length, width: wide, height: (tall + 0.5) * CELL.height + HEAD - 12,
        x: left + wide / 2, y: top + ((tall + 0.5) * CELL.height + HEAD - 12) / 2 - 12,
      });
      left += wide + GAP;
    }
    top += (tall + 0.5) * CELL.height + HEAD + GAP / 2;
  }
  return { places, bands };
};

const depth = (lane, rows) => Math.ceil(lane.nodes.length / Math.ceil(lane.nodes.length / rows));

// One shelf of lanes, two, or one for each lane, and how many rows: whatever fills the box best.
const arrangement = (lanes, box) => {
  const upper = lanes.filter((lane) => ABOVE.includes(lane.surface));
  const lower = lanes.filter((lane) => BELOW.includes(lane.surface));
  const ways = [[lanes], ...(upper.length && lower.length ? [[upper, lower]] : []), lanes.map((lane) => [lane])];
  let best = null;
  for (const shelves of ways) {
    for (let rows = 3; rows <= 400; rows = Math.ceil(rows * 1.12)) {
      const width = Math.max(...shelves.map((shelf) => shelf.reduce((sum, lane) => sum + Math.ceil(lane.nodes.length / rows) * CELL.width + GAP, -GAP)));
      const height = shelves.reduce((sum, shelf) => sum + (Math.max(...shelf.map((lane) => depth(lane, rows))) + 0.5) * CELL.height + HEAD + GAP / 2, 0);
      const scale = Math.min(CLOSEST, box.width / width, box.height / height);
      const better = best && best.shelves !== shelves ? 1.2 : 1.001; // side by side unless it is much smaller
      if (!best || scale > best.scale * better) best = { scale, rows, shelves };
    }
  }
  return best;
};

// Sort each lane so that relations cross little: by the mean place of the neighbours, again and
// again (the barycentre rule of layered drawings), starting from kind and name.
const ordered = (lanes, edges) => {
  const near = new Map();
  const put = (one, other) => near.has(one) ? near.get(one).push(other) : near.set(one, [other]);
  for (const { source, target } of edges) {
    put(source, target);
    put(target, source);
  }
  const at = new Map();
  const number = (lane) => lane.nodes.forEach((node, index) => at.set(node.id, (index + 0.5) / lane.nodes.length));
  for (const lane of lanes) {
    lane.nodes.sort((a, b) => compared(a.kind, b.kind) || compared(a.name, b.name));
    number(lane);
  }
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const lane of sweep % 2 ? [...lanes].reverse() : lanes) {
      const mean = new Map(lane.nodes.map((node) => {
        const others = near.get(node.id) || [];
        const sum = others.reduce((total, each) => total + at.get(each), 0);
        return [node.id, others.length ? sum / others.length : at.get(node.id)];
      }));
      lane.nodes.sort((a, b) => mean.get(a.id) - mean.get(b.id) || compared(a.name, b.name));
      number(lane);
    }
  }
};
const compared = (a, b) => a < b ? -1 : Number(a > b);
