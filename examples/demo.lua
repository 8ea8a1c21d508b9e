-- A walk through organizations and users against the sandbox, over real HTTP: `make demo`.

local polytomic = require "polytomic"
local sandbox = assert(require("polytomic.sandbox").start())

-- One of the roles that the sandbox begins with.
local ADMIN = "0a0a0a0a-0000-4000-8000-000000000001"

local client =
  polytomic.new { base_url = sandbox.url, partner_key = sandbox.partner_key, env = false }

local function show(call, text, ...)
  print(("%-16s"):format(call) .. text:format(...))
end

local function emails(users)
  local list = {}
  for i, user in ipairs(users) do list[i] = user.email end
  return table.concat(list, ", ")
end

print(polytomic._VERSION .. " talks to the sandbox at " .. sandbox.url .. "\n")

local org = assert(client:create_org { name = "Acme" })
show("create_org", "%s has the id %s", org.name, org.id)

for _, name in ipairs { "jane", "joe", "kim" } do
  local user, message, response =
    client:create_user { org_id = org.id, email = name .. "@acme.example" }
  assert(user, message)
  show("create_user", "%s, in %.1f ms", user.email, response.elapsed * 1000)
end

local users = assert(client:list_users { org_id = org.id })
show("list_users", "%s", emails(users))

local jane = assert(
  client:update_user {
    org_id = org.id,
    id = users[1].id,
    email = users[1].email,
    role_ids = { ADMIN },
  }
)
show("update_user", "%s has the role %s", jane.email, jane.role_ids[1])

assert(client:delete_user { org_id = org.id, id = users[2].id })
show("delete_user", "%s is gone; left are %s", users[2].email,
  emails(assert(client:list_users { org_id = org.id })))

local _, message, err = client:create_org { name = "Acme" }
assert(err and err.kind == "conflict", "a second organization of that name was not refused")
show("create_org", "fails as it should:")
print(("%16s%s"):format("", message))
show("", "kind %s, outcome %s, %d attempt", err.kind, err.outcome, err.attempts)

local _, problem, refused = client:create_user { org_id = org.id, emial = "lee@acme.example" }
assert(refused and refused.outcome == "unsent", "a misspelt argument was sent")
show("create_user", "is not even sent:")
print(("%16s%s"):format("", problem))

assert(client:delete_org { id = org.id })
show("delete_org", "%s is gone", org.name)

client:close()
assert(sandbox:stop())
