"""Plays a task through the recipe of LangGraph, which is beside it as recipe.py."""

import recipe
import world

task = world.open_task("langgraph")
for event in world.partner.follow():
    if event.item.get("task_id") != task:
        continue
    recipe.handle(event.item)
    world.decide(task, event.item)
    if event.item["type"] == "task.workflow_completed":
        break
assert recipe.agent.get_state({"configurable": {"thread_id": task}}).values["phase"] == "delivery"
world.check(task)
