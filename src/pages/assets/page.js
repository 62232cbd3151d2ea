// Every page's script. Each module does nothing where the page has nothing for it; without script every
// page can be read and every form sent.
import { showTimes } from "./times.js";
import { followLive } from "./live.js";
import { guardForms } from "./forms.js";
import { servePoints } from "./points.js";
import { keepDrafts } from "./drafts.js";
import { serveKeys } from "./keys.js";

showTimes(document);
guardForms(document);
servePoints(document);
keepDrafts(document);
serveKeys(document);
followLive(document);

// The page of a link for a redirect presses its own button; that of a mailed link never does.
const atOnce = document.querySelector("form[data-at-once]");
if (atOnce instanceof HTMLFormElement) atOnce.requestSubmit();
