// A stage with two panels: a reviewer reads who sits where and how the panels stand, the buyer which have approved, and
// both see a vote of somebody else without loading their page again.
import assert from "node:assert/strict";

export const name = "review-panels";

const DEFINITION = {
  name: "Release",
  stages: [
    { key: "release", name: "Release review", buyer_label: "In release review", panels: [
      { key: "legal", name: "Legal", reviewers: ["u-anna", "u-bo"] },
      { key: "brand", name: "Brand and design of all the markets that we know", reviewers: ["u-chi", "u-dan", "u-eve"], approvals: "all" },
    ] },
    { key: "signoff", name: "Sign-off", buyer_label: "Awaiting your approval", reviewer: "buyer" },
  ],
};

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  await rig.call("partner", "PUT", "/api/v1/workflows/release", DEFINITION);
  const task = crypto.randomUUID();
  const { partner, buyer } = rig.parties;
  await rig.call("platform", "POST", "/api/v1/tasks", {
    id: task, partner_id: partner.id, buyer_id: buyer.id, workflow: { key: "release" }, title: "The release",
  });
  const send = (/** @type {object} */ command) => rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, command);
  await send({ type: "work_submitted", actor: { id: "u-eve" }, summary: "A draft." });

  const hosted = await rig.page();
  await rig.enter(hosted, await rig.link({ party: "buyer", to: "task", task }));
  const desk = await rig.page();
  await rig.enter(desk, await rig.link({ party: "partner", to: "decide", task, actor: "u-chi" }));
  await rig.looksGood(hosted);
  await rig.looksGood(desk);

  rig.step("Legal approves");
  await send({ type: "stage_approved", stage: "release", round: 1, revision: 1, actor: { id: "u-anna", name: "Anna K." } });
  await hosted.getByText("Legal: approved").waitFor();
  await desk.getByText("1 of 2 panels have approved.").first().waitFor();
  // The name is between marks that isolate its direction.
  await desk.getByText(/Anna K\.\W? \(approved\)/).waitFor();
  await rig.looksGood(hosted);
  await rig.looksGood(desk);

  rig.step("Chi approves by the page");
  await desk.getByRole("radio", { name: "Approve", exact: true }).check();
  await desk.getByRole("button", { name: "Send decision" }).click();
  await desk.getByRole("heading", { name: "Your approval counts" }).waitFor();
  await rig.looksGood(desk);
  const { review } = await rig.call("partner", "GET", `/api/v1/tasks/${task}`);
  assert.deepEqual(review.panels.map((/** @type {any} */ panel) => panel.state), ["approved", "open"]);

  rig.step("Dan completes the last panel");
  await send({ type: "stage_approved", stage: "release", round: 1, revision: 1, actor: { id: "u-dan" } });
  await hosted.getByText("Awaiting your approval").first().waitFor();
  await rig.looksGood(hosted);
}
