"""A client of Stagegate: approval workflows."""

from . import models
from .client import AsyncStagegate, FeedEvent, Stagegate
from .problem import StagegateProblem
from .webhook import WebhookVerificationError, verify_webhook

__all__ = [
    "AsyncStagegate", "FeedEvent", "Stagegate", "StagegateProblem", "WebhookVerificationError", "models", "verify_webhook",
]
