// The ranking page: DataTables sorts, filters and pages it; this adds the choice of a split, the comparison of models, and the view
// in the address after the "#", so that it can be shared and works from disk. The page is complete without it. Text only ever enters
// the page as text.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("board").textContent);
  const table = document.querySelector("table.full"), tools = document.querySelector("form.tools"), heads = [...table.tHead.rows[0].cells];
  const keys = ["ba", "baLow", "baHigh", "hr", "hrLow", "hrHigh", "precision", "recall", "f1", "yes", "auroc"];
  const names = { ba: "Balanced accuracy", hr: "Hallucination rate", precision: "Precision", recall: "Recall", f1: "F1", yes: "Yes ratio", auroc: "AUROC" };
  const falling = new Set(["size", "added", "ba", "precision", "recall", "f1", "yes"]);
  const fields = heads.map((head) => head.dataset.sort), sortable = fields.filter(Boolean), column = (key) => fields.indexOf(key);
  const models = data.models.map((model, at) => ({ ...model, at, row: table.tBodies[0].rows[at], lower: model.name.toLowerCase() }));
  for (const model of models) model.place = model.row.cells[column("rank")].textContent;
  const byId = new Map(models.map((model) => [model.id, model]));
  const splitAt = (name) => data.splits.findIndex((split) => split.name === name);
  const baseline = data.baseline === null ? -1 : splitAt(data.baseline), asked = data.splits.filter((split) => split.kind !== "twin");
  const most = 100, numbers = ["size", "added", "ba", "hr", "drop", "fall", "precision", "recall", "f1", "yes"].filter((key) => column(key) >= 0);
  const start = { split: data.headline, sort: [["rank", "asc"]], q: "", size: "", open: false, where: "", is: "<=", than: "", all: false, models: [], by: "hr" };
  let view = { ...start };
  let drawn = data.headline, stretched = "";

  const value = (model, split, key) => {
    if (key === "size" || key === "added") return model[key];
    if (key !== "drop" && key !== "fall") return model.values[split][keys.indexOf(key)];
    if (baseline < 0 || data.splits[split].kind !== "hope") return null;
    const from = key === "drop" ? "precision" : "auroc", [base, own] = [value(model, baseline, from), value(model, split, from)];
    return base === null || own === null ? null : base - own;
  };
  // A half becomes the even digit, as in what the page was written with, so that a number reads the same everywhere.
  const tenths = (points) => (points % 1 === 0.25 ? points - 0.01 : points).toFixed(1);
  const percent = (number) => (number === null ? "–" : tenths(number / 100));
  const signed = (number) => {
    if (number === null) return "–";
    const shown = tenths(Math.abs(number) / 100);
    return (number < 0 && shown !== "0.0" ? "−" : "+") + shown;
  };
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, one] of Object.entries(attributes)) made.setAttribute(key, one);
    made.append(...children);
    return made;
  };
  const drawing = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, one] of Object.entries(attributes)) made.setAttribute(key, one);
    made.append(...children);
    return made;
  };
  const ends = (model, split, key) => ["", "Low", "High"].map((end) => (keys.includes(key + end) ? value(model, split, key + end) : null));
  const number = ([at, low, high]) => [element("span", { class: "number" }, percent(at)),
    ...(low === null ? [] : [element("span", { class: "interval" }, `${percent(low)} to ${percent(high)}`)])];

  // The marks in the cells, as the page has them for the headline split, on an axis over the models that the filters leave.
  const steps = [100, 200, 500, 1000, 2000, 2500];
  // Where the largest rate is more than 2.5 times what four in five stay below, over those four: an arrow stands for what is beyond.
  const axisOver = (some, split) => {
    const rates = some.flatMap((model) => [ends(model, split, "hr"), [startOf(model, split)]]).filter(([at]) => at !== null), values = rates.map(([at]) => at).sort((one, other) => one - other);
    const bulk = values[Math.ceil(0.8 * values.length) - 1] ?? 0, squeezed = bulk > 0 && values.at(-1) > 2.5 * bulk;
    const top = Math.max(0, ...rates.filter(([at]) => !squeezed || at <= bulk).flat().filter((end) => end !== null)) || 1e4, step = steps.find((one) => top / one <= 5) || 2500;
    return [Math.min(1e4, step * Math.max(2, Math.ceil(top / step - 1e-9))), step];
  };
  const startOf = (model, split) => (baseline >= 0 && data.splits[split].kind === "hope" ? value(model, baseline, "hr") : null);
  const place = (at, axis) => `${Math.round(1e4 * Math.min(at, axis[0]) / axis[0]) / 100}%`;
  const point = (kind) => {
    if (kind === "hope") return drawing("path", { class: "point", d: "M0-7 7 0 0 7-7 0z" });
    if (kind === "pope") return drawing("circle", { class: "point", r: 5 });
    return drawing("rect", { class: "point", x: -4, y: -4, width: 8, height: 8 });
  };
  const hiddenFromReaders = { "aria-hidden": "true", focusable: "false" };
  const strip = (model, split, axis) => {
    const { kind } = data.splits[split], [at, low, high] = ends(model, split, "hr"), start = startOf(model, split), made = drawing("svg", { class: `strip ${kind}`, ...hiddenFromReaders });
    if (at === null) return made;
    if (start !== null) made.append(drawing("line", { class: "gap", x1: place(start, axis), x2: place(at, axis), y1: "50%", y2: "50%" }));
    if (low !== null) made.append(drawing("line", { class: "range", x1: place(low, axis), x2: place(high, axis), y1: "50%", y2: "50%" }));
    if (start !== null && start <= axis[0]) made.append(drawing("svg", { class: "pope", x: place(start, axis), y: "50%", overflow: "visible" }, drawing("circle", { class: "point", r: 4.5 })));
    made.append(drawing("svg", { x: place(at, axis), y: "50%", overflow: "visible" }, at > axis[0] ? drawing("path", { class: "point", d: "M-7-6 3 0-7 6z" }) : point(kind)));
    return made;
  };
  const axisLabels = ([top, step]) => {
    const ticks = Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, tick) => tick * step);
    return drawing("svg", { class: "axis", ...hiddenFromReaders }, ...ticks.map((at, index) => drawing("text", { x: place(at, [top]), y: 9 }, at / 100 + (index === ticks.length - 1 ? "%" : ""))));
  };
  const drawStrips = () => {
    const split = splitAt(view.split), left = models.filter(fits), axis = axisOver(left.length > 0 ? left : models, split), chart = fields.indexOf("hr") - 1;
    if (stretched === `${split} ${axis}`) return;
    stretched = `${split} ${axis}`;
    heads[chart].querySelector("svg").replaceWith(axisLabels(axis));
    for (const model of models) model.row.cells[chart].replaceChildren(strip(model, split, axis));
  };

  // The table's rows for another split: ranks are the headline split's, so another's are plain places.
  const drawSplit = () => {
    if (drawn === view.split) return;
    const split = splitAt(view.split), own = view.split === data.headline;
    const scores = models.map((model) => value(model, split, "ba")).filter((score) => score !== null).sort((one, other) => other - one);
    grid.column(column("rank")).title(own ? "Rank" : "Place");
    for (const words of document.querySelectorAll(".of-others")) words.hidden = own;
    for (const model of models) {
      const cells = model.row.cells, score = value(model, split, "ba");
      cells[column("rank")].textContent = own ? model.place : score === null ? "–" : String(1 + scores.indexOf(score));
      for (const key of ["hr", "ba"]) cells[column(key)].replaceChildren(...number(ends(model, split, key)));
      for (const key of ["drop", "fall"]) if (column(key) >= 0) cells[column(key)].textContent = signed(value(model, split, key));
      for (const key of ["precision", "recall", "f1", "yes"]) cells[column(key)].textContent = percent(value(model, split, key));
    }
    drawn = view.split;
  };

  // What DataTables sorts and filters by: the numbers of the chosen split. What has none comes last either way.
  const sorted = (model, key) => {
    const split = splitAt(view.split);
    if (key === "rank") return view.split === data.headline ? model.at : value(model, split, "ba") === null ? null : -value(model, split, "ba");
    return key === "name" ? model.lower : value(model, split, key);
  };
  const order = (sign) => (one, other) => (one === null || other === null ? (one === null) - (other === null) : sign * (one < other ? -1 : one > other ? 1 : 0));
  const limit = () => {
    if (view.where === "" || view.than === "") return null;
    return view.where === "added" ? view.than : Number(view.than);
  };
  const fits = (model) => {
    const [least, largest] = view.size === "" ? [null, null] : view.size.split("-").map((end) => (end === "" ? Infinity : Number(end))), than = limit();
    const found = than === null ? null : value(model, splitAt(view.split), view.where);
    const own = found === null || ["size", "added"].includes(view.where) ? found : Math.sign(found) * Number(tenths(Math.abs(found) / 100));  // as it is shown
    return model.lower.includes(view.q.toLowerCase()) && (!view.open || model.open)
      && (than === null || (own !== null && (view.is === "<=" ? own <= than : own >= than)))
      && (view.size === "" || (model.size !== null && (least === 0 ? model.size >= 0 : model.size > least) && model.size <= largest));
  };
  DataTable.ext.order.view = (_, at) => models.map((model) => sorted(model, fields[at]));
  DataTable.ext.type.order["known-asc"] = order(1);
  DataTable.ext.type.order["known-desc"] = order(-1);
  const grid = new DataTable(table, {
    autoWidth: false, info: false, pageLength: most, orderMulti: true, order: [[column("rank"), "asc"]],
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: models.length > most ? "paging" : null },
    columns: fields.map((key) => (key ? { type: "known", orderDataType: "view", searchable: false, orderSequence: falling.has(key) ? ["desc", "asc"] : ["asc", "desc"] }
      : { orderable: false, searchable: false })),
    language: { aria: { orderable: "sort", orderableReverse: "sort the other way", orderableRemove: "sort" } },
  });
  grid.search.fixed("view", (words, row, at) => fits(models[at]));

  const drawRows = () => {
    grid.page.len(view.all ? -1 : most);
    grid.order(view.sort.map(([key, way]) => [column(key), way])).draw();
    const left = grid.rows({ search: "applied" }).count();
    table.hidden = left === 0;
    document.querySelector(".none").hidden = left > 0;
    tools.querySelector(".count").textContent = left === models.length ? `${left} model${left === 1 ? "" : "s"}` : `${left} of ${models.length} models`;
    const more = document.querySelector(".more");
    more.hidden = view.all || left <= most;
    more.querySelector("button").textContent = `Show all ${left} models`;
  };

  // Two to four models on every split, drawn and in numbers.
  const letters = "ABCD", tray = document.querySelector(".tray");
  const called = (model) => model.row.cells[0].firstElementChild.getAttribute("aria-label").replace("Compare ", "");
  const drawTray = (chosen) => {
    tray.hidden = chosen.length === 0;
    tray.querySelector("p").textContent = `${chosen.length} picked`;
    tray.querySelector(".go").hidden = chosen.length < 2;
    tray.querySelector(".names").replaceChildren(...chosen.map((model) => {
      const button = element("button", { type: "button", "aria-label": `Leave out ${called(model)}` }, called(model), " ×");
      button.addEventListener("click", () => show({ models: view.models.filter((id) => id !== model.id) }));
      return button;
    }));
  };

  // The pairs among them on the headline split and its baseline, once their answers are there.
  const named = (p) => (p === null ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3));
  const difference = (found) => (found === null ? ["–"] : [element("span", { class: "number" }, signed(1e4 * found.value)), element("span", { class: "interval" }, `${signed(1e4 * found.low)} to ${signed(1e4 * found.high)}`)]);
  const pairTable = (chosen, split) => {
    const pairs = chosen.flatMap((one, index) => chosen.slice(index + 1).map((other, after) => [one, other, `${letters[index]} − ${letters[index + after + 1]}`]));
    const columns = ["hr", "ba"].map((metric) => {
      const found = pairs.map(([one, other]) => board.difference(split.name, one.id, other.id, metric));
      return { found, p: board.holm(found.map((one) => (one === null ? null : one.p))) };
    });
    const missing = chosen.filter((one) => board.difference(split.name, one.id, one.id, "hr") === null);
    const words = `${split.label} ${split.name}: differences in points, paired by image, with 95% intervals; p of the exact sign-flip test${pairs.length > 1 ? `, corrected for ${pairs.length} pairs (Holm)` : ""}.`;
    const told = (p) => (p !== null && p < 0.05 ? "num told" : "num");
    const cells = (row) => columns.flatMap(({ found, p }) => [element("td", { class: "num" }, ...difference(found[row])), element("td", { class: told(p[row]) }, named(p[row]))]);
    const head = element("tr", {}, element("th", { scope: "col" }, "Pair"), ...["Hallucination rate", "p", "Balanced accuracy", "p"].map((word) => element("th", { scope: "col", class: "num" }, word)));
    const fools = (one, other, words) => element("a", { href: `../${data.wall}#view=pair&a=${one.id}&b=${other.id}&split=${encodeURIComponent(split.name)}` }, words);
    const questions = ([one, other, name]) => (data.wall === null ? [] : !one.asked || !other.asked ? [element("td", {}, "–")] : [element("td", {}, fools(one, other, `fools ${name[0]}, not ${name.at(-1)}`), element("br"), fools(other, one, `fools ${name.at(-1)}, not ${name[0]}`))]);
    const rows = pairs.map((pair, row) => element("tr", {}, element("th", { scope: "row" }, pair[2]), ...cells(row), ...questions(pair)));
    if (data.wall !== null) head.append(element("th", { scope: "col" }, "Questions"));
    const left = missing.length === 0 ? "" : ` No pairs with ${missing.map((one) => one.name).join(", ")}: not every question was asked once, so compare the intervals below.`;
    return element("div", { class: "scroll", role: "region", "aria-label": `Pairs on ${split.name}`, tabindex: "0" },
      element("table", { class: "plain pairs" }, element("caption", {}, words + left), element("thead", {}, head), element("tbody", {}, ...rows)));
  };
  const drawPairs = async (chosen, target) => {
    await board.load(`../${data.pairs}`).catch(() => null);
    if (!target.isConnected) return;
    const splits = [data.headline, data.baseline].filter((name, index, all) => name !== null && all.indexOf(name) === index).map((name) => data.splits[splitAt(name)]);
    target.replaceChildren(...splits.map((split) => pairTable(chosen, split)));
    target.classList.add("ready");
  };

  const drawCompared = () => {
    const chosen = view.models.map((id) => byId.get(id)), out = document.querySelector(".compare .outcome");
    drawTray(chosen);
    for (const model of models) {
      const box = model.row.cells[0].firstElementChild;
      box.checked = chosen.includes(model);
      box.disabled = !box.checked && chosen.length >= 4;
    }
    document.querySelector(".compare .hint").hidden = chosen.length >= 2;
    if (chosen.length < 2) return out.replaceChildren();
    const kinds = ["pope", "control", "hope"], splits = asked.map((split) => ({ ...split, at: splitAt(split.name) })).sort((one, other) => kinds.indexOf(one.kind) - kinds.indexOf(other.kind));
    const select = element("select", { name: "by" }, ...Object.entries(names).map(([key, name]) => element("option", { value: key }, name)));
    select.value = view.by;
    select.addEventListener("change", () => show({ by: select.value }));
    const head = element("tr", {}, element("th", { scope: "col" }, "Split"), ...chosen.map((model, index) => element("th", { scope: "col", class: "num" }, element("span", { class: "letter" }, letters[index]), " ",
      element("a", { href: model.row.querySelector("a").getAttribute("href") }, model.name))));
    const rows = splits.map((split) => element("tr", { class: split.kind }, element("th", { scope: "row" }, element("span", { class: "kind" }, split.label), " ", split.name),
      ...chosen.map((model) => element("td", { class: "num" }, ...number(ends(model, split.at, view.by))))));
    const plot = element("div", { class: "plot", "aria-hidden": "true" }, ...[["wide", 46], ["narrow", 76]].map(([width, row]) => drawing("svg", { class: `room ${width}`, width: 1, height: 44 + row * splits.length })));
    const focused = document.activeElement?.name === "by", paired = element("div", { class: "paired" });
    const legend = element("p", { class: "letters" }, ...chosen.flatMap((model, index) => [element("span", { class: "letter" }, letters[index]), ` ${called(model)}  `]));
    out.replaceChildren(legend, paired, element("label", { class: "tools" }, "Number ", select), element("figure", { class: "picture" }, plot),
      element("div", { class: "scroll", role: "region", "aria-label": "The chosen models", tabindex: "0" },
        element("table", { class: "plain side-by-side" }, element("caption", {}, `${names[view.by]} on every split, in percent.`), element("thead", {}, head), element("tbody", {}, ...rows))));
    if (focused) select.focus();
    drawPairs(chosen, paired);
    charts.draw(plot, "sides", { splits: splits.map(({ kind, label, name }) => (kind === "control" ? name : `${label} ${name}`)),
      models: chosen.map((model) => ({ name: model.name, values: splits.map(({ at }) => (value(model, at, view.by) === null ? null : ends(model, at, view.by).map((one) => (one === null ? null : one / 100)))) })) });
  };

  // The address holds what differs from the page as it opens.
  const sortWords = (sort) => sort.map(([key, way]) => (way === "desc" ? "-" : "") + key).join(",");
  const write = () => {
    const parts = new URLSearchParams();
    if (view.split !== start.split) parts.set("split", view.split);
    if (sortWords(view.sort) !== "rank") parts.set("sort", sortWords(view.sort));
    for (const key of ["q", "size"]) if (view[key] !== "") parts.set(key, view[key]);
    if (limit() !== null) parts.set("where", view.where + view.is + view.than);
    for (const key of ["open", "all"]) if (view[key]) parts.set(key, "1");
    if (view.models.length > 0) parts.set("models", view.models.join(","));
    if (view.by !== start.by) parts.set("by", view.by);
    history.replaceState(null, "", parts.size > 0 ? `#${parts}` : location.pathname + location.search);
  };
  const read = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    const one = (key, allowed, otherwise) => (allowed.includes(parts.get(key)) ? parts.get(key) : otherwise);
    const sort = (parts.get("sort") || "").split(",").map((word) => [word.replace(/^-/, ""), word.startsWith("-") ? "desc" : "asc"]).filter(([key]) => sortable.includes(key));
    const [, where = "", is = "<=", than = ""] = /^([a-z]+)([<>]=)([0-9.e+-]{1,24})$/.exec(parts.get("where") || "") || [];
    return {
      split: one("split", asked.map((split) => split.name), start.split),
      sort: sort.length > 0 ? sort : start.sort,
      q: (parts.get("q") || "").slice(0, 80),
      size: one("size", [...tools.elements.size.options].map((option) => option.value), ""),
      ...(numbers.includes(where) ? { where, is, than } : { where: "", is: "<=", than: "" }),
      open: parts.get("open") === "1",
      all: parts.get("all") === "1",
      models: [...new Set((parts.get("models") || "").split(","))].filter((id) => byId.has(id)).slice(0, 4),
      by: one("by", Object.keys(names), start.by),
    };
  };
  const filters = tools.querySelector("details");
  filters.open = !matchMedia("(max-width: 44rem)").matches || /(size|where|open)=/.test(location.hash);
  const draw = () => {
    const shown = { ...view, sort: view.sort[0][0] };
    tools.elements.than.type = view.where === "added" ? "date" : "number";
    for (const key of ["split", "sort", "q", "size", "where", "is", "than"]) if (tools.elements[key].value !== shown[key]) tools.elements[key].value = shown[key];
    tools.elements.open.checked = view.open;
    drawSplit();
    drawStrips();
    drawRows();
  };
  const show = (change) => {
    view = { ...view, ...change };
    draw();
    if (change.models || change.by) drawCompared();
    write();
  };

  grid.on("order.dt", () => {
    const sort = grid.order().map(([at, way]) => [fields[at], way]);
    if (sortWords(sort) === sortWords(view.sort)) return;
    view = { ...view, sort };
    tools.elements.sort.value = sort[0][0];
    write();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", (event) => {
    const { split, sort, q, size, where, is, than, open } = tools.elements;
    const way = event.target === sort ? [[sort.value, falling.has(sort.value) ? "desc" : "asc"]] : view.sort;
    show({ split: split.value, sort: way, q: q.value, size: size.value, where: where.value, is: is.value, than: event.target === where ? "" : than.value, open: open.checked });
  });
  for (const model of models) {
    model.row.cells[0].firstElementChild.addEventListener("change", (event) => {
      show({ models: event.target.checked ? [...view.models, model.id].slice(0, 4) : view.models.filter((id) => id !== model.id) });
    });
  }
  tray.querySelector(".drop").addEventListener("click", () => show({ models: [] }));

  // The view to take away: a link to it, and its rows as they stand as CSV, in which no cell begins a formula.
  copies(tools.querySelector(".link"), () => location.href);
  const titles = { size: "parameters_billions", hr: "hallucination_rate", ba: "balanced_accuracy", drop: "precision_drop", fall: "auroc_drop", yes: "yes_ratio" };
  const csv = () => {
    const split = splitAt(view.split), own = view.split === data.headline, shown = [...fields.filter((key) => key && key !== "name" && key !== "rank"), "auroc"];
    const text = (words) => (/^[=+\-@\t\r]/.test(words) ? `'${words}` : words), plain = (number) => (number === null ? "" : String(number));
    const quoted = (words) => (/[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);
    const share = (number) => plain(number === null ? null : Number((number / 1e4).toFixed(8)));
    const cells = (model) => [text(model.name), text(model.id), text(view.split), ...(own ? [0, 1].map((end) => plain(model.range?.[end] ?? null)) : [model.row.cells[column("rank")].textContent.replace("–", "")]),
      ...shown.flatMap((key) => (key === "hr" || key === "ba" ? ends(model, split, key).map(share) : key === "size" || key === "added" ? [plain(model[key])] : [share(value(model, split, key))]))];
    const head = ["model", "run", "split", ...(own ? ["rank_best", "rank_worst"] : ["place"]), ...shown.flatMap((key) => [titles[key] ?? key, ...(key === "hr" || key === "ba" ? [`${titles[key]}_low`, `${titles[key]}_high`] : [])])];
    const lines = [head, ...grid.rows({ search: "applied", order: "applied" }).indexes().toArray().map((at) => cells(models[at]))];
    return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  };
  tools.querySelector(".csv").addEventListener("click", () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), download: `${location.pathname.split("/").pop().replace(".html", "")}-${view.split}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  document.querySelector(".more button").addEventListener("click", () => show({ all: true }));
  document.querySelector(".clear").addEventListener("click", () => show({ q: "", size: "", where: "", than: "", open: false }));
  window.addEventListener("hashchange", () => {
    if (document.getElementById(location.hash.slice(1))) return write();  // a place on this page: the view stays
    view = read();
    draw();
    drawCompared();
  });
  view = read();
  draw();
  drawCompared();
});
