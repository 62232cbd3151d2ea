"""Works on a task with the official client for Python, unmodified, and prints what it saw as JSON.

Arguments: a version of the protocol (or `auto`, `legacy`), and `http` or `stdio`. The environment has STAGEGATE_URL,
STAGEGATE_KEY, TASK and STAGEGATE, the program.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

URL, KEY, TASK = os.environ["STAGEGATE_URL"], os.environ["STAGEGATE_KEY"], os.environ["TASK"]


async def work(client: Client) -> dict:
    tools = (await client.list_tools()).tools
    before = await client.call_tool("get_task", {"task_id": TASK})
    listed = await client.call_tool("list_tasks", {})
    inbox = await client.call_tool("list_reviews", {"unclaimed": True})
    why = await client.call_tool("why", {"task_id": TASK})
    submitted = await client.call_tool("submit_work", {"task_id": TASK, "summary": "A draft."})
    waited = await client.call_tool("wait", {"task_id": TASK, "after": 1})
    unable = await client.call_tool("claim_task", {"task_id": TASK})
    refused = await client.call_tool("get_task", {"task_id": "7"})
    skill = await client.read_resource("stagegate://docs/skill")
    task = await client.read_resource(f"stagegate://task/{TASK}")
    templates = await client.list_resource_templates()
    assert not any(result.is_error for result in (before, listed, inbox, why, submitted, waited))
    return {
        "protocol": client.protocol_version,
        "server": client.server_info.name,
        "tools": [tool.name for tool in tools],
        "read_only": [tool.name for tool in tools if tool.annotations.read_only_hint],
        "before": before.structured_content["phase"],
        "after": submitted.structured_content["task"]["phase"],
        "changed": waited.structured_content["changed"],
        "waits": [row["task_id"] for row in inbox.structured_content["items"]] == [TASK],
        "unable": json.loads(unable.content[0].text)["code"] if unable.is_error else None,
        "refused": json.loads(refused.content[0].text)["code"] if refused.is_error else None,
        "skill": skill.contents[0].text.splitlines()[0],
        "marked": "about_this_data" in json.loads(task.contents[0].text),
        "templates": len(templates.resource_templates),
    }


async def main() -> None:
    mode, transport = sys.argv[1:3]
    if transport == "stdio":
        environment = {"STAGEGATE_URL": URL, "STAGEGATE_KEY": KEY}
        server = StdioServerParameters(command=os.environ["STAGEGATE"], args=["mcp"], env=environment)
        async with Client(server, mode=mode) as client:
            print(json.dumps(await work(client)))
        return
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as http:
        async with Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode) as client:
            print(json.dumps(await work(client)))


asyncio.run(main())
