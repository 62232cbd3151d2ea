// The scripts of the reviewer's desk and the console.
import { servePoints } from "./points.js";
import { keepDrafts } from "./drafts.js";
import { serveKeys } from "./keys.js";

servePoints(document);
keepDrafts(document);
serveKeys(document);
