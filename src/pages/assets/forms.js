// Sending: a button is pressed once, and the same form goes again after a lost connection or while the
// service is away. The form's token is the command's id, so that sending it again has no second effect.
// An answer that says nothing about the form, such as the end of the session, leaves it as it is.
import { say } from "./say.js";

const TRIES = [1000, 3000, 8000];

/**
 * Guards the forms of a page against double clicks and lost connections.
 * @param {Document} page
 */
export function guardForms(page) {
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
    const button = event instanceof SubmitEvent ? event.submitter : null;
    if (form.dataset.sending) {
      event.preventDefault();
      return;
    }
    form.dataset.sending = "true";
    showSending(button);
    if (form.dataset.retry === undefined) return;
    event.preventDefault();
    void send(form, button);
  });
  // A page from the browser's own store of pages was sent before.
  window.addEventListener("pageshow", () => {
    for (const form of page.forms) restore(form);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} button
 */
async function send(form, button) {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form, button)) data.append(name, String(value));
  for (let tried = 0; ; tried += 1) {
    try {
      const response = await fetch(form.action, { method: "POST", body: data, redirect: "follow" });
      if (response.status === 503 && tried < TRIES.length) throw new Error("away");
      await show(response, form);
      return;
    } catch {
      if (tried === TRIES.length) break;
      say(form.dataset.again ?? "");
      await new Promise((done) => setTimeout(done, TRIES[tried]));
    }
  }
  restore(form);
  say(form.dataset.unsent ?? "");
}

/**
 * Shows the answer as if the browser had gone there. The page of an error is only told, so that what was typed stays.
 * @param {Response} response
 * @param {HTMLFormElement} form
 */
async function show(response, form) {
  const text = await response.text();
  if (response.redirected) {
    document.dispatchEvent(new CustomEvent("sent"));
    window.location.assign(response.url);
    return;
  }
  const next = parse(text);
  const error = next.querySelector("[data-error]");
  if (error) {
    restore(form);
    say(error.textContent?.trim() ?? "");
    return;
  }
  document.title = next.title;
  const main = document.querySelector("main");
  const other = next.querySelector("main");
  if (!main || !other) return;
  main.replaceWith(document.importNode(other, true));
  const target = document.querySelector("[role=alert]") ?? document.querySelector("main");
  if (target instanceof HTMLElement) {
    target.tabIndex = -1;
    target.focus();
  }
  document.dispatchEvent(new CustomEvent("replaced"));
}

/** @type {{ createHTML(text: string): string } | undefined} */
let policy;

/**
 * Parses a page of this service. Parsing runs no script.
 * @param {string} text
 */
export function parse(text) {
  const types = /** @type {any} */ (window).trustedTypes;
  policy ??= types?.createPolicy("stagegate", { createHTML: (/** @type {string} */ html) => html });
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
}

/**
 * @param {HTMLElement | null} button
 */
function showSending(button) {
  if (!button) return;
  button.dataset.label = button.textContent ?? "";
  button.setAttribute("aria-disabled", "true");
  button.textContent = button.dataset.sending ?? button.textContent;
}

/**
 * @param {HTMLFormElement} form
 */
function restore(form) {
  delete form.dataset.sending;
  for (const button of form.querySelectorAll("button[data-label]")) {
    if (!(button instanceof HTMLElement)) continue;
    button.textContent = button.dataset.label ?? "";
    button.removeAttribute("aria-disabled");
    delete button.dataset.label;
  }
}
