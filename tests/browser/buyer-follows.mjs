// A buyer follows a task from its opening to the delivery: on the hosted page, and by the element in a page of the
// marketplace with a strict policy. Both say the same at every step, without being loaded again.

export const name = "buyer-follows";

/** Where the page of the marketplace is; the service allows its origin. */
const MARKET = "http://market.example";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTask();
  const hosted = await rig.page();
  await rig.enter(hosted, await rig.link({ party: "buyer", to: "task", task }));
  const market = await rig.page();
  await openMarket(rig, market, task);
  const element = market.locator("stagegate-status");
  const bothSay = async (/** @type {string} */ label) => {
    rig.step(`both say "${label}"`);
    for (const page of [hosted.locator("main"), element]) await page.getByText(label, { exact: false }).first().waitFor();
  };
  await bothSay("Work is being prepared");
  await rig.looksGood(hosted);
  await rig.looksGood(market);
  await hosted.locator("#history > summary").click();
  await element.locator("#history > summary").focus();

  await partner(rig, task, { type: "work_submitted", actor: { id: "agent" }, summary: "A draft." });
  await bothSay("Copy is being reviewed");
  await hosted.getByRole("status").getByText("It is the reviewers' turn").waitFor();
  if (!await hosted.locator("#history").evaluate((details) => details.hasAttribute("open"))) throw new Error("what was open is closed");
  const focused = await market.evaluate(() => document.querySelector("stagegate-status")?.shadowRoot?.activeElement?.localName);
  if (focused !== "summary") throw new Error(`the focus went to ${focused}`);
  await partner(rig, task, vote("copy", "u-copy"));
  await bothSay("In legal review");
  for (const reviewer of ["u-anna", "u-bo"]) await partner(rig, task, vote("legal", reviewer));
  await bothSay("Awaiting your design approval");

  rig.step("the hosted page offers the new state");
  await hosted.locator("#changed").getByRole("link").click();
  await hosted.getByRole("heading", { name: "Please look at the work and decide" }).waitFor();
  await rig.looksGood(hosted);

  rig.step("decides in the element");
  await element.getByLabel("Approve").check();
  await element.getByRole("button", { name: "Send" }).click();
  await element.getByRole("button", { name: "Yes, send" }).click();
  await bothSay("AITasker now hands the work over to you");
  rig.step("the events of the element");
  const events = await market.evaluate(() => /** @type {any} */ (window).heard);
  const decided = events.filter((/** @type {any} */ event) => event.type === "stagegate-decided");
  const changed = events.filter((/** @type {any} */ event) => event.type === "stagegate-changed");
  if (decided.length !== 1 || changed.length < 5) throw new Error(JSON.stringify(events));
  if (changed.at(-1).detail.phase !== "delivery" || changed.at(-1).detail.waitingOn !== null) throw new Error(JSON.stringify(events));
  await rig.looksGood(market);
}

/**
 * A page of another origin with a strict policy and Trusted Types, which includes the element.
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("playwright-core").Page} page
 * @param {string} task
 */
async function openMarket(rig, page, task) {
  const policy = `default-src 'none'; script-src 'self' ${rig.url}; connect-src ${rig.url}; style-src 'self'; `
    + "require-trusted-types-for 'script'; trusted-types stagegate";
  const html = `<!DOCTYPE html><html lang="en"><title>Market</title><meta name="viewport" content="width=device-width">
    <script type="module" src="${rig.url}/embed/v1/status.js"></script><script type="module" src="/host.js"></script>
    <main><h1>Market</h1><stagegate-status task="${task}" lang="en"><p>Loading</p></stagegate-status></main></html>`;
  const script = `window.heard = [];
    for (const type of ["changed", "decided", "error"]) {
      addEventListener("stagegate-" + type, (event) => window.heard.push({ type: event.type, detail: event.detail }));
    }
    document.querySelector("stagegate-status").token = async () => ${JSON.stringify(rig.parties.buyer.credential)};`;
  await page.route(`${MARKET}/**`, (route) => {
    const isScript = new URL(route.request().url()).pathname === "/host.js";
    const [contentType, body] = isScript ? ["text/javascript", script] : ["text/html", html];
    return route.fulfill({ contentType, body, headers: { "content-security-policy": policy } });
  });
  rig.step("opens a page of the marketplace");
  await page.goto(MARKET);
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {string} task
 * @param {object} command
 */
function partner(rig, task, command) {
  return rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, command);
}

/**
 * @param {string} stage
 * @param {string} reviewer
 */
function vote(stage, reviewer) {
  return { type: "stage_approved", stage, round: 1, revision: 1, actor: { id: reviewer } };
}
