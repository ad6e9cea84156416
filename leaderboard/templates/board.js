// The ranking page: sort, filter, choose a split, compare. The page is complete without it. The view stands in the address, after
// the "#", so that it can be shared and works from disk. Text only ever enters the page as text.
"use strict";
document.documentElement.classList.add("scripted");

document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("board").textContent);
  const table = document.querySelector("table.full"), body = table.tBodies[0], tools = document.querySelector("form.tools");
  const keys = ["ba", "baLow", "baHigh", "hr", "hrLow", "hrHigh", "precision", "recall", "f1", "yes"];
  const names = { ba: "Balanced accuracy", hr: "Hallucination rate", precision: "Precision", recall: "Recall", f1: "F1", yes: "Yes ratio" };
  const down = new Set(["size", "ba", "precision", "recall", "f1", "yes"]);
  const fields = [...table.tHead.querySelectorAll("th[data-sort]")].map((head) => head.dataset.sort);
  const models = data.models.map((model, at) => ({ ...model, at, row: body.rows[at], lower: model.name.toLowerCase(), static: body.rows[at].cells[1].textContent }));
  const byId = new Map(models.map((model) => [model.id, model]));
  const splitAt = (name) => data.splits.findIndex((split) => split.name === name);
  const baseline = data.baseline === null ? -1 : splitAt(data.baseline);
  const start = { split: data.headline, sort: "rank", down: false, q: "", size: "", open: false, all: false, models: [], by: "hr" };
  const most = 100;
  let view = { ...start };
  let drawn = data.headline;

  const value = (model, split, key) => {
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
  const number = (model, split, key) => {
    const [at, low, high] = ["", "Low", "High"].map((end) => (keys.includes(key + end) ? value(model, split, key + end) : null));
    const made = [element("span", { class: "number" }, percent(at))];
    if (low !== null) made.push(element("span", { class: "interval" }, `${percent(low)} to ${percent(high)}`));
    return made;
  };

  // Marks as the pages draw them.
  const place = (at, axis) => Math.round(1e4 * (Math.min(Math.max(at / 1e4, axis[0]), axis[1]) - axis[0]) / (axis[1] - axis[0])) / 100 + "%";
  const point = (kind) => {
    if (kind === "hope") return drawing("path", { class: "point", d: "M0-7 7 0 0 7-7 0z" });
    if (kind === "pope") return drawing("circle", { class: "point", r: 5 });
    return drawing("rect", { class: "point", x: -4, y: -4, width: 8, height: 8 });
  };
  const bar = (low, high, axis, y) => drawing("line", { class: "range", x1: place(low, axis), x2: place(high, axis), y1: y, y2: y });
  const hiddenFromReaders = { "aria-hidden": "true", focusable: "false" };
  const strip = (model, split) => {
    const { kind, axes } = data.splits[split], at = value(model, split, "ba"), made = drawing("svg", { class: `strip ${kind}`, ...hiddenFromReaders });
    if (at === null) return made;
    if (value(model, split, "baLow") !== null) made.append(bar(value(model, split, "baLow"), value(model, split, "baHigh"), axes[0], "50%"));
    made.append(drawing("svg", { x: place(at, axes[0]), y: "50%", overflow: "visible" }, point(kind)));
    return made;
  };
  const axisLabels = (axis) => drawing("svg", { class: "axis", ...hiddenFromReaders },
    ...axis[2].map(([at, label], index) => drawing("text", { x: `${at}%`, y: 9 }, label + (index === axis[2].length - 1 ? "%" : ""))));

  // The table's rows for another split.
  const column = (key) => [...table.tHead.rows[0].cells].findIndex((head) => head.dataset.sort === key);
  const drawSplit = () => {
    if (drawn === view.split) return;
    const split = splitAt(view.split), chart = column("ba") - 1, own = view.split === data.headline;
    const places = new Map(order(models, "ba", true).map((model, index) => [model, value(model, split, "ba") === null ? "–" : String(index + 1)]));
    table.tHead.rows[0].cells[chart].querySelector("svg").replaceWith(axisLabels(data.splits[split].axes[0]));
    for (const model of models) {
      const cells = model.row.cells;
      cells[column("rank")].textContent = own ? model.static : places.get(model);
      cells[chart].replaceChildren(strip(model, split));
      cells[column("ba")].replaceChildren(...number(model, split, "ba"));
      cells[column("hr")].replaceChildren(...number(model, split, "hr"));
      if (column("drop") >= 0) cells[column("drop")].textContent = signed(value(model, split, "drop"));
      for (const key of ["precision", "recall", "f1", "yes"]) cells[column(key)].textContent = percent(value(model, split, key));
    }
    drawn = view.split;
  };

  // Sorting: what has no value comes last, and equal values stay in the ranking's order.
  const order = (some, key, falling) => {
    const split = splitAt(view.split), own = view.split === data.headline;
    const by = {
      rank: (model) => (own ? model.at : value(model, split, "ba") === null ? null : -value(model, split, "ba")),
      name: (model) => model.lower,
      size: (model) => model.size,
    }[key] || ((model) => value(model, split, key));
    const keyed = some.map((model) => [by(model), model]);
    keyed.sort(([one, first], [other, second]) => {
      if (one === null || other === null) return (one === null) - (other === null) || first.at - second.at;
      const less = one < other ? -1 : one > other ? 1 : 0;
      return (falling ? -less : less) || first.at - second.at;
    });
    return keyed.map(([, model]) => model);
  };
  const fits = (model) => {
    const [least, most] = view.size === "" ? [null, null] : view.size.split("-").map((end) => (end === "" ? Infinity : Number(end)));
    return model.lower.includes(view.q.toLowerCase()) && (!view.open || model.open)
      && (view.size === "" || (model.size !== null && (least === 0 ? model.size >= 0 : model.size > least) && model.size <= most));
  };
  let shown = null;
  const drawRows = () => {
    const fitting = order(models.filter(fits), view.sort, view.down), wanted = view.all ? fitting : fitting.slice(0, most);
    if (shown === null || wanted.length !== shown.length || wanted.some((model, index) => model !== shown[index])) {
      body.replaceChildren(...wanted.map((model) => model.row));
      shown = wanted;
    }
    table.hidden = wanted.length === 0;
    document.querySelector(".none").hidden = wanted.length !== 0;
    tools.querySelector(".count").textContent = fitting.length === models.length ? `${models.length} model${models.length === 1 ? "" : "s"}` : `${fitting.length} of ${models.length} models`;
    const more = document.querySelector(".more");
    more.hidden = wanted.length === fitting.length;
    more.querySelector("button").textContent = `Show all ${fitting.length} models`;
    for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };

  // Two to four models on every split.
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
    const kinds = ["pope", "control", "hope", "twin"];
    const splits = data.splits.map((split, at) => ({ ...split, at })).filter((split) => split.kind !== "twin")
      .sort((one, other) => kinds.indexOf(one.kind) - kinds.indexOf(other.kind));
    const all = splits.flatMap(({ at }) => chosen.flatMap((model) => ["", "Low", "High"].map((end) => (keys.includes(view.by + end) ? value(model, at, view.by + end) : null)))).filter((one) => one !== null);
    const axis = roundAxis(all);
    const select = element("select", { name: "by" }, ...Object.entries(names).map(([key, name]) => element("option", { value: key }, name)));
    select.value = view.by;
    select.addEventListener("change", () => show({ by: select.value }));
    const marked = (split) => drawing("svg", { class: `strip ${split.kind} many`, ...hiddenFromReaders }, ...chosen.flatMap((model, index) => {
      const at = value(model, split.at, view.by), y = `${(100 * (index + 1)) / (chosen.length + 1)}%`;
      if (at === null) return [];
      const low = keys.includes(view.by + "Low") ? value(model, split.at, view.by + "Low") : null;
      return [...(low === null ? [] : [bar(low, value(model, split.at, view.by + "High"), axis, y)]),
        drawing("text", { class: "letter", x: place(at, axis), y, dy: ".35em" }, letters[index])];
    }));
    const head = element("tr", {}, element("th", { scope: "col" }, "Split"), element("th", { scope: "col", class: "chart" }, names[view.by], axisLabels(axis)),
      ...chosen.map((model, index) => element("th", { scope: "col", class: "num" }, element("span", { class: "letter" }, letters[index]), " ",
        element("a", { href: model.row.querySelector("a").getAttribute("href") }, model.name))));
    const rows = splits.map((split) => element("tr", { class: split.kind },
      element("th", { scope: "row" }, element("span", { class: "kind" }, split.label), " ", split.name), element("td", { class: "chart" }, marked(split)),
      ...chosen.map((model) => element("td", { class: "num" }, ...number(model, split.at, view.by)))));
    const focused = document.activeElement?.name === "by";
    out.replaceChildren(element("label", { class: "tools" }, "Number ", select),
      element("div", { class: "scroll", role: "region", "aria-label": "The chosen models", tabindex: "0" },
        element("table", { class: "sides side-by-side" }, element("caption", {}, `${names[view.by]} on every split, in percent.`), element("thead", {}, head), element("tbody", {}, ...rows))));
    if (focused) select.focus();
  };
  const roundAxis = (numbers) => {
    const least = Math.min(...numbers, 1e4), most = Math.max(...numbers, 0);
    const step = [100, 200, 500, 1000, 2000].find((one) => (most - least) / one <= 5) || 2500;
    const first = Math.floor(least / step), last = Math.max(Math.ceil(most / step), first + 1);
    return [(first * step) / 1e4, (last * step) / 1e4, Array.from({ length: last - first + 1 }, (_, index) => [(100 * index) / (last - first), String(((first + index) * step) / 100)])];
  };

  // The address holds what differs from the page as it opens.
  const write = () => {
    const parts = new URLSearchParams();
    if (view.split !== start.split) parts.set("split", view.split);
    if (view.sort !== start.sort || view.down !== start.down) parts.set("sort", (view.down ? "-" : "") + view.sort);
    for (const key of ["q", "size"]) if (view[key] !== "") parts.set(key, view[key]);
    for (const key of ["open", "all"]) if (view[key]) parts.set(key, "1");
    if (view.models.length > 0) parts.set("models", view.models.join(","));
    if (view.by !== start.by) parts.set("by", view.by);
    history.replaceState(null, "", `#${parts}`);
  };
  const read = () => {
    const parts = new URLSearchParams(location.hash.slice(1)), sort = parts.get("sort") || "rank";
    const one = (key, allowed, otherwise) => (allowed.includes(parts.get(key)) ? parts.get(key) : otherwise);
    return {
      split: one("split", data.splits.filter((split) => split.kind !== "twin").map((split) => split.name), start.split),
      sort: fields.includes(sort.replace(/^-/, "")) ? sort.replace(/^-/, "") : "rank",
      down: sort.startsWith("-") && fields.includes(sort.slice(1)),
      q: (parts.get("q") || "").slice(0, 80),
      size: one("size", [...tools.elements.size.options].map((option) => option.value), ""),
      open: parts.get("open") === "1",
      all: parts.get("all") === "1",
      models: [...new Set((parts.get("models") || "").split(","))].filter((id) => byId.has(id)).slice(0, 4),
      by: one("by", Object.keys(names), start.by),
    };
  };
  const draw = () => {
    for (const key of ["split", "sort", "q", "size"]) if (tools.elements[key].value !== view[key]) tools.elements[key].value = view[key];
    tools.elements.open.checked = view.open;
    drawSplit();
    drawRows();
    drawCompared();
  };
  const show = (change) => {
    view = { ...view, ...change };
    draw();
    write();
  };

  for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
    const button = element("button", { type: "button" }, ...head.childNodes), key = head.dataset.sort;
    head.append(button);
    button.addEventListener("click", () => show({ sort: key, down: view.sort === key ? !view.down : down.has(key) }));
  }
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", () => {
    const { split, sort, q, size, open } = tools.elements;
    show({ split: split.value, sort: sort.value, down: sort.value === view.sort ? view.down : down.has(sort.value), q: q.value, size: size.value, open: open.checked });
  });
  body.addEventListener("change", (event) => {
    const model = models.find(({ row }) => row === event.target.closest("tr"));
    show({ models: event.target.checked ? [...view.models, model.id].slice(0, 4) : view.models.filter((id) => id !== model.id) });
  });
  document.querySelector(".more button").addEventListener("click", () => show({ all: true }));
  document.querySelector(".clear").addEventListener("click", () => show({ q: "", size: "", open: false }));
  window.addEventListener("hashchange", () => {
    view = read();
    draw();
  });
  view = read();
  draw();
});
