import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { mock, test } from "node:test";

import { Stagegate, StagegateProblem, verifyWebhook } from "stagegate-client";

/** Serves each request with the next of `answers`: [status, body, headers], or null to cut the connection. */
async function serving(answers, play) {
  const seen = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    seen.push({ url: request.url, headers: request.headers, body: body && JSON.parse(body) });
    const answer = answers.shift();
    if (!answer) return request.socket.destroy();
    const [status, value, headers] = answer;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(value === undefined ? undefined : JSON.stringify(value));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  try {
    await play(new Stagegate({ url, token: "key", retries: 2, backoff: 1 }), seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const submit = { type: "work_submitted", actor: { id: "u-dora" }, summary: "A draft" };
const done = { event: { seq: 1 }, events: [{ seq: 1 }] };

test("a swallowed answer, 429 and Retry-After keep the id", async () => {
  await serving([null, [429, { code: "rate_limited" }, { "retry-after": "0" }], [201, done]], async (client, seen) => {
    assert.deepEqual(await client.command("t", submit), done);
    assert.equal(seen.length, 3);
    assert.match(seen[0].body.id, /^[0-9a-f-]{36}$/);
    assert.equal(new Set(seen.map((request) => request.body.id)).size, 1);
  });
});

test("many commands keep their ids over a swallowed answer", async () => {
  const results = [{ status: 201, body: done }, { status: 409, body: { code: "tomorrows_code" } }];
  await serving([null, [200, { items: results }]], async (client, seen) => {
    const commands = [{ taskId: "t", command: submit }, { taskId: "u", command: { ...submit, id: "mine" } }];
    assert.deepEqual(await client.commands(commands), results);
    assert.deepEqual(seen[1].body, seen[0].body);
    assert.deepEqual(seen[0].body.items.map((item) => item.task_id), ["t", "u"]);
    assert.match(seen[0].body.items[0].command.id, /^[0-9a-f-]{36}$/);
    assert.equal(seen[0].body.items[1].command.id, "mine");
  });
});

test("a delay of Retry-After is kept, and one beyond a minute is the caller's", async () => {
  await serving([[503, {}, { "retry-after": "7" }], [201, done]], async (client) => {
    const { setTimeout } = globalThis;
    const delays = [];
    const sleeping = mock.method(globalThis, "setTimeout", (run, delay, ...rest) => {
      const isAsked = delay >= 7000 && delay <= 7001;
      if (isAsked) delays.push(delay);
      return setTimeout(run, isAsked ? 0 : delay, ...rest);
    });
    await client.command("t", submit);
    sleeping.mock.restore();
    assert.equal(delays.length, 1);
  });
  await serving([[503, {}, { "retry-after": "3600" }]], async (client, seen) => {
    await assert.rejects(client.command("t", submit), { status: 503 });
    assert.equal(seen.length, 1);
  });
});

test("retries are bounded, and a problem is typed", async () => {
  await serving([[503, {}], [503, {}], [503, {}]], async (client, seen) => {
    await assert.rejects(client.command("t", submit), { status: 503 });
    assert.equal(seen.length, 3);
  });
  const problem = { code: "tomorrows_code", detail: "No.", errors: [{ pointer: "/a", code: "b", message: "c" }], x: 1 };
  await serving([[409, problem, { "x-request-id": "r1" }]], async (client, seen) => {
    await assert.rejects(client.command("t", submit, { id: "mine" }), (error) => {
      assert.ok(error instanceof StagegateProblem);
      assert.deepEqual([error.status, error.code, error.detail, error.requestId], [409, "tomorrows_code", "No.", "r1"]);
      assert.deepEqual(error.errors, problem.errors);
      return true;
    });
    assert.equal(seen[0].body.id, "mine");
  });
});

test("wait asks with the version that is known, and tolerates tomorrow's words", async () => {
  const status = { version: 7, phase: "tomorrows_phase", waiting_on: "partner", tomorrows_field: {} };
  await serving([[304], [200, { ...status, version: 6 }], [200, status]], async (client, seen) => {
    assert.deepEqual(await client.wait("t", { after: 6 }), status);
    assert.equal(seen[0].headers["if-none-match"], '"6"');
    assert.match(seen[0].url, /wait=50/);
  });
  await serving([[304], [200, { ...status, version: 9, waiting_on: null }]], async (client) => {
    assert.equal(await client.wait("t", { after: 9 }), null);
  });
  await serving([], async (client) => {
    await assert.rejects(client.wait("t", { signal: AbortSignal.abort() }), { name: "AbortError" });
  });
});

test("follow continues after its cursor", async () => {
  const page = (next, more, ...ids) => [200, { items: ids.map((id) => ({ id, type: "new.type" })), next, more, epoch: 1 }];
  await serving([page("b", true, 1, 2), page("c", false, 3)], async (client, seen) => {
    const got = [];
    for await (const { item, cursor } of client.follow({ after: "a", live: false })) got.push([item.id, cursor]);
    assert.deepEqual(got, [[1, "a"], [2, "b"], [3, "c"]]);
    assert.match(seen[1].url, /after=b/);
  });
});

test("webhooks are verified", async () => {
  const secret = `whsec_${Buffer.from("a secret of some length").toString("base64")}`;
  const other = `whsec_${Buffer.from("another secret, as long").toString("base64")}`;
  const body = '{"type":"tomorrows.type","x":1}';
  const timestamp = String(Math.floor(Date.now() / 1000));
  const sign = (key, time) => `v1,${createHmac("sha256", Buffer.from(key.slice(6), "base64")).update(`e1.${time}.${body}`).digest("base64")}`;
  const headers = (signature, time = timestamp) => ({ "Webhook-Id": "e1", "webhook-timestamp": time, "webhook-signature": signature });
  assert.equal((await verifyWebhook(body, headers(sign(secret, timestamp)), secret)).x, 1);
  const both = `v9,abc ${sign(other, timestamp)} ${sign(secret, timestamp)}`;
  await verifyWebhook(Buffer.from(body), headers(both), secret);
  await verifyWebhook(body, new Headers(headers(sign(other, timestamp))), [secret, other]);
  const name = "WebhookVerificationError";
  await assert.rejects(verifyWebhook(body, headers(sign(other, timestamp)), secret), { name });
  await assert.rejects(verifyWebhook(`${body} `, headers(sign(secret, timestamp)), secret), { name });
  for (const time of [Number(timestamp) - 301, Number(timestamp) + 302]) {
    await assert.rejects(verifyWebhook(body, headers(sign(secret, time), String(time)), secret), { name });
  }
  await assert.rejects(verifyWebhook(body, {}, secret), { name });
});

test("a client of a cell names it", async () => {
  await serving([[201, done], [201, done]], async (client, seen) => {
    await client.command("t", submit);
    assert.equal(seen[0].headers["stagegate-cell"], undefined);
    const url = `http://${seen[0].headers.host}`;
    await new Stagegate({ url, token: "key", cell: "eu1" }).command("t", submit);
    assert.equal(seen[1].headers["stagegate-cell"], "eu1");
  });
});
