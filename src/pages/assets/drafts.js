// What somebody has typed and not sent stays in the browser: in this tab, or on this device if that was
// ticked. It belongs to one state of one task and to one person.
import { addPoint } from "./points.js";

const DRAFT = "stagegate-draft:";
const TICK = "stagegate-tick:";

/**
 * Keeps what is typed into the forms of a page, and the ticks.
 * @param {Document} page
 */
export function keepDrafts(page) {
  prepare(page);
  page.addEventListener("replaced", () => prepare(page));
  page.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLElement)) return;
    if (field instanceof HTMLInputElement && field.dataset.tick) keepTick(field);
    const form = field.closest("form[data-draft]");
    if (form instanceof HTMLFormElement) save(form);
  });
  page.addEventListener("sent", () => {
    for (const form of draftForms(page)) if (form.dataset.sending) forget(form);
  });
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (form instanceof HTMLFormElement && new URL(form.action).pathname === "/session/end") forgetAll();
  });
}

/** @param {Document} page */
function prepare(page) {
  for (const form of draftForms(page)) restore(form);
  for (const box of page.querySelectorAll("input[data-tick]")) {
    if (box instanceof HTMLInputElement) box.checked = localStorage.getItem(TICK + box.dataset.tick) !== null;
  }
  for (const text of page.querySelectorAll("[data-copyable]")) offerCopy(text);
}

/** @param {Document} page */
function draftForms(page) {
  return [...page.forms].filter((form) => form.dataset.draft !== undefined);
}

/** @param {HTMLInputElement} box */
function keepTick(box) {
  if (box.checked) localStorage.setItem(TICK + box.dataset.tick, "yes");
  else localStorage.removeItem(TICK + box.dataset.tick);
}

/** @param {HTMLFormElement} form */
function keepBox(form) {
  const box = form.querySelector("[data-keep]");
  return box instanceof HTMLInputElement ? box : undefined;
}

/**
 * The fields in which somebody types or chooses.
 * @param {HTMLFormElement} form
 */
function fields(form) {
  const all = [...form.querySelectorAll("input:not([type=hidden])[name], textarea[name], select[name]")];
  return /** @type {(HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement)[]} */ (all);
}

/** @param {Element} field */
function isBox(field) {
  return field instanceof HTMLInputElement && (field.type === "radio" || field.type === "checkbox");
}

/** @param {HTMLFormElement} form */
function save(form) {
  const values = fields(form).map((field) => {
    const isOn = isBox(field) && /** @type {HTMLInputElement} */ (field).checked;
    return [field.name, field.value, isOn];
  });
  const isKept = keepBox(form)?.checked ?? false;
  forget(form);
  const storage = isKept ? localStorage : sessionStorage;
  storage.setItem(DRAFT + form.dataset.draft, JSON.stringify({ at: Date.now(), values }));
}

/** @param {HTMLFormElement} form */
function restore(form) {
  const key = DRAFT + form.dataset.draft;
  const kept = localStorage.getItem(key);
  const draft = sessionStorage.getItem(key) ?? kept;
  if (draft === null || form.dataset.typed !== undefined) return;
  const { at, values } = JSON.parse(draft);
  fill(form, values);
  const box = keepBox(form);
  if (box) box.checked = kept !== null;
  showRestored(form, at);
}

/**
 * @param {HTMLFormElement} form
 * @param {[string, string, boolean][]} values
 */
function fill(form, values) {
  const rows = () => form.querySelectorAll(".point").length;
  const wanted = values.filter(([name]) => name === "point-text").length;
  while (rows() < wanted && addPoint(form.querySelector("[data-points]"))) { /* one more row */ }
  const left = [...values];
  for (const field of fields(form)) {
    const box = isBox(field) ? /** @type {HTMLInputElement} */ (field) : undefined;
    const index = left.findIndex(([name, value]) => name === field.name && (!box || value === field.value));
    if (index < 0) continue;
    const [[, value, isOn]] = left.splice(index, 1);
    if (box) box.checked = isOn;
    else field.value = value;
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {number} at
 */
function showRestored(form, at) {
  const note = form.querySelector("[data-restored]");
  const text = note?.querySelector("[data-restored-text]");
  if (!note || !(text instanceof HTMLElement)) return;
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(at);
  text.textContent = (text.dataset.restoredText ?? "").replace("{time}", time);
  note.removeAttribute("hidden");
  note.querySelector("[data-discard]")?.addEventListener("click", () => {
    form.reset();
    forget(form);
    note.setAttribute("hidden", "");
  });
}

/** @param {HTMLFormElement} form */
function forget(form) {
  for (const storage of [sessionStorage, localStorage]) storage.removeItem(DRAFT + form.dataset.draft);
}

function forgetAll() {
  for (const storage of [sessionStorage, localStorage]) {
    for (const key of Object.keys(storage)) if (key.startsWith(DRAFT)) storage.removeItem(key);
  }
}

/** @param {Element} text */
function offerCopy(text) {
  if (text.nextElementSibling?.hasAttribute("data-copies")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.setAttribute("data-copies", "");
  button.textContent = text.getAttribute("data-copy");
  button.addEventListener("click", () => void navigator.clipboard.writeText(text.textContent ?? ""));
  text.after(button);
}
