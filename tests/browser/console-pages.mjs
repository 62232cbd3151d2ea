// Every page of the console in both colours and widths, and what its forms do.
import assert from "node:assert/strict";

export const name = "console-pages";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const hook = { url: "http://127.0.0.1:9/hooks/a-rather-long-path-of-a-receiver" };
  await rig.call("partner", "PUT", "/api/v1/webhooks/hook", hook);
  const task = await rig.openTaskInLegal();
  const erasure = { party: "platform", actor_id: "u-gone", reason: "Request 7" };
  await rig.call("platform", "POST", "/api/v1/erasures", erasure);
  const partner = /** @type {any} */ (rig.parties.partner).id;

  const developer = await rig.page();
  await rig.enter(developer, await rig.link({ party: "partner", to: "console", actor: "u-dev" }));
  const operator = await rig.page();
  await rig.enter(operator, await rig.link({ party: "platform", to: "console", actor: "u-op" }));

  /** @type {[import("playwright-core").Page, string[]][]} */
  const pages = [
    [developer, ["/tasks", "/workflows", "/workflows/brand-campaign", "/workflows/brand-campaign/play",
      "/workflows/check?from=brand-campaign", "/webhooks", "/webhooks/hook", "/webhooks/hook/remove",
      "/webhooks/hook/resend?since=2027-01-01", "/deliveries", "/insights", "/people", "/absences", "/keys"]],
    [operator, ["/tasks", "/partners", `/partners/${partner}`, "/erasures", "/insights", `/insights?partner=${partner}`]],
  ];
  for (const [page, paths] of pages) {
    for (const path of paths) {
      await rig.go(page, path);
      await rig.looksGood(page);
    }
  }
  await rig.go(developer, "/deliveries");
  await developer.locator("tbody a").first().click();
  await rig.looksGood(developer);
  await rig.go(developer, "/tasks?stage=A+B", 422);
  await rig.looksGood(developer);
  await checks(rig, developer);
  await plays(rig, developer);
  await changesReviewers(rig, developer, task);
  await makesKeys(rig, operator, partner);
}

/**
 * Somebody else reviews a task.
 * @param {import("./rig.mjs").Rig} rig @param {import("playwright-core").Page} page @param {string} task
 */
async function changesReviewers(rig, page, task) {
  await rig.go(page, `/tasks/${task}`);
  rig.step("lets somebody else review");
  await page.getByText("Change who reviews", { exact: true }).first().click();
  await page.getByLabel("u-bo").check();
  await rig.looksGood(page);
  await page.getByRole("button", { name: "Change who reviews" }).click();
  await page.getByRole("link", { name: "Please write something here." }).click();
  await rig.looksGood(page);
  assert.ok(await page.getByLabel("u-bo").isChecked());
  await page.getByLabel("Who reviews from now on").fill("u-dan");
  await page.getByLabel("Why; your people and AITasker read it").fill("Bo is on leave.");
  await page.getByRole("button", { name: "Change who reviews" }).click();
  await page.getByRole("heading", { name: "The reviewers were changed" }).waitFor();
  await rig.looksGood(page);
}

/** A mistake leads to its line. @param {import("./rig.mjs").Rig} rig @param {import("playwright-core").Page} page */
async function checks(rig, page) {
  await rig.go(page, "/workflows/check");
  rig.step("checks a definition with mistakes");
  await page.getByLabel("Definition").fill('{\n "name": "",\n "stages": []\n}');
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByRole("link", { name: "Line 2" }).click();
  assert.equal(new URL(page.url()).hash, "#line-2");
  await rig.looksGood(page);
}

/** @param {import("./rig.mjs").Rig} rig @param {import("playwright-core").Page} page */
async function plays(rig, page) {
  await rig.go(page, "/workflows/brand-campaign/play");
  rig.step("plays a workflow through");
  await page.getByLabel("Does what").first().selectOption({ label: "sends it back once, then approves" });
  await page.getByRole("button", { name: "Play" }).click();
  await page.getByText("task.stage_rejected").first().waitFor();
  await rig.looksGood(page);
}

/** @param {import("./rig.mjs").Rig} rig @param {import("playwright-core").Page} page @param {string} partner */
async function makesKeys(rig, page, partner) {
  await rig.go(page, `/partners/${partner}`);
  rig.step("makes a key");
  await page.getByLabel("Label").fill("Backend");
  await page.getByLabel("read", { exact: true }).check();
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = await page.locator("#secret").textContent();
  assert.match(key ?? "", /^ait_/);
  await rig.looksGood(page);
  await page.getByRole("link", { name: "I have stored it" }).click();
  await page.getByText("Backend").waitFor();
  assert.ok(!(await page.content()).includes(key ?? ""));
}
