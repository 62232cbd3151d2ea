// What every page must keep to, whatever it shows.
import { readFileSync } from "node:fs";

import { library } from "./library.mjs";

/** @typedef {import("playwright-core").Page} Page */

const AXE = readFileSync(library("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** The smallest side of what is to be hit, in CSS pixels (WCAG 2.2, 2.5.8). */
const TARGET = 24;

/** The widths of the looks, in CSS pixels. */
export const widths = [1280, 360];
/** The colour schemes of the looks. */
export const schemes = /** @type {const} */ (["light", "dark"]);
/** The narrowest page: a phone's, or 1280 pixels at 400 % (WCAG 2.1, 1.4.10). */
export const NARROWEST = 320;

/**
 * Demands that no rule of accessibility is broken. The rules come in through the debugger and not
 * through a script tag, so that the page's policy stays on.
 * @param {Page} page
 */
export async function axe(page) {
  if (!await page.evaluate("'axe' in window")) await page.evaluate(AXE);
  const faults = await page.evaluate(async (tags) => {
    const { axe } = /** @type {any} */ (window);
    // The rule on the size of targets is off unless named.
    const options = { runOnly: tags, rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] };
    const { violations } = await axe.run(document, options);
    return violations.flatMap((/** @type {any} */ { id, help, nodes }) => nodes.map((/** @type {any} */ node) => (
      `${id} (${help}): ${node.target.join(" ")}: ${node.html}`
    )));
  }, TAGS);
  demandNone("accessibility", faults);
}

/**
 * Demands that the page is no wider than the window.
 * @param {Page} page
 */
export async function noSidewaysScroll(page) {
  const faults = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const wide = [...document.querySelectorAll("body *")].filter((element) => (
      element.getBoundingClientRect().right > root.clientWidth + 1
    ));
    const shown = wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120));
    return [`${root.scrollWidth} px in a window of ${root.clientWidth} px`, ...shown];
  });
  demandNone("scrolls sideways", faults);
}

/**
 * Demands that everything to be clicked is big enough to be hit. A link inside a sentence is as high
 * as its line.
 * @param {Page} page
 */
export async function targetsBigEnough(page) {
  const faults = await page.evaluate((least) => {
    const KINDS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button]";
    /**
     * @param {Document | ShadowRoot} root
     * @returns {Element[]}
     */
    const targets = (root) => [...root.querySelectorAll("*")].flatMap((element) => [
      ...(element.matches(KINDS) ? [element] : []),
      ...(element.shadowRoot ? targets(element.shadowRoot) : []),
    ]);
    /** @param {Element} element */
    const isInSentence = (element) => (
      getComputedStyle(element).display === "inline"
      && (element.parentElement?.textContent ?? "").trim() !== (element.textContent ?? "").trim()
    );
    /** @param {Element} element */
    const isBigEnough = (element) => {
      const labels = /** @type {HTMLInputElement} */ (element).labels ?? [];
      return [element, ...labels].map((part) => part.getBoundingClientRect()).some((box) => (
        // What is out of sight until it has the focus, such as the skip link.
        (box.width >= least && box.height >= least) || box.right <= 0
      ));
    };
    const visible = targets(document).filter((element) => element.checkVisibility({ visibilityProperty: true }));
    return visible.filter((element) => !isInSentence(element) && !isBigEnough(element)).map((element) => {
      const { width, height } = element.getBoundingClientRect();
      return `${width.toFixed(1)} × ${height.toFixed(1)} px: ${element.outerHTML.slice(0, 120)}`;
    });
  }, TARGET);
  demandNone(`smaller than ${TARGET} px`, faults);
}

/**
 * @param {string} rule
 * @param {string[]} faults
 */
function demandNone(rule, faults) {
  if (faults.length > 0) throw new Error(`${rule}: ${faults.join("\n  ")}`);
}
