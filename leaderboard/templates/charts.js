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

  // Rows of marks on one axis of percent: a name at the left, or above the row on a phone.
  const rowsFrame = (names, least, most, ink) => {
    const small = narrow(), longest = Math.max(...names.map((name) => Math.min(name.length, 34)));
    const labels = names.map((name, row) => ({ text: short(name, 34), xref: "paper", yref: "y", x: 0, y: row, showarrow: false, align: small ? "left" : "right",
      xanchor: small ? "left" : "right", xshift: small ? 0 : -14, yshift: small ? 30 : 0, font: { size: small ? 12 : 14, color: ink.text } }));
    return frame(ink, { margin: { l: small ? 6 : 30 + longest * 8, r: 46, t: 34, b: 10 }, annotations: labels,
      xaxis: axis(ink, { range: [least, most], ticksuffix: "%", side: "top", nticks: small ? 5 : 9, layer: "below traces" }),
      yaxis: axis(ink, { range: [names.length - 0.4, -0.6], showgrid: false, showticklabels: false }) });
  };

  // Models as points over an axis, the leading ones joined and named where there is room for a name.
  const decades = ([least, most]) => Array.from({ length: 40 }, (_, place) => [1, 3][place % 2] * 10 ** (Math.floor(place / 2) - 10)).filter((tick) => Math.log10(tick) >= least && Math.log10(tick) <= most);
  const points = ({ kind, points: all }, ink, [width, height], { x, at, hover, shape, xaxis }) => {
    const margin = { l: 48, r: 16, t: 16, b: 44 }, most = Math.min(100, Math.max(2, ...all.map(([, , rate]) => rate[2] ?? rate[0])) * 1.06), leading = all.filter((one) => one[3]);
    const where = (one) => [margin.l + at(x(one)) * (width - margin.l - margin.r), margin.t + (1 - one[2][0] / most) * (height - margin.t - margin.b)];
    const taken = all.map(where).map(([left, top]) => [left - 5, top - 5, left + 5, top + 5]), annotations = [];
    for (const one of leading) {
      const words = short(one[0], 28), wide = Math.min(one[0].length, 28) * 7.4 + 8, [left, top] = where(one);
      const places = [[10, -14], [-10, -14], [10, -32], [-10, -32], [10, -50], [-10, -50], [10, 14], [-10, 14]].map(([aside, above]) => [aside > 0 ? left + aside : left + aside - wide, top + above - 9, aside, above]);
      const free = places.find(([from, over]) => from > margin.l && from + wide < width && over > 0 && over + 18 < height - margin.b
        && taken.every(([l, t, r, b]) => from > r || from + wide < l || over > b || over + 18 < t));
      if (!free) continue;
      taken.push([free[0], free[1], free[0] + wide, free[1] + 18]);
      annotations.push({ text: words, x: xaxis.type === "log" ? Math.log10(x(one)) : x(one), y: one[2][0], xanchor: free[2] > 0 ? "left" : "right", xshift: free[2], yshift: -free[3], showarrow: false, font: { size: 12, color: ink.text } });
    }
    const hovers = (some) => some.map((one) => `${text(one[0])}<br>${hover(one)}: ${percent(one[2][0])}%${interval(one[2])}`);
    const marks = (some, strong) => ({ type: "scatter", mode: "markers", cliponaxis: false, x: some.map(x), y: some.map(([, , rate]) => rate[0]), error_y: spread(some.map(([, , rate]) => rate), faint(ink[strong ? kind : "quiet"]), 2),
      marker: { symbol: symbols[kind], size: strong ? 11 : 8, color: strong ? ink[kind] : ink.quiet, opacity: strong ? 1 : 0.6 }, text: hovers(some), hovertemplate: "%{text}<extra></extra>" });
    const line = { type: "scatter", mode: "lines", hoverinfo: "skip", x: leading.map(x), y: leading.map(([, , rate]) => rate[0]), line: { color: ink[kind], width: 1.5, dash: "dot", shape } };
    return [[marks(all.filter((one) => !one[3]), false), line, marks(leading, true)], frame(ink, { margin, annotations,
      xaxis: axis(ink, { showgrid: false, ...xaxis }), yaxis: axis(ink, { range: [0, most], ticksuffix: "%", nticks: 6 }) })];
  };

  const kinds = {
    // {kind, points: [[name, billions of parameters, [percent, low, high], whether it is on the frontier]]}
    size: (data, ink, room) => {
      const sizes = data.points.map(([, size]) => size), ends = [Math.min(...sizes) / 1.5, Math.max(...sizes) * 1.5].map(Math.log10);
      const words = (size) => (size < 1 ? `${Number((size * 1000).toPrecision(3))}M` : `${Number(size.toPrecision(3))}B`);
      return points(data, ink, room, { x: ([, size]) => size, at: (size) => (Math.log10(size) - ends[0]) / (ends[1] - ends[0]), hover: ([, size]) => words(size), shape: "linear",
        xaxis: { type: "log", range: ends, tickvals: decades(ends), ticktext: decades(ends).map(words), title: { text: "Parameters", font: { size: 13, color: ink.quiet } } } });
    },
    // {kind, points: [[name, day, [percent, low, high], whether it made up less than all before]]}
    days: (data, ink, room) => {
      const days = data.points.map(([, day]) => Date.parse(day)), around = Math.max(864e5, (Math.max(...days) - Math.min(...days)) * 0.05), ends = [Math.min(...days) - around, Math.max(...days) + around];
      return points(data, ink, room, { x: ([, day]) => day, at: (day) => (Date.parse(day) - ends[0]) / (ends[1] - ends[0]), hover: ([, day]) => day, shape: "hv",
        xaxis: { type: "date", range: ends.map((end) => new Date(Math.min(end, Date.UTC(9999, 11, 31))).toISOString()), nticks: 6 } });
    },
    // {lines: [{kind, points: [[step, [percent, low, high]]]}]}
    steps: (data, ink) => {
      const traces = data.lines.map(({ kind, points: some }) => ({ type: "scatter", mode: "lines+markers", cliponaxis: false, x: some.map(([step]) => step), y: some.map(([, at]) => at[0]), error_y: spread(some.map(([, at]) => at), faint(ink[kind]), 3),
        line: { color: ink[kind], width: 2 }, marker: { symbol: symbols[kind], size: 10, color: ink[kind] }, text: some.map(([step, at]) => `step ${step.toLocaleString("en")}<br>${percent(at[0])}%${interval(at)}`), hovertemplate: "%{text}<extra></extra>" }));
      return [traces, frame(ink, { margin: { l: 48, r: 12, t: 10, b: 44 }, xaxis: axis(ink, { nticks: 6, title: { text: "Training step", font: { size: 13, color: ink.quiet } } }), yaxis: axis(ink, { rangemode: "tozero", ticksuffix: "%", nticks: 6 }) })];
    },
    // {name, splits: [name], models: [{name, values: [[percent, low, high] or null for each split]}]}
    sides: (data, ink) => {
      const letters = "ABCD", colours = [ink.text, ink.second, ink.third, ink.fourth];  // no kind of split has these
      const ends = data.models.flatMap(({ values }) => values.flatMap((one) => one || [])).filter((end) => end !== null);
      const least = Math.min(...ends) - 3, most = Math.max(...ends) + 3;  // a mark at 0 or 100 is whole
      const traces = data.models.map((model, place) => {
        const some = model.values.map((one, row) => [one, row + (place - (data.models.length - 1) / 2) * 0.2]).filter(([one]) => one !== null);
        return { type: "scatter", mode: "markers+text", x: some.map(([one]) => one[0]), y: some.map(([, row]) => row), error_x: spread(some.map(([one]) => one), faint(colours[place]), 3),
          marker: { size: 17, color: ink.paper, line: { width: 2, color: colours[place] } }, textfont: { color: colours[place], size: 11, weight: 700 }, text: some.map(() => letters[place]),
          hovertext: some.map(([one]) => `${text(model.name)}: ${percent(one[0])}%${interval(one)}`), hovertemplate: "%{hovertext}<extra></extra>" };
      });
      return [traces, rowsFrame(data.splits, least, most, ink)];
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
    const { kind, data } = drawn.get(node), [traces, layout] = kinds[kind](data, inks(), [node.clientWidth, node.clientHeight]);
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
  // After the page itself, and one at a time: it is read and used before its charts are there.
  const idle = () => new Promise((done) => (window.requestIdleCallback || setTimeout)(done));
  window.addEventListener("load", async () => {
    for (const node of document.querySelectorAll("[data-chart]")) {
      await idle();
      await draw(node, node.dataset.chart, JSON.parse(document.getElementById(node.dataset.from).textContent));
    }
  });
  return { draw };
})();
