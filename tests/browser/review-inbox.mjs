// The inbox by keyboard alone, a draft that survives, points that move, and a decision sent while offline.
import assert from "node:assert/strict";

export const name = "review-inbox";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const first = await rig.openTaskInLegal();
  await rig.openTaskInLegal();
  const page = await rig.page();
  await rig.enter(page, await rig.link({ party: "partner", to: "inbox", actor: "u-anna" }));
  await rig.looksGood(page);
  await keys(rig, page);
  await claim(rig, page, first);
  await draft(rig, page, first);
  await offline(rig, page, first);
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("./rig.mjs").Page} page
 */
async function keys(rig, page) {
  rig.step("moves by keys");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("href"));
  // What only runs with script shows that the keys are served.
  await page.locator("#keys").waitFor();
  await page.keyboard.press("j");
  const one = await focused();
  await page.keyboard.press("j");
  const two = await focused();
  assert.ok(one && two && one !== two);
  await page.keyboard.press("k");
  assert.equal(await focused(), one);
  await page.keyboard.press("o");
  await page.waitForURL(`**${one}`);
  rig.step("goes back by a key");
  await page.locator("#keep-draft").waitFor();
  await page.keyboard.press("u");
  await page.waitForURL("**/inbox");
  rig.step("turns the keys off");
  await page.locator("#keys").waitFor();
  await page.keyboard.press("?");
  await page.getByLabel("Use these keys").uncheck();
  await page.locator("main").focus();
  await page.keyboard.press("j");
  assert.equal(await focused(), null);
  await page.getByLabel("Use these keys").check();
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("./rig.mjs").Page} page
 * @param {string} task
 */
async function claim(rig, page, task) {
  rig.step("takes a task, and gives it back");
  await rig.go(page, `/tasks/${task}`);
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await page.getByLabel("What must change").fill("Not finished yet.");
  await page.getByRole("button", { name: "I take it for an hour" }).click();
  await page.getByText("You have it until").waitFor();
  await rig.looksGood(page);
  assert.equal(await page.getByLabel("What must change").inputValue(), "Not finished yet.");
  await page.getByRole("button", { name: "Give it back" }).click();
  await page.getByRole("button", { name: "I take it for an hour" }).waitFor();
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("./rig.mjs").Page} page
 * @param {string} task
 */
async function draft(rig, page, task) {
  rig.step("types a draft");
  await rig.go(page, `/tasks/${task}`);
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await page.getByLabel("What must change").fill("Two things.");
  await page.getByRole("button", { name: "Add a point" }).click();
  await page.locator("#point-text-3").fill("The fourth.");
  await page.locator(".point").nth(3).getByRole("button", { name: "Up" }).click();
  assert.equal(await page.locator("#point-text-2").inputValue(), "The fourth.");
  rig.step("comes back to it");
  await page.reload();
  await page.getByText(/^Draft of/).waitFor();
  assert.equal(await page.getByLabel("What must change").inputValue(), "Two things.");
  assert.equal(await page.locator("#point-text-2").inputValue(), "The fourth.");
  await rig.looksGood(page);
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {import("./rig.mjs").Page} page
 * @param {string} task
 */
async function offline(rig, page, task) {
  rig.step("sends while offline, and is back before the last try");
  rig.allow(/ERR_INTERNET_DISCONNECTED/);
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.getByText("No answer. Trying again.").waitFor();
  await page.context().setOffline(false);
  await page.getByRole("heading", { name: /^Sent back to/ }).waitFor();
  const { items } = await rig.call("partner", "GET", `/api/v1/tasks/${task}/audit`);
  const votes = items.filter((/** @type {{ type: string }} */ entry) => entry.type === "task.vote_recorded");
  assert.equal(votes.length, 2, "one of the copy stage, one of legal");
  rig.step("the draft is gone");
  assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), []);
}
