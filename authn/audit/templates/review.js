"use strict";
// Marks of a person who knows what a file is: by keys or buttons, kept in this browser, exported as data.
(() => {
  const box = document.getElementById("review");
  const cards = [...document.querySelectorAll(".sheet > li[data-sha256]")];
  if (!box || !cards.length) return;
  const key = `assay-audit-marks ${box.dataset.run}`;
  const keys = { 1: "photo", 2: "edited", 3: "generated", 0: null };
  let marks = {};
  try { marks = JSON.parse(localStorage.getItem(key) || "{}"); } catch { marks = {}; }
  let at = -1;

  const keep = () => { try { localStorage.setItem(key, JSON.stringify(marks)); } catch { /* until it closes */ } };
  const shown = () => cards.filter((card) => card.offsetParent !== null);

  const draw = (card) => {
    const mark = marks[card.dataset.sha256];
    for (const button of card.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(mark !== undefined && mark.truth === button.dataset.mark));
    }
  };

  const count = () => {
    const n = Object.keys(marks).length;
    document.getElementById("marked").textContent = n ? box.dataset.marked.replace("{n}", n) : box.dataset.none;
    for (const id of ["jsonl", "csv"]) document.getElementById(id).disabled = !n;
  };

  const set = (card, truth) => {
    const { sha256, name } = card.dataset;
    if (truth === null || (marks[sha256] && marks[sha256].truth === truth)) delete marks[sha256];
    else marks[sha256] = { sha256, name, truth, marked_at: new Date().toISOString() };
    keep();
    for (const same of cards) if (same.dataset.sha256 === sha256) draw(same);
    count();
  };

  const go = (step) => {
    const list = shown();
    const now = at < 0 ? -1 : list.indexOf(cards[at]);
    const next = list[Math.min(list.length - 1, Math.max(0, now + step))];
    if (!next) return;
    at = cards.indexOf(next);
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const cell = (text) => `"${(/^[=+\-@]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

  cards.forEach((card, i) => {
    card.tabIndex = -1;
    card.querySelector(".choice").hidden = false;
    card.addEventListener("focusin", () => { at = i; });
    for (const button of card.querySelectorAll("[data-mark]")) {
      button.addEventListener("click", () => set(card, button.dataset.mark));
    }
    draw(card);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select")) return;
    if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key in keys && at >= 0) set(cards[at], keys[event.key]);
    else return;
    event.preventDefault();
  });
  document.getElementById("jsonl").addEventListener("click", () => {
    save("marks.jsonl", "application/x-ndjson", Object.values(marks).map((m) => `${JSON.stringify(m)}\n`).join(""));
  });
  document.getElementById("csv").addEventListener("click", () => {
    const head = ["sha256", "name", "truth", "marked_at"];
    const lines = Object.values(marks).map((m) => head.map((h) => cell(m[h])).join(","));
    save("marks.csv", "text/csv", `${[head.join(","), ...lines].join("\n")}\n`);
  });
  box.hidden = false;
  count();
})();
