// Keys and zoom for the review page, and one guard: a claim is decided once. A second press before the next claim is on the screen does
// nothing, because it would decide on a picture that nobody has looked at.
(() => {
  const KEYS = { t: "present", y: "present", n: "absent", u: "unsure", z: "undo" };
  const CLOSER = 2.5;
  const SETTLE_MS = 200;
  let decided = null;
  let decidedAt = 0;

  const shown = () => document.querySelector("#claim [data-place]")?.dataset.place ?? null;

  function guard(event) {
    const button = event.target.closest?.("#absent, #present, #unsure, #undo");
    if (!button) return;
    if (button.id === "undo") {
      decided = null;
      return;
    }
    if (shown() === decided || performance.now() - decidedAt < SETTLE_MS) {
      event.stopImmediatePropagation();
      event.preventDefault();
      return;
    }
    decided = shown();
    decidedAt = performance.now();
  }

  // Closer to the place that was clicked, or to the middle; a second click steps back, and so does the next claim.
  function zoom(closer, x = 0.5, y = 0.5) {
    const picture = document.querySelector("#picture img.picture"), frame = picture?.parentElement;
    if (!picture) return;
    const fits = picture.classList.contains("closer") ? null : [picture.clientWidth, picture.clientHeight];
    if (closer === (fits === null)) return;
    picture.classList.toggle("closer", closer);
    picture.style.width = closer ? `${fits[0] * CLOSER}px` : "";
    frame.classList.toggle("frame", closer);
    frame.style.height = closer ? `${fits[1]}px` : "";
    frame.scrollTo(x * picture.clientWidth - frame.clientWidth / 2, y * picture.clientHeight - frame.clientHeight / 2);
  }

  document.addEventListener("click", (event) => {
    if (!event.target.matches?.("#picture img.picture")) return;
    const at = event.target.getBoundingClientRect();
    zoom(!event.target.classList.contains("closer"), (event.clientX - at.left) / at.width, (event.clientY - at.top) / at.height);
  });

  function press(event) {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    if (key === "b") document.querySelector("#boxes input[type=checkbox]")?.click();
    else if (key === "+" || key === "-") zoom(key === "+");
    else if (key in KEYS) document.getElementById(KEYS[key])?.click();
    else return;
    event.preventDefault();
  }

  document.addEventListener("click", guard, true);
  document.addEventListener("keydown", press);
})();
