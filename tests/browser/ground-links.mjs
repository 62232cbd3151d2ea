// People come in by links: the page before the click, the click with and without script, and the page of
// a link that has run out.
import assert from "node:assert/strict";

export const name = "ground-links";

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  const task = await rig.openTaskInLegal();
  const link = await rig.link({ party: "partner", to: "decide", task, actor: "u-anna" });
  const later = await rig.link({ party: "partner", to: "decide", task, actor: "u-bo" });

  const page = await rig.page();
  await rig.go(page, link);
  await rig.looksGood(page);
  const silent = await rig.withoutScript();
  for (const window of [page, silent]) {
    await rig.enter(window, link);
    assert.equal(new URL(window.url()).pathname, `/tasks/${task}`);
    const cookies = await window.context().cookies();
    assert.deepEqual(cookies.map(({ name, httpOnly }) => [name, httpOnly]), [["stagegate", true]]);
  }

  await rig.advance("P15D");
  await rig.go(page, later, 410);
  await rig.looksGood(page);
}
