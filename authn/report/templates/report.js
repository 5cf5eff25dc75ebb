// Adds comfort to a report that is whole without it: copying, two sliders over each map, a magnifier.
"use strict";
(() => {
  const make = (tag, values) => Object.assign(document.createElement(tag), values);

  const copy = document.getElementById("copy-link");
  const plain = document.getElementById("plain-text");
  const copied = document.getElementById("copied");
  const selected = () => {
    plain.closest("details").open = true;
    getSelection().selectAllChildren(plain);
    return document.execCommand("copy");
  };
  copy.addEventListener("click", async (event) => {
    event.preventDefault();
    let done = true;
    try {
      await navigator.clipboard.writeText(plain.textContent);
    } catch {
      done = selected(); // where the page is not served in a secure context
    }
    copied.textContent = done ? copy.dataset.copied : copy.dataset.failed;
  });

  for (const maps of document.querySelectorAll(".maps")) {
    const marks = maps.querySelectorAll(".map svg, .map .over");
    const slider = (words, act) => {
      const label = make("label", { textContent: words });
      const range = make("input", { type: "range", min: 0, max: 100, value: 100 });
      range.addEventListener("input", () => marks.forEach((m) => act(m, Number(range.value))));
      label.append(range);
      return label;
    };
    const controls = make("div", { className: "controls" });
    controls.append(
      slider(maps.dataset.opacity, (m, n) => { m.style.opacity = n / 100; }),
      slider(maps.dataset.wipe, (m, n) => { m.style.clipPath = `inset(0 ${100 - n}% 0 0)`; }),
    );
    maps.before(controls);
  }

  const preview = document.getElementById("preview");
  if (!preview) return;
  const figure = preview.closest("figure");
  const lens = make("div", { className: "lens", hidden: true });
  const button = make("button", { type: "button", className: "magnify", textContent: preview.dataset.magnify });
  button.setAttribute("aria-pressed", "false");
  const ZOOM = 3;
  let at = [0.5, 0.5];
  const look = () => {
    const box = preview.getBoundingClientRect();
    const scale = Math.min(box.width / preview.naturalWidth, box.height / preview.naturalHeight);
    const [w, h] = [preview.naturalWidth * scale, preview.naturalHeight * scale];
    const [left, top] = [preview.offsetLeft + (box.width - w) / 2, preview.offsetTop + (box.height - h) / 2];
    const r = lens.offsetWidth / 2;
    lens.style.left = `${left + at[0] * w - r}px`;
    lens.style.top = `${top + at[1] * h - r}px`;
    lens.style.backgroundImage = `url("${preview.src}")`;
    lens.style.backgroundSize = `${w * ZOOM}px ${h * ZOOM}px`;
    lens.style.backgroundPosition = `${r - at[0] * w * ZOOM}px ${r - at[1] * h * ZOOM}px`;
  };
  const move = (x, y) => {
    at = [Math.min(1, Math.max(0, x)), Math.min(1, Math.max(0, y))];
    look();
  };
  const toggle = (on) => {
    lens.hidden = !on;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? preview.dataset.magnifyOff : preview.dataset.magnify;
    if (on) look();
  };
  button.addEventListener("click", () => toggle(lens.hidden));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") toggle(false);
    if (!step || lens.hidden) return;
    event.preventDefault();
    move(at[0] + step[0] / 20, at[1] + step[1] / 20);
  });
  figure.addEventListener("pointermove", (event) => {
    if (lens.hidden) return;
    const box = preview.getBoundingClientRect();
    const scale = Math.min(box.width / preview.naturalWidth, box.height / preview.naturalHeight);
    const [w, h] = [preview.naturalWidth * scale, preview.naturalHeight * scale];
    move((event.clientX - box.left - (box.width - w) / 2) / w, (event.clientY - box.top - (box.height - h) / 2) / h);
  });
  preview.closest("a").after(lens, button);
})();
