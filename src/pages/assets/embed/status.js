// <stagegate-status task="…" cell="…" lang="en">: the state of a task in a page of another origin, the same view
// as on the hosted page. The host gives a function that gives the buyer's token; the token stays in memory.
// What the service sends is copied element by element, so that no script of it can run here.
const BASE = new URL("../../", import.meta.url);
const PAUSES = [1000, 2000, 5000, 10_000, 30_000];
const TRIES = [1000, 3000, 8000];
const TAGS = new Set(("a bdi blockquote br button code dd details div dl dt fieldset h1 h2 h3 input label legend " +
  "li ol option p pre progress section select span strong summary textarea time ul").split(" "));
const ATTRIBUTES = new Set(("checked class datetime dir for hidden href id max name open part rel role rows selected " +
  "tabindex target type value").split(" "));
/** Headings of the host's page come above. @type {Record<string, string>} */
const LOWER = { h1: "h2", h2: "h3", h3: "h4" };
const STYLE = `
:host { display: block; color: var(--stagegate-ink, CanvasText); font: 1rem/1.5 var(--stagegate-font, inherit); overflow-wrap: anywhere;
  --accent: var(--stagegate-accent, light-dark(#0a5aa8, #7cbcff)); --line: var(--stagegate-line, light-dark(#767f8a, #7d8793));
  --surface: var(--stagegate-surface, Canvas); --stop: light-dark(#a4231b, #ff9c94); --done: light-dark(#17692e, #6fd08a);
  --late: light-dark(#7a4a00, #f0b952); --radius: var(--stagegate-radius, .4rem); }
:host([hidden]), [hidden] { display: none; } * { box-sizing: border-box; }
h2, h3, h4 { line-height: 1.3; margin: .75rem 0 .25rem; } p, ul, ol, dl, blockquote { margin: .4rem 0; } ol, ul { padding-left: 1.25rem; }
a, summary, .accent { color: var(--accent); } summary { padding: .3rem 0; cursor: pointer; } .big { font-size: 1.3rem; font-weight: 650; }
.done { color: var(--done); } .stop { color: var(--stop); } .late { color: var(--late); }
.note, .summary, .quote { border-left: 4px solid var(--line); padding: .1rem .75rem; }
.summary a { display: inline-block; padding: .2rem 0; } .quote, pre { white-space: pre-wrap; }
.card { background: var(--surface); border: 2px solid var(--accent); border-radius: var(--radius); padding: .25rem 1rem .75rem; }
.pairs { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0 1rem; } dd { margin: 0; }
.steps, .rows { list-style: none; padding: 0; }
.steps li, .rows > li { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
.steps .panels { list-style: none; padding-left: 1.5rem; } .steps .panels li { border: 0; padding: 0; }
.mark { display: inline-block; width: 1.5rem; } .what { margin-right: .75rem; } [aria-current] .what { font-weight: 700; }
.choice { display: grid; grid-template-columns: 1.75rem 1fr; min-height: 2.75rem; } .hint { grid-column: 2; } .more { margin-left: 1.75rem; }
.option:not(:has(input:checked)) .more { display: none; }
fieldset { border: 0; padding: 0; margin: .5rem 0; min-width: 0; }
label { display: block; font-weight: 600; } .error { display: block; color: var(--stop); font-weight: 600; }
input[type=radio] { width: 1.25rem; height: 1.25rem; margin: .1rem 0; accent-color: var(--accent); }
textarea, select, input[type=text] { width: 100%; min-height: 2.75rem; padding: .5rem; font: inherit; color: inherit;
  background: Canvas; border: 1px solid var(--line); border-radius: var(--radius); }
button { min-height: 2.75rem; margin: .5rem .5rem 0 0; padding: .5rem 1rem; font: inherit; font-weight: 650; cursor: pointer;
  color: light-dark(#fff, #12161b); background: var(--accent); border: 2px solid var(--accent); border-radius: var(--radius); }
button.second { background: transparent; color: var(--accent); } button.danger { background: var(--stop); border-color: var(--stop); }
button[aria-disabled=true] { opacity: .65; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }`;

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
/** @type {{ createHTML(text: string): string } | undefined} */
let policy;

/** Parses what the service sent. Parsing runs no script. @param {string} text */
function parse(text) {
  const types = /** @type {any} */ (window).trustedTypes;
  policy ??= types?.createPolicy("stagegate", { createHTML: (/** @type {string} */ html) => html });
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html").body;
}

/** Copies what is on the lists, and nothing else. @param {Node} from @param {Node} to */
function adopt(from, to) {
  for (const node of from.childNodes) {
    if (node instanceof Text) to.appendChild(document.createTextNode(node.data));
    if (!(node instanceof Element)) continue;
    const tag = node.localName;
    if (tag !== "form" && !TAGS.has(tag)) continue;
    const copy = document.createElement(LOWER[tag] ?? tag);
    for (const { name, value } of node.attributes) {
      const isListed = ATTRIBUTES.has(name) || /^(aria|data)-[a-z-]+$/.test(name);
      if (isListed && (name !== "href" || /^(https:\/\/|#)/.test(value))) copy.setAttribute(name, value);
    }
    adopt(node, copy);
    to.appendChild(copy);
  }
}

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds * (0.75 + Math.random() / 2)));

class Status extends HTMLElement {
  static observedAttributes = ["task", "cell", "lang"];
  #root = this.attachShadow({ mode: "open" });
  #view = document.createElement("div");
  #line = document.createElement("p");
  /** @type {(() => Promise<string> | string) | undefined} */
  #token;
  /** @type {AbortController | undefined} */
  #loop;
  #tag = "";
  #version = "";
  #isTyping = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;
  #onVisible = () => { if (document.hidden) this.#stop(); else this.#start(); };

  constructor() {
    super();
    // A page may have set the function before this script came.
    this.#token = Object.getOwnPropertyDescriptor(this, "token")?.value;
    Reflect.deleteProperty(this, "token");
    this.#root.adoptedStyleSheets = [sheet];
    this.#line.setAttribute("role", "status");
    this.#view.append(document.createElement("slot"));
    this.#root.append(this.#line, this.#view);
    this.#root.addEventListener("input", () => { this.#isTyping = true; });
    this.#root.addEventListener("submit", (event) => { void this.#send(/** @type {SubmitEvent} */ (event)); });
    this.#root.addEventListener("click", (event) => this.#click(event));
  }

  /** The function that gives the buyer's token. */
  get token() { return this.#token; }
  set token(give) { this.#token = give; this.#restart(); }

  connectedCallback() {
    if (this.hasAttribute("token")) console.warn("stagegate-status: set the property `token` to a function; the attribute is ignored");
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#clock = setInterval(() => this.#showTimes(this.#view), 30_000);
    this.#start();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#onVisible);
    clearInterval(this.#clock);
    this.#stop();
  }

  attributeChangedCallback() { this.#restart(); }

  /** Asks for the present state at once. */
  refresh() { this.#isTyping = false; this.#restart(); }

  #restart() { this.#tag = ""; this.#stop(); this.#start(); }
  #stop() { this.#loop?.abort(); this.#loop = undefined; }
  #start() {
    if (this.#loop || !this.isConnected || !this.#token || !this.getAttribute("task") || document.hidden) return;
    this.#loop = new AbortController();
    void this.#follow(this.#loop.signal);
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    for (let failures = 0; !signal.aborted;) {
      try {
        const response = await this.#ask(this.#tag ? "?wait=25" : "", { signal }, { "If-None-Match": this.#tag });
        if (response.status !== 304 && !response.ok) throw response;
        failures = 0;
        if (response.ok) this.#show(await response.text(), response, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Response) this.#tell("error", { status: error.status });
        await pause(PAUSES[Math.min(failures, PAUSES.length - 1)]);
        failures += 1;
      }
    }
  }

  /** @param {string} rest @param {RequestInit} options @param {Record<string, string>} [more] */
  async #ask(rest, options, more) {
    const token = await this.#token?.();
    const language = this.getAttribute("lang") || document.documentElement.lang || "en";
    const headers = { Authorization: `Bearer ${token}`, "Accept-Language": language, ...more };
    const cell = this.getAttribute("cell");
    if (cell) Object.assign(headers, { "Stagegate-Cell": cell });
    const path = `embed/v1/tasks/${encodeURIComponent(this.getAttribute("task") ?? "")}${rest}`;
    return fetch(new URL(path, BASE), { credentials: "omit", cache: "no-store", referrerPolicy: "strict-origin", ...options, headers });
  }

  /** @param {string} text @param {Response} response @param {AbortSignal} [signal] */
  #show(text, response, signal) {
    if (signal?.aborted) return;
    this.#tag = response.headers.get("ETag") ?? "";
    const fresh = document.createElement("div");
    adopt(parse(text), fresh);
    const view = fresh.querySelector(".view");
    if (!(view instanceof HTMLElement)) return;
    this.#showTimes(fresh);
    const open = [...this.#view.querySelectorAll("details[open][id]")].map((details) => details.id);
    const focused = this.#root.activeElement?.id;
    if (this.#isTyping) this.#replaceRegions(fresh);
    else this.#view.replaceChildren(...fresh.childNodes);
    if (focused) this.#root.getElementById(focused)?.focus();
    for (const id of open) this.#root.getElementById(id)?.setAttribute("open", "");
    const { version = "", phase, waitingOn, news } = view.dataset;
    if (version !== this.#version) this.#tell("changed", { version: Number(version), phase, waitingOn: waitingOn || null });
    if (version !== this.#version && this.#version) this.#line.textContent = news ?? "";
    this.#version = version;
  }

  /** Leaves the form as it is; if the news concern it, says so and holds it back. @param {HTMLElement} fresh */
  #replaceRegions(fresh) {
    for (const region of fresh.querySelectorAll("[data-live]")) {
      const old = this.#view.querySelector(`[data-live="${CSS.escape(region.getAttribute("data-live") ?? "")}"]`);
      if (old && old.getAttribute("data-digest") !== region.getAttribute("data-digest")) old.replaceWith(region);
    }
    const about = (/** @type {Element} */ root) => root.querySelector("[data-about]")?.getAttribute("data-about");
    if (about(fresh) === about(this.#view)) return;
    this.#root.getElementById("changed")?.removeAttribute("hidden");
    for (const button of this.#view.querySelectorAll("form button")) button.setAttribute("aria-disabled", "true");
  }

  /** @param {SubmitEvent} event */
  async #send(event) {
    event.preventDefault();
    const [form, button] = [event.target, event.submitter];
    if (!(form instanceof HTMLFormElement) || !button || button.ariaDisabled === "true") return;
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form, button)) body.append(name, String(value));
    const label = button.textContent;
    button.ariaDisabled = "true";
    button.textContent = button.dataset.sending ?? label;
    for (let tried = 0; tried <= TRIES.length; tried += 1) {
      try {
        const response = await this.#ask("/commands", { method: "POST", body });
        if (response.status >= 500) throw response;
        this.#sent(response, await response.text());
        break;
      } catch (error) {
        if (error instanceof Response) this.#tell("error", { status: error.status });
        const isLast = tried === TRIES.length;
        this.#line.textContent = (isLast ? form.dataset.unsent : form.dataset.again) ?? "";
        if (!isLast) await pause(TRIES[tried]);
      }
    }
    button.removeAttribute("aria-disabled");
    button.textContent = label;
  }

  /** @param {Response} response @param {string} text */
  #sent(response, text) {
    if (!response.headers.get("Content-Type")?.startsWith("text/html")) {
      this.#line.textContent = this.#view.querySelector("[data-failed]")?.getAttribute("data-failed") ?? "";
      return this.#tell("error", { status: response.status });
    }
    this.#isTyping = false;
    this.#show(text, response);
    // What was typed and not accepted is not to be replaced by the next news.
    this.#isTyping = !response.ok || this.#view.querySelector("form [name=confirmed]") !== null;
    const done = this.#view.querySelector("[data-done]")?.getAttribute("data-done");
    if (done) this.#tell("decided", { type: done });
    const target = this.#view.querySelector("[role=alert], h2");
    target?.setAttribute("tabindex", "-1");
    if (target instanceof HTMLElement) target.focus();
  }

  /** @param {Event} event */
  #click(event) {
    const link = event.target instanceof Element ? event.target.closest("a[href^='#']") : null;
    if (!link) return;
    event.preventDefault();
    if (link.hasAttribute("data-show")) this.refresh();
    else this.#root.getElementById(link.getAttribute("href")?.slice(1) ?? "")?.focus();
  }

  /** The reader's own time zone. @param {Element} root */
  #showTimes(root) {
    const language = this.getAttribute("lang") || document.documentElement.lang || "en";
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.getAttribute("datetime") ?? "");
      const text = Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  /** @param {string} what @param {object} detail */
  #tell(what, detail) {
    this.dispatchEvent(new CustomEvent(`stagegate-${what}`, { bubbles: true, composed: true, detail }));
  }
}

customElements.define("stagegate-status", Status);
