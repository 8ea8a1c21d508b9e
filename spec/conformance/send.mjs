// Makes calls with the vendor's client, one request each, whatever they are answered. Standard
// input is {"url": …, "token": …, "calls": [{"operation": "users.create", "arguments": {"org_id":
// …, "email": …}}, …]}; standard output is one line of JSON, an array that says for each call
// whether the client has a method for it.

import { client, input } from "./vendor.mjs";

// Names that changed after this client was made.
const OLDER = { delete: "remove" };

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
}

// The resource and the method of an operation such as "bulkSync.executions.get"; nothing where the
// client has none.
function find(root, operation) {
  const path = operation.split(".");
  const last = path.pop();
  const resource = path.reduce((found, name) => found?.[name], root);
  const method = [last, OLDER[last]].find((name) => typeof resource?.[name] === "function");
  return method && { resource, method };
}

// What a method takes as `request`: the values as they are, or with those of the body in a member
// of their own.
function packed(source, values) {
  const head = /const \{ ([^}]*), body: _body,? \} = request/.exec(source);
  if (!head) return values;
  const request = { body: { ...values } };
  for (const name of head[1].split(",").map((part) => part.split(":")[0].trim())) {
    request[name] = values[name];
    delete request.body[name];
  }
  return request;
}

// The values of a method's parameters: those of the path by their names, then all others as
// `request`.
function positional(method, given) {
  const source = method.toString();
  const names = /\(([^)]*)\)/
    .exec(source)[1]
    .split(",")
    .map((name) => name.split("=")[0].trim());
  const rest = { ...given };
  const values = names.map((name) => {
    const value = rest[snake(name)];
    delete rest[snake(name)];
    return value;
  });
  if (names.includes("request")) values[names.indexOf("request")] = packed(source, rest);
  values[names.indexOf("requestOptions")] = { maxRetries: 0 };
  return values;
}

const { url, token, calls } = await input();
const vendor = client(url, { token });
const sent = [];
for (const { operation, arguments: given } of calls) {
  const found = find(vendor, operation);
  sent.push(Boolean(found));
  if (found)
    await found.resource[found.method](...positional(found.resource[found.method], given)).catch(
      () => {},
    );
}
console.log(JSON.stringify(sent));
