// Every page's script. Each module does nothing where the page has nothing for it; without script every
// page can be read and every form sent.
import { showTimes } from "./times.js";
import { followLive } from "./live.js";
import { guardForms } from "./forms.js";

showTimes(document);
guardForms(document);
followLive(document);
