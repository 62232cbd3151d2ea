// Every page's script. Each module does nothing where the page has nothing for it; without script every
// page can be read and every form sent.
import { showTimes } from "./times.js";
import { followLive } from "./live.js";
import { guardForms } from "./forms.js";

showTimes(document);
guardForms(document);
followLive(document);

// What only the desk and the console have is not loaded for a buyer.
if (!document.querySelector("main[data-plain]")) void import("./desk.js");

// The page of a link for a redirect presses its own button; that of a mailed link never does.
const atOnce = document.querySelector("form[data-at-once]");
if (atOnce instanceof HTMLFormElement) atOnce.requestSubmit();
