import type { FeedItem } from "./client.js";

export class WebhookVerificationError extends Error {
  override name = "WebhookVerificationError";
}

const encoder = new TextEncoder();

/**
 * Verifies a delivery by Standard Webhooks v1 and returns its event. `body` is what came, not JSON that was
 * parsed and written again. Any of the secrets may have signed it. Drop duplicates by the event's `id`.
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: Headers | Record<string, string | string[] | undefined>,
  secrets: string | readonly string[],
  { now = Date.now(), tolerance = 300_000 }: { now?: number; tolerance?: number } = {},
): Promise<FeedItem> {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");
  if (!/^\d{1,12}$/.test(timestamp) || !(Math.abs(now - Number(timestamp) * 1000) <= tolerance)) {
    throw new WebhookVerificationError("the timestamp is missing, too old or too new");
  }
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const signed = joined(encoder.encode(`${id}.${timestamp}.`), bytes);
  let valid = false;
  for (const secret of typeof secrets === "string" ? [secrets] : secrets) {
    const key = await crypto.subtle.importKey(
      "raw", decoded(secret.replace(/^whsec_/, "")), { name: "HMAC", hash: "SHA-256" }, false, ["verify"],
    );
    for (const signature of signatures) {
      if (!signature.startsWith("v1,")) continue;
      // WebCrypto compares in constant time.
      if (await crypto.subtle.verify("HMAC", key, decoded(signature.slice(3)), signed)) valid = true;
    }
  }
  if (!valid) throw new WebhookVerificationError("no signature matches");
  return JSON.parse(new TextDecoder().decode(bytes)) as FeedItem;
}

function header(headers: Headers | Record<string, string | string[] | undefined>, name: string): string {
  const value = headers instanceof Headers
    ? headers.get(name)
    : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof value !== "string" || value === "") throw new WebhookVerificationError(`the header ${name} is missing`);
  return value;
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw new WebhookVerificationError("a secret or a signature is not base64");
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
