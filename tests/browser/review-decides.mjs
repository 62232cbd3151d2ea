// Reviewers decide: by a link that ends with the decision, two on one revision, and one who was typing
// when newer work came. And feedback that is answered and raised again, point by point.
import assert from "node:assert/strict";

export const name = "review-decides";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  await approvesByALink(rig);
  await isBeaten(rig);
  await readsOldWork(rig);
  await answersPointByPoint(rig);
}

/**
 * @param {import("./rig.mjs").Rig} rig
 * @param {string} task
 * @param {object} command
 */
function send(rig, task, command) {
  return rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, command);
}

/** @param {import("./rig.mjs").Rig} rig */
async function approvesByALink(rig) {
  const task = await rig.openTaskInLegal();
  const link = await rig.link({ party: "partner", to: "decide", task, actor: "u-anna" });
  const page = await rig.page();
  await rig.enter(page, link);
  await rig.looksGood(page);
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await rig.looksGood(page);
  await page.getByRole("radio", { name: "Approve", exact: true }).check();
  rig.step("approves");
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.getByRole("heading", { name: "Your approval counts" }).waitFor();
  await rig.looksGood(page);
  const where = { stage: "legal", round: 1, revision: 1 };
  await send(rig, task, { type: "stage_approved", ...where, actor: { id: "u-bo" } });
  await rig.go(page, link, 410);
  assert.equal(await page.textContent("h1"), "This has been decided");
}

/** @param {import("./rig.mjs").Rig} rig */
async function isBeaten(rig) {
  const task = await rig.openTaskInLegal();
  const page = await rig.page();
  await rig.enter(page, await rig.link({ party: "partner", to: "inbox", task, actor: "u-anna" }));
  rig.step("types");
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await page.getByLabel("What must change").fill("The last sentence must go.");
  await page.locator("#point-text-0").fill("Cut it.");
  rig.step("another reviewer is faster");
  const where = { stage: "legal", round: 1, revision: 1 };
  const feedback = { summary: "Not yet." };
  await send(rig, task, { type: "stage_rejected", ...where, actor: { id: "u-bo", name: "Bo S." }, feedback });
  rig.step("the page says that something has changed, and the form stays");
  await page.locator("#changed").waitFor();
  assert.equal(await page.getByLabel("What must change").inputValue(), "The last sentence must go.");
  await page.evaluate(() => {
    const form = document.querySelector("form[data-about]");
    if (form instanceof HTMLFormElement) form.submit();
  });
  rig.step("the slower one loses nothing");
  await page.getByRole("heading", { name: "Already decided" }).waitFor();
  const words = await page.textContent("main") ?? "";
  for (const part of ["Bo S.", "Not yet.", "The last sentence must go.", "Cut it."]) assert.ok(words.includes(part), part);
  await rig.looksGood(page);
}

/** @param {import("./rig.mjs").Rig} rig */
async function readsOldWork(rig) {
  const task = await rig.openTask();
  const work = { type: "work_submitted", actor: { id: "agent" }, summary: "A draft." };
  await send(rig, task, work);
  const page = await rig.withoutScript();
  await rig.enter(page, await rig.link({ party: "partner", to: "inbox", task, actor: "u-dora" }));
  rig.step("types without script while newer work comes");
  await page.getByRole("radio", { name: "Send back", exact: true }).check();
  await page.getByLabel("What must change").fill("Shorter.");
  await page.getByRole("button", { name: "Add a point" }).click();
  assert.equal(await page.locator("#decide .point").count(), 6);
  await send(rig, task, work);
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.getByRole("heading", { name: /^There is newer work/ }).waitFor();
  assert.equal(await page.getByLabel("What must change").inputValue(), "Shorter.");
  await page.getByRole("button", { name: "Send decision" }).click();
  await page.getByRole("heading", { name: /^Sent back to/ }).waitFor();
}

/** @param {import("./rig.mjs").Rig} rig */
async function answersPointByPoint(rig) {
  const task = await rig.openTask();
  await send(rig, task, { type: "work_submitted", actor: { id: "u-dora" }, summary: "A draft." });
  const feedback = { summary: "Nearly.", items: [{ text: "The date is missing." }, { text: "Name the price." }] };
  const where = { stage: "copy", round: 1, revision: 1 };
  await send(rig, task, { type: "stage_rejected", ...where, actor: { id: "u-eli" }, feedback });
  const maker = await rig.page();
  await rig.enter(maker, await rig.link({ party: "partner", to: "inbox", task, actor: "u-dora" }));
  rig.step("answers the points next to what was asked");
  await rig.looksGood(maker);
  const asked = (/** @type {string} */ words) => maker.locator("#form-hand-in fieldset.point", { hasText: words });
  await asked("The date is missing.").getByLabel("What became of it").selectOption("done");
  await asked("Name the price.").getByLabel("What became of it").selectOption("declined");
  await maker.getByLabel("The work in short").fill("A second draft.");
  await maker.getByRole("button", { name: "Hand in work" }).click();
  rig.step("is asked why a point is declined, and loses nothing");
  await maker.getByText("Please say why you decline this point.").first().waitFor();
  assert.equal(await maker.getByLabel("The work in short").inputValue(), "A second draft.");
  await rig.looksGood(maker);
  await asked("Name the price.").getByLabel("Your answer in words").fill("It is not fixed yet.");
  await maker.getByRole("button", { name: "Hand in work" }).click();
  await maker.getByRole("heading", { name: "Your work was handed in" }).waitFor();
  const reviewer = await rig.page();
  await rig.enter(reviewer, await rig.link({ party: "partner", to: "inbox", task, actor: "u-eli" }));
  rig.step("the reviewer reads the answers and raises a point again");
  const answered = await reviewer.locator("section[aria-labelledby=came-back]").innerText();
  for (const part of ["Done", "Declined", "It is not fixed yet."]) assert.ok(answered.includes(part), answered);
  await reviewer.getByRole("radio", { name: "Send back", exact: true }).check();
  await reviewer.getByLabel("What must change").fill("The price.");
  await reviewer.locator("#point-text-0").fill("It was fixed yesterday.");
  await reviewer.locator("#point-reopens-0").selectOption({ index: 2 });
  await rig.looksGood(reviewer);
  await reviewer.getByRole("button", { name: "Send decision" }).click();
  await reviewer.getByRole("heading", { name: /^Sent back to/ }).waitFor();
  const { feedback: returned } = await rig.call("partner", "GET", `/api/v1/tasks/${task}`);
  assert.equal(returned.feedback[0].items[0].reopens.split(".")[1], "2");
}
