"""Errors of the service."""

from __future__ import annotations

from typing import Any

import httpx


class StagegateProblem(Exception):
    """An error response. Branch on ``code``; new codes may appear in later versions."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            body = response.json()
        except ValueError:
            body = None
        #: The whole body, as far as it was an object.
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        self.status: int = response.status_code
        #: Stable, such as ``self_approval``; empty if the response came from a proxy.
        self.code: str = self.body.get("code", "")
        self.detail: str = self.body.get("detail", "")
        #: The errors in the input, each with ``pointer``, ``code`` and ``message``.
        self.errors: list[dict[str, Any]] = self.body.get("errors") or []
        #: Name it when you report an error.
        self.request_id: str | None = response.headers.get("x-request-id")
        super().__init__(self.detail or f"the service responded with {self.status}")
