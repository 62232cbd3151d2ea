"""Plays a task from opening to delivery against a running service, with the credentials of the environment."""

import os
import uuid

from . import Stagegate

URL = os.environ["STAGEGATE_URL"]
DORA, ELI = {"id": "u-dora"}, {"id": "u-eli"}


def main() -> None:
    partner, platform, buyer = (Stagegate(URL, os.environ[name]) for name in ("PARTNER", "PLATFORM", "BUYER"))
    task = str(uuid.uuid4())
    stage = {"key": "check", "name": "Check", "submission": "required", "buyer_label": "The logo is being checked"}
    definition = {"name": "Logo", "stages": [stage], "deadline": {"within": "P7D"}}
    partner.request("PUT", "/api/v1/workflows/logo-story", json=definition)
    opening = {
        "id": task, "partner_id": os.environ["PARTNER_ID"], "buyer_id": os.environ["BUYER_ID"],
        "workflow": {"key": "logo-story"}, "title": "A logo for the bakery",
    }
    platform.request("POST", "/api/v1/tasks", json=opening)
    print("the buyer reads:", buyer.wait(task).label)

    partner.command(task, {"type": "work_submitted", "actor": DORA, "summary": "First draft"})
    feedback = {"summary": "The name is misspelt.", "share_with_buyer": True}
    decision = {"stage": "check", "round": 1, "revision": 1, "actor": ELI}
    partner.command(task, {"type": "stage_rejected", **decision, "feedback": feedback})
    rejected = buyer.wait(task, until=lambda status: status.round == 2)
    print("the buyer reads:", rejected.label)

    partner.command(task, {"type": "work_submitted", "actor": DORA, "summary": "Second draft"})
    partner.command(task, {"type": "stage_approved", **decision, "round": 2, "revision": 2})
    delivered = buyer.wait(task, after=rejected.version, until=lambda status: status.label == "Approved")
    print("the buyer reads:", delivered.label)

    types = []
    for event in partner.follow():
        if event.item.get("task_id") == task:
            types.append(event.item["type"])
            if types[-1] == "task.workflow_completed":
                break
    print("the feed:", ", ".join(types))


if __name__ == "__main__":
    main()
