// What a buyer's page is on paper and in the colours that somebody forces, and that nothing moves while it loads.
import assert from "node:assert/strict";

export const name = "buyer-looks";

/** The most that a page may shift while it loads (the score of the Layout Instability API). */
const SHIFT = 0.01;

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTaskInLegal();
  const question = {
    type: "stage_escalated", stage: "legal", round: 1, revision: 1, actor: { id: "u-anna" }, to: "buyer",
    reason: "May we name the client?",
  };
  await rig.call("partner", "POST", `/api/v1/tasks/${task}/events`, question);
  const link = await rig.link({ party: "buyer", to: "task", task });
  await isReadOnPaper(rig, link);
  await keepsItsEdges(rig, await rig.link({ party: "buyer", to: "task", task }), task);
  await staysInPlace(rig, await rig.link({ party: "buyer", to: "task", task }), task);
}

/** @param {import("./rig.mjs").Rig} rig @param {string} link */
async function isReadOnPaper(rig, link) {
  const page = await rig.page();
  await rig.enter(page, link);
  rig.step("prints");
  await page.emulateMedia({ media: "print" });
  const paper = await page.evaluate(() => document.body.innerText);
  assert.match(paper, /Printed 15 Jan 2027, \d\d:\d\d \S+ from http/);
  assert.match(paper, /[0-9a-f]{64}/, "the hash of the last entry");
  assert.match(paper, /handed in/i, "what happened is unfolded");
  for (const selector of ["form", "nav", ".skip", "button", "summary + form"]) {
    const shown = await page.locator(selector).evaluateAll((all) => all.filter((one) => one.checkVisibility()).length);
    assert.equal(shown, 0, `${selector} is not for paper`);
  }
  const absolute = await page.locator("time").evaluateAll((all) => all.every((one) => /\d{4}/.test(one.textContent ?? "")));
  assert.ok(absolute, "times on paper have their date");
}

/** @param {import("./rig.mjs").Rig} rig @param {string} link @param {string} task */
async function keepsItsEdges(rig, link, task) {
  const page = await rig.page({ forcedColors: "active" });
  await rig.enter(page, link);
  await rig.go(page, `/tasks/${task}`);
  rig.step("has edges and a focus in forced colours");
  for (const selector of [".card", "main form button"]) {
    const width = await page.locator(selector).first().evaluate((one) => parseFloat(getComputedStyle(one).borderTopWidth));
    assert.ok(width >= 1, `${selector} has no edge`);
  }
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
  assert.notEqual(outline, "none", "the focus cannot be seen");
}

/** @param {import("./rig.mjs").Rig} rig @param {string} link @param {string} task */
async function staysInPlace(rig, link, task) {
  const page = await rig.page({ width: 360 });
  await rig.enter(page, link);
  rig.step("loads over a slow line on a slow machine");
  const session = await page.context().newCDPSession(page);
  const line = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 100_000 };
  await session.send("Network.emulateNetworkConditions", line);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await rig.go(page, `/tasks/${task}`);
  await page.locator("#history").waitFor();
  const { shift, moved } = await page.evaluate(() => new Promise((done) => {
    let shift = 0;
    /** @type {string[]} */
    const moved = [];
    new PerformanceObserver((list) => {
      for (const entry of /** @type {any[]} */ (list.getEntries())) {
        shift += entry.value;
        for (const { node } of entry.sources) moved.push((node?.outerHTML ?? node?.textContent ?? "").slice(0, 80));
      }
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => done({ shift, moved })));
  }));
  assert.ok(shift < SHIFT, `the page shifts by ${shift}: ${moved.join("; ")}`);
}
