// Plays a task from opening to delivery against a running service, with the credentials of the environment.
import { Stagegate } from "./index.js";

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}; ./run keys prints the credentials`);
  return value;
}

const url = setting("STAGEGATE_URL");
const partner = new Stagegate({ url, token: setting("PARTNER") });
const platform = new Stagegate({ url, token: setting("PLATFORM") });
const buyer = new Stagegate({ url, token: setting("BUYER") });
const dora = { id: "u-dora" };
const eli = { id: "u-eli" };
const id = crypto.randomUUID();

await partner.unwrap(partner.api.PUT("/api/v1/workflows/{key}", {
  params: { path: { key: "logo-story" } },
  body: {
    name: "Logo",
    stages: [{ key: "check", name: "Check", submission: "required", buyer_label: "The logo is being checked" }],
    deadline: { within: "P7D" },
  },
}));
await platform.unwrap(platform.api.POST("/api/v1/tasks", {
  body: {
    id,
    partner_id: setting("PARTNER_ID"),
    buyer_id: setting("BUYER_ID"),
    workflow: { key: "logo-story" },
    title: "A logo for the bakery",
  },
}));
const opened = await buyer.wait(id);
console.log(`the buyer reads: ${opened?.label}`);

await partner.command(id, { type: "work_submitted", actor: dora, summary: "First draft" });
await partner.command(id, {
  type: "stage_rejected", stage: "check", round: 1, revision: 1, actor: eli,
  feedback: { summary: "The name is misspelt.", share_with_buyer: true },
});
const rejected = await buyer.wait(id, { until: (status) => status.round === 2 });
console.log(`the buyer reads: ${rejected?.label}`);

// The buyer waits while the work goes on.
const delivered = buyer.wait(id, { after: rejected!.version, until: (status) => status.phase === "delivery" });
await partner.command(id, { type: "work_submitted", actor: dora, summary: "Second draft" });
await partner.command(id, { type: "stage_approved", stage: "check", round: 2, revision: 2, actor: eli });
console.log(`the buyer reads: ${(await delivered)?.label}`);

const types: string[] = [];
for await (const { item } of partner.follow({ signal: AbortSignal.timeout(60_000) })) {
  if ("task_id" in item && item.task_id === id) types.push(item.type ?? "");
  if (types.at(-1) === "task.workflow_completed") break;
}
console.log(`the feed: ${types.join(", ")}`);
