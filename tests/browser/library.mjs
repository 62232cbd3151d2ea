// The npm packages, which ./test installs outside of the source tree.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(setting("STAGEGATE_TEST_BROWSER"), "package.json"));

/** @type {typeof import("playwright-core")} */
const playwright = require("playwright-core");
export const { chromium } = playwright;

/**
 * Where a file of a package is.
 * @param {string} name
 */
export function library(name) {
  return require.resolve(name);
}

/**
 * A setting, which `tests/api/pages/browser/node.rs` passes on.
 * @param {string} name
 */
export function setting(name) {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: ./test sets it`);
  return value;
}
