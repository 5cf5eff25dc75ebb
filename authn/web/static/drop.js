// Optional: dropping a file onto the form, and a word while it is examined. Without it the form works the same.
"use strict";
(() => {
  const form = document.getElementById("drop");
  const input = document.getElementById("file");
  const progress = document.getElementById("progress");
  if (!form || !input || !progress) return;
  for (const element of document.querySelectorAll(".withscript")) element.hidden = false;
  const over = (on) => (event) => {
    event.preventDefault();
    form.classList.toggle("over", on);
  };
  form.addEventListener("dragover", over(true));
  form.addEventListener("dragleave", over(false));
  form.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files.length !== 1) {
      progress.textContent = form.dataset.one;
      return;
    }
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    progress.textContent = form.dataset.busy.replace("{name}", input.files[0].name);
  });
})();
