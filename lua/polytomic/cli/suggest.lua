-- Finds the operation or command that a mistaken word may mean.

local M = {}

local VERBS = {
  add = "create", new = "create", make = "create", remove = "delete", rm = "delete",
  destroy = "delete", show = "get", read = "get", fetch = "get", describe = "get", ls = "list",
  edit = "update", change = "update", set = "update",
}

local NOUNS = {
  organization = "org", organizations = "orgs", organisation = "org", organisations = "orgs",
}

-- The word as an operation would be called: create-organization → create_org.
local function normal(word)
  local parts = {}
  for part in word:lower():gmatch "[%l%d]+" do
    parts[#parts + 1] = #parts == 0 and VERBS[part] or NOUNS[part] or part
  end
  return table.concat(parts, "_")
end

-- The name, or nil; then how many operations have the word in their names.
function M.nearest(word, operations)
  local commands = require "polytomic.cli.commands"
  local meant, names, holding = normal(word), {}, 0
  for _, operation in ipairs(operations) do
    names[#names + 1] = operation.name
    if operation.name == meant then return meant, 0 end
    if meant ~= "" and ("_" .. operation.name .. "_"):find("_" .. meant, 1, true) then
      holding = holding + 1
    end
  end
  for _, entry in ipairs(commands.list) do
    names[#names + 1] = entry.name
    if entry.name == meant then return meant, 0 end
  end
  local nearest = require("polytomic.core").nearest
  return nearest(word, names) or nearest(meant, names), holding
end

return M
