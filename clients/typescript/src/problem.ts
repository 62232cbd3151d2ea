import type { components } from "./schema.js";

export type ProblemBody = components["schemas"]["Problem"];
export type FieldError = components["schemas"]["FieldError"];

/** An error response of the service. Branch on `code`; new codes may appear in later versions. */
export class StagegateProblem extends Error {
  readonly status: number;
  /** Stable, such as `self_approval`; empty if the response came from a proxy. */
  readonly code: string;
  readonly detail: string;
  /** The errors in the input, with JSON pointers. */
  readonly errors: readonly FieldError[];
  /** Name it when you report an error. */
  readonly requestId: string | undefined;
  /** The whole body, as far as it was an object. */
  readonly body: Partial<ProblemBody>;

  constructor(response: Response, error: unknown) {
    const body: Partial<ProblemBody> = typeof error === "object" && error !== null ? error : {};
    super(body.detail ?? body.title ?? `the service responded with ${response.status}`);
    this.name = "StagegateProblem";
    this.status = response.status;
    this.code = body.code ?? "";
    this.detail = body.detail ?? "";
    this.errors = body.errors ?? [];
    this.requestId = response.headers.get("x-request-id") ?? undefined;
    this.body = body;
  }
}
