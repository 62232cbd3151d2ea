"""Plays a task through the recipe of Temporal, which is beside it as recipe.py, on a development server."""

import asyncio
import os
import sys

import recipe
import world
from stagegate import AsyncStagegate
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker


async def main() -> None:
    server = os.environ["TEMPORAL"]
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=server) as temporal:
        worker = Worker(temporal.client, task_queue="reviews", workflows=[recipe.Review], activities=[recipe.submit])
        async with worker, AsyncStagegate(world.URL, os.environ["PARTNER"]) as stagegate:
            task = world.open_task("temporal")
            async for event in stagegate.follow():
                if event.item.get("task_id") != task:
                    continue
                await recipe.handle(temporal.client, stagegate, event.item)
                world.decide(task, event.item)
                if event.item["type"] == "task.workflow_completed":
                    break
            assert await temporal.client.get_workflow_handle(f"review-{task}").result() == "delivery"
            world.check(task)


asyncio.run(main())
# The SDK's own threads can end the interpreter with an error while it shuts down, after everything was checked.
sys.stdout.flush()
os._exit(0)
