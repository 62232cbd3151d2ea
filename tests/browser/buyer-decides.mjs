// A buyer answers an escalation and a question, asks for changes with two points, and stops a task in the middle of
// a review: with script and without.

export const name = "buyer-decides";

const DEFINITION = {
  name: "Logo",
  stages: [
    { key: "draft", name: "Draft review", buyer_label: "Draft is being reviewed", questions: { respond_within: "PT5H" },
      escalation: { to: ["buyer", "platform"], respond_within: "PT24H", on_timeout: { action: "escalate", to: "platform" } },
      cancellation: { in_flight: "let_finish", grace: "PT2H" } },
    { key: "look", name: "Your look", buyer_label: "Ready for your look", reviewer: "buyer", on_reject: { return_to: ["draft"] } },
  ],
};
const AT_DRAFT = { stage: "draft", round: 1, revision: 0, actor: { id: "u-bo" } };
const ARTIFACT = { name: "logo.svg", url: "https://files.example/logo.svg", size: 12345, media_type: "image/svg+xml",
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" };

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  await rig.call("partner", "PUT", "/api/v1/workflows/logo", DEFINITION);
  for (const script of [true, false]) {
    await answersAnEscalation(rig, script);
    await answersAQuestion(rig, script);
    await asksForChanges(rig, script);
    await stopsInAReview(rig, script);
  }
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {boolean} script
 * @param {object[]} commands of the partner
 */
async function open(rig, script, commands) {
  const task = crypto.randomUUID();
  const { partner, buyer } = rig.parties;
  await rig.call("platform", "POST", "/api/v1/tasks", {
    id: task, partner_id: partner.id, buyer_id: buyer.id, workflow: { key: "logo" }, title: "A logo for the bakery",
  });
  for (const command of commands) await rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, command);
  const page = await rig.page({ script, width: 360 });
  await rig.enter(page, await rig.link({ party: "buyer", to: "task", task }));
  return { task, page };
}

/** @param {import("./rig.mjs").Rig} rig @param {boolean} script */
async function answersAnEscalation(rig, script) {
  const { task, page } = await open(rig, script, [{ type: "stage_escalated", ...AT_DRAFT, to: "buyer", reason: "May we promise Friday?" }]);
  rig.step("answers an escalation");
  await page.getByText("May we promise Friday?").first().waitFor();
  if (script) await rig.looksGood(page);
  await page.getByLabel("Only give advice").check();
  await page.getByLabel("Your advice (optional)").fill("Friday is fine.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "Advice given – A logo for the bakery" }).waitFor();
  await phaseIs(rig, task, "in_review");
}

/** @param {import("./rig.mjs").Rig} rig @param {boolean} script */
async function answersAQuestion(rig, script) {
  const question = { type: "question_asked", ...AT_DRAFT, to: "buyer", question: "Which logo?", options: ["The round one", "The square one"] };
  const { task, page } = await open(rig, script, [question]);
  rig.step("answers a question");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByRole("link", { name: "Choose one of the answers." }).waitFor();
  if (script) await rig.looksGood(page);
  await page.getByLabel("The square one").check();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "Answered – A logo for the bakery" }).waitFor();
  await phaseIs(rig, task, "in_review");
}

/** @param {import("./rig.mjs").Rig} rig @param {boolean} script */
async function asksForChanges(rig, script) {
  const work = { type: "work_submitted", actor: { id: "agent" }, summary: "Second draft", artifacts: [ARTIFACT] };
  const approval = { type: "stage_approved", ...AT_DRAFT, revision: 1 };
  const { task, page } = await open(rig, script, [work, approval]);
  rig.step("asks for changes");
  await page.getByLabel("Ask for changes").check();
  await page.getByLabel("What should change?").fill("Nearly there.");
  if (script) await rig.looksGood(page);
  const rows = page.getByRole("group", { name: /^Point \d/ });
  await rows.nth(0).getByLabel("What", { exact: true }).fill("A larger margin");
  await page.getByRole("button", { name: "More points" }).click();
  await rows.nth(5).getByLabel("What", { exact: true }).fill("Another blue");
  await rows.nth(5).getByLabel("Where").fill("logo.svg");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "Changes asked for – A logo for the bakery" }).waitFor();
  const { feedback } = await rig.call("partner", "GET", `/api/v1/tasks/${task}`);
  const points = JSON.stringify(feedback);
  if (!points.includes("A larger margin") || !points.includes("Another blue")) throw new Error(points);
}

/** @param {import("./rig.mjs").Rig} rig @param {boolean} script */
async function stopsInAReview(rig, script) {
  const { task, page } = await open(rig, script, []);
  rig.step("stops the task");
  await page.locator("#stop > summary").click();
  await page.getByText("Those who are looking at the work may finish until").waitFor();
  await page.getByLabel("Why?").fill("The bakery closes.");
  await page.locator("#stop").getByRole("button", { name: "Stop this task" }).click();
  await page.getByRole("heading", { name: "Please check" }).waitFor();
  if (script) await rig.looksGood(page);
  await phaseIs(rig, task, "in_review");
  await page.getByRole("button", { name: "Yes, send" }).click();
  await page.getByRole("heading", { name: "Being stopped – A logo for the bakery" }).waitFor();
  await phaseIs(rig, task, "cancelling");
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {string} task
 * @param {string} phase
 */
async function phaseIs(rig, task, phase) {
  const status = await rig.call("buyer", "GET", `/api/v1/tasks/${task}/status`);
  if (status.phase !== phase) throw new Error(`the task is ${status.phase} and not ${phase}`);
}
