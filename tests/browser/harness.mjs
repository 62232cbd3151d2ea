// The other side of `tests/api/pages/browser/node.rs`: lines of JSON on standard output and input. The
// browser's side asks for something to be done to the service of a scenario, and the harness answers.
import { createInterface } from "node:readline";

/** @typedef {{ credential: string, id?: string }} Party */
/** @typedef {{ platform: Party, partner: Party, buyer: Party }} Parties */
/** @typedef {{ url: string, now: string, parties: Parties }} Started */
/** @typedef {{ id: number, ok?: any, error?: string }} Answer */

/** @type {Map<number, (answer: Answer) => void>} */
const waiting = new Map();
let asked = 0;

/** Reads the answers. The process ends with the harness, whose end of the line closes. */
export function listen() {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    /** @type {Answer} */
    const answer = JSON.parse(line);
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  lines.on("close", () => process.exit(1));
}

/**
 * Asks the harness to do something to a scenario's service.
 * @param {string} scenario
 * @param {string} what
 * @param {Record<string, unknown>} [details]
 * @returns {Promise<any>} what the harness answers
 */
export async function ask(scenario, what, details = {}) {
  asked += 1;
  const id = asked;
  /** @type {Promise<Answer>} */
  const answered = new Promise((resolve) => { waiting.set(id, resolve); });
  write({ ...details, id, scenario, do: what });
  const { ok, error } = await answered;
  if (error !== undefined) throw new Error(`the harness cannot ${what}: ${error}`);
  return ok;
}

/**
 * Says how a scenario ended.
 * @param {string} scenario
 * @param {{ seconds: number, failure?: string }} outcome
 */
export function report(scenario, outcome) {
  write({ scenario, ...outcome });
}

/** @param {unknown} message */
function write(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
