// What all pages share: data from script files, elements from text, light and dark.
"use strict";
window.GD = (() => {
  const taken = {}, waiting = {};
  const slot = (name, key) => name + "\n" + key;
  // A data file calls this; see scoring.site.scripts.
  const take = (name, key, value) => {
    const at = slot(name, key);
    taken[at] = value;
    if (waiting[at]) waiting[at].resolve(value);
  };
  // Loads a data file once; a page from a file may load scripts, but fetch nothing.
  const load = (name, key, src) => {
    const at = slot(name, key);
    if (at in taken) return Promise.resolve(taken[at]);
    if (!waiting[at]) {
      waiting[at] = {};
      waiting[at].promise = new Promise((resolve, reject) => {
        waiting[at].resolve = resolve;
        const script = document.createElement("script");
        script.src = src;
        script.onerror = () => reject(new Error("cannot load " + src));
        document.head.append(script);
      });
    }
    return waiting[at].promise;
  };
  const el = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const number = (value, digits = 4) => value === null || value === undefined ? "-"
    : Math.abs(value) >= 10 ** digits ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(digits));
  const board = () => taken[slot("board", "")];
  const facts = (items) => el("dl", { class: "facts" }, ...Object.entries(items).map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value instanceof Node ? value : String(value)))));
  const table = (heads, rows, numeric = () => true) => el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head, i) => el("th", { class: numeric(i) ? "n" : null }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", { class: row.className || null }, ...row.map((cell, i) =>
      el("td", { class: numeric(i) ? "n" : null }, cell instanceof Node ? cell : String(cell))))))));
  const root = document.documentElement;
  const remember = (name, value) => { try { if (value === undefined) return localStorage.getItem(name); localStorage.setItem(name, value); } catch { /* no storage here */ } return null; };
  const theme = remember("gd-theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  document.getElementById("theme").addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    remember("gd-theme", root.dataset.theme);
    document.dispatchEvent(new Event("gd-theme"));
  });
  return { take, load, el, number, board, facts, table };
})();
