// Two entries side by side: ratios with intervals by workload, curves overlaid.
"use strict";
(async () => {
  const { el, number } = GD, C = GD.charts, data = GD.board(), body = document.getElementById("body");
  const query = new URLSearchParams(location.search);
  // The row of the entry that the address names, or of another; null if it names one that is not ranked.
  const rowOf = (name, other) => {
    const row = query.get(name) ? data.slugs.indexOf(query.get(name)) : Math.min(other, data.ranked - 1);
    return row < 0 || row >= data.ranked ? null : row;
  };
  const order = (Object.values(data.clocks)[0] || {}).order || [...data.names.keys()];
  const a = rowOf("a", order[0]), b = rowOf("b", order[1] ?? order[0]);
  const absent = [["a", a], ["b", b]].filter(([, row]) => row === null).map(([name]) => query.get(name));
  if (absent.length) { body.append(el("p", { class: "note" }, `Not ranked on this board: ${absent.join(", ")}. The address is pair.html?a=ENTRY&b=ENTRY.`)); return; }
  document.getElementById("heading").textContent = `${data.names[a]} against ${data.names[b]}`;
  document.title = `${data.names[a]} against ${data.names[b]}`;
  const choose = (name, i) => {
    const box = el("select", { "aria-label": "Entry " + name.toUpperCase() }, ...order.map((j) => el("option", { value: data.slugs[j], selected: j === i ? "" : null }, data.names[j])));
    box.addEventListener("change", () => { query.set("a", name === "a" ? box.value : data.slugs[a]); query.set("b", name === "b" ? box.value : data.slugs[b]); location.search = query.toString(); });
    return box;
  };
  body.append(el("p", { class: "bar" }, choose("a", a), " against ", choose("b", b)));
  const link = (i) => el("span", {}, el("a", { href: `s/${data.slugs[i]}.html` }, data.names[i]), ` (${data.marks[i]})`);
  const span = (cell) => cell[2] === null ? "-" : `${cell[2].toFixed(2)} – ${cell[3].toFixed(2)}`;
  const turned = (cell) => { const flip = { ">=": "<=", "<=": ">=" }, inverse = (v) => v === null ? null : 1 / v; return [inverse(cell[0]), flip[cell[1]] || cell[1], inverse(cell[3]), inverse(cell[2]), 1 - cell[4], cell[5]]; };
  const bit = (bytes, place) => (bytes[place >> 3] >> (7 - (place & 7))) & 1;
  // A miss bounds the ratio only if its trials went as far as the other's time, as in `harness compare`.
  const ratioOf = (x, y, endX, endY) => {
    if (x !== null && y !== null) return ["", y / x];
    if (x === null && y === null) return ["?", 1];
    if (y === null) return endY === null ? [">=", 1] : endY < x ? ["?", 1] : [">=", endY / x];
    return endX === null ? ["<=", 1] : endX < y ? ["?", 1] : ["<=", y / endX];
  };
  const said = ([mark, ratio]) => mark === "?" ? "?" : `${mark} ${number(ratio, 3)}`.trim();
  // As in `harness score`: what is unknown counts as 1, and bounds of both kinds give only an estimate.
  const meanOf = (ratios) => {
    const marks = ratios.map(([mark]) => mark), mean = Math.exp(ratios.reduce((sum, [, ratio]) => sum + Math.log(ratio), 0) / ratios.length);
    const low = marks.includes(">="), high = marks.includes("<=");
    return [low && high ? "~" : low ? ">=" : high ? "<=" : "", mean];
  };
  const time = (clock, view, i, w) => view.times[i][w] === null ? "not reached" : number(view.times[i][w]) + (clock === "seconds" ? ` (+ ${view.free[i][w]})` : "");
  // Where a difference in seconds comes from: the number of steps, or the cost of a step.
  const causes = async () => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const found = (await GD.load("causes", data.slugs[low], `data/a/${data.slugs[low]}.js`))[high];
    if (!found) return [el("p", { class: "muted" }, "Where a difference in seconds comes from is known of pairs that both reached a target twice or more.")];
    const part = (at) => a < b ? found[at] : [1 / found[at][0], 1 / found[at][2], 1 / found[at][1]];
    const line = (name, at) => { const cell = part(at); return [name, number(cell[0], 3), span([null, null, cell[1], cell[2]])]; };
    const [studies, remark] = [found[3], found[4]];
    const said = `Over ${studies} ${remark ? "trials" : "studies"} that both reached, seconds are steps times the cost of a step.`;
    return [el("h3", {}, "Where the difference in seconds comes from"),
      GD.table(["", "ratio", "95 % interval"], [line("seconds", 0), line("steps", 1), line("cost of a step", 2)], (i) => i > 0),
      el("p", {}, remark ? el("strong", {}, `${remark[0].toUpperCase()}${remark.slice(1)}. `) : null, said)];
  };
  for (const [clock, view] of Object.entries(data.clocks)) {
    body.append(el("h2", {}, `By ${clock}`));
    const low = Math.min(a, b), high = Math.max(a, b);
    const rows = view.intervals ? await GD.load("pairs", `${clock}/${data.slugs[low]}`, `data/p/${clock}/${data.slugs[low]}.js`) : {};
    const cells = rows[high] && (a < b ? rows[high] : rows[high].map(turned));
    if (view.rank) {
      const bytes = Uint8Array.from(atob(await GD.load("settled", clock, `data/settled-${clock}.js`)), (c) => c.charCodeAt(0)), n = data.ranked;
      const verdict = bit(bytes, a * n + b) ? `Settled: ${data.names[a]} is faster.` : bit(bytes, b * n + a) ? `Settled: ${data.names[b]} is faster.` : "Not settled: the two cannot be told apart.";
      body.append(el("p", {}, el("strong", {}, verdict)));
    } else body.append(el("p", {}, "A screening: one study gives ratios, and no verdict."));
    const ratios = view.columns.map((_, w) => ratioOf(view.times[a][w], view.times[b][w], view.limits[a][w], view.limits[b][w]));
    const lines = view.columns.map((name, w) => {
      const cell = cells && cells[w + 1];
      const ratio = cell ? `${cell[1]} ${number(cell[0], 3)}`.trim() : said(ratios[w]);
      return [el("a", { href: `w/${data.cslugs[data.columns.indexOf(name)]}.html` }, name), time(clock, view, a, w), time(clock, view, b, w), ratio, cell ? span(cell) : "-", cell ? cell[4].toFixed(2) + (cell[5] > 0.01 ? ` (${Math.round(100 * cell[5])} % undecided)` : "") : "-"];
    });
    if (cells) lines.push(["geometric mean", "", "", `${cells[0][1]} ${number(cells[0][0], 3)}`.trim(), span(cells[0]), cells[0][4].toFixed(2) + (cells[0][5] > 0.01 ? ` (${Math.round(100 * cells[0][5])} % undecided)` : "")]);
    else if (ratios.some(([mark]) => mark !== "?")) lines.push(["geometric mean", "", "", said(meanOf(ratios)), "-", "-"]);
    body.append(GD.table(["workload", `${data.names[a]}, ${view.unit}`, `${data.names[b]}, ${view.unit}`, "ratio", "95 % interval", `P(${data.names[a]} faster)`], lines, (i) => i > 0));
    if (view.rank && !view.intervals) body.append(el("p", { class: "muted" }, "A board of this size keeps no intervals of pairs: harness compare gives them."));
    if (view.causes) body.append(...await causes());
  }
  body.append(el("p", { class: "muted" }, "Above 1, the first is faster. In brackets seconds of set-up + warm-up off the clock. Of ", link(a), " and ", link(b), " the best trial of each study is drawn."), el("h2", {}, "Curves"));
  const holder = el("div", {}), place = el("div", { class: "charts" });
  holder.append(place); body.append(holder);
  const both = [a, b], own = await Promise.all(both.map(C.entry));
  const counts = own.map((item) => new Set(item.trials.filter((trial) => trial.counts).map((trial) => trial.id)));
  const shared = [...data.columns.keys()].filter((c) => own.every((item) => item.trials.some((trial) => trial.words.column === data.columns[c])));
  const lists = await Promise.all(shared.map((c) => Promise.all(both.map((i) => C.curves(i, c)))));
  C.bar(holder, ["main metric", ...C.metricsOf(lists.flat())], "main metric", (metric, clock, log) => {
    C.clear(place);
    shared.forEach((c, k) => {
      const name = metric === "main metric" ? C.mainMetric(c) : metric;
      const lines = both.flatMap((i, side) => lists[k][side].filter((trial) => counts[side].has(trial.id)).map((trial) => ({ name: data.names[i], ...C.lineOf(trial.series[name], clock), colour: data.pens[i][0], dash: data.pens[i][1] })));
      C.draw(place, `${data.columns[c]}: ${name}`, lines, { x: clock, target: C.targetOf(c, name), log });
    });
  });
})().catch((error) => GD.charts.failed(error));
