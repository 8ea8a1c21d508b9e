// Makes calls with the vendor's client, one request each, whatever they are answered. Standard
// input is {"url": …, "token": …, "calls": [{"route": "POST /api/organizations/{}/users", "path":
// […], "rest": {…}}, …]}: a route, the values of its path in order, and all other arguments.
// Standard output is one line of JSON, {"methods": {route: {"name": …, "query": […]}}, "sent":
// […]}: every method of the client with the query parameters it knows, and whether there was one
// for each call.

import { client, input } from "./vendor.mjs";

// The source of a method with its parameters, its path and its HTTP method; nothing for what makes
// no request.
function describe(name, method) {
  const source = method.toString();
  const verb = /method: "([A-Z]+)"/.exec(source)?.[1];
  const path = /[`"](\/?api\/[^`"]*)[`"]\)/.exec(source)?.[1];
  if (!verb || !path) return undefined;
  const holes = [...path.matchAll(/\$\{encodeURIComponent\((\w+)\)\}/g)].map((hole) => hole[1]);
  const template = path.replace(/\$\{[^}]*\}/g, "{}").replace(/^\/?/, "/");
  const query = [...source.matchAll(/_queryParams\["([^"]+)"\]/g)].map((found) => found[1]);
  return { name, source, route: `${verb} ${template}`, holes, query: [...new Set(query)] };
}

// Every method of a resource and of those below it, by route.
function methods(resource, prefix = "", found = new Map()) {
  const prototype = Object.getPrototypeOf(resource);
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const getter = Object.getOwnPropertyDescriptor(prototype, name).get;
    if (name.startsWith("_") || name === "constructor") continue;
    if (getter) {
      methods(resource[name], `${prefix}${name}.`, found);
      continue;
    }
    const described = describe(prefix + name, resource[name]);
    if (described) found.set(described.route, { ...described, resource, method: resource[name] });
  }
  return found;
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

// The values of a method's parameters: those of the path, then all others as `request`.
function positional(found, { path, rest }) {
  const names = /\(([^)]*)\)/
    .exec(found.source)[1]
    .split(",")
    .map((name) => name.split("=")[0].trim());
  const values = names.map((name) => path[found.holes.indexOf(name)]);
  if (names.includes("request")) values[names.indexOf("request")] = packed(found.source, rest);
  values[names.indexOf("requestOptions")] = { maxRetries: 0 };
  return values;
}

const { url, token, calls } = await input();
const known = methods(client(url, { token }));
const sent = [];
for (const call of calls) {
  const found = known.get(call.route);
  sent.push(Boolean(found));
  // An answer that the client does not like is no matter: its request is compared.
  if (found) await found.method.apply(found.resource, positional(found, call)).catch(() => {});
}
const list = [...known.values()].map(({ route, name, query }) => [route, { name, query }]);
console.log(JSON.stringify({ methods: Object.fromEntries(list), sent }));
