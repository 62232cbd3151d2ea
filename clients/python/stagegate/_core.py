"""What both clients do, without doing it: generators that yield requests and pauses, and are sent responses."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from . import models
from .problem import StagegateProblem

LONGEST_RETRY_AFTER = 60.0
LONGEST_BACKOFF = 20.0
#: The longest ``wait`` that is asked for, in seconds. The service allows 55.
LONGEST_WAIT = 50
#: How much longer than its ``wait`` an attempt may take, in seconds.
ATTEMPT = 30.0


@dataclass
class Send:
    """A request. The answer is a response, or the failure of the network."""

    method: str
    url: str
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    timeout: float = ATTEMPT


@dataclass
class Pause:
    """A pause in seconds."""

    seconds: float


@dataclass
class Retry:
    """How often a request is sent again, and the bound of the first delay in seconds."""

    retries: int
    backoff: float


Step = Generator[Send | Pause, Any, Any]
Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], data: Any) -> Model:
    """The data as a model. What a later version of the service made and the model refuses stays as it came."""
    try:
        return model.model_validate(data)
    except ValidationError:
        return model.model_construct(**data)


def retried(request: Send, retry: Retry) -> Step:
    """Sends a request until there is an answer: again after a network failure, 429 and 503."""
    for attempt in range(retry.retries + 1):
        delay = random.uniform(0, min(LONGEST_BACKOFF, retry.backoff * 2**attempt))
        answer = yield request
        if isinstance(answer, httpx.Response):
            if answer.is_success or answer.status_code == 304:
                return answer
            failure: Exception = StagegateProblem(answer)
            asked = retry_after(answer.headers.get("retry-after"))
            if answer.status_code not in (429, 503) or asked > LONGEST_RETRY_AFTER:
                raise failure
            delay += asked
        else:
            failure = answer
        if attempt == retry.retries:
            raise failure
        yield Pause(delay)


def retry_after(header: str | None) -> float:
    """The seconds that the header asks for; a malformed one asks for none."""
    if header is None:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0


def with_id(body: Any, id: str | None = None) -> dict[str, Any]:
    if isinstance(body, BaseModel):
        body = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**body, "id": id or body.get("id") or str(uuid.uuid4())}


def commands(items: Iterable[tuple[str, Any]], retry: Retry) -> Step:
    body = {"items": [{"task_id": task_id, "command": with_id(command)} for task_id, command in items]}
    response = yield from retried(Send("POST", "/api/v1/events", json=body), retry)
    return [read(models.BulkResult, item) for item in response.json()["items"]]


def command(task_id: str, body: Any, id: str | None, retry: Retry) -> Step:
    body = with_id(body, id)
    response = yield from retried(Send("POST", f"/api/v1/tasks/{task_id}/events", json=body), retry)
    return read(models.EventAnswer, response.json())


def status(task_id: str, known: int | None, min_version: int | None, wait: int, retry: Retry) -> Step:
    params = {"wait": wait} if min_version is None else {"wait": wait, "min_version": min_version}
    headers = {} if known is None else {"If-None-Match": f'"{known}"'}
    request = Send("GET", f"/api/v1/tasks/{task_id}/status", params, headers, timeout=wait + ATTEMPT)
    response = yield from retried(request, retry)
    return None if response.status_code == 304 else read(models.Status, response.json())


def wait(
    task_id: str, after: int | None, min_version: int | None, until: Callable[[models.Status], bool], timeout: float,
    retry: Retry,
) -> Step:
    end = time.monotonic() + timeout
    version = after
    while True:
        started = time.monotonic()
        asked = max(0, min(LONGEST_WAIT, int(end - started)))
        found = yield from status(task_id, version, min_version, asked, retry)
        if found is None and time.monotonic() - started < asked - 1:
            # An early answer: the task has ended, or the service is about to stop.
            found = yield from status(task_id, None, min_version, 0, retry)
            if found.version == version:
                if found.waiting_on is None:
                    return None
                yield Pause(1)
        if found is not None and found.version != version:
            if until(found):
                return found
            if found.waiting_on is None:
                return None
            version = found.version
        if time.monotonic() + 1 > end:
            return None


def page(cursor: str | None, live: bool, retry: Retry) -> Step:
    seconds = LONGEST_WAIT if live else 0
    params = {"wait": seconds, "limit": 100} | ({} if cursor is None else {"after": cursor})
    response = yield from retried(Send("GET", "/api/v1/events", params, timeout=seconds + ATTEMPT), retry)
    return response.json()
