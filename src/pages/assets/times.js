// The reader's own time zone, and "in 3 hours" beside times that somebody waits for.
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const HALF_A_MINUTE = 30_000;

/**
 * Writes the times below `root` in the reader's zone, and keeps the relative ones true.
 * @param {ParentNode} root
 */
export function showTimes(root) {
  write(root);
  setInterval(() => write(root), HALF_A_MINUTE);
}

/**
 * @param {ParentNode} root
 */
export function write(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time instanceof HTMLTimeElement) writeOne(time);
  }
}

/**
 * @param {HTMLTimeElement} time
 */
function writeOne(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const language = languageOf(time);
  time.title ||= time.textContent ?? "";
  const local = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
  const text = time.dataset.relative === undefined ? local : `${local} (${distance(at, language)})`;
  if (time.textContent !== text) time.textContent = text;
}

/**
 * @param {Date} at
 * @param {string} language
 */
function distance(at, language) {
  const seconds = (at.getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[2];
  return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

/**
 * @param {Element} element
 */
function languageOf(element) {
  const language = element.closest("[lang]")?.getAttribute("lang") || "en";
  // "en" alone is American; the pages write days before months.
  return language === "en" ? "en-GB" : language;
}
