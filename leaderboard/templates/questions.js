// The wall of a benchmark's questions. A page from a disk can't fetch, so the questions and, a part at a time, the models' answers
// come as scripts that call hopeBenchQuestions(part, data). The view stands in the address after the "#". Only the rows in sight are
// in the page. Text only ever enters it as text.
"use strict";
document.documentElement.classList.add("scripted");

globalThis.hopeBenchQuestions = (() => {
  const NO = 0, YES = 102, UNPARSED = 204, ERROR = 205, UNASKED = 206, UNPARSED_IN_TENTH = 207, UNKNOWN = 101;
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, one] of Object.entries(attributes)) if (one !== null) made.setAttribute(key, one);
    made.append(...children);
    return made;
  };
  const said = (code) => (code < YES ? "no" : code < UNPARSED ? "yes" : code === ERROR ? "error" : code === UNASKED ? "unasked" : "unparsed");
  const percent = (code) => (code >= UNPARSED || code % YES === UNKNOWN ? null : code % YES);
  const tenthOf = (share) => Math.min(Math.floor(10 * share), 9);
  const tenth = (code) => (code >= UNPARSED_IN_TENTH ? code - UNPARSED_IN_TENTH : percent(code) === null ? null : Math.min(Math.floor(percent(code) / 10), 9));
  const number = (count) => count.toLocaleString("en");
  const parts = new Map(), awaited = new Map();
  let data = null;

  // A part of the answers, loaded once; `then` runs when it is there.
  const load = (part, then) => {
    if (parts.has(part)) return then();
    if (awaited.has(part)) return awaited.get(part).push(then);
    awaited.set(part, [then]);
    document.head.append(element("script", { src: `../data/questions/${data.benchmark.key}-${part}.js` }));
  };
  const take = (part, value) => {
    if (part === "questions") return start(value);
    parts.set(part, Uint8Array.from(atob(value), (one) => one.charCodeAt(0)));
    for (const then of awaited.get(part) || []) then();
  };
  const code = (at, model) => {
    const part = parts.get(Math.floor(at / data.chunk));
    return part ? part[(at % data.chunk) * data.models.length + model] : null;
  };

  const start = (value) => {
    data = value;
    const size = data.absent.length, models = data.models.length, last = Math.ceil(size / data.chunk);
    const id = (at) => `${data.splits[data.asked[at][0][0]].name}.${data.number[at]}`;
    const byId = new Map(Array.from({ length: size }, (_, at) => [id(at), at]));
    const absent = (at) => data.absent[at] === "1", text = (at) => data.texts[data.text[at]], image = (at) => data.images[data.image[at]];
    const illustrated = data.images.some(([, picture]) => picture !== null);
    const form = document.querySelector("form.tools"), fields = form.elements, outcome = document.querySelector(".outcome");
    const wall = document.getElementById("wall"), page = document.getElementById("question");
    const views = [...form.querySelectorAll("[name=view]")].map((one) => one.value);
    const findings = { r: "right", w: "wrong", u: "unsure" }, tenths = Array.from({ length: 10 }, (_, place) => String(place));
    const filters = { split: "", kind: "", object: "", image: "", find: "", of: models > 1 ? -1 : 0, said: "", tenth: "", size: "", risk: "", blind: "", reviewed: "" };
    const rare = ["of", "said", "tenth", "size", "risk", "blind", "reviewed"];
    const begin = { view: "fooling", truth: "no", ...filters, a: 0, b: models > 1 ? 1 : 0, q: "" };
    const asks = { view: "view", truth: "answer", split: "split", kind: "kind", object: "object", image: "image", a: "model", b: "model", of: "model", said: "verdict", tenth: "tenth of P(yes)", size: "size", risk: "tenth of risk",
      blind: "way of not looking", reviewed: "review", q: "question" };
    let view = { ...begin }, list = [], grid = null, drawn = null, scrolled = 0, strange = [];

    const options = (field, values) => field.append(...values.map(([value, words]) => element("option", { value }, words)));
    options(fields.split, data.splits.map(({ name, label, kind }) => [name, kind === "control" ? name : `${label} ${name}`]));
    options(fields.kind, data.kinds.map((kind) => [kind, kind]).sort());
    options(fields.object, data.objects.filter((one) => one !== null).sort().map((one) => [one, one]));
    if (fields.b) options(fields.b, [[-1, "anyone in particular"]]);
    for (const field of [fields.a, fields.b, fields.of].filter(Boolean)) options(field, data.models.map(({ name }, at) => [at, name]));
    for (const field of [fields.tenth, fields.risk]) options(field, tenths.map((place) => [place, `${place / 10} to ${(Number(place) + 1) / 10}`]));
    options(fields.blind, data.ways);
    const idle = { kind: data.kinds.length < 2, size: data.size === "", risk: data.risk.every((one) => one === null), blind: data.ways.length === 0, reviewed: data.reviewed === "" };
    fields.of.closest("label").hidden = models === 1;
    for (const [name, nothing] of Object.entries(idle)) fields[name].closest("label").hidden = nothing;

    // Which questions, in which order: the file's own is from the most fooling on.
    const wrong = (at, model) => {
      const word = said(code(at, model));
      return absent(at) ? word === "yes" : word !== "yes" && word !== "unasked";
    };
    const right = (at, model) => said(code(at, model)) === (absent(at) ? "no" : "yes");
    const surer = (model) => (one, other) => (percent(code(other, model)) ?? -1) - (percent(code(one, model)) ?? -1);
    const select = () => {
      const split = data.splits.findIndex(({ name }) => name === view.split), kind = data.kinds.indexOf(view.kind);
      const object = data.objects.indexOf(view.object), picture = data.images.findIndex(([name]) => name === view.image), words = view.find.toLowerCase();
      const way = 1 << data.ways.findIndex(([name]) => name === view.blind), size0 = view.size.slice(0, 1);
      const found = [];
      for (let at = 0; at < size; at += 1) {
        if (view.view === "unanimous" ? !absent(at) || data.yes[at] === 0 || data.yes[at] < data.answered[at] : view.truth !== "" && absent(at) !== (view.truth === "no")) continue;
        if (split >= 0 && !data.asked[at].some(([one]) => one === split)) continue;
        if ((view.kind && data.kind[at] !== kind) || (view.object && data.object[at] !== object) || (view.image && data.image[at] !== picture)) continue;
        if (words && !text(at).toLowerCase().includes(words) && !image(at)[0].toLowerCase().includes(words)) continue;
        if (view.size && data.size[at] !== size0) continue;
        if (view.risk && (data.risk[at] === null || tenthOf(data.risk[at]) !== Number(view.risk))) continue;
        if (view.blind && !data.asked[at].some(([one], place) => (split < 0 || one === split) && data.blind[at][place] & way)) continue;
        if (view.reviewed && (view.reviewed === "any" ? data.reviewed[at] === "-" : findings[data.reviewed[at]] !== view.reviewed)) continue;
        if (view.of >= 0 && ((view.said === "asked" ? said(code(at, view.of)) === "unasked" : view.said && said(code(at, view.of)) !== view.said) || (view.tenth && tenth(code(at, view.of)) !== Number(view.tenth)))) continue;
        if (view.view === "pair" && !(wrong(at, view.a) && (view.b < 0 || right(at, view.b)))) continue;
        found.push(at);
      }
      if (view.view === "unanimous") found.sort((one, other) => (data.risk[other] ?? -1) - (data.risk[one] ?? -1));
      if (view.view === "pair") found.sort(surer(view.a));
      else if (view.of >= 0 && view.said) found.sort(view.said === "no" ? (one, other) => surer(view.of)(other, one) : surer(view.of));
      return found;
    };

    // A question in words, with what it is about apart.
    const worded = (at) => {
      const object = data.objects[data.object[at]], words = text(at), place = object === null ? -1 : words.toLowerCase().indexOf(object.toLowerCase());
      if (place < 0) return [words];
      return [words.slice(0, place), element("em", { class: absent(at) ? "absent" : "present" }, words.slice(place, place + object.length)), words.slice(place + object.length)];
    };
    const tally = (at) => (models === 1 ? null : `${number(data.yes[at])} of ${number(data.answered[at])}`);
    const bar = (share, kind) => {
      const made = element("span", { class: `bar ${kind}`, "aria-hidden": "true" });
      made.append(element("i"));
      made.firstChild.style.width = `${100 * share}%`;
      return made;
    };
    const dots = (at) => {
      const made = element("span", { class: "dots", "aria-hidden": "true" });
      for (let one = 0; one < data.answered[at]; one += 1) made.append(element("i", { class: one < data.yes[at] ? "yes" : "no" }));
      return made;
    };
    const mark = (at) => (data.answered[at] > 1 && data.answered[at] <= 24 ? dots(at) : models > 1 ? bar(data.yes[at] / Math.max(data.answered[at], 1), "yes") : null);
    const sentence = (at) => {
      if (view.of < 0) return [element("b", {}, tally(at)), " say yes"];
      const one = code(at, view.of), share = one === null ? null : percent(one);
      return [element("b", {}, one === null ? (data.yes[at] ? "yes" : "…") : said(one)), ...(share === null ? [] : [element("span", { class: "quiet" }, ` P(yes) ${(share / 100).toFixed(2)}`)]), ...(models > 1 ? [element("span", { class: "quiet" }, ` · ${tally(at)}`)] : [])];
    };
    let base = "#";
    const address = (change) => `#${words({ ...view, ...change })}`;
    const card = (at, place) => {
      const [name, picture] = image(at);
      const shown = picture === null ? (illustrated ? element("span", { class: "frame none" }, name) : null) : element("span", { class: "frame" }, element("img", { src: picture, alt: `Image ${name}`, decoding: "async" }));
      const made = element("li", { class: "card", "aria-setsize": list.length, "aria-posinset": place + 1 },
        element("a", { href: `${base}q=${encodeURIComponent(id(at))}` }, ...(shown ? [shown] : []), element("span", { class: "asks" }, ...worded(at))),
        element("p", { class: "says" }, ...(mark(at) ? [mark(at)] : []), element("span", {}, ...sentence(at))));
      if (!illustrated) made.lastChild.append(element("span", { class: "quiet" }, name));
      return made;
    };

    // The wall: as high as all its rows, with those in sight in it.
    const makeGrid = () => {
      const made = element("ul", { class: "wall" }), cards = new Map();
      let across = 1, width = 0, high = 0, gap = 0, asked = false;
      const measure = () => {
        const room = made.clientWidth, letters = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
        gap = room < 560 ? 14 : 22;
        across = Math.max(illustrated ? 2 : 1, Math.floor((room + gap) / ((illustrated ? 186 : 280) + gap)));
        width = (room - gap * (across - 1)) / across;
        high = (illustrated ? width : 0) + letters * (illustrated && models === 1 && width >= 180 ? 84 : illustrated ? 112 : 104) + gap;
        made.style.height = `${Math.ceil(list.length / across) * high}px`;
        for (const one of cards.values()) one.remove();
        cards.clear();
        fill();
      };
      const put = (place) => {
        if (cards.has(place)) return;
        const one = card(list[place], place), after = [...cards.keys()].reduce((next, other) => (other > place && other < next ? other : next), Infinity);
        one.style.width = `${width}px`;
        one.style.transform = `translate(${(place % across) * (width + gap)}px, ${Math.floor(place / across) * high}px)`;
        made.insertBefore(one, cards.get(after) || null);
        cards.set(place, one);
      };
      const fill = () => {
        asked = false;
        if (!made.isConnected || wall.hidden) return;
        const top = made.getBoundingClientRect().top, first = Math.max(0, Math.floor(-top / high) - 1), end = Math.ceil((innerHeight - top) / high) + 1;
        const from = first * across, to = Math.min(list.length, Math.max(0, end) * across);
        for (const [place, one] of cards) if ((place < from || place >= to) && !one.contains(document.activeElement)) { one.remove(); cards.delete(place); }
        for (let place = from; place < to; place += 1) put(place);
        for (let part = Math.floor(Math.min(...list.slice(from, to)) / data.chunk); models === 1 && from < to && part <= Math.floor(Math.max(...list.slice(from, to)) / data.chunk); part += 1) {
          if (!parts.has(part) && !awaited.has(part)) load(part, measure);
        }
      };
      const ask = () => {
        if (!asked) requestAnimationFrame(fill);
        asked = true;
      };
      const focus = (place) => {
        if (place < 0 || place >= list.length) return false;
        put(place);
        cards.get(place).querySelector("a").focus({ preventScroll: true });
        cards.get(place).scrollIntoView({ block: "nearest", behavior: "instant" });
        return true;
      };
      made.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key], one = event.target.closest("li");
        if (step === undefined || one === null || event.altKey || event.ctrlKey || event.metaKey) return;
        const place = [...cards].find(([, card]) => card === one)[0];
        if (focus(place + step)) event.preventDefault();
      });
      return { made, measure, ask, focus };
    };

    // Tables of objects, or of splits and kinds: how often they are affirmed.
    const summary = () => {
      const rows = new Map(), add = (key, cells, change, at) => {
        const row = rows.get(key) || { cells, change, questions: 0, yes: 0, answered: 0 };
        row.questions += 1;
        row.yes += data.yes[at];
        row.answered += data.answered[at];
        rows.set(key, row);
      };
      for (const at of list) {
        const object = data.objects[data.object[at]], kind = data.kinds[data.kind[at]];
        if (view.view === "objects") add(object, [object ?? "none named"], object === null ? null : { object }, at);
        else for (const [split] of data.asked[at]) if (view.split === "" || data.splits[split].name === view.split) add(`${split} ${kind}`, [`${data.splits[split].name}`, kind], { split: data.splits[split].name, kind }, at);
      }
      const rate = (row) => row.yes / Math.max(row.answered, 1), order = data.splits.map(({ name }) => name);
      const sorted = [...rows.values()].sort((one, other) => (view.view === "splits" ? order.indexOf(one.cells[0]) - order.indexOf(other.cells[0]) : 0) || rate(other) - rate(one));
      const heads = view.view === "objects" ? ["Object"] : ["Split", "Kind"], what = view.truth === "yes" ? "" : " hope";
      return element("div", { class: "scroll", role: "region", "aria-label": heads.join(" and "), tabindex: "0" }, element("table", { class: "plain summary" },
        element("caption", {}, `How often ${models === 1 ? "the model says" : "models say"} yes${view.truth === "no" ? " to what isn’t there" : view.truth === "yes" ? " to what is there" : ""}, in percent.`),
        element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)), element("th", { scope: "col", class: "num" }, "Questions"), element("th", { scope: "col", class: "num" }, "Say yes"),
          element("td", { class: "chart" }))),
        element("tbody", {}, ...sorted.map((row) => element("tr", {},
          element("th", { scope: "row" }, row.change ? element("a", { href: address({ view: "fooling", ...row.change }) }, row.cells[0]) : row.cells[0]), ...row.cells.slice(1).map((cell) => element("td", {}, cell)),
          element("td", { class: "num" }, number(row.questions)), element("td", { class: "num" }, (100 * rate(row)).toFixed(1)), element("td", { class: "chart" }, bar(rate(row), `yes${what}`)))))));
    };

    // One question, with every model's answer.
    const answers = (at) => {
      const rows = data.models.map((model, index) => ({ ...model, code: code(at, index) })).filter((row) => row.code !== null && said(row.code) !== "unasked");
      const rank = (row) => ({ yes: 2, no: 1 })[said(row.code)] || 0;
      rows.sort((one, other) => (percent(other.code) ?? -1) - (percent(one.code) ?? -1) || rank(other) - rank(one));
      const known = rows.some((row) => percent(row.code) !== null);
      return element("table", { class: "plain answers" }, element("caption", { class: "visually-hidden" }, "What each model said"), element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Model"), element("th", { scope: "col" }, "said"),
        ...(known ? [element("th", { scope: "col", class: "num" }, "P(yes)"), element("td", { class: "chart" })] : []))),
      element("tbody", {}, ...rows.map((row) => {
        const share = percent(row.code), word = said(row.code), good = word === (absent(at) ? "no" : "yes");
        return element("tr", {}, element("th", { scope: "row" }, element("a", { href: row.page }, row.name)), element("td", { class: good ? "" : "off" }, word),
          ...(known ? [element("td", { class: "num" }, share === null ? "–" : (share / 100).toFixed(2)), element("td", { class: "chart" }, ...(share === null ? [] : [bar(share / 100, good ? "good" : "off")]))] : []));
      })));
    };
    const citation = (at) => {
      const [name] = image(at), { title, hash, key } = data.benchmark, link = `${location.href.split("#")[0]}#${words({ ...begin, q: id(at) })}`;
      return `“${text(at)}” (answer: ${absent(at) ? "no" : "yes"}), image ${name}, question ${id(at)} of ${title} (${key}, questions sha256 ${hash}). ${link}`;
    };
    const copying = (words, say) => {
      const made = element("button", { type: "button" }, say);
      copies(made, words);
      return made;
    };
    const asking = (at) => {
      const scored = data.asked[at].some((one) => one.length > 1), found = data.asked[at].some((one) => one.length > 2), head = (words, kind) => element("th", { scope: "col", class: kind }, words);
      return element("table", { class: "plain asked" }, element("caption", { class: "visually-hidden" }, "The splits that ask it"),
        element("thead", {}, element("tr", {}, head("Asked by", ""), head("kind", ""), ...(scored ? [head("score", "num")] : []), ...(found ? [head("found by", "")] : []))),
        element("tbody", {}, ...data.asked[at].map(([split, score = null, finder = null]) => element("tr", { class: data.splits[split].kind },
          element("th", { scope: "row" }, element("a", { href: address({ ...begin, split: data.splits[split].name, truth: absent(at) ? "no" : "yes" }) }, data.splits[split].name)), element("td", {}, data.splits[split].label),
          ...(scored ? [element("td", { class: "num" }, score === null ? "–" : String(score))] : []), ...(found ? [element("td", {}, finder === null ? "–" : data.finders[finder])] : [])))));
    };
    const drawQuestion = (at) => {
      const [name, picture, link] = image(at), place = list.indexOf(at), object = data.objects[data.object[at]];
      const step = (to, say) => (to < 0 || to >= list.length || place < 0 ? element("span", { class: "quiet" }, say) : element("a", { href: address({ q: id(list[to]) }) }, say));
      const risk = data.risk[at], looked = { right: "right", wrong: "wrong", unsure: "hard to tell" }[findings[data.reviewed[at]]], all = absent(at) && data.yes[at] > 0 && data.yes[at] === data.answered[at];
      const source = link === null ? name : element("a", { href: link, rel: "noreferrer" }, name);
      const cite = element("details", {}, element("summary", {}, "Cite this question"), element("p", { class: "cite" }, citation(at)), copying(() => citation(at), "Copy the citation"));
      page.replaceChildren(
        element("nav", { class: "steps", "aria-label": "Questions" }, element("a", { href: address({ q: "" }), class: "back" }, "All of these questions"), step(place - 1, "← previous"), step(place + 1, "next →"),
          element("span", { class: "quiet" }, place < 0 ? "" : `${number(place + 1)} of ${number(list.length)}`)),
        element("div", { class: "one" }, element("figure", {}, picture === null ? element("p", { class: "frame none" }, link === null ? "This image isn’t shown here." : "Its licence doesn’t let it be shown here: it is on the dataset’s own site.") : element("span", { class: "frame" }, element("img", { src: picture, alt: `Image ${name}` })),
          element("figcaption", { class: "quiet" }, "Image ", source)),
        element("div", {}, element("h1", { tabindex: "-1" }, ...worded(at)),
          element("p", { class: "truth" }, "The answer is ", element("b", {}, absent(at) ? "no" : "yes"), ".", ...(risk === null ? [] : [` Risk that it is there after all: ${risk.toFixed(2)}.`]), ...(looked ? [` People who looked found the label ${looked}.`] : [])),
          element("h2", {}, models === 1 ? `${data.models[0].name} says ${said(code(at, 0))}` : `${tally(at)} models say yes`), answers(at), asking(at),
          ...(all ? [element("p", { class: "quiet" }, models === 1 ? "The model says yes, though the label says no. " : "Every model says yes, though the label says no. ", element("a", { href: address({ ...begin, view: "unanimous" }) }, "Is the label wrong? Review it"))] : []),
          element("div", { class: "acts" }, copying(() => `${location.href.split("#")[0]}#${words({ ...begin, q: id(at) })}`, "Copy link"),
            ...(object === null ? [] : [element("a", { href: address({ ...begin, object, truth: "" }) }, `Other questions about ${object}`)]), element("a", { href: address({ ...begin, truth: "", image: name }) }, "Others about this image")), cite)));
      document.title = text(at);
    };

    // The address holds what differs from the page as it opens.
    const words = (state) => {
      const made = new URLSearchParams();
      for (const key of Object.keys(begin)) {
        const model = ["a", "b", "of"].includes(key);
        if (["a", "b"].includes(key) ? state.view === "pair" && state[key] >= 0 : state[key] !== begin[key]) made.set(key, model ? data.models[state[key]].page.replace(/^.*\/|\.html$/g, "") : state[key]);
      }
      return made;
    };
    const read = () => {
      const from = new URLSearchParams(location.hash.slice(1)), addresses = data.models.map(({ page: of }) => of.replace(/^.*\/|\.html$/g, ""));
      const model = (key) => {
        const known = one(key, ["", ...addresses]);
        return addresses.includes(known) ? addresses.indexOf(known) : key === "b" && from.get("view") === "pair" ? -1 : begin[key];
      };
      const one = (key, allowed) => {
        if (!from.has(key) || allowed.includes(from.get(key))) return from.get(key) ?? begin[key];
        strange.push(`${asks[key]} “${from.get(key).slice(0, 80)}”`);
        return begin[key];
      };
      strange = [];
      return {
        view: one("view", views), truth: one("truth", ["no", "yes", ""]), split: one("split", data.splits.map(({ name }) => name)), kind: one("kind", data.kinds), object: one("object", data.objects),
        image: one("image", data.images.map(([name]) => name)), find: (from.get("find") || "").slice(0, 80), a: model("a"), b: model("b"), of: model("of"),
        said: one("said", ["", "asked", "yes", "no", "unparsed", "error", "unasked"]), tenth: one("tenth", tenths), size: one("size", data.size === "" ? [] : ["small", "medium", "large"]), risk: one("risk", idle.risk ? [] : tenths),
        blind: one("blind", data.ways.map(([name]) => name)), reviewed: one("reviewed", data.reviewed === "" ? [] : ["any", ...Object.values(findings)]), q: one("q", ["", ...byId.keys()]),
      };
    };
    const title = document.title;
    const listed = (state) => words({ ...state, q: "" }).toString();

    const drawList = (then) => {
      const key = listed(view);
      if (key === drawn) return then();
      const missing = view.view === "pair" || (view.of >= 0 && (models > 1 || view.said !== "" || view.tenth !== "")) ? Array.from({ length: last }, (_, part) => part).filter((part) => !parts.has(part)) : [];
      if (missing.length > 0) {
        const tell = (left) => { form.querySelector(".count").textContent = `Loading answers, ${number(last - left)} of ${number(last)} parts`; };
        let left = missing.length;
        tell(left);
        for (const part of missing) load(part, () => {
          left -= 1;
          if (listed(view) === key) (left > 0 ? tell(left) : drawList(then));
        });
        return undefined;
      }
      drawn = key;
      base = key === "" ? "#" : `#${key}&`;
      list = select();
      for (const name of ["truth", "a", "b", ...Object.keys(filters)]) if (fields[name] && fields[name].value !== String(view[name])) fields[name].value = view[name];
      for (const field of form.querySelectorAll("[name=view]")) field.checked = field.value === view.view;
      form.querySelector(".pairing").hidden = view.view !== "pair";
      fields.truth.disabled = view.view === "unanimous";
      document.querySelector(".unanimous-words").hidden = view.view !== "unanimous";
      fields.clear.hidden = !Object.keys(filters).some((name) => view[name] !== filters[name]);
      fields.said.disabled = fields.tenth.disabled = view.of < 0;
      if (rare.some((name) => view[name] !== filters[name])) form.querySelector(".more").open = true;
      form.querySelector(".count").textContent = `${number(list.length)} question${list.length === 1 ? "" : "s"}${view.image ? ` about ${view.image}` : ""}`;
      grid = null;
      if (list.length === 0) outcome.replaceChildren(element("p", { class: "quiet" }, "There is no such question."));
      else if (view.view === "objects" || view.view === "splits") outcome.replaceChildren(summary());
      else {
        grid = makeGrid();
        outcome.replaceChildren(grid.made);
      }
      return then();
    };
    const draw = () => drawList(() => {
      const told = wall.querySelector(".strange");
      told.hidden = strange.length === 0;
      told.textContent = `This address asks for ${strange.join(", ")}, which ${strange.length === 1 ? "isn’t" : "aren’t"} here.`;
      const at = view.q === "" ? null : byId.get(view.q);
      if (at !== null) return load(Math.floor(at / data.chunk), () => {
        if (view.q !== id(at)) return;
        if (!wall.hidden) scrolled = scrollY;
        wall.hidden = true;
        document.querySelector(".masthead").hidden = true;
        page.hidden = false;
        drawQuestion(at);
        scrollTo({ top: 0, behavior: "instant" });
        page.querySelector("h1").focus({ preventScroll: true });
      });
      const left = page.hidden ? null : byId.get(page.dataset.q);
      page.hidden = true;
      wall.hidden = false;
      document.querySelector(".masthead").hidden = false;
      document.title = title;
      if (grid) grid.measure();
      if (left === null) return undefined;
      scrollTo({ top: scrolled, behavior: "instant" });
      if (grid) grid.focus(list.indexOf(left));
      return undefined;
    });
    const show = (change, entry = false) => {
      view = { ...view, ...change };
      strange = [];
      history[entry ? "pushState" : "replaceState"](null, "", `#${words(view)}`);
      draw();
      page.dataset.q = view.q || page.dataset.q || "";
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => show({
      view: fields.view.value, truth: fields.truth.value, split: fields.split.value, kind: fields.kind.value, object: fields.object.value, find: fields.find.value, image: "", of: Number(fields.of.value), ...Object.fromEntries(rare.filter((name) => name !== "of").map((name) => [name, fields[name].value])),
      a: Number(fields.a?.value || 0), b: Number(fields.b?.value || 0),
    }));
    fields.clear.addEventListener("click", () => show(filters));
    addEventListener("hashchange", () => {
      if (document.getElementById(location.hash.slice(1))) return show({});  // a place on this page: the view stays
      view = read();
      draw();
      page.dataset.q = view.q || page.dataset.q || "";
      return undefined;
    });
    addEventListener("scroll", () => grid?.ask(), { passive: true });
    addEventListener("resize", () => grid?.measure());
    addEventListener("keydown", (event) => {
      if (view.q === "" || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "Escape") show({ q: "" }, true);
      const to = list.indexOf(byId.get(view.q)) + ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] || 0);
      if (event.key.startsWith("Arrow") && list[to] !== undefined && id(list[to]) !== view.q && /Left|Right/.test(event.key)) show({ q: id(list[to]) });
    });
    view = read();
    draw();
    page.dataset.q = view.q;
  };
  return take;
})();
