// Keys for the review page, and one guard: a claim is decided once. A second press before the next claim is on the screen does
// nothing, because it would decide on a picture that nobody has looked at.
(() => {
  const KEYS = { a: "absent", p: "present", u: "unsure", z: "undo" };
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

  function press(event) {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    if (key === "b") document.querySelector("#boxes input[type=checkbox]")?.click();
    else if (key in KEYS) document.getElementById(KEYS[key])?.click();
    else return;
    event.preventDefault();
  }

  document.addEventListener("click", guard, true);
  document.addEventListener("keydown", press);
})();
