"""Runs the steps of the recipe of GitHub Actions, which are beside it as step-0.sh and step-1.sh, and decides."""

import os
import subprocess

import world

task = world.open_task("github-actions")
known = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "TASK": task}
for run, expected in ("1", 1), ("2", 0):
    environment = {**os.environ, **known, "STAGEGATE_KEY": os.environ["PARTNER"], "GITHUB_RUN_ID": run}
    # Sent twice, as after a lost answer.
    for _ in range(2):
        subprocess.run(["bash", "-e", "step-0.sh"], env=environment, check=True)
    waiting = subprocess.Popen(["bash", "-e", "step-1.sh"], env=environment, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout.readline() == "in_review\n"
    world.decide(task, {"type": "task.work_submitted", "event": {"data": {"revision": int(run)}}})
    assert waiting.wait() == expected, waiting.returncode
trail = world.partner.request("GET", f"/api/v1/tasks/{task}/audit")["items"]
assert [entry["type"] for entry in trail].count("task.work_submitted") == 2
print("the recipe ended with", world.partner.request("GET", f"/api/v1/tasks/{task}")["phase"])
