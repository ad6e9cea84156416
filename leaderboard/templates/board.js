// The ranking page: DataTables sorts, filters and pages it; this adds the choice of a split, the comparison of models, and the view
// in the address after the "#", so that it can be shared and works from disk. The page is complete without it. Text only ever enters
// the page as text.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("board").textContent);
  const table = document.querySelector("table.full"), tools = document.querySelector("form.tools"), heads = [...table.tHead.rows[0].cells];
  const keys = ["ba", "baLow", "baHigh", "hr", "hrLow", "hrHigh", "precision", "recall", "f1", "yes"];
  const names = { ba: "Balanced accuracy", hr: "Hallucination rate", precision: "Precision", recall: "Recall", f1: "F1", yes: "Yes ratio" };
  const falling = new Set(["size", "added", "ba", "precision", "recall", "f1", "yes"]);
  const fields = heads.map((head) => head.dataset.sort), sortable = fields.filter(Boolean), column = (key) => fields.indexOf(key);
  const models = data.models.map((model, at) => ({ ...model, at, row: table.tBodies[0].rows[at], lower: model.name.toLowerCase() }));
  for (const model of models) model.place = model.row.cells[column("rank")].textContent;
  const byId = new Map(models.map((model) => [model.id, model]));
  const splitAt = (name) => data.splits.findIndex((split) => split.name === name);
  const baseline = data.baseline === null ? -1 : splitAt(data.baseline), asked = data.splits.filter((split) => split.kind !== "twin");
  const most = 100, numbers = ["size", "added", "ba", "hr", "drop", "precision", "recall", "f1", "yes"].filter((key) => column(key) >= 0);
  const start = { split: data.headline, sort: [["rank", "asc"]], q: "", size: "", open: false, where: "", is: "<=", than: "", all: false, models: [], by: "hr" };
  let view = { ...start };
  let drawn = data.headline;

  const value = (model, split, key) => {
    if (key === "size" || key === "added") return model[key];
    if (key !== "drop") return model.values[split][keys.indexOf(key)];
    if (baseline < 0 || data.splits[split].kind !== "hope") return null;
    const [base, own] = [value(model, baseline, "precision"), value(model, split, "precision")];
    return base === null || own === null ? null : base - own;
  };
  const percent = (number) => (number === null ? "–" : (number / 100).toFixed(1));
  const signed = (number) => {
    if (number === null) return "–";
    const rounded = Math.round(number / 10) / 10;
    return (rounded < 0 ? "−" : "+") + Math.abs(rounded).toFixed(1);
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

  // The marks in the cells, as the page has them for the headline split.
  const place = (at, axis) => Math.round(1e4 * (Math.min(Math.max(at / 1e4, axis[0]), axis[1]) - axis[0]) / (axis[1] - axis[0])) / 100 + "%";
  const point = (kind) => {
    if (kind === "hope") return drawing("path", { class: "point", d: "M0-7 7 0 0 7-7 0z" });
    if (kind === "pope") return drawing("circle", { class: "point", r: 5 });
    return drawing("rect", { class: "point", x: -4, y: -4, width: 8, height: 8 });
  };
  const hiddenFromReaders = { "aria-hidden": "true", focusable: "false" };
  const strip = (model, split) => {
    const { kind, axis } = data.splits[split], [at, low, high] = ends(model, split, "ba"), made = drawing("svg", { class: `strip ${kind}`, ...hiddenFromReaders });
    if (at === null) return made;
    if (low !== null) made.append(drawing("line", { class: "range", x1: place(low, axis), x2: place(high, axis), y1: "50%", y2: "50%" }));
    made.append(drawing("svg", { x: place(at, axis), y: "50%", overflow: "visible" }, point(kind)));
    return made;
  };
  const axisLabels = (axis) => drawing("svg", { class: "axis", ...hiddenFromReaders },
    ...axis[2].map(([at, label], index) => drawing("text", { x: `${at}%`, y: 9 }, label + (index === axis[2].length - 1 ? "%" : ""))));

  // The table's rows for another split: ranks are the headline split's, so another's are plain places.
  const drawSplit = () => {
    if (drawn === view.split) return;
    const split = splitAt(view.split), chart = column("ba") - 1, own = view.split === data.headline;
    const scores = models.map((model) => value(model, split, "ba")).filter((score) => score !== null).sort((one, other) => other - one);
    grid.column(column("rank")).title(own ? "Rank" : "Place");
    for (const words of document.querySelectorAll(".of-others")) words.hidden = own;
    heads[chart].querySelector("svg").replaceWith(axisLabels(data.splits[split].axis));
    for (const model of models) {
      const cells = model.row.cells, score = value(model, split, "ba");
      cells[column("rank")].textContent = own ? model.place : score === null ? "–" : String(1 + scores.indexOf(score));
      cells[chart].replaceChildren(strip(model, split));
      for (const key of ["ba", "hr"]) cells[column(key)].replaceChildren(...number(ends(model, split, key)));
      if (column("drop") >= 0) cells[column("drop")].textContent = signed(value(model, split, "drop"));
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
    return view.where === "added" ? view.than : Number(view.than) * (view.where === "size" ? 1 : 100);
  };
  const fits = (model) => {
    const [least, largest] = view.size === "" ? [null, null] : view.size.split("-").map((end) => (end === "" ? Infinity : Number(end))), than = limit();
    const own = than === null ? null : value(model, splitAt(view.split), view.where);
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
  const letters = "ABCD";
  const drawCompared = () => {
    const chosen = view.models.map((id) => byId.get(id)), out = document.querySelector(".compare .outcome");
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
    const plot = element("div", { class: "plot", "aria-hidden": "true" }, ...["wide", "narrow"].map((width) => drawing("svg", { class: `room ${width}`, width: 1, height: 44 + 46 * splits.length })));
    const focused = document.activeElement?.name === "by";
    out.replaceChildren(element("label", { class: "tools" }, "Number ", select), element("figure", { class: "picture" }, plot),
      element("div", { class: "scroll", role: "region", "aria-label": "The chosen models", tabindex: "0" },
        element("table", { class: "plain side-by-side" }, element("caption", {}, `${names[view.by]} on every split, in percent.`), element("thead", {}, head), element("tbody", {}, ...rows))));
    if (focused) select.focus();
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
    history.replaceState(null, "", `#${parts}`);
  };
  const read = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    const one = (key, allowed, otherwise) => (allowed.includes(parts.get(key)) ? parts.get(key) : otherwise);
    const sort = (parts.get("sort") || "").split(",").map((word) => [word.replace(/^-/, ""), word.startsWith("-") ? "desc" : "asc"]).filter(([key]) => sortable.includes(key));
    const [, where = "", is = "<=", than = ""] = /^([a-z]+)([<>]=)([0-9.-]{1,12})$/.exec(parts.get("where") || "") || [];
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
  const draw = () => {
    const shown = { ...view, sort: view.sort[0][0] };
    tools.elements.than.type = view.where === "added" ? "date" : "number";
    for (const key of ["split", "sort", "q", "size", "where", "is", "than"]) if (tools.elements[key].value !== shown[key]) tools.elements[key].value = shown[key];
    tools.elements.open.checked = view.open;
    drawSplit();
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
  document.querySelector(".more button").addEventListener("click", () => show({ all: true }));
  document.querySelector(".clear").addEventListener("click", () => show({ q: "", size: "", where: "", than: "", open: false }));
  window.addEventListener("hashchange", () => {
    view = read();
    draw();
    drawCompared();
  });
  view = read();
  draw();
  drawCompared();
});
