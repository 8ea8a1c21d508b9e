-- Many calls of one operation: several at once, slower while the server asks for it, with one retry
-- budget for all.
--
--   eval "$(polytomic sandbox --background)"
--   lua5.4 examples/bulk.lua

local polytomic = require "polytomic"

local client = polytomic.new { timeout = 60 }
local org = assert(client:create_org { name = "Acme" })

local people = {}
for i = 1, 100 do people[i] = { org_id = org.id, email = "user" .. i .. "@acme.com" } end

local users, failures = client:batch("create_user", people, { concurrency = 16, progress = true })
for _, failure in ipairs(failures) do print(people[failure.index].email, failure.message) end
print(#users .. " users, " .. #failures .. " failures, the last is " .. users[100].email)

-- With on_result memory stays flat however long the list is; it may be a function that makes the
-- arguments as they are needed.
local control, seen = {}, 0
client:batch("get_user", function(i)
  if i <= #users then return { org_id = org.id, id = users[i].id } end
end, {
  control = control,
  on_result = function(_, user, message)
    if not user then print(message) end
    seen = seen + 1
    if seen == 50 then control.cancel() end
  end,
})
print("stopped after " .. seen)
client:close()
