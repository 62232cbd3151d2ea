"""The parts by hand, against a server on this machine."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
import unittest
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from stagegate import AsyncStagegate, Stagegate, StagegateProblem, WebhookVerificationError, verify_webhook


@contextmanager
def serving(*answers):
    """Serves each request with the next of ``answers``; None cuts the connection. Yields (url, requests)."""
    rest, seen = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append((self.path, dict(self.headers), json.loads(body) if body else None))
            answer = rest.pop(0) if rest else None
            self.close_connection = True
            if answer is None:
                return
            status, value, *headers = answer
            self.send_response(status)
            for name, text in headers:
                self.send_header(name, text)
            self.end_headers()
            if value is not None:
                self.wfile.write(json.dumps(value).encode())

        do_GET = do_POST = handle_any

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


SUBMIT = {"type": "work_submitted", "actor": {"id": "u-dora"}, "summary": "A draft"}
DONE = {"event": {"tomorrow": 1}, "events": [], "tomorrows_field": {"x": 1}}
FAST = {"retries": 2, "backoff": 0.001}


class Cells(unittest.TestCase):
    def test_a_client_of_a_cell_names_it(self):
        for cell in (None, "eu1"):
            with serving((201, DONE)) as (url, seen), Stagegate(url, "key", cell=cell) as client:
                client.command("t", SUBMIT)
                self.assertEqual(seen[0][1].get("Stagegate-Cell"), cell)


class Retries(unittest.TestCase):
    def check_ids(self, seen):
        self.assertEqual(len(seen), 3)
        self.assertEqual(len({body["id"] for _, _, body in seen}), 1)

    def test_a_swallowed_answer_and_429_keep_the_id(self):
        with serving(None, (429, {}, ("Retry-After", "0")), (201, DONE)) as (url, seen):
            answer = Stagegate(url, "key", **FAST).command("t", SUBMIT)
            self.assertEqual(answer.tomorrows_field, {"x": 1})
            self.check_ids(seen)

    def test_the_same_with_asyncio(self):
        async def play(url):
            async with AsyncStagegate(url, "key", **FAST) as client:
                await client.command("t", SUBMIT)

        with serving(None, (503, {}), (201, DONE)) as (url, seen):
            asyncio.run(play(url))
            self.check_ids(seen)

    def test_many_commands_keep_their_ids(self):
        results = [{"status": 201, "body": DONE}, {"status": 409, "body": {"code": "tomorrows_code"}}]
        with serving(None, (200, {"items": results})) as (url, seen):
            made, refused = Stagegate(url, "key", **FAST).commands([("t", SUBMIT), ("u", {**SUBMIT, "id": "mine"})])
            self.assertEqual((made.status, refused.status), (201, 409))
            self.assertEqual(seen[0][2], seen[1][2])
            items = seen[0][2]["items"]
            self.assertEqual([item["task_id"] for item in items], ["t", "u"])
            self.assertEqual((len(items[0]["command"]["id"]), items[1]["command"]["id"]), (36, "mine"))

    def test_retry_after_is_kept_and_retries_are_bounded(self):
        with serving((503, {}, ("Retry-After", "7")), (201, DONE)) as (url, _), mock.patch("time.sleep") as sleep:
            Stagegate(url, "key", **FAST).command("t", SUBMIT)
            (delay,) = sleep.call_args.args
            self.assertTrue(7 <= delay <= 7.001, delay)
        with serving(*[(503, {})] * 3) as (url, seen), self.assertRaises(StagegateProblem):
            Stagegate(url, "key", **FAST).command("t", SUBMIT)
        self.assertEqual(len(seen), 3)

    def test_a_problem_is_typed(self):
        problem = {"code": "tomorrows_code", "detail": "No.", "errors": [{"pointer": "/a"}]}
        with serving((409, problem, ("X-Request-Id", "r1"))) as (url, seen):
            with self.assertRaises(StagegateProblem) as caught:
                Stagegate(url, "key").command("t", SUBMIT, id="mine")
            error = caught.exception
            self.assertEqual((error.status, error.code, error.detail, error.request_id), (409, "tomorrows_code", "No.", "r1"))
            self.assertEqual(error.errors, problem["errors"])
            self.assertEqual(seen[0][2]["id"], "mine")


class Following(unittest.TestCase):
    def test_wait_asks_with_the_known_version(self):
        status = {"version": 7, "phase": "tomorrows_phase", "waiting_on": "partner", "tomorrows_field": 1}
        with serving((304, None), (200, {**status, "version": 6}), (200, status)) as (url, seen):
            found = Stagegate(url, "key", **FAST).wait("t", after=6)
            self.assertEqual((found.version, found.phase), (7, "tomorrows_phase"))
            self.assertEqual(seen[0][1]["If-None-Match"], '"6"')

    def test_a_task_that_has_ended_is_not_waited_for(self):
        with serving((304, None), (200, {"version": 9, "waiting_on": None})) as (url, _):
            self.assertIsNone(Stagegate(url, "key", **FAST).wait("t", after=9))

    def test_follow_continues_after_its_cursor(self):
        def page(next, more, *ids):
            return 200, {"items": [{"id": id, "type": "new"} for id in ids], "next": next, "more": more, "epoch": 1}

        with serving(page("b", True, 1, 2), page("c", False, 3)) as (url, seen):
            events = Stagegate(url, "key").follow("a", live=False)
            self.assertEqual([(event.item["id"], event.cursor) for event in events], [(1, "a"), (2, "b"), (3, "c")])
            self.assertIn("after=b", seen[1][0])


class Webhooks(unittest.TestCase):
    def test_verification(self):
        keys = [b"a secret of some length", b"another secret, as long"]
        secret, other = ("whsec_" + base64.b64encode(key).decode() for key in keys)
        body, now = b'{"type":"tomorrows.type","x":1}', int(time.time())

        def headers(key, at=now):
            digest = hmac.digest(key, f"e1.{at}.".encode() + body, hashlib.sha256)
            signature = "v1," + base64.b64encode(digest).decode()
            return {"Webhook-Id": "e1", "webhook-timestamp": str(at), "webhook-signature": f"v9,abc {signature}"}

        self.assertEqual(verify_webhook(body, headers(keys[0]), secret)["x"], 1)
        verify_webhook(body, headers(keys[1]), [secret, other])
        refused = [(body, headers(keys[1])), (body + b" ", headers(keys[0])), (body, {})]
        refused += [(body, headers(keys[0], now + by)) for by in (-302, 303)]
        for content, given in refused:
            with self.subTest(given=given), self.assertRaises(WebhookVerificationError):
                verify_webhook(content, given, secret)


if __name__ == "__main__":
    unittest.main()
