// The IAM gate: every AWS request of a function is judged by the policies of that function's role, as the deployment made them, and
// then handed to the loopback service, or refused as AWS refuses.
//
// Who asks is told by the access key of the signature: each role has one. What is asked is `requests.mjs`; the judge is
// `@cloud-copilot/iam-simulate`. The signature itself is not checked: the SDK's, and AWS's. Only this process loads the judge.
//
//     node gate.mjs CONFIG.json    {"backends": {service: url}, "roles": {accessKeyId: function}, "deployed": path}
//
// Prints `ready PORT`. The test steers it under `/-/`: `take` a permission away, `restore` all, `forget` what was asked,
// `needed` (every permission, and whether what was asked since would be refused without it), `refused`.

import { readFileSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { named, permissions, without } from "./policies.mjs";
import { asked } from "./requests.mjs";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { functions } = JSON.parse(readFileSync(config.deployed, "utf8"));
const asDeployed = Object.fromEntries(Object.entries(functions).map(([name, { policies }]) => [name, policies]));
const account = functions.custodian.arn.split(":")[4];

let inForce = asDeployed;
let seen = new Map();
let refused = [];
const judgements = new Map();

async function allows(documents, role, { action, resource, context }) {
  const key = JSON.stringify([documents, action, resource, context]);
  if (!judgements.has(key)) judgements.set(key, await judge(documents, role, action, resource, context));
  return judgements.get(key);
}

async function judge(documents, role, action, resource, context) {
  const answer = await runSimulation(
    {
      request: { principal: role, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: Object.entries(documents).map(([name, policy]) => ({ name, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error") throw new Error(`${action} on ${resource}: ${JSON.stringify(answer.errors)}`);
  const ignored = answer.result?.ignoredContextKeys ?? [];
  // A key the judge does not know for the action would be a condition that is never looked at.
  if (ignored.length > 0) throw new Error(`${action}: context keys ${ignored} are not judged`);
  return answer.overallResult === "Allowed";
}

/** Function and service of a signed request. */
function signer(headers) {
  const scope = /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\/aws4_request/.exec(headers.authorization ?? "");
  return scope && { name: config.roles[scope[1]], service: scope[2] };
}

async function handle(incoming, body) {
  if (incoming.url.startsWith("/-/")) return steer(incoming.url.slice(3), body);
  // What a cold start asks to open its connection; DynamoDB answers it unsigned.
  if (incoming.method === "GET" && incoming.url === "/") return { status: 200, body: "healthy" };
  const { name, service } = signer(incoming.headers) ?? {};
  const documents = inForce[name];
  if (!documents || !config.backends[service]) return denied(`nobody known asks ${service}`);
  const path = new URL(incoming.url, "http://gate").pathname;
  for (const question of asked(service, incoming.headers["x-amz-target"] ?? "", path, body.toString())) {
    seen.set(JSON.stringify([name, question]), { name, question });
    if (!(await allows(documents, functions[name].role, question))) {
      refused.push(`${name}: ${question.action} ${question.resource} ${JSON.stringify(question.context)}`);
      return denied(`${functions[name].role} is not authorized to perform: ${question.action} on ${question.resource}`);
    }
  }
  return pass(config.backends[service], incoming, body);
}

function denied(message) {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-errortype": "AccessDeniedException" };
  return { status: 400, headers, body: JSON.stringify({ __type: "AccessDeniedException", message, Message: message }) };
}

function pass(backend, incoming, body) {
  const target = new URL(incoming.url, backend);
  const headers = { ...incoming.headers, host: target.host };
  return new Promise((resolve, reject) => {
    const outgoing = forward(target, { method: incoming.method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
      answer.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function steer(act, body) {
  const answer = (value) => ({ status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(value) });
  switch (act) {
    case "take": {
      const { name, permission } = JSON.parse(body);
      inForce = { ...asDeployed, [name]: without(asDeployed[name], permission) };
      return answer(true);
    }
    case "restore":
      inForce = asDeployed;
      return answer(true);
    case "forget":
      [seen, refused] = [new Map(), []];
      return answer(true);
    case "refused":
      return answer(refused);
    case "needed":
      return answer(await needed());
    default:
      return { status: 404, body: "" };
  }
}

async function needed() {
  const all = [];
  for (const [name, documents] of Object.entries(asDeployed)) {
    const questions = [...seen.values()].filter((one) => one.name === name).map((one) => one.question);
    for (const permission of permissions(documents)) {
      const rest = without(documents, permission);
      let isNeeded = false;
      for (const question of questions) {
        if (!(await allows(rest, functions[name].role, question))) {
          isNeeded = true;
          break;
        }
      }
      all.push({ name, label: `${name}: ${named(permission)}`, permission, needed: isNeeded });
    }
  }
  return all;
}

const server = createServer((incoming, outgoing) => {
  const chunks = [];
  incoming.on("data", (chunk) => chunks.push(chunk));
  incoming.on("end", async () => {
    let answer;
    try {
      answer = await handle(incoming, Buffer.concat(chunks));
    } catch (error) {
      // Not what AWS would say: the gate could not judge, and the test must see it.
      refused.push(`the gate failed: ${error.message}`);
      answer = { status: 500, body: String(error) };
    }
    delete answer.headers?.["transfer-encoding"];
    outgoing.writeHead(answer.status, answer.headers);
    outgoing.end(answer.body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
