"""Verifies deliveries by Standard Webhooks v1."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any


class WebhookVerificationError(Exception):
    """The delivery is not from the service, or not from now."""


def verify_webhook(
    body: bytes | str, headers: Mapping[str, str], secrets: str | Sequence[str], *, now: float | None = None,
    tolerance: float = 300,
) -> dict[str, Any]:
    """Returns the event of a delivery.

    ``body`` is what came, not JSON that was parsed and written again. Any of the secrets may have signed it.
    Times are in seconds. Drop duplicates by the event's ``id``.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookVerificationError(f"the header {error.args[0]} is missing") from None
    now = time.time() if now is None else now
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > tolerance:
        raise WebhookVerificationError("the timestamp is malformed, too old or too new")
    content = body.encode() if isinstance(body, str) else body
    signed = f"{message}.{timestamp}.".encode() + content
    valid = False
    for secret in [secrets] if isinstance(secrets, str) else secrets:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise WebhookVerificationError("a secret is not base64") from None
        expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        for signature in signatures.split(" "):
            valid |= hmac.compare_digest(expected, signature.encode())
    if not valid:
        raise WebhookVerificationError("no signature matches")
    return json.loads(content)
