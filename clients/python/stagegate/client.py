"""The clients: one that blocks, and one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from . import _core, models
from .problem import StagegateProblem

Command = dict[str, Any] | models.EventCommand


@dataclass
class FeedEvent:
    """An event of the feed. Store ``cursor`` once it is processed, and pass it as ``after`` to continue."""

    item: dict[str, Any]
    cursor: str | None
    #: Increases when the database was restored to an earlier time.
    epoch: int


def _events(page: dict[str, Any], cursor: str | None) -> Iterator[FeedEvent]:
    items = page["items"]
    for number, item in enumerate(items, 1):
        yield FeedEvent(item, page["next"] if number == len(items) else cursor, page["epoch"])


def _always(_: models.Status) -> bool:
    return True


def _headers(token: str, cell: str | None) -> dict[str, str]:
    named = {"Stagegate-Cell": cell} if cell else {}
    return {"Authorization": f"Bearer {token}", **named}


class Stagegate:
    """A client with one credential: a partner's or the platform's key, or a buyer's token.

    ``cell`` names the cell to ask, where a gateway cannot tell it from the key.
    """

    def __init__(
        self, url: str, token: str, *, cell: str | None = None, retries: int = 5, backoff: float = 0.5
    ) -> None:
        self._retry = _core.Retry(retries, backoff)
        #: For every operation without a method here. Its requests are sent once.
        self.http = httpx.Client(base_url=url, headers=_headers(token, cell), timeout=_core.ATTEMPT)

    def __enter__(self) -> Stagegate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Sends one request of the contract, and returns its JSON or raises ``StagegateProblem``."""
        response = self.http.request(method, path, **options)
        if not response.is_success:
            raise StagegateProblem(response)
        return response.json() if response.content else None

    def command(self, task_id: str, command: Command, *, id: str | None = None) -> models.EventAnswer:
        """Sends a command. Its id is chosen before the first attempt and kept over retries."""
        return self._run(_core.command(task_id, command, id, self._retry))

    def commands(self, items: Iterable[tuple[str, Command]]) -> list[models.BulkResult]:
        """Sends up to 100 commands, each with the id of its task, in one request.

        Every command gets its id before the first attempt and keeps it over retries. The results are in the order
        of the commands; one that is refused has the status of its problem and affects no other.
        """
        return self._run(_core.commands(items, self._retry))

    def wait(
        self, task_id: str, *, after: int | None = None, min_version: int | None = None,
        until: Callable[[models.Status], bool] = _always, timeout: float = 60,
    ) -> models.Status | None:
        """Waits for a status of another version than ``after`` that ``until`` accepts.

        Returns None once ``timeout`` seconds are over, and at once if the task has ended.
        """
        return self._run(_core.wait(task_id, after, min_version, until, timeout, self._retry))

    def follow(self, after: str | None = None, *, live: bool = True) -> Iterator[FeedEvent]:
        """The feed from ``after`` on. It has no end unless ``live`` is false."""
        while True:
            page = self._run(_core.page(after, live, self._retry))
            yield from _events(page, after)
            after = page["next"]
            if not live and not page["more"]:
                return

    def _run(self, steps: _core.Step) -> Any:
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, _core.Pause):
                time.sleep(step.seconds)
                continue
            try:
                answer = self.http.request(**vars(step))
            except httpx.TransportError as error:
                answer = error


class AsyncStagegate:
    """The same for asyncio. To give up on a call, cancel it."""

    def __init__(
        self, url: str, token: str, *, cell: str | None = None, retries: int = 5, backoff: float = 0.5
    ) -> None:
        self._retry = _core.Retry(retries, backoff)
        self.http = httpx.AsyncClient(base_url=url, headers=_headers(token, cell), timeout=_core.ATTEMPT)

    async def __aenter__(self) -> AsyncStagegate:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.http.aclose()

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """See ``Stagegate.request``."""
        response = await self.http.request(method, path, **options)
        if not response.is_success:
            raise StagegateProblem(response)
        return response.json() if response.content else None

    async def command(self, task_id: str, command: Command, *, id: str | None = None) -> models.EventAnswer:
        """See ``Stagegate.command``."""
        return await self._run(_core.command(task_id, command, id, self._retry))

    async def commands(self, items: Iterable[tuple[str, Command]]) -> list[models.BulkResult]:
        """See ``Stagegate.commands``."""
        return await self._run(_core.commands(items, self._retry))

    async def wait(
        self, task_id: str, *, after: int | None = None, min_version: int | None = None,
        until: Callable[[models.Status], bool] = _always, timeout: float = 60,
    ) -> models.Status | None:
        """See ``Stagegate.wait``."""
        return await self._run(_core.wait(task_id, after, min_version, until, timeout, self._retry))

    async def follow(self, after: str | None = None, *, live: bool = True) -> AsyncIterator[FeedEvent]:
        """See ``Stagegate.follow``."""
        while True:
            page = await self._run(_core.page(after, live, self._retry))
            for event in _events(page, after):
                yield event
            after = page["next"]
            if not live and not page["more"]:
                return

    async def _run(self, steps: _core.Step) -> Any:
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, _core.Pause):
                await asyncio.sleep(step.seconds)
                continue
            try:
                answer = await self.http.request(**vars(step))
            except httpx.TransportError as error:
                answer = error
