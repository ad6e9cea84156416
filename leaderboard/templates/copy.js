// A button that copies words, and says whether it did. Over plain http the clipboard is closed to scripts: then by way of a selection.
"use strict";
globalThis.copies = (button, words) => {
  const say = button.textContent;
  const selected = () => {
    const box = document.createElement("textarea"), focused = document.activeElement;
    box.value = words();
    box.readOnly = true;
    box.className = "visually-hidden";
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    focused?.focus({ preventScroll: true });
    return done;
  };
  button.addEventListener("click", async () => {
    const done = await (navigator.clipboard?.writeText(words()).then(() => true, selected) ?? selected());
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = say; }, 2000);
  });
};
