// The board: sorting, filters, search, the clock, and who is settled against whom.
"use strict";
(() => {
  const data = GD.board(), tableElement = document.getElementById("board");
  if (!data || !tableElement) return;
  const body = tableElement.tBodies[0], heads = [...tableElement.tHead.rows[0].cells];
  const rows = [...body.rows], indexOf = (row) => +row.dataset.i, byIndex = [];
  rows.forEach((row) => { byIndex[indexOf(row)] = row; });
  const search = document.getElementById("search"), clockChoice = document.getElementById("clock"), cellChoice = document.getElementById("cells");
  const filters = {}, state = { clock: clockChoice.value, key: "rank", down: false };
  const view = () => data.clocks[state.clock];
  tableElement.style.setProperty("--columns", view().columns.length);

  const worst = Infinity; // whatever has no value comes last, in both orders
  const column = (key) => {
    const now = view();
    if (key === "rank") { const place = []; now.order.forEach((i, at) => { place[i] = at; }); return place; }
    if (key === "name") { const order = data.names.map((name, i) => i).sort((a, b) => data.names[a].localeCompare(data.names[b])), place = []; order.forEach((i, at) => { place[i] = at; }); return place; }
    if (key === "score") return now.score;
    if (key === "speedup") return now.speedup.map((item) => item && item[0]);
    const at = +key.slice(1);
    return cellChoice.value === "time" ? now.times.map((row) => row[at]) : now.factors.map((row) => row && row[at][1] !== "?" ? row[at][0] : null);
  };
  const sort = () => {
    const values = column(state.key), sign = state.down ? -1 : 1;
    const key = (i) => values[i] === null || values[i] === undefined ? worst : sign * values[i];
    const order = [...byIndex.keys()].sort((a, b) => { const x = key(a), y = key(b); return x === y ? a - b : x - y; });
    const fragment = document.createDocumentFragment(), ranks = view().rank;
    let last = null;
    for (const i of order) {
      const row = byIndex[i], starts = state.key === "rank" && ranks && last !== null && ranks[i] !== last;
      row.classList.toggle("starts", Boolean(starts));
      last = ranks && ranks[i];
      fragment.append(row);
    }
    body.append(fragment);
    heads.forEach((head) => head.dataset.key === state.key ? head.setAttribute("aria-sort", state.down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
  };
  const lower = data.names.map((name) => name.toLowerCase());
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    byIndex.forEach((row, i) => {
      const fits = lower[i].includes(wanted) && Object.entries(filters).every(([name, choice]) => !choice.value || data.filters[name][i] === choice.value.slice(1));
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    });
    document.getElementById("count").textContent = shown === rows.length ? `${shown} entries` : `${shown} of ${rows.length} entries`;
  };
  const shade = (value) => { const size = Math.min(3, Math.floor(Math.abs(Math.log2(value)) / 0.2)); return size ? (value > 1 ? "u" : "d") + size : ""; };
  const fill = () => {
    const now = view(), times = cellChoice.value === "time";
    byIndex.forEach((row, i) => {
      const cells = row.cells, speed = now.speedup[i];
      cells[0].textContent = now.rank ? now.rank[i] : "-";
      cells[2].textContent = now.score[i].toFixed(3) + (now.interval ? ` (${now.interval[i][0].toFixed(2)} – ${now.interval[i][1].toFixed(2)})` : "");
      cells[3].firstChild.textContent = !speed ? "-" : `${speed[1]} ${speed[0].toFixed(2)}`.trim() + (speed[2] === null ? "" : ` (${speed[2].toFixed(2)} – ${speed[3].toFixed(2)})`);
      now.columns.forEach((_, at) => {
        const factor = now.factors[i] && now.factors[i][at], cell = cells[4 + at], time = now.times[i][at];
        cell.firstChild.textContent = times ? (time === null ? "not reached" : GD.number(time)) : !factor ? "-" : factor[1] === "?" ? "?" : `${factor[1]} ${factor[0].toFixed(2)}`.trim();
        cell.className = "n f " + (factor && factor[1] !== "?" ? shade(factor[0]) : "");
      });
    });
    document.getElementById("said").textContent = `Clock: ${state.clock}, ${now.said}.`;
  };

  let chosen = null, settled = {};
  const bit = (bytes, at) => (bytes[at >> 3] >> (7 - (at & 7))) & 1;
  const choose = (row) => {
    chosen = row;
    const clock = state.clock;
    GD.load("settled", clock, `data/settled-${clock}.js`).then((text) => {
      if (chosen !== row || state.clock !== clock) return;
      settled[clock] = settled[clock] || Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const bits = settled[clock], n = rows.length, a = row && indexOf(row);
      byIndex.forEach((other, b) => {
        other.classList.toggle("chosen", other === row);
        other.classList.toggle("slower", Boolean(row && bits.length && bit(bits, a * n + b)));
        other.classList.toggle("faster", Boolean(row && bits.length && bit(bits, b * n + a)));
      });
    }).catch(() => {});
  };
  body.addEventListener("click", (event) => { const row = event.target.closest("tr"); if (!event.target.closest("a")) choose(row === chosen ? null : row); });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step) return;
    let row = event.target.closest("tr");
    do row = row[step]; while (row && row.hidden);
    if (!row) return;
    event.preventDefault();
    row.querySelector("th a").focus();
    choose(row);
  });
  heads.forEach((head) => head.firstElementChild.addEventListener("click", () => {
    const key = head.dataset.key, falls = key === "score" || key === "speedup" || (key[0] === "w" && cellChoice.value === "factor");
    state.down = state.key === key ? !state.down : falls;
    state.key = key;
    sort();
  }));
  const place = document.getElementById("filters");
  for (const [name, values] of Object.entries(data.filters)) {
    const kinds = [...new Set(values)].sort();
    if (kinds.length < 2) continue;
    const choice = GD.el("select", { "data-filter": name }, GD.el("option", { value: "" }, "all"), ...kinds.map((kind) => GD.el("option", { value: "=" + kind }, kind || "unknown")));
    filters[name] = choice;
    choice.addEventListener("change", filter);
    place.append(GD.el("label", {}, name + " ", choice));
  }
  search.addEventListener("input", filter);
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  clockChoice.addEventListener("change", () => { state.clock = clockChoice.value; state.key = "rank"; state.down = false; fill(); sort(); choose(null); });
  cellChoice.addEventListener("change", () => { fill(); if (state.key[0] === "w") sort(); });
})();
