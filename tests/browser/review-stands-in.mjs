// A reviewer is absent. The console says so, the substitute reads for whom they decide, and the vote says it as well.
import assert from "node:assert/strict";

export const name = "review-stands-in";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTaskInLegal();
  const developer = await rig.page();
  await rig.enter(developer, await rig.link({ party: "partner", to: "console", actor: "u-dev" }));

  rig.step("sets an absence");
  await rig.go(developer, "/absences");
  await rig.looksGood(developer);
  await developer.getByLabel("Person's id").fill("u-anna");
  await developer.getByLabel("Until", { exact: true }).fill("2020-01-01");
  await developer.getByLabel("Stands in", { exact: true }).fill("u-dora");
  await developer.getByRole("button", { name: "Set it" }).click();
  await developer.getByRole("alert").waitFor();
  await rig.looksGood(developer);
  await developer.getByLabel("Until", { exact: true }).fill("2099-01-01");
  await developer.getByRole("button", { name: "Set it" }).click();
  await developer.getByText("absent now").waitFor();
  await rig.looksGood(developer);

  rig.step("the substitute decides");
  const desk = await rig.page();
  await rig.enter(desk, await rig.link({ party: "partner", to: "decide", task, actor: "u-dora" }));
  await desk.getByText("You decide for").waitFor();
  await desk.getByText("is absent until").waitFor();
  await rig.looksGood(desk);
  await desk.getByRole("radio", { name: "Approve", exact: true }).check();
  await desk.getByRole("button", { name: "Send decision" }).click();
  await desk.getByRole("heading", { name: "Your approval counts" }).waitFor();
  // Names are between marks that isolate their direction.
  await desk.getByText(/u-dora\W? for \W?u-anna/).first().waitFor();
  await rig.looksGood(desk);
  const { review } = await rig.call("partner", "GET", `/api/v1/tasks/${task}`);
  assert.deepEqual(review.votes.map((/** @type {any} */ vote) => [vote.actor.id, vote.for]), [["u-dora", "u-anna"]]);

  rig.step("removes the absence");
  await developer.getByRole("button", { name: "Remove u-anna" }).click();
  await developer.getByText("Nobody is absent").waitFor();
  await rig.looksGood(developer);
}
