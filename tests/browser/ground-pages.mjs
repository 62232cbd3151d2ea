// Pages that need no session, in both languages, with and without script.
import assert from "node:assert/strict";

export const name = "ground-pages";

/** What everybody can see: the path and the status of its answer. @type {[string, number][]} */
const PAGES = [["/", 200], ["/there-is-no-such-page", 404], ["/go/sgl_nonsense", 404]];

/** @param {import("./rig.mjs").Rig} rig */
export async function run(rig) {
  for (const language of ["en-GB", "de-DE"]) {
    const page = await rig.page({ language });
    const silent = await rig.withoutScript({ language });
    for (const [path, status] of PAGES) {
      await rig.go(page, path, status);
      assert.equal(await page.getAttribute("html", "lang"), language.slice(0, 2));
      await rig.looksGood(page);
      await rig.go(silent, path, status);
      assert.equal(await silent.textContent("h1"), await page.textContent("h1"));
    }
  }
}
