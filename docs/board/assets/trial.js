// One trial: everything of its record.
"use strict";
(async () => {
  const { el, number } = GD, C = GD.charts, data = GD.board(), body = document.getElementById("body");
  const query = new URLSearchParams(location.search), i = data.slugs.indexOf(query.get("e"));
  if (i < 0) { body.append(el("p", { class: "note" }, "The address names no entry of this board: trial.html?e=ENTRY&t=IDENTITY.")); return; }
  const own = await C.entry(i), trial = own.trials.find((item) => item.id === (query.get("t") || "").slice(0, 16));
  if (!trial) { body.append(el("p", { class: "note" }, "This entry has no such trial on this board: ", query.get("t") || "none is named")); return; }
  const c = data.columns.indexOf(trial.words.column), words = trial.words, numbers = trial.numbers;
  document.getElementById("heading").textContent = `${data.names[i]} on ${words.column}, study ${trial.study}, trial ${trial.trial}`;
  document.title = document.getElementById("heading").textContent;
  body.append(el("p", {}, el("span", { class: "state " + words.state }, words.state), " ", words.reason || "", trial.counts ? "; it stands for its study" : ""));
  const point = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "number" ? number(value, 6) : value]));
  body.append(GD.facts({ Entry: el("a", { href: `s/${data.slugs[i]}.html` }, data.names[i]), Workload: el("a", { href: `w/${data.cslugs[c]}.html` }, words.column), Mark: words.mark_reason ? `${words.mark}: ${words.mark_reason}` : words.mark }));
  const labels = { time_to_target_s: "to target, s", last_miss_s: "last miss, s", setup_s: "set-up off the clock, s", warm_up_s: "warm-up off the clock, s", hit_s: "hit, s", steps_to_target: "steps to target", examples_to_target: "examples to target", timed_s: "trained, s", budget_s: "budget, s", best_metric: "best metric" };
  body.append(el("h2", {}, "Result"), GD.facts(Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== null).map(([name, value]) => [labels[name] || name, number(value, 6)]))));
  if (Object.keys(trial.point).length) body.append(el("h2", {}, "Point"), GD.facts(point(trial.point)));
  const holder = el("div", {}), place = el("div", { class: "charts" });
  body.append(el("h2", {}, "Curves and diagnostics"), holder);
  holder.append(place);
  const list = await C.curves(i, c), mine = list.find((item) => item.id === trial.id);
  if (mine) C.bar(holder, ["all of them"], "all of them", (_, clock, log) => {
    C.clear(place);
    for (const [name, series] of Object.entries(mine.series)) C.draw(place, name, [{ name, ...C.lineOf(series, clock), colour: data.pens[i][0] }], { x: clock, target: C.targetOf(c, name), log });
  });
  else place.append(el("p", { class: "muted" }, "The record holds no evaluation."));
  const rest = Object.fromEntries(Object.entries(words).filter(([name]) => !["state", "reason", "column", "mark", "mark_reason"].includes(name)));
  body.append(el("h2", {}, "Record"), GD.facts(rest));
  for (const [title, facts] of Object.entries(trial.sections)) body.append(el("h2", {}, title), GD.facts(facts));
  body.append(el("h2", {}, "Run it again"), el("p", {}, "In the folder of records that it lies in:"), el("pre", {}, `harness rerun OUT --trial ${words.identity.slice(0, 12)} --reason WHY\nharness verify OUT`));
})().catch((error) => GD.charts.failed(error));
