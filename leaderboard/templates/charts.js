// The charts, drawn by plotly.js from the data beside them once the page is there. Each stands next to a table of the same numbers,
// so the page is complete without it. Colours and fonts are the style sheet's, and drawn again when those change (dark, print, width).
"use strict";
document.documentElement.classList.add("scripted");

globalThis.charts = (() => {
  const narrow = () => window.innerWidth < 704;
  const text = (words) => words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const short = (words, most) => text(words.length > most ? `${words.slice(0, most - 1)}…` : words);
  const percent = (number) => (number === null ? "–" : number.toFixed(1));
  const interval = ([, low, high]) => (low === null ? "" : `<br>${percent(low)} to ${percent(high)}`);
  const symbols = { pope: "circle-open", hope: "diamond", control: "square", twin: "square" };

  const inks = () => {
    const style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(`--${name}`).trim();
    return { ...Object.fromEntries(["paper", "panel", "text", "quiet", "grid", "pope", "hope", "control", "second", "third", "fourth"].map((name) => [name, ink(name)])), twin: ink("control"),
      font: getComputedStyle(document.body).fontFamily };
  };
  const spread = (values, ink, width = 5) => ({ type: "data", symmetric: false, array: values.map(([at, , high]) => (high === null ? 0 : high - at)),
    arrayminus: values.map(([at, low]) => (low === null ? 0 : at - low)), color: ink, thickness: width, width: 0 });
  const faint = (ink) => (ink.startsWith("#") ? `${ink}66` : ink);
  const axis = (ink, more) => ({ gridcolor: ink.grid, zeroline: false, tickfont: { color: ink.quiet, size: 12 }, fixedrange: true, ...more });
  const frame = (ink, more) => ({ paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: false,
    font: { family: ink.font, color: ink.text, size: 13 }, hoverlabel: { bgcolor: ink.panel, bordercolor: ink.quiet, font: { color: ink.text, family: ink.font } }, ...more });

  // Rows of marks on one axis of percent: a name at the left (above the row on a phone), a line from the baseline, the number at the right.
  // `side` is the room between the names and the axis, for numbers that stand left of a mark near 0.
  const rowsFrame = (rows, most, ink, side = 0) => {
    const small = narrow(), longest = Math.max(...rows.map(({ name }) => Math.min(name.length, 34)));
    const labels = rows.map(({ name, colour, strong }, row) => ({ text: short(name, 34), xref: "paper", yref: "y", x: 0, y: row, showarrow: false, align: small ? "left" : "right",
      xanchor: small ? "left" : "right", xshift: small ? 0 : -14 - side, yshift: small ? 15 : 0, font: { size: small ? 12 : 14, color: colour || ink.text, weight: strong ? 700 : 400 } }));
    return frame(ink, { margin: { l: small ? 6 : 30 + side + longest * 8, r: 46, t: 34, b: 10 }, annotations: labels,
      xaxis: axis(ink, { range: [0, most], ticksuffix: "%", side: "top", nticks: small ? 5 : 9, layer: "below traces" }),
      yaxis: axis(ink, { range: [rows.length - 0.4, -0.6], showgrid: false, showticklabels: false }) });
  };
  const numbers = (some, at, side, colours) => ({ type: "scatter", mode: "text", x: some.map((row) => at(row)[side === "right" ? 2 : 1] ?? at(row)[0]), y: some.map(({ index }) => index),
    text: some.map((row) => (side === "right" ? `  ${percent(at(row)[0])}` : `${percent(at(row)[0])}  `)), textposition: `middle ${side}`, cliponaxis: false, hoverinfo: "skip", textfont: { color: colours, size: 14, weight: 600 } });

  const kinds = {
    // {baseline, headline, rows: [{name, kind, at: [percent, low, high], from: [percent, low, high] or null}]}
    story: (data, ink) => {
      const { rows } = data, ends = rows.flatMap(({ at, from }) => [...at, ...(from || [])]).filter((end) => end !== null);
      const most = Math.min(100, Math.max(5, ...ends) * 1.08), traces = [];
      const moved = rows.map((row, index) => ({ ...row, index })).filter(({ from }) => from !== null);
      for (const [kind, some] of Object.entries(Object.groupBy(moved, ({ kind }) => kind))) {
        traces.push({ type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: ink[kind], width: 2 },
          x: some.flatMap(({ from, at }) => [from[0], at[0], null]), y: some.flatMap(({ index }) => [index, index, null]) });
      }
      const marks = (some, at, kind, called) => some.length === 0 ? [] : [{ type: "scatter", mode: "markers", x: some.map((row) => at(row)[0]), y: some.map(({ index }) => index),
        error_x: spread(some.map(at), faint(ink[kind])), marker: { symbol: symbols[kind], size: kind === "hope" ? 13 : kind === "pope" ? 11 : 9, color: ink[kind], line: { width: kind === "pope" ? 2.5 : 0, color: ink[kind] } },
        text: some.map((row) => `${text(row.name)}<br>${text(called(row))}: ${percent(at(row)[0])}%${interval(at(row))}`), hovertemplate: "%{text}<extra></extra>" }];
      const all = rows.map((row, index) => ({ ...row, index }));
      if (data.between) traces.push(...marks(moved, ({ from }) => from, "pope", () => `POPE ${data.baseline}`));
      // Left of both marks and their intervals, as HOPE's stands right of both: no number is on a mark, whichever rate is lower.
      if (data.between && !narrow()) traces.push(numbers(moved, ({ from, at }) => [from[0], Math.min(...[from[0], from[1], at[0], at[1]].filter((end) => end !== null))], "left", moved.map(() => ink.pope)));
      for (const kind of ["pope", "control", "hope"]) traces.push(...marks(all.filter((row) => row.kind === kind), ({ at }) => at, kind, ({ split }) => split));
      const both = data.between && narrow();  // on a phone, both numbers stand above the mark, at the right of the name
      if (!both) traces.push(numbers(all, ({ at, from }) => [at[0], at[1], Math.max(...[at[0], at[2], ...(data.between && from !== null ? [from[0], from[2]] : [])].filter((end) => end !== null))], "right", rows.map(({ kind }) => ink[kind])));
      const layout = rowsFrame(rows.map(({ name, kind, split }) => (data.between ? { name } : { name, colour: kind === "hope" ? null : ink[kind], strong: split === data.headline })), most, ink, data.between ? 40 : 0);
      if (both) {
        const beside = (words, row, kind, shift) => ({ text: words, xref: "paper", yref: "y", x: 1, y: row, xanchor: "right", align: "right", xshift: shift, yshift: 15, showarrow: false, font: { size: 13, weight: 600, color: ink[kind] } });
        layout.margin.r = 12;
        rows.forEach(({ kind, at, from }, row) => layout.annotations.push(beside(percent(at[0]), row, kind, 0), ...(from === null ? [] : [beside(`${percent(from[0])} →`, row, "pope", -40)])));
      }
      if (!data.between && moved.length > 0) layout.shapes = [{ type: "line", x0: moved[0].from[0], x1: moved[0].from[0], y0: 0, y1: 1, yref: "paper", line: { color: ink.pope, width: 1.5, dash: "dot" }, layer: "below" }];
      return [traces, layout];
    },
    // {name, splits: [name], models: [{name, values: [[percent, low, high] or null for each split]}]}
    sides: (data, ink) => {
      const letters = "ABCD", colours = [ink.text, ink.second, ink.third, ink.fourth];  // no kind of split has these
      const ends = data.models.flatMap(({ values }) => values.flatMap((one) => one || [])).filter((end) => end !== null);
      const least = Math.max(0, Math.min(...ends) - 4), most = Math.min(100, Math.max(...ends) + 4);
      const traces = data.models.map((model, place) => {
        const some = model.values.map((one, row) => [one, row + (place - (data.models.length - 1) / 2) * 0.2]).filter(([one]) => one !== null);
        return { type: "scatter", mode: "markers+text", x: some.map(([one]) => one[0]), y: some.map(([, row]) => row), error_x: spread(some.map(([one]) => one), faint(colours[place]), 3),
          marker: { size: 17, color: ink.paper, line: { width: 2, color: colours[place] } }, textfont: { color: colours[place], size: 11, weight: 700 }, text: some.map(() => letters[place]),
          hovertext: some.map(([one]) => `${text(model.name)}: ${percent(one[0])}%${interval(one)}`), hovertemplate: "%{hovertext}<extra></extra>" };
      });
      const layout = rowsFrame(data.splits.map((name) => ({ name })), most, ink);
      layout.xaxis.range = [least, most];
      return [traces, layout];
    },
    // {splits: [{name, kind, bins: [[mean P(yes), share of yes-labels, questions]]}]}
    reliability: (data, ink) => {
      const lines = data.splits.map(({ name, kind, bins }) => ({ type: "scatter", mode: "lines+markers", x: bins.map(([p]) => p), y: bins.map(([, yes]) => yes),
        line: { color: ink[kind], width: 2 }, marker: { symbol: symbols[kind], color: ink[kind], size: bins.map(([, , count]) => 7 + 3 * Math.log10(count)), line: { width: kind === "pope" ? 2 : 0, color: ink[kind] } },
        text: bins.map(([p, yes, count]) => `${text(name)}<br>P(yes) ${p.toFixed(2)}: ${yes.toFixed(2)} are there<br>${count.toLocaleString("en")} questions`), hovertemplate: "%{text}<extra></extra>" }));
      const perfect = { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], hoverinfo: "skip", line: { color: ink.quiet, width: 1, dash: "dot" } };
      const square = { range: [-0.02, 1.02], tickvals: [0, 0.2, 0.4, 0.6, 0.8, 1] };
      return [[perfect, ...lines], frame(ink, { margin: { l: 56, r: 12, t: 10, b: 48 },
        xaxis: axis(ink, { ...square, title: { text: "P(yes) the model gives", font: { size: 13, color: ink.quiet } } }),
        yaxis: axis(ink, { ...square, title: { text: "Share that is there", font: { size: 13, color: ink.quiet } }, scaleanchor: "x", constrain: "domain" }) })];
    },
    // {splits: [{name, kind, counts: [questions in each tenth of risk]}]}
    risk: (data, ink) => {
      const tenths = data.splits[0].counts.map((_, tenth) => `${tenth / 10}–${(tenth + 1) / 10}`);
      const bars = data.splits.map(({ name, kind, counts }, place) => ({ type: "bar", x: tenths, y: counts, name: text(name), marker: { color: ink[kind], opacity: 1 - 0.25 * place },
        hovertemplate: `${text(name)}<br>risk %{x}: %{y:,} questions<extra></extra>` }));
      return [bars, frame(ink, { margin: { l: 60, r: 8, t: 10, b: 48 }, bargap: 0.3, barmode: "group", showlegend: data.splits.length > 1, legend: { orientation: "h", y: 1.12, x: 0 },
        xaxis: axis(ink, { showgrid: false, type: "category", title: { text: "Estimated risk that the object is there", font: { size: 13, color: ink.quiet } } }),
        yaxis: axis(ink, { title: { text: "Questions", font: { size: 13, color: ink.quiet } }, rangemode: "tozero" }) })];
    },
  };

  let library = null;
  const loaded = () => (library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.js", own);
    script.addEventListener("load", done);
    script.addEventListener("error", failed);
    document.head.append(script);
  }));
  const own = document.currentScript.src;
  const drawn = new Map();
  const put = (node) => {
    const { kind, data } = drawn.get(node), [traces, layout] = kinds[kind](data, inks());
    node.classList.add("drawn");
    return Plotly.react(node, traces, { ...layout, width: node.clientWidth, height: node.clientHeight }, { displayModeBar: false, doubleClick: false });
  };
  const draw = async (node, kind, data) => {
    drawn.set(node, { kind, data });
    await loaded();
    if (node.isConnected) await put(node);
  };
  const again = () => {
    for (const node of drawn.keys()) {
      if (!node.isConnected) drawn.delete(node);
      else if (node.classList.contains("drawn")) put(node);
    }
  };
  for (const change of ["(prefers-color-scheme: dark)", "print"]) matchMedia(change).addEventListener("change", again);
  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(again, 120);
  });
  // After the page itself: it is read and used before its charts are there.
  window.addEventListener("load", () => (window.requestIdleCallback || setTimeout)(() => {
    for (const node of document.querySelectorAll("[data-chart]")) draw(node, node.dataset.chart, JSON.parse(document.getElementById(node.dataset.from).textContent));
  }));
  return { draw };
})();
