// Curves by uPlot: on the pages of a submission, a workload, a pair and a trial.
"use strict";
GD.charts = (() => {
  const { el } = GD, charts = new Set();
  const widthOf = (figure) => Math.max(220, figure.clientWidth - 22);
  // A figure is narrower once there are others beside it.
  const watcher = new ResizeObserver(() => { for (const { chart, figure } of charts) if (chart.width !== widthOf(figure)) chart.setSize({ width: widthOf(figure), height: 280 }); });
  const data = GD.board(), page = document.body.dataset.page;
  const base = page === "submission" || page === "workload" ? "../" : "";
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name) && getComputedStyle(probe(name)).color;
  const probes = {};
  const probe = (name) => { if (!probes[name]) { probes[name] = el("span", { hidden: "", style: `color: var(${name})` }); document.body.append(probes[name]); } return probes[name]; };

  // lines: [{name, x, y, colour, dash, width, faint}]; target: a level, or nothing.
  const draw = (place, title, lines, { x = "s", target = null, targetName = "target", log = false, points = false } = {}) => {
    const figure = el("figure", {}, el("figcaption", {}, title)), box = el("div", {});
    figure.append(box);
    place.append(figure);
    const shown = lines.filter((line) => line.x.length);
    if (!shown.length) { box.append(el("p", { class: "muted" }, "There is no such curve in these records.")); return null; }
    const joined = uPlot.join(shown.map((line) => {
      const order = [...line.x.keys()].filter((i) => line.x[i] !== null).sort((a, b) => line.x[a] - line.x[b]), xs = [], ys = [];
      for (const i of order) if (xs[xs.length - 1] !== line.x[i]) { xs.push(line.x[i]); ys.push(line.y[i]); }
      return [xs, ys];
    }));
    if (target !== null) joined.push(joined[0].map(() => target));
    const axis = () => ({ stroke: () => ink("--muted"), grid: { stroke: () => ink("--line"), width: 1 }, ticks: { stroke: () => ink("--line"), width: 1 }, font: "11px system-ui, sans-serif" });
    const series = shown.map((line) => ({
      label: line.name, stroke: line.colour, dash: line.dash && line.dash.length ? line.dash : undefined, width: line.width || 1.7,
      alpha: line.faint ? 0.4 : 1, spanGaps: true, points: { show: points || line.x.length < 3 },
    }));
    if (target !== null) series.push({ label: targetName, stroke: () => ink("--ink"), dash: [4, 3], width: 1, points: { show: false }, spanGaps: true });
    const chart = new uPlot({
      width: widthOf(figure), height: 280, cursor: { drag: { x: true, y: true, uni: 20 } },
      legend: { live: true }, scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [{ ...axis(), label: x, labelSize: 18, labelFont: "11px system-ui, sans-serif" }, { ...axis(), size: 62, values: (_, ticks) => ticks.map((tick) => tick === null ? null : String(+tick.toPrecision(3))) }],
      series: [{ label: x }, ...series],
    }, joined, box);
    const item = { chart, figure };
    charts.add(item);
    watcher.observe(figure);
    return item;
  };
  const clear = (place) => { for (const item of charts) if (place.contains(item.figure)) { watcher.unobserve(item.figure); item.chart.destroy(); charts.delete(item); } place.replaceChildren(); };
  document.addEventListener("gd-theme", () => { for (const { chart } of charts) chart.redraw(); });

  const entry = (i) => GD.load("entry", data.slugs[i], `${base}data/e/${data.slugs[i]}.js`);
  const curves = (i, c) => GD.load("curves", data.slugs[i] + "/" + data.cslugs[c], `${base}data/c/${data.slugs[i]}/${data.cslugs[c]}.js`);
  // A switch of metric and clock above charts; calls again with what was chosen.
  const bar = (place, metrics, main, again) => {
    const metric = el("select", {}, ...metrics.map((name) => el("option", { selected: name === main ? "" : null }, name)));
    const clock = el("select", {}, el("option", { value: "s" }, "seconds"), el("option", { value: "steps" }, "steps"));
    const log = el("input", { type: "checkbox" });
    const call = () => again(metric.value, clock.value, log.checked);
    for (const control of [metric, clock, log]) control.addEventListener("change", call);
    place.prepend(el("div", { class: "bar" }, el("label", {}, "Curve ", metric), el("label", {}, "by ", clock), el("label", {}, log, " logarithmic")));
    call();
  };
  const lineOf = (series, clock) => series ? { x: clock === "steps" ? series[1] : series[0], y: series[2] } : { x: [], y: [] };
  const metricsOf = (lists) => [...new Set(lists.flat().flatMap((trial) => Object.keys(trial.series)))].sort();
  const mainMetric = (column) => "validation " + data.targets[data.columns[column]].metric;
  const targetOf = (column, metric) => metric === mainMetric(column) ? data.targets[data.columns[column]].value : null;

  const submissionPage = async () => {
    const i = data.slugs.indexOf(document.body.dataset.slug), place = document.getElementById("charts");
    const slugs = document.getElementById("curves").dataset.columns.split(" "), columns = slugs.map((slug) => data.cslugs.indexOf(slug));
    const [own, ...lists] = await Promise.all([entry(i), ...columns.map((c) => curves(i, c))]);
    const counts = new Set(own.trials.filter((trial) => trial.counts).map((trial) => trial.id));
    const names = Object.fromEntries(own.trials.map((trial) => [trial.id, `study ${trial.study}, trial ${trial.trial}`]));
    const metrics = metricsOf(lists), [colour] = data.pens[i], first = mainMetric(columns[0]);
    bar(document.getElementById("curves"), ["main metric", ...metrics], "main metric", (metric, clock, log) => {
      clear(place);
      columns.forEach((c, at) => {
        const name = metric === "main metric" ? mainMetric(c) : metric;
        const lines = lists[at].map((trial) => ({ name: names[trial.id], ...lineOf(trial.series[name], clock), colour, faint: !counts.has(trial.id), width: counts.has(trial.id) ? 1.8 : 1 }));
        draw(place, `${data.columns[c]}: ${name}`, lines, { x: clock, target: targetOf(c, name), log });
      });
    });
    const tuning = document.getElementById("tuning");
    for (const [name, [trials, seconds]] of Object.entries(own.tuning)) draw(tuning, `${name}: expected best time after k trials, s`, [{ name: "seconds", x: trials, y: seconds, colour }], { x: "trials", points: true });
    if (!Object.keys(own.tuning).length) tuning.append(el("p", { class: "muted" }, "One trial a workload: nothing to choose from."));
  };
  const workloadPage = () => {
    const c = data.cslugs.indexOf(document.body.dataset.column), place = document.getElementById("charts");
    const boxes = [...document.querySelectorAll("#entries input")];
    let again = () => {};
    const chosen = () => boxes.filter((box) => box.checked).map((box) => +box.dataset.i);
    const read = async () => Promise.all(chosen().map(async (i) => [i, await entry(i), await curves(i, c)]));
    read().then((loaded) => {
      const metrics = [...new Set([mainMetric(c), ...metricsOf(loaded.map(([, , list]) => list))])];
      bar(document.getElementById("curves"), metrics, mainMetric(c), (metric, clock, log) => {
        again = () => read().then((now) => {
          clear(place);
          const lines = now.flatMap(([i, own, list]) => {
            const counts = new Set(own.trials.filter((trial) => trial.counts).map((trial) => trial.id));
            return list.filter((trial) => counts.has(trial.id)).map((trial) => ({ name: data.names[i], ...lineOf(trial.series[metric], clock), colour: data.pens[i][0], dash: data.pens[i][1] }));
          });
          draw(place, metric, lines, { x: clock, target: targetOf(c, metric), log });
        });
        again();
      });
    });
    for (const box of boxes) box.addEventListener("change", () => again());
  };
  const failed = (error) => { document.getElementById("main").append(el("p", { class: "note" }, String(error.message || error))); };
  if (data && page === "submission") submissionPage().catch(failed);
  if (data && page === "workload") workloadPage();
  return { draw, clear, entry, curves, bar, lineOf, metricsOf, mainMetric, targetOf, failed };
})();
