// Runs every organization and user operation of the vendor's client against a sandbox. Standard
// input is what the sandbox printed, {"url": …, "partner_key": …, "deployment_key": …}; standard
// output is one line of JSON for each check: {"title": …, "ok": true} or {"title": …, "ok": false,
// "problem": …}.

import assert from "node:assert/strict";
import {
  basic,
  bearer,
  client,
  input,
  Polytomic,
  PolytomicError,
  PolytomicTimeoutError,
  send,
} from "./vendor.mjs";

const sandbox = await input();
const UNKNOWN = "11111111-2222-4333-8444-555555555555";
const ADMIN = "0a0a0a0a-0000-4000-8000-000000000001";
const MEMBER = "0a0a0a0a-0000-4000-8000-000000000002";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ONCE = { maxRetries: 0 };

const {
  ForbiddenError,
  NotFoundError,
  ConflictError,
  UnauthorizedError,
  UnprocessableEntityError,
} = Polytomic;

// ---- what the checks are written in ----

const checks = [];

function check(title, body) {
  checks.push({ title, body });
}

async function control(method, path, body) {
  const text = body && JSON.stringify(body);
  const reply = await fetch(`${sandbox.url}/_sandbox/${path}`, { method, body: text });
  assert.equal(reply.status, 200, `the sandbox refuses ${method} ${path}`);
  return reply.json();
}

async function faults(...list) {
  await control("POST", "faults", list);
}

async function requests() {
  return (await control("GET", "requests")).requests;
}

// Every method that a check called, by its name in the vendor's client, with what came of it.
const called = new Map();

// The resource of a client, with its calls noted.
function noted(resource, name) {
  return new Proxy(resource, {
    get(target, method) {
      if (typeof target[method] !== "function" || method.startsWith("_")) return target[method];
      return async (...values) => {
        const outcomes =
          called.get(`${name}.${method}`) ??
          called.set(`${name}.${method}`, new Set()).get(`${name}.${method}`);
        try {
          const answer = await target[method](...values);
          outcomes.add("answered");
          return answer;
        } catch (problem) {
          outcomes.add("refused");
          throw problem;
        }
      };
    },
  });
}

// A client with calls to the organization and user operations noted.
function connect(options) {
  const made = client(sandbox.url, options);
  return {
    organization: noted(made.organization, "organization"),
    users: noted(made.users, "users"),
  };
}

const partner = connect({ token: sandbox.partner_key });
const stranger = connect({ token: "nobody" });

// Checks the error of a call: its class, its status, and that the body has the API's error shape.
async function refused(call, status, kind = PolytomicError) {
  const problem = await call.then(
    () => assert.fail(`answered, but ${status} was expected`),
    (found) => found,
  );
  assert.ok(problem instanceof kind, `${kind.name} expected: ${problem}`);
  assert.equal(problem.statusCode, status);
  assert.equal(typeof problem.body.key, "string");
  assert.equal(typeof problem.body.message, "string");
  assert.equal(problem.body.status, status);
  return problem;
}

async function newOrganization(name = "Acme", settings = {}) {
  return (await partner.organization.create({ name, ...settings })).data;
}

// An organization, a user of it, and the clients that have the user's key and the organization's.
async function newUser() {
  const organization = await newOrganization();
  const user = (
    await partner.users.create(organization.id, { email: "jane@acme.com", role: "admin" })
  ).data;
  const { value } = (await partner.users.createApiKey(organization.id, user.id)).data;
  return { organization, user, key: value, asUser: connect({ token: value }) };
}

async function ownerOrganization() {
  return (await partner.organization.list()).data[0];
}

// ---- organizations ----

check("organization.list answers all organizations, the owner organization first", async () => {
  const acme = await newOrganization("Acme");
  const globex = await newOrganization("Globex");
  const { data } = await partner.organization.list();
  assert.equal(data.length, 3);
  assert.deepEqual(data.slice(1), [acme, globex]);
  assert.match(data[0].id, UUID);
});

check("organization.list answers a deployment key too", async () => {
  const answer = await connect({ token: sandbox.deployment_key }).organization.list();
  assert.equal(answer.data.length, 1);
});

check("organization.list with an unknown key is an UnauthorizedError", async () => {
  await refused(stranger.organization.list(ONCE), 401, UnauthorizedError);
});

check("organization.list with a user key is refused with 403", async () => {
  const { asUser } = await newUser();
  await refused(asUser.organization.list(ONCE), 403);
});

check("organization.create answers the organization in its envelope", async () => {
  const answer = await partner.organization.create({ name: "Acme" });
  assert.deepEqual(Object.keys(answer), ["data"]);
  assert.match(answer.data.id, UUID);
  assert.equal(answer.data.name, "Acme");
});

check(
  "organization.create takes every setting and keeps client_id and client_secret to itself",
  async () => {
    const settings = {
      issuer: "https://issuer.acme.com",
      sso_domain: "acme.com",
      sso_org_id: "org_1",
    };
    const { data } = await partner.organization.create({
      name: "Acme",
      client_id: "id",
      client_secret: "secret",
      ...settings,
    });
    assert.deepEqual(data, { id: data.id, name: "Acme", ...settings });
  },
);

check("organization.create keeps a name of any script", async () => {
  const name = 'Ünïcode "quoted" \\ 日本 \u{1F600} / </script>';
  const { id } = await newOrganization(name);
  assert.equal((await partner.organization.get(id)).data.name, name);
});

check("organization.create of a taken name is a ConflictError", async () => {
  await newOrganization("Acme");
  await refused(partner.organization.create({ name: "Acme" }, ONCE), 409, ConflictError);
});

check("organization.create without a name is an UnprocessableEntityError", async () => {
  await refused(partner.organization.create({}, ONCE), 422, UnprocessableEntityError);
  await refused(partner.organization.create({ name: "" }, ONCE), 422, UnprocessableEntityError);
});

check(
  "organization.create with an unknown key is an UnauthorizedError, with a user key a 403",
  async () => {
    await refused(stranger.organization.create({ name: "Acme" }, ONCE), 401, UnauthorizedError);
    const { asUser } = await newUser();
    await refused(asUser.organization.create({ name: "Globex" }, ONCE), 403);
  },
);

check("organization.get answers what organization.create did", async () => {
  const acme = await newOrganization("Acme", { sso_domain: "acme.com" });
  assert.deepEqual((await partner.organization.get(acme.id)).data, acme);
});

check("organization.get of an unknown organization is a 404", async () => {
  await refused(partner.organization.get(UNKNOWN, ONCE), 404);
  await refused(partner.organization.get("no/such id?", ONCE), 404);
});

check(
  "organization.get with a user key is a ForbiddenError, with an unknown key an UnauthorizedError",
  async () => {
    const { asUser, organization } = await newUser();
    await refused(asUser.organization.get(organization.id, ONCE), 403, ForbiddenError);
    await refused(stranger.organization.get(organization.id, ONCE), 401, UnauthorizedError);
  },
);

check("organization.update replaces all settings", async () => {
  const acme = await newOrganization("Acme", {
    issuer: "https://issuer.acme.com",
    sso_domain: "acme.com",
  });
  const { data } = await partner.organization.update(acme.id, {
    name: "Acme Inc.",
    sso_org_id: "org_2",
  });
  assert.deepEqual(data, { id: acme.id, name: "Acme Inc.", sso_org_id: "org_2" });
  assert.deepEqual((await partner.organization.get(acme.id)).data, data);
});

check(
  "organization.update to a taken name is a ConflictError, to its own name it is not",
  async () => {
    const acme = await newOrganization("Acme");
    await newOrganization("Globex");
    await refused(
      partner.organization.update(acme.id, { name: "Globex" }, ONCE),
      409,
      ConflictError,
    );
    await partner.organization.update(acme.id, { name: "Acme" });
  },
);

check("organization.update without a name is an UnprocessableEntityError", async () => {
  const acme = await newOrganization("Acme");
  await refused(
    partner.organization.update(acme.id, { sso_domain: "acme.com" }, ONCE),
    422,
    UnprocessableEntityError,
  );
});

check(
  "organization.update with a user key is a ForbiddenError, of an unknown organization a 404",
  async () => {
    const { asUser, organization } = await newUser();
    await refused(
      asUser.organization.update(organization.id, { name: "Mine" }, ONCE),
      403,
      ForbiddenError,
    );
    await refused(partner.organization.update(UNKNOWN, { name: "Nobody's" }, ONCE), 404);
  },
);

check("organization.remove answers nothing and the organization is gone", async () => {
  const acme = await newOrganization("Acme");
  assert.equal(await partner.organization.remove(acme.id), undefined);
  await refused(partner.organization.get(acme.id, ONCE), 404);
  assert.equal((await partner.organization.list()).data.length, 1);
});

check("organization.remove of an unknown organization is a NotFoundError", async () => {
  await refused(partner.organization.remove(UNKNOWN, ONCE), 404, NotFoundError);
});

check("organization.remove of the owner organization is a ForbiddenError", async () => {
  const { id } = await ownerOrganization();
  await refused(partner.organization.remove(id, ONCE), 403, ForbiddenError);
});

// ---- users ----

check("users.list answers an empty list, then all users in order", async () => {
  const { id } = await newOrganization();
  assert.deepEqual(await partner.users.list(id), { data: [] });
  const jane = (await partner.users.create(id, { email: "jane@acme.com" })).data;
  const john = (await partner.users.create(id, { email: "john@acme.com" })).data;
  assert.deepEqual((await partner.users.list(id)).data, [jane, john]);
});

check("users.list of an unknown organization is a NotFoundError", async () => {
  await refused(partner.users.list(UNKNOWN, ONCE), 404, NotFoundError);
});

check(
  "users.list with a user key is a ForbiddenError, with an unknown key an UnauthorizedError",
  async () => {
    const { asUser, organization } = await newUser();
    await refused(asUser.users.list(organization.id, ONCE), 403, ForbiddenError);
    await refused(stranger.users.list(organization.id, ONCE), 401, UnauthorizedError);
  },
);

check("users.create answers the user with its organization and the default role", async () => {
  const { id } = await newOrganization();
  const { data } = await partner.users.create(id, { email: "Jane@Acme.com" });
  assert.match(data.id, UUID);
  assert.deepEqual(data, {
    id: data.id,
    email: "jane@acme.com",
    organization_id: id,
    role: "user",
    role_ids: [MEMBER],
  });
});

check("users.create takes a role by name or roles by id", async () => {
  const { id } = await newOrganization();
  const byName = (await partner.users.create(id, { email: "a@acme.com", role: "admin" })).data;
  const byId = (await partner.users.create(id, { email: "b@acme.com", role_ids: [MEMBER, ADMIN] }))
    .data;
  assert.deepEqual(byName.role_ids, [ADMIN]);
  assert.deepEqual(byId.role_ids, [MEMBER, ADMIN]);
  assert.equal(byId.role, "admin");
});

check("users.create with what the documents forbid is an UnprocessableEntityError", async () => {
  const { id } = await newOrganization();
  await partner.users.create(id, { email: "jane@acme.com" });
  const bodies = [
    {},
    { email: "" },
    { email: "a@acme.com", role: "admin", role_ids: [ADMIN] },
    { email: "a@acme.com", role_ids: [] },
    { email: "a@acme.com", role_ids: [UNKNOWN] },
    { email: "JANE@acme.com" },
  ];
  for (const body of bodies)
    await refused(partner.users.create(id, body, ONCE), 422, UnprocessableEntityError);
  assert.equal((await partner.users.list(id)).data.length, 1);
});

check(
  "users.create with a user key is a ForbiddenError, in an unknown organization a 404",
  async () => {
    const { asUser, organization } = await newUser();
    await refused(
      asUser.users.create(organization.id, { email: "a@acme.com" }, ONCE),
      403,
      ForbiddenError,
    );
    await refused(partner.users.create(UNKNOWN, { email: "a@acme.com" }, ONCE), 404);
  },
);

check("users.get answers what users.create did", async () => {
  const { organization, user } = await newUser();
  assert.deepEqual((await partner.users.get(user.id, organization.id)).data, user);
});

check("users.get of an unknown or another organization's user is a NotFoundError", async () => {
  const { organization, user } = await newUser();
  const other = await newOrganization("Globex");
  await refused(partner.users.get(UNKNOWN, organization.id, ONCE), 404, NotFoundError);
  await refused(partner.users.get(user.id, other.id, ONCE), 404, NotFoundError);
  await refused(partner.users.get(user.id, UNKNOWN, ONCE), 404, NotFoundError);
});

check("users.get with a user key is a ForbiddenError", async () => {
  const { asUser, organization, user } = await newUser();
  await refused(asUser.users.get(user.id, organization.id, ONCE), 403, ForbiddenError);
});

check("users.update changes the roles and leaves the rest", async () => {
  const { organization, user } = await newUser();
  const { data } = await partner.users.update(user.id, organization.id, {
    email: "else@acme.com",
    role_ids: [MEMBER],
  });
  assert.deepEqual(data, { ...user, role: "user", role_ids: [MEMBER] });
  assert.deepEqual((await partner.users.get(user.id, organization.id)).data, data);
});

check(
  "users.update without the e-mail, or with role and role_ids, is an UnprocessableEntityError",
  async () => {
    const { organization, user } = await newUser();
    for (const body of [
      { role: "user" },
      { email: user.email, role: "user", role_ids: [MEMBER] },
      { email: user.email, role_ids: [] },
    ]) {
      await refused(
        partner.users.update(user.id, organization.id, body, ONCE),
        422,
        UnprocessableEntityError,
      );
    }
  },
);

check("users.update with a user key is a ForbiddenError, of an unknown user a 404", async () => {
  const { asUser, organization, user } = await newUser();
  await refused(
    asUser.users.update(user.id, organization.id, { email: user.email }, ONCE),
    403,
    ForbiddenError,
  );
  await refused(partner.users.update(UNKNOWN, organization.id, { email: user.email }, ONCE), 404);
});

check("users.remove answers the user, which is gone with its key", async () => {
  const { organization, user, key } = await newUser();
  assert.deepEqual((await partner.users.remove(user.id, organization.id)).data, user);
  await refused(partner.users.get(user.id, organization.id, ONCE), 404, NotFoundError);
  await refused(
    send("GET", `${sandbox.url}/api/organization`, { authorization: bearer(key) }),
    401,
  );
});

check(
  "users.remove of an unknown user is a NotFoundError, with a user key a ForbiddenError",
  async () => {
    const { asUser, organization, user } = await newUser();
    await refused(partner.users.remove(UNKNOWN, organization.id, ONCE), 404, NotFoundError);
    await refused(asUser.users.remove(user.id, organization.id, ONCE), 403, ForbiddenError);
  },
);

check("users.createApiKey answers a key that works", async () => {
  const { organization, key } = await newUser();
  const answer = await send("GET", `${sandbox.url}/api/organization`, {
    authorization: bearer(key),
  });
  assert.deepEqual(answer.data, organization);
});

check("users.createApiKey again is refused with 409 without force", async () => {
  const { organization, user, key } = await newUser();
  await refused(partner.users.createApiKey(organization.id, user.id, {}, ONCE), 409);
  await refused(partner.users.createApiKey(organization.id, user.id, { force: false }, ONCE), 409);
  await send("GET", `${sandbox.url}/api/organization`, { authorization: bearer(key) });
});

check("users.createApiKey with force replaces the key", async () => {
  const { organization, user, key } = await newUser();
  const { value } = (await partner.users.createApiKey(organization.id, user.id, { force: true }))
    .data;
  assert.notEqual(value, key);
  await send("GET", `${sandbox.url}/api/organization`, { authorization: bearer(value) });
  await refused(
    send("GET", `${sandbox.url}/api/organization`, { authorization: bearer(key) }),
    401,
  );
});

check(
  "users.createApiKey of an unknown user is a NotFoundError, with a user key a ForbiddenError",
  async () => {
    const { asUser, organization, user } = await newUser();
    await refused(
      partner.users.createApiKey(organization.id, UNKNOWN, {}, ONCE),
      404,
      NotFoundError,
    );
    await refused(
      asUser.users.createApiKey(organization.id, user.id, {}, ONCE),
      403,
      ForbiddenError,
    );
  },
);

// ---- the current organization: no methods in this client, so its HTTP layer sends the requests
// ----

// The same check with a user's Bearer key and with the organization's Basic key.
function checkCurrent(title, body) {
  for (const scheme of ["a user's Bearer key", "the organization's Basic key"]) {
    check(`${title}, with ${scheme}`, async () => {
      const made = await newUser();
      const authorization = scheme.includes("Basic")
        ? basic(made.organization.id, sandbox.partner_key)
        : bearer(made.key);
      const call = (method, path, content) =>
        send(method, `${sandbox.url}/api/organization${path}`, { authorization, body: content });
      await body(call, made);
    });
  }
}

checkCurrent(
  "the vendor's HTTP layer gets the current organization",
  async (call, { organization }) => {
    assert.deepEqual(await call("GET", ""), { data: organization });
  },
);

checkCurrent(
  "the vendor's HTTP layer lists and gets the current organization's users",
  async (call, { user }) => {
    assert.deepEqual(await call("GET", "/users"), { data: [user] });
    assert.deepEqual(await call("GET", `/users/${user.id}`), { data: user });
    await refused(call("GET", `/users/${UNKNOWN}`), 404);
  },
);

checkCurrent(
  "the vendor's HTTP layer creates and deletes a user of the current organization",
  async (call, { organization }) => {
    const { data } = await call("POST", "/users", { email: "john@acme.com" });
    assert.deepEqual((await partner.users.get(data.id, organization.id)).data, data);
    assert.deepEqual(await call("DELETE", `/users/${data.id}`), { data });
    await refused(call("DELETE", `/users/${data.id}`), 404);
    await refused(call("POST", "/users", {}), 422);
  },
);

checkCurrent(
  "the vendor's HTTP layer updates a user of the current organization, which needs no e-mail",
  async (call, { user }) => {
    assert.deepEqual(await call("PUT", `/users/${user.id}`, { role: "user" }), {
      data: { ...user, role: "user", role_ids: [MEMBER] },
    });
    await refused(call("PUT", `/users/${user.id}`, { role: "user", role_ids: [ADMIN] }), 422);
  },
);

check("the organization's Basic key is refused where a partner key is needed", async () => {
  const { organization } = await newUser();
  const scoped = connect({ authorization: basic(organization.id, sandbox.partner_key) });
  await refused(scoped.organization.get(organization.id, ONCE), 403, ForbiddenError);
  await refused(scoped.users.list(organization.id, ONCE), 403, ForbiddenError);
});

check(
  "a Basic key of an unknown organization, or with a wrong password, is an UnauthorizedError",
  async () => {
    const { organization } = await newUser();
    for (const authorization of [
      basic(UNKNOWN, sandbox.partner_key),
      basic(organization.id, "nobody"),
    ]) {
      await refused(connect({ authorization }).organization.list(ONCE), 401, UnauthorizedError);
    }
  },
);

// ---- versions, idempotency, retries, broken replies ----

check(
  "a client with no version or an older one is answered; an unknown one is refused with 400",
  async () => {
    const { data } = await partner.organization.list();
    for (const version of [null, "2024-02-08"]) {
      assert.deepEqual(
        (await connect({ token: sandbox.partner_key, version }).organization.list()).data,
        data,
      );
    }
    await refused(
      connect({ token: sandbox.partner_key, version: "1999-01-01" }).organization.list(ONCE),
      400,
    );
  },
);

// Creates an organization with an Idempotency-Key, as the vendor's newer clients send it.
function createKeyed(name, key) {
  const headers = { "Idempotency-Key": key };
  return send("POST", `${sandbox.url}/api/organizations`, {
    authorization: bearer(sandbox.partner_key),
    body: { name },
    headers,
  });
}

check("a repeated Idempotency-Key replays the first answer", async () => {
  const first = await createKeyed("Acme", "conformance-1");
  assert.deepEqual(await createKeyed("Acme", "conformance-1"), first);
  assert.equal((await partner.organization.list()).data.length, 2);
  assert.deepEqual(
    (await requests()).filter((one) => one.method === "POST").map((one) => one.replayed),
    [false, true],
  );
});

check("a repeated Idempotency-Key replays a stored 500 and a stored 409", async () => {
  await faults({ operation: "create_org", fault: "status", status: 500 });
  await refused(createKeyed("Acme", "conformance-2"), 500);
  await refused(createKeyed("Acme", "conformance-2"), 500);
  const { id } = await newOrganization("Acme");
  await refused(createKeyed("Acme", "conformance-3"), 409);
  await partner.organization.remove(id);
  await refused(createKeyed("Acme", "conformance-3"), 409);
});

check(
  "a used Idempotency-Key with another body is refused with 422, a malformed one with 400",
  async () => {
    await createKeyed("Acme", "conformance-4");
    await refused(createKeyed("Globex", "conformance-4"), 422);
    await refused(createKeyed("Globex", "short"), 400);
  },
);

check("the client's own retries come through a 503 and a 429", async () => {
  await faults(
    { operation: "create_org", fault: "status", status: 503 },
    { operation: "list_orgs", fault: "status", status: 429 },
  );
  await newOrganization("Acme");
  assert.equal((await partner.organization.list()).data.length, 2);
  assert.deepEqual(
    (await requests()).map((one) => one.status),
    [503, 200, 429, 200],
  );
});

check("a 500 is the client's InternalServerError", async () => {
  await faults({ operation: "create_org", fault: "status", status: 500 });
  await refused(
    partner.organization.create({ name: "Acme" }, ONCE),
    500,
    Polytomic.InternalServerError,
  );
});

check("a reply that is no JSON, a lost one and a late one are the client's errors", async () => {
  const list = (options) => partner.organization.list({ ...ONCE, ...options });
  await faults({ operation: "list_orgs", fault: "bad_json" });
  await assert.rejects(
    list(),
    (problem) => problem instanceof PolytomicError && problem.statusCode === 200,
  );
  await faults({ operation: "list_orgs", fault: "reset_before" });
  await assert.rejects(
    list(),
    (problem) => problem instanceof PolytomicError && problem.statusCode === undefined,
  );
  await faults({ operation: "list_orgs", fault: "stall_headers" });
  await assert.rejects(list({ timeoutInSeconds: 0.1 }), PolytomicTimeoutError);
  await list();
});

check(
  "every operation on organizations and users that the client has was answered and refused",
  async () => {
    for (const name of ["organization", "users"]) {
      const prototype = Object.getPrototypeOf(client(sandbox.url, { token: "" })[name]);
      const methods = Object.getOwnPropertyNames(prototype).filter(
        (method) => method !== "constructor" && !method.startsWith("_"),
      );
      assert.ok(methods.length >= 5);
      for (const method of methods) {
        assert.deepEqual(
          [...(called.get(`${name}.${method}`) ?? [])].sort(),
          ["answered", "refused"],
          `${name}.${method}`,
        );
      }
    }
  },
);

// ---- running them ----

for (const { title, body } of checks) {
  const result = { title, ok: true };
  try {
    await control("POST", "reset");
    await body();
    assert.equal((await control("GET", "faults")).unconsumed, 0, "a fault that never struck");
  } catch (problem) {
    Object.assign(result, { ok: false, problem: String(problem?.stack ?? problem) });
  }
  console.log(JSON.stringify(result));
}
process.exit(0); // the client leaves the timer of a lost request running
