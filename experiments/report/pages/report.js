"use strict";
document.documentElement.classList.add("js");

// A slider shows, of every picture beside it, the one that belongs to its row.
function show(card, row) {
  for (const frame of card.querySelectorAll("[data-rows]")) {
    frame.hidden = !frame.dataset.rows.split(" ").includes(String(row));
  }
  const slider = card.querySelector("input[type=range]");
  if (!slider) return;
  slider.value = row;
  const text = card.querySelectorAll("[data-row-text]");
  text.forEach((line, index) => { line.hidden = index !== row; });
  slider.setAttribute("aria-valuetext", text[row].textContent.trim());
}

for (const gallery of document.querySelectorAll(".gallery")) {
  const all = gallery.querySelector(".all-rows");
  const cards = gallery.querySelectorAll(".card");
  for (const card of cards) {
    const slider = card.querySelector("input[type=range]");
    if (slider) slider.addEventListener("input", () => show(card, Number(slider.value)));
  }
  if (!all) continue;
  const slider = all.querySelector("input");
  slider.addEventListener("input", () => {
    show(all, Number(slider.value));
    for (const card of cards) show(card, Number(slider.value));
  });
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const block = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(block);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
