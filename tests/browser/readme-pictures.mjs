// The README's task as buyer and reviewer see it. With `--pictures` both windows are kept in docs/pictures.

export const name = "readme-pictures";

const WINDOW = { width: 960, height: 720 };
const DEFINITION = {
  name: "Logo",
  stages: [
    { key: "copy", name: "Copy review", buyer_label: "In copy review", submission: "required" },
    { key: "legal", name: "Legal review", buyer_label: "In legal review",
      quorum: { approvals: 2 }, deadline: { within: "P2D" }, on_reject: { return_to: ["copy"] } },
    { key: "signoff", name: "Design sign-off", buyer_label: "Ready for your sign-off", reviewer: "buyer" },
  ],
};
const FIRST = { name: "contract.pdf", url: "https://files.example/contract.pdf", size: 212_000,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" };
const SECOND = { ...FIRST, sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" };
const ANNA = { id: "u-anna", name: "Anna K.", role: "counsel" };

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await inLegalReview(rig);
  const buyer = await rig.page(WINDOW);
  await rig.enter(buyer, await rig.link({ party: "buyer", to: "task", task }));
  rig.step("reads as the buyer");
  await buyer.getByText("In legal review").first().waitFor();
  await rig.screenshot(buyer, "buyer");
  const reviewer = await rig.page({ ...WINDOW, width: 1100 });
  await rig.enter(reviewer, await rig.link({ party: "partner", to: "decide", task, actor: "u-bo" }));
  rig.step("reads as the reviewer");
  await reviewer.getByText("contract.pdf").first().waitFor();
  await rig.screenshot(reviewer, "review");
}

/** @param {import("./rig.mjs").Rig} rig */
async function inLegalReview(rig) {
  const task = crypto.randomUUID();
  const { partner, buyer } = rig.parties;
  await rig.call("partner", "PUT", "/api/v1/workflows/logo", DEFINITION);
  await rig.call("platform", "POST", "/api/v1/tasks", {
    id: task, partner_id: partner.id, buyer_id: buyer.id, workflow: { key: "logo" }, title: "A logo for the bakery",
  });
  const dora = { id: "u-dora", name: "Dora" };
  for (const command of [
    { type: "work_submitted", actor: dora, summary: "First draft", artifacts: [FIRST] },
    { type: "stage_approved", stage: "copy", round: 1, revision: 1, actor: { id: "u-eli", name: "Eli" } },
    { type: "stage_rejected", stage: "legal", round: 1, revision: 1, actor: ANNA,
      feedback: { summary: "Clause 4 promises too much.", share_with_buyer: true, items: [
        { severity: "blocking", anchor: "contract.pdf#page=3", text: "Remove the last sentence of clause 4." }] } },
    { type: "work_submitted", actor: dora, summary: "Second draft, clause 4 rewritten", artifacts: [SECOND] },
    { type: "stage_approved", stage: "copy", round: 2, revision: 2, actor: { id: "u-eli", name: "Eli" } },
    { type: "status_updated", message: "Counsel is on clause 4.", percent: 60 },
    { type: "stage_approved", stage: "legal", round: 2, revision: 2, actor: ANNA },
  ]) await rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, command);
  return task;
}
