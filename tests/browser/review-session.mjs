// A session ends while somebody types: nothing is sent, nothing is lost, and the next link goes on from there.
import assert from "node:assert/strict";

export const name = "review-session";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTaskInLegal();
  const page = await rig.page();
  await rig.enter(page, await rig.link({ party: "partner", to: "inbox", task, actor: "u-anna" }));
  rig.step("types");
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await page.getByLabel("What must change").fill("The last sentence must go.");
  const before = (await rig.call("platform", "GET", `/api/v1/tasks/${task}`)).version;

  rig.step("the session ends");
  await rig.advance("PT13H");
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.locator("[role=status]").getByText(/session/).waitFor();
  assert.equal(await page.getByLabel("What must change").inputValue(), "The last sentence must go.");
  assert.equal((await rig.call("platform", "GET", `/api/v1/tasks/${task}`)).version, before);
  await rig.looksGood(page);

  rig.step("goes on by another link");
  await rig.enter(page, await rig.link({ party: "partner", to: "inbox", task, actor: "u-anna" }));
  await page.locator("[data-restored]").waitFor();
  assert.equal(await page.getByLabel("What must change").inputValue(), "The last sentence must go.");
  assert.ok(await page.getByRole("radio", { name: "Send back", exact: true }).isChecked());
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.getByRole("heading", { name: /^Sent back to/ }).waitFor();
}
