// Ask linkbeat for a run and wait for its report.
//
//     npm install amqplib
//     node request_run.js amqp://guest:guest@localhost:5672/ links.json --backlink 'https?://my\.blog'
//
// links.json is an array of {"name": ..., "url": ...}; without it all stored active links are checked.
// Prints the report as JSON. Exit status: 0 a report came, 1 linkbeat refused the request, 3 no answer.

const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { parseArgs } = require("node:util");
const amqp = require("amqplib");

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      backlink: { type: "string" },
      "timeout-ms": { type: "string" },
      lang: { type: "string" },
      cancel: { type: "boolean", default: false },
      namespace: { type: "string", default: "linkbeat" },
      "request-id": { type: "string", default: randomUUID() },
      wait: { type: "string", default: "60" },
    },
  });
  const [brokerUrl, links] = positionals;
  const request = { schema: "linkbeat.request/1", request_id: values["request-id"] };
  if (links) request.links = JSON.parse(readFileSync(links, "utf8"));
  if (values.backlink) request.backlink = values.backlink;
  if (values["timeout-ms"]) request.timeout_ms = Number(values["timeout-ms"]);
  if (values.lang) request.lang = values.lang;
  if (values.cancel) request.cancel = true;
  try {
    const report = await ask(brokerUrl, values.namespace, request, Number(values.wait));
    console.log(JSON.stringify(report, null, 2));
    return report.code === 0 ? 0 : 1;
  } catch (error) {
    console.error(`no answer: ${error.message}`);
    return 3;
  }
}

/** Publishes the request with a confirm, and waits for the answer on a queue of its own. */
async function ask(brokerUrl, namespace, request, seconds) {
  const connection = await amqp.connect(brokerUrl);
  try {
    const channel = await connection.createConfirmChannel();
    return await new Promise((resolve, reject) => {
      // RabbitMQ ends the channel if it refuses something.
      connection.on("error", reject);
      channel.on("error", reject);
      channel.on("return", () => reject(new Error("nothing takes requests: run `linkbeat migrate` or a producer first")));
      const late = new Error(`none came within ${seconds} s; do a producer, a recorder and workers run?`);
      setTimeout(() => reject(late), seconds * 1000).unref();
      askOver(channel, replyQueue(brokerUrl), namespace, request, resolve).catch(reject);
    });
  } finally {
    await connection.close().catch(() => {});
  }
}

async function askOver(channel, replies, namespace, request, resolve) {
  const correlationId = randomUUID();
  await channel.assertQueue(replies, { exclusive: true, durable: false });
  const answered = (message) => {
    if (message?.properties.correlationId === correlationId) resolve(JSON.parse(message.content));
  };
  await channel.consume(replies, answered, { noAck: true });
  channel.publish(`${namespace}.requests`, "", Buffer.from(JSON.stringify(request)), {
    contentType: "application/json",
    persistent: true,
    messageId: randomUUID(),
    replyTo: replies,
    correlationId,
    mandatory: true,
  });
  await channel.waitForConfirms();
}

/** An app may declare and read queues that begin with its own name: docs/operations.md. */
function replyQueue(brokerUrl) {
  const user = decodeURIComponent(new URL(brokerUrl).username) || "guest";
  return `${user}.answers.${randomUUID()}`;
}

main().then((status) => {
  process.exitCode = status;
});
