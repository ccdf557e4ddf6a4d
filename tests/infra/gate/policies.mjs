// Policies as the deployment made them, and each permission in them: what can be taken away by itself.

const list = (value) => (Array.isArray(value) ? value : [value]);
const LEADING = "dynamodb:LeadingKeys";
const ATTRIBUTES = "dynamodb:Attributes";

// What Lambda does in a role's name, without asking anything the functions' own requests would show.
const PLATFORM = /^(logs|xray|kms):/;

/** Every single permission of a role: statement, action, resource, kind of item, attribute. */
export function permissions(documents) {
  const found = [];
  for (const [policy, document] of Object.entries(documents)) {
    document.Statement.forEach((statement, index) => {
      const keys = list(statement.Condition?.["ForAllValues:StringLike"]?.[LEADING] ?? [null]);
      for (const action of list(statement.Action)) {
        if (PLATFORM.test(action)) continue;
        const at = { policy, index, sid: statement.Sid, action };
        if (list(statement.Action).length > 1) found.push({ ...at, part: "action" });
        else found.push({ ...at, part: "statement" });
      }
      if (list(statement.Action).every((action) => PLATFORM.test(action))) return;
      const at = { policy, index, sid: statement.Sid };
      if (list(statement.Resource).length > 1) for (const resource of list(statement.Resource)) found.push({ ...at, part: "resource", resource });
      if (keys.length > 1) for (const key of keys) found.push({ ...at, part: "key", key });
      const attributes = list(statement.Condition?.["ForAllValues:StringEquals"]?.[ATTRIBUTES] ?? []);
      for (const attribute of attributes) found.push({ ...at, part: "attribute", attribute });
    });
  }
  return found;
}

/** In words, for people. */
export function named({ sid, action, part, resource, key, attribute }) {
  return [sid, action, resource, key, attribute && `attribute ${attribute}`].filter(Boolean).join(" ") + (part === "statement" ? " (all of it)" : "");
}

/** The documents without one permission. */
export function without(documents, { policy, index, part, action, resource, key, attribute }) {
  const copy = structuredClone(documents);
  const statement = copy[policy].Statement[index];
  const keep = (values, gone) => list(values).filter((value) => value !== gone);
  if (part === "statement") copy[policy].Statement.splice(index, 1);
  if (part === "action") statement.Action = keep(statement.Action, action);
  if (part === "resource") statement.Resource = keep(statement.Resource, resource);
  if (part === "key") statement.Condition["ForAllValues:StringLike"][LEADING] = keep(statement.Condition["ForAllValues:StringLike"][LEADING], key);
  if (part === "attribute") {
    const named = statement.Condition["ForAllValues:StringEquals"];
    named[ATTRIBUTES] = keep(named[ATTRIBUTES], attribute);
  }
  return copy;
}
