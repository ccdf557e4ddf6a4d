// What an AWS request asks to be allowed: actions on resources, with the condition keys that DynamoDB and EventBridge set.
//
// Sources: Service Authorization Reference (DynamoDB, Secrets Manager, Lambda, SQS, EventBridge: actions, resource types, condition
// keys); DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control" and "Using IAM with transactions"
// (a transaction is judged by its parts).

const REGION = "eu-central-1";
const ACCOUNT = "123456789012";
const arn = (service, name) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${name}`;

// Words of expressions that are no attributes.
const WORDS = new Set([
  "SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN", "attribute_exists", "attribute_not_exists", "attribute_type",
  "begins_with", "contains", "size", "if_not_exists", "list_append",
]);

/** Top-level attributes that expressions name, placeholders resolved. */
export function attributesOf(names, ...expressions) {
  const found = new Set();
  for (const expression of expressions) {
    for (const [word] of (expression ?? "").matchAll(/[:#]?[A-Za-z_][\w.]*/g)) {
      const top = word.split(".")[0];
      if (top.startsWith(":") || WORDS.has(top)) continue;
      found.add(top.startsWith("#") ? names?.[top] : top);
    }
  }
  return [...found];
}

const text = (key) => key.pk.S;

// One item that is written: its key, and every attribute the request names. A read of a whole item names none.
function written(action, body, key, item) {
  const attributes = attributesOf(body.ExpressionAttributeNames, body.UpdateExpression, body.ConditionExpression);
  const all = new Set([...Object.keys(key), ...Object.keys(item ?? {}), ...attributes]);
  return {
    action: `dynamodb:${action}`,
    resource: arn("dynamodb", `table/${body.TableName}`),
    context: {
      "dynamodb:LeadingKeys": [text(key)],
      "dynamodb:Attributes": [...all],
      "dynamodb:ReturnValues": body.ReturnValues ?? "NONE",
    },
  };
}

function read(action, table, keys, { ProjectionExpression, ExpressionAttributeNames }) {
  const context = { "dynamodb:LeadingKeys": keys.map(text) };
  // Without a projection every attribute is asked for, and none is named.
  context["dynamodb:Select"] = ProjectionExpression ? "SPECIFIC_ATTRIBUTES" : "ALL_ATTRIBUTES";
  if (ProjectionExpression) context["dynamodb:Attributes"] = attributesOf(ExpressionAttributeNames, ProjectionExpression);
  return { action: `dynamodb:${action}`, resource: arn("dynamodb", `table/${table}`), context };
}

function dynamodb(operation, body) {
  switch (operation) {
    case "GetItem":
      return [read(operation, body.TableName, [body.Key], body)];
    case "BatchGetItem":
      return Object.entries(body.RequestItems).map(([table, wanted]) => read(operation, table, wanted.Keys, wanted));
    case "PutItem":
      return [written(operation, body, { pk: body.Item.pk }, body.Item)];
    case "UpdateItem":
    case "DeleteItem":
      return [written(operation, body, body.Key)];
    case "TransactWriteItems":
      return body.TransactItems.map((part) => {
        const [[kind, one]] = Object.entries(part);
        const action = kind === "ConditionCheck" ? "ConditionCheckItem" : `${kind}Item`;
        return written(action, one, one.Key ?? { pk: one.Item.pk }, one.Item);
      });
    case "Query": {
      const index = body.IndexName ? `/index/${body.IndexName}` : "";
      const partition = Object.values(body.ExpressionAttributeValues)[0].S;
      const context = { "dynamodb:LeadingKeys": [partition], "dynamodb:Select": "ALL_PROJECTED_ATTRIBUTES" };
      return [{ action: "dynamodb:Query", resource: arn("dynamodb", `table/${body.TableName}${index}`), context }];
    }
    default:
      return [{ action: `dynamodb:${operation}`, resource: arn("dynamodb", `table/${body.TableName ?? "*"}`), context: {} }];
  }
}

// Secrets Manager appends six characters to a name; policies match them with `-??????` or `*`.
function secretsmanager(operation, body) {
  const name = body.SecretId ?? body.Name;
  const resource = name?.startsWith("arn:") ? name : arn("secretsmanager", `secret:${name}-AbCdEf`);
  return [{ action: `secretsmanager:${operation}`, resource, context: {} }];
}

function sqs(operation, body) {
  const queue = body.QueueUrl.split("/").at(-1);
  // The batch forms are the same permission (SQS API reference, "API permissions").
  const action = operation.replace(/Batch$/, "");
  return [{ action: `sqs:${action}`, resource: arn("sqs", queue), context: {} }];
}

function events(operation, body) {
  return body.Entries.map((entry) => ({
    action: `events:${operation}`,
    resource: arn("events", `event-bus/${entry.EventBusName}`),
    context: { "events:source": [entry.Source], "events:detail-type": entry.DetailType },
  }));
}

function lambda(path) {
  const [, name] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(path) ?? [];
  const bare = decodeURIComponent(name ?? "?").split(":").at(-1);
  return [{ action: "lambda:InvokeFunction", resource: arn("lambda", `function:${bare}`), context: {} }];
}

/** Everything one request has to be allowed. `service` is that of its signature. */
export function asked(service, target, path, body) {
  if (service === "lambda") return lambda(path);
  const operation = target.split(".").at(-1);
  return { dynamodb, secretsmanager, sqs, events }[service](operation, JSON.parse(body));
}
