// Draws the gallery from window.GALLERY (data.js): filters over all images, one page of cards at a time. What is chosen stands in
// the address, so that a view can be linked to.
(() => {
  "use strict";
  const PER_PAGE = 48;
  const { splits, images, originals } = window.GALLERY;
  const sharing = splits.filter((one) => one.kind !== "twin").length; // splits that share their yes-questions
  const field = Object.fromEntries(["split", "label", "order", "answer", "search"].map((id) => [id, document.getElementById(id)]).filter(([, control]) => control));
  const list = document.getElementById("images");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");
  let page = 0;
  let found = [];

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Whether a model's answer is of that kind.
  function judged(kind, yes, answer) {
    const said = answer ? answer[0] : null;
    if (kind === "hallucinated") return !yes && said === "yes";
    if (kind === "missed") return Boolean(yes) && said === "no";
    if (kind === "unread") return said !== null && said !== "yes" && said !== "no";
    return said !== null && said !== (yes ? "yes" : "no");
  }

  // The rows of an image that the filters leave, each with the splits they leave.
  function matching([file, , , , questions]) {
    const split = splits.findIndex((one) => one.name === field.split.value);
    const label = field.label.value;
    const words = field.search.value.trim().toLowerCase();
    const inName = file.toLowerCase().includes(words);
    const rows = [];
    for (const [yes, claim, text, asked, evidence, answer] of questions) {
      if (field.answer?.value && !judged(field.answer.value, yes, answer)) continue;
      if (label && (label === "yes") !== Boolean(yes)) continue;
      if (!inName && !claim.toLowerCase().includes(words) && !(text && text.toLowerCase().includes(words))) continue;
      const kept = split < 0 ? asked : asked.filter((one) => one[0] === split);
      if (kept.length) rows.push({ yes, claim, text, asked: kept, evidence, answer });
    }
    return rows;
  }

  const sureness = ({ answer }) => (answer ? (answer[1] ?? (answer[0] === "yes" ? 0 : -1)) : -Infinity);
  const highest = (rows, column) => column === "sure" ? Math.max(...rows.map(sureness)) :
    rows.reduce((top, row) => row.asked.reduce((best, one) => (one[column] === null ? best : Math.max(best, one[column])), top), -Infinity);

  function filter() {
    found = [];
    images.forEach((image, place) => {
      const rows = matching(image);
      if (rows.length) found.push({ image, place, rows });
    });
    // Scores of different strategies can't be compared, standings can.
    const column = { score: 5, risk: 3, sure: "sure" }[field.order.value];
    if (column !== undefined) {
      for (const one of found) {
        one.rank = highest(one.rows, column);
        one.rows.sort((a, b) => highest([b], column) - highest([a], column) || 0);
      }
      found.sort((a, b) => (a.rank === b.rank ? a.place - b.place : b.rank - a.rank));
    }
  }

  const number = (value) => value.toLocaleString("en", { maximumSignificantDigits: 3 });

  function question({ yes, claim, text, asked, evidence, answer }) {
    const row = element("li", yes ? "yes" : "no");
    row.append(element("span", "label", yes ? "yes" : "no"));
    const body = element("div", "body");
    body.append(element("span", "said", claim));
    if (text && text !== claim) body.append(element("span", "text", text));
    const tags = element("span", "tags");
    for (const [split, , score, , foundBy] of asked) {
      const { kind, name } = splits[split];
      const tag = element("span", `tag ${kind}`, foundBy ? `${name}: ${foundBy}` : name);
      if (score !== null) tag.append(element("b", "", ` ${number(score)}`));
      tags.append(tag);
    }
    if (!yes || asked.length < sharing) body.append(tags);
    const risk = highest([{ asked }], 3);
    if (risk > -Infinity) {
      const meter = element("span", "risk", `risk ${number(risk)}`);
      meter.style.setProperty("--risk", `${100 * risk}%`);
      if (evidence) {
        const words = Object.entries(evidence).map(([name, value]) => `${name} ${number(value)}`);
        meter.append(element("small", "", words.join(", ")));
      }
      body.append(meter);
    }
    if (answer) {
      const [verdict, sure, words] = answer;
      const said = element("span", `answer${judged("wrong", yes, answer) ? " wrong" : ""}`, `said ${verdict}`);
      if (sure !== null) said.append(element("b", "", ` P(yes) ${sure.toFixed(2)}`));
      if (words) said.title = words;
      body.append(said);
    }
    row.append(body);
    return row;
  }

  // The picture as large as the window allows, from the images' own folder; where it isn't there any more, the small copy.
  const closer = document.getElementById("closer");
  function enlarge([file, thumb, , , , boxes = []]) {
    const picture = closer.querySelector("img"), frames = closer.querySelector(".boxes");
    picture.onerror = () => { picture.onerror = null; picture.src = thumb; };
    picture.src = originals === null ? thumb : originals + file.split("/").map(encodeURIComponent).join("/");
    picture.alt = file;
    closer.querySelector(".file").textContent = file;
    frames.replaceChildren(...boxes.map(([name, left, top, right, bottom]) => {
      const made = element("div", "box");
      made.append(element("span", "", name));
      Object.assign(made.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
      return made;
    }));
    document.getElementById("boxes").parentElement.hidden = boxes.length === 0;
    closer.showModal();
  }
  document.getElementById("boxes").addEventListener("change", (event) => { closer.querySelector(".boxes").hidden = !event.target.checked; });
  closer.addEventListener("click", (event) => { if (event.target === closer) closer.close(); });

  function card({ image, rows }) {
    const [file, thumb, width, height] = image;
    const made = element("li", "card");
    if (thumb) {
      const picture = element("img");
      Object.assign(picture, { loading: "lazy", decoding: "async", width, height, alt: "", src: thumb });
      const button = element("button", "enlarge");
      button.type = "button";
      button.setAttribute("aria-label", `Enlarge ${file}`);
      button.append(picture);
      button.addEventListener("click", () => enlarge(image));
      made.append(button);
    }
    made.append(element("h2", "file", file));
    const questions = element("ul", "questions");
    questions.append(...rows.map(question));
    made.append(questions);
    return made;
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    list.replaceChildren(...found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(card));
    const rows = found.reduce((sum, one) => sum + one.rows.length, 0);
    const count = (many, word) => `${many.toLocaleString("en")} ${word}${many === 1 ? "" : "s"}`;
    document.getElementById("count").textContent = found.length
      ? `${count(rows, "question")} about ${count(found.length, "image")}`
      : "No question matches. Change the search or a filter.";
    document.getElementById("page").textContent = `Page ${page + 1} of ${pages}`;
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  function remember() {
    const chosen = new URLSearchParams();
    for (const [id, control] of Object.entries(field)) if (control.value) chosen.set(id, control.value);
    if (page) chosen.set("page", page + 1);
    history.replaceState(null, "", `#${chosen}`);
  }

  function recall() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    for (const [id, control] of Object.entries(field)) control.value = chosen.get(id) ?? "";
    for (const control of Object.values(field)) if (control.selectedIndex < 0) control.value = "";
    page = (Number.parseInt(chosen.get("page"), 10) || 1) - 1;
    filter();
    draw();
  }

  function changed() {
    page = 0;
    filter();
    draw();
    remember();
  }

  function turn(by) {
    page += by;
    draw();
    remember();
    list.focus({ preventScroll: true });
    document.querySelector(".filters").scrollIntoView();
  }

  for (const control of Object.values(field)) control.addEventListener("input", changed);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", recall);
  recall();
})();
