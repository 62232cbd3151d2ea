// The points of a feedback: added, moved and removed. And how much room a long text has left.
const NEARLY = 0.8;

/**
 * Serves the buttons and the long texts of a page, also those that come later.
 * @param {Document} page
 */
export function servePoints(page) {
  showScripted(page);
  page.addEventListener("replaced", () => showScripted(page));
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.dataset.move) move(button, button.dataset.move);
    if (button?.dataset.more !== undefined && button.closest("[data-points]")) {
      event.preventDefault();
      const added = addPoint(button.closest("[data-points]"));
      added?.querySelector("input")?.focus();
    }
  });
  page.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement) count(event.target);
  });
}

/** @param {Document} page */
function showScripted(page) {
  for (const element of page.querySelectorAll("[data-with-script]")) element.removeAttribute("hidden");
  for (const area of page.querySelectorAll("textarea")) count(area);
}

/**
 * Adds an empty point, if there may be more.
 * @param {Element | null} list
 */
export function addPoint(list) {
  const points = list?.querySelectorAll(".point") ?? [];
  const last = points[points.length - 1];
  const most = Number(list?.querySelector("button[data-more]")?.getAttribute("data-more") ?? 0);
  if (!list || !last || points.length >= most) return undefined;
  const fresh = /** @type {Element} */ (last.cloneNode(true));
  clear(fresh);
  last.after(fresh);
  number(list);
  return fresh;
}

/** @param {Element} point */
function clear(point) {
  for (const part of point.querySelectorAll(".error, [data-count]")) part.remove();
  for (const choice of point.querySelectorAll("select")) choice.selectedIndex = 0;
  for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (point.querySelectorAll("input, textarea"))) {
    field.value = "";
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/**
 * Numbers the points anew: headings, and the ids by which labels and fields belong together.
 * @param {Element} list
 */
function number(list) {
  list.querySelectorAll(".point").forEach((point, row) => {
    const legend = point.querySelector("legend");
    if (legend) legend.textContent = `${list.getAttribute("data-point")} ${row + 1}`;
    for (const name of ["id", "for", "aria-describedby"]) {
      for (const element of point.querySelectorAll(`[${name}]`)) {
        element.setAttribute(name, (element.getAttribute(name) ?? "").replace(/\d+/, `${row}`));
      }
    }
  });
}

/**
 * @param {HTMLElement} button
 * @param {string} where
 */
function move(button, where) {
  const point = button.closest(".point");
  const list = point?.closest("[data-points]");
  if (!point || !list) return;
  const isPoint = (/** @type {Element | null} */ other) => other?.classList.contains("point");
  const [before, after] = [point.previousElementSibling, point.nextElementSibling];
  if (where === "up" && isPoint(before)) before?.before(point);
  if (where === "down" && isPoint(after)) after?.after(point);
  if (where === "out") {
    const next = isPoint(after) ? after : isPoint(before) ? before : undefined;
    if (next) point.remove(); else clear(point);
    button = (next ?? point).querySelector("input") ?? button;
  }
  number(list);
  button.dispatchEvent(new Event("input", { bubbles: true }));
  button.focus();
}

/** @param {HTMLTextAreaElement} area */
function count(area) {
  const limit = Number(area.dataset.limit ?? Infinity);
  const used = [...area.value].length;
  const known = area.nextElementSibling?.hasAttribute("data-count") ? area.nextElementSibling : undefined;
  if (used < limit * NEARLY) {
    known?.remove();
    return;
  }
  const line = known ?? document.createElement("p");
  line.setAttribute("data-count", "");
  line.className = used > limit ? "error" : "hint";
  line.textContent = (area.dataset.counter ?? "").replace("{used}", `${used}`).replace("{limit}", `${limit}`);
  if (!known) area.after(line);
}
