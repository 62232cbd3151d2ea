export { Stagegate } from "./client.js";
export type { BulkResult, Command, CommandResult, FeedEvent, FeedItem, Options, Status } from "./client.js";
export { StagegateProblem } from "./problem.js";
export type { FieldError, ProblemBody } from "./problem.js";
export { verifyWebhook, WebhookVerificationError } from "./webhook.js";
export type { components, operations, paths } from "./schema.js";
