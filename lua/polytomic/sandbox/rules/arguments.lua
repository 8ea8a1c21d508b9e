-- Reads the query of a request: text to values, values to the types an operation has for them.

local check = require "polytomic.sandbox.data.check"
local query_decoded = require("polytomic.quoting").query_decoded
local schema = require "polytomic.sandbox.data.schema"

local M = {}

-- The parameters of a query (nil: none): name to the last value, and name to the array of all.
function M.decode(text)
  local last, all = {}, {}
  for name, value in (text or ""):gmatch "([^&=]+)=?([^&]*)" do
    name, value = query_decoded(name), query_decoded(value)
    last[name] = value
    all[name] = all[name] or {}
    table.insert(all[name], value)
  end
  return last, all
end

local flags = { ["true"] = true, ["1"] = true, ["false"] = false, ["0"] = false }

-- One value of a kind; nil if the text is none.
local function convert(text, kind)
  local value = text
  if kind.kind == "boolean" then value = flags[text] end
  if kind.kind == "integer" then value = tonumber(text) end
  if value ~= nil and check.fits(value, kind) then return value end
  return nil
end

local function convert_all(texts, kind)
  if kind.kind ~= "array" then return convert(texts[#texts], kind) end
  local values = {}
  for i, text in ipairs(texts) do
    values[i] = convert(text, kind.element)
    if values[i] == nil then return nil end
  end
  return values
end

-- The typed arguments in an operation's query (`all` of decode), maps left out; nil, the name of
-- the bad one and why.
function M.read(operation, all)
  local arguments = {}
  for _, member in ipairs(schema.members(operation.query)) do
    local texts = all[member.name]
    if texts and member.kind.kind ~= "map" then
      local value = convert_all(texts, member.kind)
      if value == nil then return nil, member.name, "is malformed" end
      arguments[member.name] = value
    elseif member.required then
      return nil, member.name, "is required"
    end
  end
  return arguments
end

return M
