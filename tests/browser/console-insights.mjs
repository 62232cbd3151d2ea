// The insights of a workflow: the sentence, the charts beside their tables, what is too few, the file.
import assert from "node:assert/strict";

export const name = "console-insights";

const PATH = "/api/v1/tasks";
const TASKS = 24;
/** Of these, so many are sent back, and so many of those are cancelled. */
const RETURNED = 20;
const CANCELLED = 5;

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const developer = await rig.page();
  await rig.enter(developer, await rig.link({ party: "partner", to: "console", actor: "u-dev" }));
  rig.step("reads insights of no task");
  await rig.go(developer, "/insights");
  await developer.getByText("0 tasks closed in this time.").waitFor();
  await rig.looksGood(developer);

  await plays(rig);
  rig.step("reads where the time goes");
  const again = await rig.page();
  await rig.enter(again, await rig.link({ party: "partner", to: "console", actor: "u-dev" }));
  await again.getByRole("link", { name: "Insights" }).click();
  await again.getByRole("heading", { name: /Insights: .*Brand campaign/ }).waitFor();
  await again.getByText("24 tasks closed in this time.").waitFor();
  const sentence = "Legal review takes 80 % of the time; half of that is waiting for revisions.";
  assert.equal((await again.locator("p.big").textContent())?.replaceAll(/[\u2068\u2069]/g, ""), sentence);
  for (const chart of ["How long each stage takes", "Whose time it was, on average"]) {
    const image = again.getByRole("img", { name: chart });
    assert.match((await image.locator("desc").textContent()) ?? "", /Legal review.*: /);
    assert.ok((await image.locator("rect").count()) >= 4);
    await again.getByRole("heading", { name: chart }).waitFor();
  }
  const row = again.getByRole("region", { name: "How the stages are decided" }).getByRole("row", { name: /Legal review/ });
  assert.deepEqual(await row.getByRole("cell").allTextContents(), ["Legal review", "24", "17 %", "2 (2)", "20", "0 %", "0 %", "0"]);
  const few = again.getByRole("row", { name: /Design sign-off/ });
  assert.deepEqual([await few.count(), await few.getByText("too few").count()], [3, 3]);
  await rig.looksGood(again);

  await downloads(again);
  rig.step("reads insights in German, and with a mistake");
  await rig.go(again, "/insights?language=de");
  await again.getByText("80 % der Zeit").waitFor();
  await rig.looksGood(again);
  await rig.go(again, "/insights?language=en&since=soon&version=x", 422);
  await again.getByRole("link", { name: /Write a day/ }).click();
  await rig.looksGood(again);
}

/** Tasks that spend most of their time in legal review. @param {import("./rig.mjs").Rig} rig */
async function plays(rig) {
  rig.step("plays tasks to their ends");
  const tasks = [];
  for (let count = 0; count < TASKS; count += 1) tasks.push(await rig.openTaskInLegal());
  /** @type {(who: "partner" | "buyer" | "platform", task: string, command: object) => Promise<unknown>} */
  const send = (who, task, command) => rig.call(who, "POST", `${PATH}/${task}/events`, command);
  await rig.advance("PT40H");
  const place = { stage: "legal", round: 1, revision: 1 };
  for (const task of tasks.slice(0, RETURNED)) {
    const feedback = { summary: "Not yet." };
    await send("partner", task, { type: "stage_rejected", ...place, actor: { id: "u-anna" }, return_to: "legal", feedback });
  }
  for (const task of tasks.slice(RETURNED)) await approve(send, task, place);
  await rig.advance("PT26H");
  for (const task of tasks.slice(RETURNED)) await sign(send, task, 1);
  await rig.advance("PT24H");
  for (const [index, task] of tasks.slice(0, RETURNED).entries()) {
    await send("partner", task, { type: "work_submitted", actor: { id: "agent" }, summary: "Again." });
    if (index < CANCELLED) {
      await send("platform", task, { type: "cancellation_requested", reason: "Enough.", immediate: true });
    } else {
      await approve(send, task, { stage: "legal", round: 2, revision: 2 });
    }
  }
  await rig.advance("PT26H");
  for (const task of tasks.slice(CANCELLED, RETURNED)) await sign(send, task, 2);
  await rig.advance("PT1H");
}

/**
 * @param {(who: "partner", task: string, command: object) => Promise<unknown>} send
 * @param {string} task @param {object} place
 */
async function approve(send, task, place) {
  for (const id of ["u-anna", "u-bo"]) await send("partner", task, { type: "stage_approved", ...place, actor: { id } });
}

/**
 * @param {(who: "buyer", task: string, command: object) => Promise<unknown>} send
 * @param {string} task @param {number} revision
 */
async function sign(send, task, revision) {
  await send("buyer", task, { type: "stage_approved", stage: "signoff", round: 1, revision });
}

/** @param {import("playwright-core").Page} page */
async function downloads(page) {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download the table (CSV)" }).click(),
  ]);
  assert.equal(file.suggestedFilename(), "insights-brand-campaign-1.csv");
  const stream = await file.createReadStream();
  let text = "";
  for await (const piece of stream) text += piece;
  const lines = text.split("\r\n");
  assert.match(lines[0] ?? "", /^stage,name,tasks,entered,/);
  assert.match(lines[2] ?? "", /^legal,Legal review,24,44,19,20,0.1667,/);
  assert.match(lines[3] ?? "", /^signoff,Design sign-off,19,,,/);
}
