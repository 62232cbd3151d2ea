// What the rig does to its service: tasks, calls, the clock.
import assert from "node:assert/strict";

export const name = "rig-service";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const page = await rig.page();
  await rig.go(page, "/");
  const clock = () => page.evaluate(() => new Date().toISOString().slice(0, 16));
  assert.equal(await clock(), "2027-01-15T08:00");

  rig.step("opens a task");
  const task = await rig.openTaskInLegal();
  const trail = async () => (await rig.call("platform", "GET", `/api/v1/tasks/${task}/audit`)).items;
  const before = (await trail()).length;
  const update = { type: "status_updated", message: "Nearly there." };
  await rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, update);
  assert.equal((await trail()).length, before + 1);
  const refused = await rig.api("buyer", "POST", `/api/v1/tasks/${task}/events`, update);
  assert.equal(refused.status, 403);

  rig.step("moves the clock past the deadlines of the review");
  await rig.advance("P30D");
  assert.equal(await clock(), "2027-02-14T08:00");
  assert.ok((await trail()).length > before + 1, "no timer fired");
}
