// Works on a task with the official client for TypeScript, unmodified, and prints what it saw as JSON. Argument: `http` or
// `stdio`. The environment has STAGEGATE_URL, STAGEGATE_KEY, TASK, STAGEGATE (the program) and MODULES, where the client is.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { STAGEGATE_URL, STAGEGATE_KEY, TASK, STAGEGATE, MODULES } = process.env;
const require = createRequire(`${MODULES}/index.js`);
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)).href);
const { Client } = await load('client/index.js');
const { StreamableHTTPClientTransport } = await load('client/streamableHttp.js');
const { StdioClientTransport } = await load('client/stdio.js');

const overHttp = () => {
  const headers = { Authorization: `Bearer ${STAGEGATE_KEY}` };
  return new StreamableHTTPClientTransport(new URL(`${STAGEGATE_URL}/mcp`), { requestInit: { headers } });
};
const overStdio = () =>
  new StdioClientTransport({ command: STAGEGATE, args: ['mcp'], env: { STAGEGATE_URL, STAGEGATE_KEY } });

const client = new Client({ name: 'test', version: '1' });
await client.connect(process.argv[2] === 'stdio' ? overStdio() : overHttp());
const { tools } = await client.listTools();
const call = async (name, args) => {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(result.content[0].text);
  return result.structuredContent;
};
const before = await call('get_task', { task_id: TASK });
await call('list_tasks', {});
const inbox = await call('list_reviews', { unclaimed: true });
await call('why', { task_id: TASK });
const submitted = await call('submit_work', { task_id: TASK, summary: 'A draft.' });
const waited = await call('wait', { task_id: TASK, after: 1 });
const unable = await client.callTool({ name: 'claim_task', arguments: { task_id: TASK } });
const refused = await client.callTool({ name: 'get_task', arguments: { task_id: '7' } });
const skill = await client.readResource({ uri: 'stagegate://docs/skill' });
const task = await client.readResource({ uri: `stagegate://task/${TASK}` });
const templates = await client.listResourceTemplates();
console.log(
  JSON.stringify({
    protocol: client.transport?.protocolVersion ?? null,
    server: client.getServerVersion().name,
    tools: tools.map((tool) => tool.name),
    read_only: tools.filter((tool) => tool.annotations.readOnlyHint).map((tool) => tool.name),
    before: before.phase,
    after: submitted.task.phase,
    changed: waited.changed,
    waits: inbox.items.length === 1 && inbox.items[0].task_id === TASK,
    unable: unable.isError ? JSON.parse(unable.content[0].text).code : null,
    refused: refused.isError ? JSON.parse(refused.content[0].text).code : null,
    skill: skill.contents[0].text.split('\n')[0],
    marked: 'about_this_data' in JSON.parse(task.contents[0].text),
    templates: templates.resourceTemplates.length,
  }),
);
await client.close();
