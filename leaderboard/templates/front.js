// The first page's tables: sorted by one of their numbers, with the places by that number. Complete without it.
"use strict";
document.documentElement.classList.add("scripted");
document.addEventListener("DOMContentLoaded", () => {
  const most = 20;
  for (const table of document.querySelectorAll("table.front:has(select)")) {
    const sorts = table.dataset.sorts.split(" "), rows = [...table.tBodies[0].rows], select = table.querySelector("select");
    const heads = [...table.querySelectorAll("th[data-by]")];
    const sort = (by) => {
      const at = sorts.indexOf(by), order = (row) => Number(row.dataset.orders.split(" ")[at]);
      for (const row of rows.toSorted((one, other) => order(one) - order(other))) {
        row.hidden = order(row) >= most;
        row.cells[0].textContent = row.dataset.places.split(" ")[at];
        table.tBodies[0].append(row);
      }
      for (const head of heads) head.toggleAttribute("aria-sort", false);
      heads.find((head) => head.dataset.by === by).setAttribute("aria-sort", by === "hallucination_rate" ? "ascending" : "descending");
      select.value = table.dataset.by = by;
    };
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.firstElementChild.textContent;
      button.addEventListener("click", () => sort(head.dataset.by));
      head.firstElementChild.replaceChildren(button);
    }
    select.addEventListener("change", () => sort(select.value));
    sort(sorts.includes(select.value) ? select.value : sorts[0]);
  }
});
