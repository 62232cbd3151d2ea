// What is new: asks again and again for the page's regions and replaces those that changed. A region
// has no form; where the news concerns the form of the page, a notice offers to load the new state.
import { parse } from "./forms.js";
import { say } from "./say.js";
import { write } from "./times.js";

const PAUSES = [1000, 2000, 5000, 10_000, 30_000];
const QUIET = 5000;
/** Between two pieces of news, in milliseconds: what happens meanwhile is shown at once. */
const PACE = 1500;

/**
 * Follows the page that `<main data-live-from="…">` names, as long as the page is visible.
 * @param {Document} page
 */
export function followLive(page) {
  const main = page.querySelector("[data-live-from]");
  if (!(main instanceof HTMLElement)) return;
  const loop = new Loop(main);
  page.addEventListener("visibilitychange", () => loop.setVisible(!page.hidden));
  loop.setVisible(!page.hidden);
}

class Loop {
  /** @param {HTMLElement} main */
  constructor(main) {
    this.main = main;
    this.tag = main.dataset.liveTag ?? "";
    this.failures = 0;
    this.failingSince = 0;
    this.hasNews = false;
    /** @type {AbortController | undefined} */
    this.request = undefined;
  }

  /** @param {boolean} isVisible */
  setVisible(isVisible) {
    if (!isVisible) {
      this.request?.abort();
      this.request = undefined;
    } else if (!this.request) {
      this.request = new AbortController();
      void this.run(this.request.signal);
    }
  }

  /** @param {AbortSignal} signal */
  async run(signal) {
    while (!signal.aborted) {
      try {
        if (!await this.ask(signal)) return;
        this.failures = 0;
        this.failingSince = 0;
        if (this.hasNews) await new Promise((done) => setTimeout(done, PACE));
      } catch {
        if (signal.aborted) return;
        await this.pause();
      }
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} whether to go on
   */
  async ask(signal) {
    const headers = { "If-None-Match": this.tag };
    const response = await fetch(this.main.dataset.liveFrom ?? "", { headers, signal });
    if (response.status === 401 || response.status === 404) {
      say(this.main.dataset.sessionOver ?? "");
      return false;
    }
    this.hasNews = response.status === 200;
    if (response.status === 304) return true;
    if (!response.ok) throw new Error(`status ${response.status}`);
    this.tag = response.headers.get("ETag") ?? "";
    this.show(parse(await response.text()));
    return true;
  }

  /** @param {Document} news */
  show(news) {
    const open = openDetails();
    for (const region of news.querySelectorAll("[data-live]")) {
      if (region instanceof HTMLElement) replace(region);
    }
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    const about = news.querySelector("[data-about]");
    if (about instanceof HTMLElement) notice(this.main, about);
    const sentence = news.querySelector("[data-say]")?.textContent?.trim();
    if (sentence) say(sentence);
  }

  async pause() {
    this.failingSince ||= Date.now();
    if (Date.now() - this.failingSince > QUIET) say(this.main.dataset.offline ?? "");
    const pause = PAUSES[Math.min(this.failures, PAUSES.length - 1)];
    this.failures += 1;
    await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
  }
}

/** @param {HTMLElement} region */
function replace(region) {
  const name = CSS.escape(region.dataset.live ?? "");
  const old = document.querySelector(`[data-live="${name}"]`);
  const fresh = document.importNode(region, true);
  if (!old || old.getAttribute("data-digest") === fresh.getAttribute("data-digest")) return;
  const focused = old.contains(document.activeElement) ? document.activeElement?.id : undefined;
  fresh.classList.add("fresh");
  old.replaceWith(fresh);
  write(fresh);
  if (focused) document.getElementById(focused)?.focus();
}

/**
 * Says that the page is about a state that has passed, and holds the buttons of its form back.
 * @param {HTMLElement} main
 * @param {HTMLElement} about
 */
function notice(main, about) {
  const form = main.querySelector("[data-about]");
  const place = document.getElementById("changed");
  if (!(form instanceof HTMLElement) || !place || form.dataset.about === about.dataset.about) return;
  place.hidden = false;
  if (!(form instanceof HTMLFormElement)) return;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  form.dataset.sending = "true";
}

function openDetails() {
  return [...document.querySelectorAll("details[open][id]")].map((element) => element.id);
}
