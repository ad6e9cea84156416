// Two models on the same questions, from their answers by image: the difference with its interval (MOVER, correlated by image) and the
// exact sign-flip test, as `hope-bench compare` gives them. The answers come as a script, since a page from disk can't fetch data.
"use strict";
globalThis.board = (() => {
  const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const counts = (packed) => Array.from(packed, (letter) => letters.indexOf(letter));
  const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
  let held = null, waiting = null, arrived = null;

  const load = (address) => (waiting ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    arrived = done;
    script.src = address;
    script.addEventListener("error", failed);
    document.head.append(script);
  }));
  const pairs = (data) => {
    held = data;
    arrived();
  };

  // A model's recall, hallucination rate and specificity: value, limits, and what each image adds to its error.
  const rates = (split, id) => {
    const model = held?.[split]?.models[id];
    if (!model) return null;
    const [present, absent] = held[split].asked.map(counts), ends = model[3];
    return [present, absent, absent].map((asked, index) => {
      const said = counts(model[index]), total = sum(asked), value = total ? sum(said) / total : null;
      return { said, asked, value, low: ends[2 * index], high: ends[2 * index + 1], influence: said.map((one, image) => (total ? (one - value * asked[image]) / total : 0)) };
    });
  };
  const correlation = (one, other) => {
    const product = sum(one.influence.map((part, image) => part * other.influence[image]));
    const scale = Math.sqrt(sum(one.influence.map((part) => part ** 2)) * sum(other.influence.map((part) => part ** 2)));
    return scale > 0 ? Math.min(1, Math.max(-1, product / scale)) : 0;
  };
  const halfWidth = (parts, towards) => {
    const reach = parts.map(([weight, one]) => weight * ((weight > 0) === (towards > 0) ? one.high - one.value : one.value - one.low));
    let squares = sum(reach.map((part) => part ** 2));
    for (let i = 0; i < parts.length; i += 1) for (let j = i + 1; j < parts.length; j += 1) squares += 2 * correlation(parts[i][1], parts[j][1]) * reach[i] * reach[j];
    return Math.sqrt(Math.max(squares, 0));
  };

  // The share of all ways to sign the images' differences whose sum is at least as far from 0 as the one seen.
  const divisor = (one, other) => (other ? divisor(other, one % other) : one);
  const signFlip = (differences) => {
    let whole = differences.filter((one) => one !== 0), slack = 0;
    if (whole.length === 0) return null;
    const common = whole.map(Math.abs).reduce(divisor);
    whole = whole.map((one) => one / common);
    const far = sum(whole.map(Math.abs));
    if (whole.length * far > 2 ** 25) {  // too fine: on a coarser grid, whose rounding never makes p too small
      const scale = Math.min(2 ** 25 / whole.length, 2 ** 18) / far;
      whole = whole.map((one) => Math.round(one * scale));
      slack = whole.length;
    }
    const steps = whole.map(Math.abs).sort((one, other) => one - other), largest = sum(steps), seen = Math.abs(sum(whole)) - slack;
    const ways = new Float64Array(largest + 1);
    ways[0] = 1;
    let reached = 0;
    for (const step of steps) {
      reached += step;
      for (let place = reached; place >= 0; place -= 1) ways[place] = (ways[place] + (place >= step ? ways[place - step] : 0)) / 2;
    }
    return Math.min(1, sum(ways.filter((_, place) => Math.abs(2 * place - largest) >= seen)));
  };

  // How much more the one has than the other, of "hr" (hallucination rate) or "ba" (balanced accuracy): value, low, high, p.
  const difference = (split, one, other, metric) => {
    const [mine, theirs] = [rates(split, one), rates(split, other)];
    if (mine === null || theirs === null) return null;
    const weighted = metric === "hr" ? [[1, 1]] : [[0.5, 0], [0.5, 2]];
    const parts = weighted.flatMap(([weight, index]) => [[weight, mine[index]], [-weight, theirs[index]]]);
    if (parts.some(([, part]) => part.value === null || part.low === null)) return null;
    const value = sum(parts.map(([weight, part]) => weight * part.value));
    const moved = (index) => mine[index].said.map((count, image) => count - theirs[index].said[image]);
    const totals = [0, 2].map((index) => sum(mine[index].asked)), [recalled, denied] = [moved(0), moved(2)];
    const differences = metric === "hr" ? moved(1) : recalled.map((count, image) => count * totals[1] + denied[image] * totals[0]);
    return { value, low: Math.min(value, value - halfWidth(parts, -1)), high: Math.max(value, value + halfWidth(parts, 1)), p: signFlip(differences) };
  };
  // Holm's correction: of several tests, null counts as none.
  const holm = (tests) => {
    const known = tests.map((p, place) => [p, place]).filter(([p]) => p !== null).sort(([one], [other]) => one - other), made = tests.map(() => null);
    let largest = 0;
    known.forEach(([p, place], step) => {
      largest = Math.max(largest, Math.min(1, p * (known.length - step)));
      made[place] = largest;
    });
    return made;
  };
  return { load, pairs, difference, holm };
})();
