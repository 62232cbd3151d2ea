// The one status line of a page: one sentence for each change, at most one a second.
const PAUSE = 1000;
/** @type {string | undefined} */
let waiting;
let lastSaid = 0;

/**
 * Says a sentence in the page's status line.
 * @param {string} sentence
 */
export function say(sentence) {
  const isScheduled = waiting !== undefined;
  waiting = sentence;
  if (!isScheduled) setTimeout(speak, Math.max(0, lastSaid + PAUSE - Date.now()));
}

function speak() {
  const line = document.getElementById("status");
  const sentence = waiting ?? "";
  waiting = undefined;
  lastSaid = Date.now();
  if (!line) return;
  line.textContent = "";
  requestAnimationFrame(() => { line.textContent = sentence; });
}
