// The vendor's client as these scripts use it: clients of a sandbox, and single requests through
// its own HTTP layer.

import polytomic from "polytomic";
import core from "polytomic/core/index.js";

export const { Polytomic, PolytomicClient, PolytomicError, PolytomicTimeoutError } = polytomic;

export const VERSION = "2025-09-18";

export function bearer(key) {
  return `Bearer ${key}`;
}

// The Authorization header of an organization's key, written by the vendor's code.
export function basic(username, password) {
  return core.BasicAuth.toAuthorizationHeader({ username, password });
}

// A client of the server at `url`. `authorization`, where given, replaces the Bearer header that it
// writes by itself.
export function client(url, { token, version = VERSION, authorization }) {
  const made = new PolytomicClient({ environment: url, token: token ?? "", version });
  if (authorization) {
    for (const resource of [made.organization, made.users])
      resource._getAuthorizationHeader = async () => authorization;
  }
  return made;
}

// A request that the client has no method for, through its HTTP layer: the decoded body, or the
// client's own error.
export async function send(method, url, { authorization, body, headers }) {
  const all = { Authorization: authorization, "X-Polytomic-Version": VERSION, ...headers };
  const reply = await core.fetcher({
    url,
    method,
    headers: all,
    contentType: "application/json",
    body,
    maxRetries: 0,
  });
  if (reply.ok) return reply.body;
  throw new PolytomicError({
    statusCode: reply.error.statusCode,
    body: reply.error.body,
    message: reply.error.errorMessage,
  });
}

// What is on standard input, decoded.
export async function input() {
  let text = "";
  for await (const part of process.stdin) text += part;
  return JSON.parse(text);
}
