// Runs scenarios in one browser: those that are named, or all. `tests/api/pages/browser.rs` starts it.
//
//   node main.mjs [NAME...]            scenarios: the modules PART-*.mjs of this folder
//   node main.mjs --faults NAME...     one page after the other of the faults that the rig must notice
import { readdirSync } from "node:fs";

import * as faults from "./faults.mjs";
import { listen, report } from "./harness.mjs";
import { chromium, setting } from "./library.mjs";
import { Rig } from "./rig.mjs";

/** @typedef {{ name: string, run: (rig: Rig) => Promise<void> }} Scenario */

/** Scenarios that run at the same time: while one waits, the other works. */
const AT_ONCE = 2;
/** The limit of a scenario, in milliseconds. Only a defect takes so long. */
const LIMIT = 180_000;

listen();
const [first, ...rest] = process.argv.slice(2);
const scenarios = first === "--faults" ? rest.map(faults.scenario) : await load(process.argv.slice(2));
// The system's browser. Playwright starts it without its sandbox, which root cannot have. Pages of a made-up
// origin include the element, and Chromium would keep them from a service on this machine.
const args = ["--disable-features=LocalNetworkAccessChecks"];
const browser = await chromium.launch({ executablePath: setting("STAGEGATE_TEST_CHROMIUM"), args });
await Promise.all(Array.from({ length: AT_ONCE }, work));
await browser.close();
process.exit(0);

async function work() {
  for (let scenario = scenarios.shift(); scenario; scenario = scenarios.shift()) await attempt(scenario);
}

/** @param {Scenario} scenario */
async function attempt({ name, run }) {
  const rig = new Rig(browser, name);
  const started = Date.now();
  /** @type {string | undefined} */
  let failure;
  try {
    await rig.start();
    await Promise.race([run(rig), timeLimit()]);
    rig.demandNoErrors();
  } catch (error) {
    failure = await rig.describe(error);
  }
  await rig.stop();
  report(name, { seconds: (Date.now() - started) / 1000, failure });
}

/** @returns {Promise<never>} */
function timeLimit() {
  return new Promise((_done, fail) => {
    setTimeout(() => fail(new Error(`not done after ${LIMIT / 1000} s`)), LIMIT).unref();
  });
}

/**
 * @param {string[]} names
 * @returns {Promise<Scenario[]>}
 */
async function load(names) {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => /^\w+-[\w-]+\.mjs$/.test(file)).sort();
  /** @type {Scenario[]} */
  const all = await Promise.all(files.map((file) => import(`./${file}`)));
  const unknown = names.filter((name) => !all.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    throw new Error(`no scenario ${unknown.join(", ")}; there are ${all.map((scenario) => scenario.name).join(", ")}`);
  }
  return all.filter((scenario) => names.length === 0 || names.includes(scenario.name));
}
