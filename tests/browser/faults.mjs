// Proves that the rig notices faults: `tests/api/pages/browser/faults.rs` serves a page with each.

/** @typedef {import("./rig.mjs").Rig} Rig */

/**
 * A scenario that does nothing but look at the page of this name.
 * @param {string} name
 */
export function scenario(name) {
  return {
    name,
    /** @param {Rig} rig */
    async run(rig) {
      const page = await rig.page();
      await rig.go(page, `/${name}`);
      await rig.looksGood(page);
    },
  };
}
