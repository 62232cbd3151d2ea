import { StagegateProblem } from "./problem.js";

export interface RetryOptions {
  /** How many times a request is sent again. */
  retries: number;
  /** The upper bound of the first delay, in milliseconds. It doubles with each retry, up to 20 s. */
  backoff: number;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** A longer `Retry-After` is left to the caller. */
const LONGEST_RETRY_AFTER = 60_000;
const LONGEST_BACKOFF = 20_000;

/**
 * Sends a request until there is an answer: again after a network failure, 429 and 503. The delay is the
 * `Retry-After` of the response, or random up to a doubling bound. `limit` is the time of one attempt.
 */
export async function retried<T>(
  send: (signal: AbortSignal) => Promise<Answer<T>>,
  options: RetryOptions & { signal: AbortSignal | undefined; limit: number },
): Promise<Answer<T>> {
  const { signal, limit, retries, backoff } = options;
  for (let attempt = 0; ; attempt++) {
    let delay = Math.random() * Math.min(LONGEST_BACKOFF, backoff * 2 ** attempt);
    signal?.throwIfAborted();
    try {
      const answer = await send(either(signal, AbortSignal.timeout(limit)));
      const { response } = answer;
      if (response.ok || response.status === 304) return answer;
      const problem = new StagegateProblem(response, answer.error);
      if ((response.status !== 429 && response.status !== 503) || attempt >= retries) throw problem;
      const asked = retryAfter(response.headers.get("retry-after"));
      if (asked > LONGEST_RETRY_AFTER) throw problem;
      delay += asked;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isNetworkFailure(error) || attempt >= retries) throw error;
    }
    await sleep(delay, signal);
  }
}

function isNetworkFailure(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError");
}

function retryAfter(header: string | null): number {
  if (header === null) return 0;
  const seconds = Number(header);
  const milliseconds = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Math.max(0, milliseconds || 0);
}

function either(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return one === undefined ? other : AbortSignal.any([one, other]);
}

export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
