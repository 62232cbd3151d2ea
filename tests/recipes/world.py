"""A task, its platform and its reviewer, for the recipes: the first revision is rejected, the second one approved."""

import os
import uuid

from stagegate import Stagegate

URL = os.environ["STAGEGATE_URL"]
platform = Stagegate(URL, os.environ["PLATFORM"])
partner = Stagegate(URL, os.environ["PARTNER"])


def open_task(name: str) -> str:
    stage = {"key": "check", "name": "Check", "submission": "required", "buyer_label": "It is being checked"}
    partner.request("PUT", f"/api/v1/workflows/{name}", json={"name": name, "stages": [stage], "deadline": {"within": "P7D"}})
    task = str(uuid.uuid4())
    opening = {"id": task, "partner_id": os.environ["PARTNER_ID"], "buyer_id": os.environ["BUYER_ID"],
               "workflow": {"key": name}, "title": "A logo"}
    platform.request("POST", "/api/v1/tasks", json=opening)
    return task


def decide(task: str, item: dict) -> None:
    """Decides on a revision that was submitted."""
    if item["type"] != "task.work_submitted":
        return
    revision = item["event"]["data"]["revision"]
    place = {"stage": "check", "round": revision, "revision": revision, "actor": {"id": "u-eli"}}
    if revision == 1:
        feedback = {"summary": "The name is misspelt.", "share_with_buyer": True}
        partner.command(task, {"type": "stage_rejected", **place, "feedback": feedback})
    else:
        partner.command(task, {"type": "stage_approved", **place})


def check(task: str) -> None:
    """The second revision answered the feedback on the first."""
    trail = partner.request("GET", f"/api/v1/tasks/{task}/audit")["items"]
    work = [entry["data"]["summary"] for entry in trail if entry["type"] == "task.work_submitted"]
    assert work == ["First draft", "The name is misspelt."], work
    print("the recipe ended with", partner.request("GET", f"/api/v1/tasks/{task}")["phase"])
