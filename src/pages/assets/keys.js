// Keys that move and open. None of them decides anything, and one switch turns them all off.
const OFF = "stagegate-keys-off";

/** @type {Record<string, (page: Document) => void>} */
const ACTIONS = {
  j: (page) => step(page, 1),
  k: (page) => step(page, -1),
  o: (page) => { if (rows(page).includes(/** @type {HTMLElement} */ (page.activeElement))) press(page.activeElement); },
  u: (page) => press(page.querySelector('[data-key="u"]')),
  "/": (page) => unfold(page.querySelector('[data-key="/"]'), "select"),
  "?": (page) => unfold(page.querySelector('[data-key="?"]'), "input"),
};

/**
 * Serves the keys of a page.
 * @param {Document} page
 */
export function serveKeys(page) {
  const box = page.querySelector("[data-keys-on]");
  if (box instanceof HTMLInputElement) {
    box.checked = isOn();
    box.addEventListener("change", () => {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "yes");
    });
  }
  page.addEventListener("keydown", (event) => {
    const action = ACTIONS[event.key];
    const isPlain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.isComposing;
    if (!action || !isPlain || !isOn() || isField(event.target)) return;
    event.preventDefault();
    action(page);
  });
}

function isOn() {
  return localStorage.getItem(OFF) === null;
}

/** @param {EventTarget | null} target */
function isField(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** @param {Document} page */
function rows(page) {
  return /** @type {HTMLElement[]} */ ([...page.querySelectorAll("[data-row]")]);
}

/**
 * @param {Document} page
 * @param {number} by
 */
function step(page, by) {
  const all = rows(page);
  const now = all.indexOf(/** @type {HTMLElement} */ (page.activeElement));
  const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1);
  all[next]?.focus();
}

/** @param {Element | null} element */
function press(element) {
  if (element instanceof HTMLElement) element.click();
}

/**
 * Opens what a summary hides, and goes to its first field.
 * @param {Element | null} summary
 * @param {string} field
 */
function unfold(summary, field) {
  const details = summary?.closest("details");
  if (!details) return;
  details.open = true;
  const target = details.querySelector(field);
  if (target instanceof HTMLElement) target.focus();
}
