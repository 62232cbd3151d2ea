// What a scenario is given: a service of its own, browser windows that note every error, the API, the
// clock. A scenario is a module `PART-*.mjs` in this folder that exports `name` and `async run(rig)`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { NARROWEST, axe, noSidewaysScroll, schemes, targetsBigEnough, widths } from "./checks.mjs";
import { ask } from "./harness.mjs";
import { setting } from "./library.mjs";

/** @typedef {import("playwright-core").Browser} Browser */
/** @typedef {import("playwright-core").BrowserContext} BrowserContext */
/** @typedef {import("playwright-core").Page} Page */

/**
 * @typedef {object} Window
 * @property {boolean} [script] whether scripts run (they do)
 * @property {string} [language] the browser's language (`en-GB`)
 * @property {string} [timeZone] its time zone (`Europe/Berlin`)
 * @property {"light" | "dark"} [scheme] its colours (`light`)
 * @property {number} [width] in CSS pixels (1280)
 * @property {number} [height] in CSS pixels (800)
 * @property {"reduce" | "no-preference"} [motion] (`reduce`, as animations only blur what is tested)
 * @property {"active" | "none"} [forcedColors] (`none`)
 * @property {boolean} [serviceClock] whether its clock shows the service's time (it does)
 */

/** A line of a stack trace that is a scenario's own. */
const SCENARIO = /tests\/browser\/\w+-[\w-]+\.mjs/;

/** How long an element may take to appear. Only a defect takes so long. */
const PATIENCE = 60_000;

/** A scenario's service and windows. */
export class Rig {
  /** @type {BrowserContext[]} */
  #contexts = [];
  /** @type {string[]} */
  #faults = [];
  /** @type {RegExp[]} */
  #allowed = [];
  #step = "the start";
  #now = "";

  /**
   * @param {Browser} browser
   * @param {string} name the scenario's
   */
  constructor(browser, name) {
    this.browser = browser;
    this.name = name;
    /** Where the service is: its public URL. */
    this.url = "";
    /** @type {import("./harness.mjs").Parties} */
    this.parties = { platform: { credential: "" }, partner: { credential: "" }, buyer: { credential: "" } };
  }

  /** Starts the service. */
  async start() {
    /** @type {import("./harness.mjs").Started} */
    const started = await ask(this.name, "start");
    this.url = started.url;
    this.parties = started.parties;
    this.#now = started.now;
  }

  /**
   * Names what comes next. A failure names the step that it was in.
   * @param {string} name
   */
  step(name) {
    this.#step = name;
  }

  /**
   * Opens a window with cookies of its own: another person, or another device. More tabs of the same
   * person are `page.context().newPage()`.
   * @param {Window} [window]
   */
  async page(window = {}) {
    const context = await this.browser.newContext({
      javaScriptEnabled: window.script ?? true,
      locale: window.language ?? "en-GB",
      timezoneId: window.timeZone ?? "Europe/Berlin",
      colorScheme: window.scheme ?? "light",
      viewport: { width: window.width ?? widths[0], height: window.height ?? 800 },
      reducedMotion: window.motion ?? "reduce",
      forcedColors: window.forcedColors ?? "none",
    });
    context.setDefaultTimeout(PATIENCE);
    this.#contexts.push(context);
    await this.#collect(context);
    if (window.serviceClock ?? true) await context.clock.setSystemTime(this.#now);
    return context.newPage();
  }

  /**
   * Opens a window in which no script runs. The rules of accessibility need script.
   * @param {Window} [window]
   */
  withoutScript(window = {}) {
    return this.page({ ...window, script: false });
  }

  /**
   * Goes to a page of the service, which must answer with this status.
   * @param {Page} page
   * @param {string} path or a link's address
   * @param {number} [status]
   */
  async go(page, path, status = 200) {
    this.step(`goes to ${path}`);
    const response = await page.goto(new URL(path, this.url).href);
    if (response?.status() !== status) throw new Error(`${path} is ${response?.status()} and not ${status}`);
    return response;
  }

  /**
   * Opens a link of the kind `click` and presses its button, as a person does.
   * @param {Page} page
   * @param {string} link its address
   */
  async enter(page, link) {
    this.step("opens a link");
    await page.goto(link);
    await page.locator("main form button").click();
    await page.waitForURL((url) => !url.pathname.startsWith("/go/"));
  }

  /**
   * Demands that the page keeps to every rule in light and dark, wide and narrow.
   * @param {Page} page
   */
  async looksGood(page) {
    // The browser reports what its policy forbids in a task of its own, which can come after the error of
    // the script that it stopped.
    await page.evaluate(() => new Promise((done) => { setTimeout(done); }));
    this.demandNoErrors();
    const size = page.viewportSize();
    const before = this.#step;
    for (const width of widths) {
      this.step(`${before}: ${width} px`);
      await page.setViewportSize({ width, height: 800 });
      await noSidewaysScroll(page);
      await targetsBigEnough(page);
      for (const scheme of schemes) {
        this.step(`${before}: ${width} px, ${scheme}`);
        await page.emulateMedia({ colorScheme: scheme });
        await axe(page);
      }
    }
    this.step(`${before}: ${NARROWEST} px`);
    await page.setViewportSize({ width: NARROWEST, height: 800 });
    await noSidewaysScroll(page);
    this.step(before);
    await page.emulateMedia({ colorScheme: null });
    if (size) await page.setViewportSize(size);
  }

  /**
   * Moves the clock of the service and of the windows on, and lets the service do what is due by then.
   * @param {string} duration such as `PT2H`
   */
  async advance(duration) {
    const { now } = await ask(this.name, "advance", { by: duration });
    this.#now = now;
    for (const context of this.#contexts) await context.clock.setSystemTime(now);
  }

  /** Opens a task of the demo's workflow and gives its id. */
  async openTask() {
    return (await ask(this.name, "open")).task;
  }

  /** Opens a task and brings it into legal review: handed in by `agent`, the copy approved by `u-copy`. */
  async openTaskInLegal() {
    return (await ask(this.name, "open_in_legal")).task;
  }

  /**
   * Makes a link to be clicked and gives its address.
   * @param {object} link
   * @param {"partner" | "platform" | "buyer"} link.party
   * @param {"decide" | "task" | "inbox" | "console"} link.to
   * @param {string} [link.task]
   * @param {string} [link.actor] the id of the person; none for the buyer
   * @returns {Promise<string>}
   */
  async link(link) {
    return (await ask(this.name, "link", link)).url;
  }

  /** Sends the webhooks that are due. */
  async deliver() {
    await ask(this.name, "deliver");
  }

  /**
   * Calls the API.
   * @param {"platform" | "partner" | "buyer" | import("./harness.mjs").Party} who
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body] JSON
   * @returns {Promise<{ status: number, body: any }>}
   */
  async api(who, method, path, body) {
    const { credential } = typeof who === "string" ? this.parties[who] : who;
    /** @type {Record<string, string>} */
    const headers = { authorization: `Bearer ${credential}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(this.url + path, { method, headers, body: sent });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  /**
   * Calls the API, which must answer with a success, and gives the answer's body.
   * @param {"platform" | "partner" | "buyer" | import("./harness.mjs").Party} who
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body] JSON
   */
  async call(who, method, path, body) {
    const answer = await this.api(who, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /**
   * Lets errors pass that the scenario provokes.
   * @param {RegExp} pattern
   */
  allow(pattern) {
    this.#allowed.push(pattern);
  }

  /**
   * Keeps a picture of what the window shows in docs/pictures, if pictures were asked for.
   * @param {Page} page
   * @param {string} name
   */
  async screenshot(page, name) {
    const folder = process.env.STAGEGATE_TEST_PICTURES;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
  }

  /** Demands that no window has noted an error: of the policy, of a script, of a missing file. */
  demandNoErrors() {
    const faults = this.#faults.filter((fault) => !this.#allowed.some((pattern) => pattern.test(fault)));
    if (faults.length > 0) throw new Error(`errors in the browser: ${[...new Set(faults)].join("\n  ")}`);
  }

  /**
   * Describes a failure: the step, the error, and what each window showed.
   * @param {unknown} error
   */
  async describe(error) {
    const pictures = await this.#photograph();
    const shown = pictures.map((picture) => `\n  screenshot: ${picture}`).join("");
    const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const places = stack.split("\n").filter((line) => SCENARIO.test(line)).map((line) => `\n  ${line.trim()}`).join("");
    return `${this.name}: at the step "${this.#step}": ${message}${places}${shown}`;
  }

  /** Closes the windows and stops the service. */
  async stop() {
    for (const context of this.#contexts) await context.close();
    await ask(this.name, "stop");
  }

  /** @param {BrowserContext} context */
  async #collect(context) {
    const note = (/** @type {string} */ fault) => { this.#faults.push(`${fault} (step "${this.#step}")`); };
    await context.exposeBinding("noteViolation", (_source, violation) => note(`policy: ${violation}`));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        const { effectiveDirective, blockedURI, sample, documentURI } = event;
        const { noteViolation } = /** @type {any} */ (window);
        noteViolation(`${effectiveDirective} forbids ${blockedURI} ${sample} on ${documentURI}`);
      });
    });
    context.on("console", (message) => {
      // Answers are judged below, where it is known what was asked for.
      if (message.type() !== "error" || message.text().startsWith("Failed to load resource")) return;
      note(`console: ${message.text()} at ${message.location().url}`);
    });
    context.on("weberror", (error) => note(`script: ${error.error().stack ?? error.error().message}`));
    // A page or a form may be refused, and a live update may fail. Styles, scripts and pictures must be there.
    context.on("response", (response) => {
      const kind = response.request().resourceType();
      if (response.status() < 400 || kind === "document" || kind === "fetch") return;
      note(`answer: ${response.status()} for the ${kind} ${response.url()}`);
    });
  }

  async #photograph() {
    const folder = join(setting("STAGEGATE_TEST_BROWSER"), "failures");
    mkdirSync(folder, { recursive: true });
    const taken = [];
    for (const page of this.#contexts.flatMap((context) => context.pages())) {
      const path = join(folder, `${this.name}-${taken.length + 1}.png`);
      // A window that cannot be shown is no reason to hide the failure.
      const isTaken = await page.screenshot({ path, fullPage: true, timeout: 10_000 }).then(() => true, () => false);
      if (isTaken) taken.push(path);
    }
    return taken;
  }
}
