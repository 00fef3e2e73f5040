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

  const collator = new Intl.Collator();
  const worst = Infinity; // whatever has no value comes last, in both orders
  const column = (key) => {
    const now = view();
    if (key === "rank") { const place = []; now.order.forEach((i, at) => { place[i] = at; }); return place; }
    if (key === "mark") { const kinds = [...new Set(data.marks)].sort(); return data.marks.map((mark) => kinds.indexOf(mark)); }
    if (key === "name") { const order = data.names.map((name, i) => i).sort((a, b) => collator.compare(data.names[a], data.names[b])), place = []; order.forEach((i, at) => { place[i] = at; }); return place; }
    if (key === "score") return now.score;
    if (key === "speedup") return now.speedup.map((item) => item && item[0]);
    const at = +key.slice(1);
    return cellChoice.value === "time" ? now.times.map((row) => row[at]) : now.factors.map((row) => row && row[at][1] !== "?" ? row[at][0] : null);
  };
  const sorted = () => {
    const values = column(state.key), sign = state.down ? -1 : 1;
    const key = (i) => values[i] === null || values[i] === undefined ? worst : sign * values[i];
    return [...byIndex.keys()].sort((a, b) => { const x = key(a), y = key(b); return x === y ? a - b : x - y; });
  };
  const lower = data.names.map((name) => name.toLowerCase());
  const fits = (i) => lower[i].includes(search.value.trim().toLowerCase()) && Object.entries(filters).every(([name, choice]) => !choice.value || data.filters[name][i] === choice.value.slice(1));

  // What is in sight is laid out at once, the rest when there is time, all of it before printing.
  const AT_ONCE = 40;
  let order = sorted(), rest = [], waiting = 0;
  const place = (count) => {
    const now = rest.splice(0, count);
    now.forEach(fill);
    body.append(...now.map((i) => byIndex[i]));
    tableElement.setAttribute("aria-busy", String(rest.length > 0));
    if (rest.length && !waiting) waiting = setTimeout(() => { waiting = 0; place(AT_ONCE); });
  };
  const show = () => {
    const ranks = view().rank, shown = order.filter(fits);
    shown.forEach((i, at) => byIndex[i].classList.toggle("starts", Boolean(state.key === "rank" && ranks && at && ranks[i] !== ranks[shown[at - 1]])));
    body.replaceChildren();
    rest = shown.slice();
    place(AT_ONCE);
    document.getElementById("count").textContent = shown.length === rows.length ? `${shown.length} entries` : `${shown.length} of ${rows.length} entries`;
  };
  const sort = () => {
    order = sorted();
    heads.forEach((head) => head.dataset.key === state.key ? head.setAttribute("aria-sort", state.down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    show();
  };
  addEventListener("beforeprint", () => place(rest.length));

  const shade = (value) => { const size = Math.min(3, Math.floor(Math.abs(Math.log2(value)) / 0.2)); return size ? (value > 1 ? "u" : "d") + size : ""; };
  const filled = rows.map(() => "seconds factor");
  function fill(i) {
    const now = view(), times = cellChoice.value === "time", row = byIndex[i], cells = row.cells, speed = now.speedup[i];
    const wanted = `${state.clock} ${cellChoice.value}`;
    if (filled[i] === wanted) return;
    filled[i] = wanted;
    cells[0].textContent = now.rank ? now.rank[i] : "-";
    cells[3].textContent = now.score[i].toFixed(3) + (now.interval ? ` (${now.interval[i][0].toFixed(2)} – ${now.interval[i][1].toFixed(2)})` : "");
    cells[4].firstChild.textContent = !speed ? "-" : `${speed[1]} ${speed[0].toFixed(2)}`.trim() + (speed[2] === null ? "" : ` (${speed[2].toFixed(2)} – ${speed[3].toFixed(2)})`);
    now.columns.forEach((_, at) => {
      const factor = now.factors[i] && now.factors[i][at], cell = cells[5 + at], time = now.times[i][at];
      cell.firstChild.textContent = times ? (time === null ? "not reached" : state.clock === "seconds" ? `${GD.number(time)} (+ ${now.free[i][at]})` : GD.number(time)) : !factor ? "-" : factor[1] === "?" ? "?" : `${factor[1]} ${factor[0].toFixed(2)}`.trim();
      cell.className = "n f " + (factor && factor[1] !== "?" ? shade(factor[0]) : "");
    });
  }

  let chosen = null, settled = {};
  const bit = (bytes, at) => (bytes[at >> 3] >> (7 - (at & 7))) & 1;
  const choose = (row) => {
    if (!row && !chosen) return;
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
    row = row && row[step];
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
  const filterPlace = document.getElementById("filters");
  for (const [name, values] of Object.entries(data.filters)) {
    const kinds = [...new Set(values)].sort();
    if (kinds.length < 2) continue;
    const choice = GD.el("select", { "data-filter": name }, GD.el("option", { value: "" }, "all"), ...kinds.map((kind) => GD.el("option", { value: "=" + kind }, kind || "unknown")));
    filters[name] = choice;
    choice.addEventListener("change", show);
    filterPlace.append(GD.el("label", {}, name + " ", choice));
  }
  search.addEventListener("input", show);
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  clockChoice.addEventListener("change", () => {
    Object.assign(state, { clock: clockChoice.value, key: "rank", down: false });
    document.getElementById("said").textContent = `Clock: ${state.clock}, ${view().said}.`;
    sort();
    choose(null);
  });
  cellChoice.addEventListener("change", sort);
})();
