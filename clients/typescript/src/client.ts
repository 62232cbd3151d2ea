import createClient, { type Client } from "openapi-fetch";

import { StagegateProblem } from "./problem.js";
import { retried, type RetryOptions, sleep } from "./retry.js";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Command = Schemas["EventCommand"];
export type CommandResult = Schemas["EventAnswer"];
export type BulkResult = Schemas["BulkResult"];
export type FeedItem = Schemas["Feed"]["items"][number];
export type Status = Schemas["Status"];

export interface Options extends Partial<RetryOptions> {
  /** Such as `https://stagegate.example`. */
  url: string;
  /** A partner's or the platform's key, or a buyer's token. */
  token: string;
  /** The cell to ask, where a gateway cannot tell it from the key. */
  cell?: string;
  fetch?: (request: Request) => Promise<Response>;
}

/** An event of the feed. Store `cursor` once the event is processed, and pass it as `after` to continue. */
export interface FeedEvent {
  item: FeedItem;
  cursor: string | undefined;
  /** Increases when the database was restored to an earlier time. */
  epoch: number;
}

/** The longest `wait` that is asked for, in seconds. The service allows 55. */
const LONGEST_WAIT = 50;
/** How much longer than its `wait` an attempt may take, in milliseconds. */
const ATTEMPT = 30_000;

export class Stagegate {
  /** Every operation of the contract, typed. Sends each request once; see `unwrap`. */
  readonly api: Client<paths>;
  readonly #retry: RetryOptions;

  constructor(options: Options) {
    const { url, token, cell, fetch, retries = 5, backoff = 500 } = options;
    this.#retry = { retries, backoff };
    this.api = createClient<paths>({
      baseUrl: url.replace(/\/+$/, ""),
      headers: { authorization: `Bearer ${token}`, ...(cell && { "stagegate-cell": cell }) },
      ...(fetch && { fetch }),
    });
  }

  /** The data of a response of `api`, or a `StagegateProblem`. */
  async unwrap<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    const { data, error, response } = await request;
    if (!response.ok) throw new StagegateProblem(response, error);
    return data as T;
  }

  /**
   * Sends a command. Its id is chosen before the first attempt and kept over all retries, so the command is
   * carried out at most once. Pass the `id` yourself to keep it over a restart of your program.
   */
  async command(
    taskId: string,
    command: Command,
    { id, signal }: { id?: string; signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    const body = { ...command, id: id ?? command.id ?? crypto.randomUUID() } as Command;
    const params = { path: { id: taskId } };
    const answer = await retried<CommandResult>(
      (signal) => this.api.POST("/api/v1/tasks/{id}/events", { params, body, signal }),
      { ...this.#retry, signal, limit: ATTEMPT },
    );
    return answer.data!;
  }

  /**
   * Sends up to 100 commands, each for a task, in one request. Every command gets its id before the first
   * attempt, so each is carried out at most once. The results are in the order of the commands; one that is
   * refused has the `status` of its problem and affects no other.
   */
  async commands(
    commands: { taskId: string; command: Command }[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<BulkResult[]> {
    const items = commands.map(({ taskId, command }) => (
      { task_id: taskId, command: { ...command, id: command.id ?? crypto.randomUUID() } as Command }
    ));
    const answer = await retried<Schemas["BulkAnswer"]>(
      (signal) => this.api.POST("/api/v1/events", { body: { items }, signal }),
      { ...this.#retry, signal, limit: ATTEMPT },
    );
    return answer.data!.items;
  }

  /**
   * Waits for a status of another version than `after` that `until` accepts, and returns it. Without `after`
   * the present status counts. Returns `null` once `timeout` milliseconds are over, and at once if the task
   * has ended and no other status can follow.
   */
  async wait(
    taskId: string,
    options: {
      after?: number;
      /** A version known from the answer to a command; no older status is returned. */
      minVersion?: number;
      until?: (status: Status) => boolean;
      timeout?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<Status | null> {
    const { after, minVersion, until = () => true, timeout = 60_000, signal } = options;
    const end = Date.now() + timeout;
    let version = after;
    for (;;) {
      const asked = Math.max(0, Math.min(LONGEST_WAIT, Math.floor((end - Date.now()) / 1000)));
      const started = Date.now();
      let status = await this.#status(taskId, version, minVersion, asked, signal);
      if (status === null && Date.now() - started < asked * 1000 - 1000) {
        // An early answer: the task has ended, or the service is about to stop.
        status = await this.#status(taskId, undefined, minVersion, 0, signal);
        if (status?.version === version && status?.waiting_on === null) return null;
        if (status?.version === version) await sleep(1000, signal);
      }
      if (status !== null && status.version !== version) {
        if (until(status)) return status;
        if (status.waiting_on === null) return null;
        version = status.version;
      }
      if (Date.now() + 1000 > end) return null;
    }
  }

  async #status(
    taskId: string,
    known: number | undefined,
    minVersion: number | undefined,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<Status | null> {
    const params = {
      path: { id: taskId },
      query: { wait, ...(minVersion !== undefined && { min_version: minVersion }) },
      header: known === undefined ? {} : { "If-None-Match": `"${known}"` },
    };
    const answer = await retried<Status>(
      (signal) => this.api.GET("/api/v1/tasks/{id}/status", { params, signal, cache: "no-store" }),
      { ...this.#retry, signal, limit: wait * 1000 + ATTEMPT },
    );
    return answer.response.status === 304 ? null : answer.data!;
  }

  /**
   * The feed from `after` on, or from its start. It has no end unless `live` is false: then it ends with the
   * events that exist. The cursor of an event never skips one that was not yet given out.
   */
  async *follow(
    options: { after?: string; live?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<FeedEvent, void, undefined> {
    const { live = true, signal } = options;
    let cursor = options.after;
    const wait = live ? LONGEST_WAIT : 0;
    for (;;) {
      const params = { query: { wait, limit: 100, ...(cursor !== undefined && { after: cursor }) } };
      const { data } = await retried<Schemas["Feed"]>(
        (signal) => this.api.GET("/api/v1/events", { params, signal, cache: "no-store" }),
        { ...this.#retry, signal, limit: wait * 1000 + ATTEMPT },
      );
      const { items, next, epoch, more } = data!;
      for (const [index, item] of items.entries()) {
        yield { item, epoch, cursor: index + 1 === items.length ? next : cursor };
      }
      cursor = next;
      if (!live && !more) return;
    }
  }
}
