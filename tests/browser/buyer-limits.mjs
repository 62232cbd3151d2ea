// Seven tabs of one buyer over HTTP/1.1, each waiting for news, and the sizes of what a page loads.
import { gzipSync } from "node:zlib";

export const name = "buyer-limits";

/** The most bytes of each kind, compressed. @type {Record<string, number>} */
const BUDGET = { document: 14_000, stylesheet: 8_000, script: 12_000 };
const MOST_REQUESTS = 8;
const ELEMENT = 10_000;

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTaskInLegal();
  const page = await rig.page();
  await rig.enter(page, await rig.link({ party: "buyer", to: "task", task }));
  await keepsToTheBudget(rig, page, task);
  rig.step("opens seven tabs");
  const tabs = [page];
  while (tabs.length < 7) {
    const tab = await page.context().newPage();
    await rig.go(tab, `/tasks/${task}`);
    tabs.push(tab);
  }
  rig.step("all of them hear the news once they are looked at");
  await rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, { type: "status_updated", message: "On page two." });
  for (const tab of tabs) {
    await tab.bringToFront();
    await tab.locator("main").getByText("On page two.").first().waitFor();
  }
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("playwright-core").Page} page
 * @param {string} task
 */
async function keepsToTheBudget(rig, page, task) {
  /** @type {Record<string, number>} */
  const bytes = {};
  let requests = 0;
  /** @type {Promise<void>[]} */
  const counting = [];
  const count = (/** @type {import("playwright-core").Response} */ response) => {
    if (response.request().resourceType() === "fetch") return;
    requests += 1;
    const kind = response.request().resourceType();
    counting.push(response.body().then((body) => { bytes[kind] = (bytes[kind] ?? 0) + gzipSync(body).length; }));
  };
  const fresh = await page.context().newPage();
  fresh.on("response", count);
  await rig.go(fresh, `/tasks/${task}`);
  await fresh.locator("#history").waitFor();
  await Promise.all(counting);
  rig.step("keeps to the budget");
  for (const [kind, most] of Object.entries(BUDGET)) {
    if (!(bytes[kind] <= most)) throw new Error(`${kind}: ${bytes[kind]} bytes of ${most}`);
  }
  if (requests > MOST_REQUESTS) throw new Error(`${requests} requests`);
  const element = await (await fetch(`${rig.url}/embed/v1/status.js`)).text();
  if (gzipSync(element).length > ELEMENT) throw new Error(`the element has ${gzipSync(element).length} bytes`);
  await fresh.close();
}
