-- Writes the model as library/polytomic.lua: the hand-written part, then the types of every schema
-- and operation.
local M = {}

local KEYS = {
  user = "user key",
  partner = "partner key",
  unspecified = "any key",
  connect_token = "authorised by `token`",
}

local wrap, words

local function class_name(name) return "polytomic." .. name end

local function quoted(values)
  local parts = {}
  for i, value in ipairs(values) do parts[i] = '"' .. value .. '"' end
  return table.concat(parts, "|")
end

local function type_text(kind)
  if kind.kind == "array" then
    local element = type_text(kind.element)
    return (element:find("|", 1, true) and "(" .. element .. ")" or element) .. "[]"
  end
  if kind.kind == "map" then return "table<string, " .. type_text(kind.element) .. ">" end
  if kind.name then return class_name(kind.name) end
  if kind.values then return quoted(kind.values) end
  return kind.kind
end

local function field_comment(field)
  local kind = words.innermost(field.type)
  local facts = {}
  if kind.format == "uuid" then facts[#facts + 1] = "UUID" end
  if kind.format == "date-time" then facts[#facts + 1] = "RFC 3339" end
  if kind.format == "email" then facts[#facts + 1] = "e-mail address" end
  if field.location ~= "body" then facts[#facts + 1] = "in the " .. field.location end
  for _, remark in ipairs(words.remarks(field, function(name) return name end)) do
    if remark ~= "nullable" then facts[#facts + 1] = remark end
  end
  return #facts > 0 and " " .. table.concat(facts, ", ") or ""
end

-- Prose of any length as lines of a comment.
local function comment(text) return wrap.text(text, "---", "---") end

local RESERVED =
  { ["function"] = true, ["else"] = true, ["if"] = true, ["then"] = true, ["not"] = true }

local function field_key(name, optional)
  if RESERVED[name] or not name:find "^[%a_][%w_]*$" then name = '["' .. name .. '"]' end
  return name .. (optional and "?" or "")
end

-- The lines of one field: what it means, and its declaration; an enumeration without a name goes
-- below where it would be too long. `null`: whether it is of an arguments class, where optional
-- body fields take polytomic.null.
local function field_text(field, null)
  local text = type_text(field.type)
  local nullable = null and field.location == "body" and (field.nullable or not field.required)
  if nullable and text ~= "any" then text = text .. "|polytomic.Null" end
  local before = field.description and comment(field.description) or ""
  local key = field_key(field.name, not field.required)
  local line = "---@field " .. key .. " " .. text .. field_comment(field) .. "\n"
  if #line <= wrap.WIDTH + 1 then return before .. line end
  assert(field.type.values, field.name .. ": the declaration is too long")
  local lines = { before, "---@field ", key, field_comment(field), "\n" }
  for _, value in ipairs(field.type.values) do lines[#lines + 1] = '---| "' .. value .. '"\n' end
  if nullable then lines[#lines + 1] = "---| polytomic.Null\n" end
  return table.concat(lines)
end

-- An enumeration is open, so plain strings are members of it too.
local function enum_text(name, values)
  local lines = { "---@alias " .. name .. "\n" }
  for _, value in ipairs(values) do lines[#lines + 1] = '---| "' .. value .. '"\n' end
  lines[#lines + 1] = "---| string\n"
  return table.concat(lines)
end

local function union_text(name, variants)
  local lines = { "---@alias " .. name .. "\n" }
  for _, variant in ipairs(variants) do
    lines[#lines + 1] = "---| " .. type_text(variant) .. "\n"
  end
  return table.concat(lines)
end

local function schema_text(schema)
  local name = class_name(schema.name)
  if schema.kind == "enum" then return enum_text(name, schema.values) end
  if schema.kind == "union" then return union_text(name, schema.variants) end
  if schema.kind == "alias" then
    return "---@alias " .. name .. " " .. type_text(schema.target) .. "\n"
  end
  local lines = { "---@class " .. name .. "\n" }
  for _, field in ipairs(schema.members or {}) do lines[#lines + 1] = field_text(field) end
  if not schema.members or schema.open then lines[#lines + 1] = "---@field [string] any\n" end
  return table.concat(lines)
end

local function arguments_class(op) return "polytomic.arguments." .. op.name end

local function arguments_text(op)
  local lines = { "---@class " .. arguments_class(op) .. "\n" }
  for _, field in ipairs(op.fields) do lines[#lines + 1] = field_text(field, true) end
  return table.concat(lines)
end

local function all_optional(op)
  for _, field in ipairs(op.fields) do
    if field.required then return false end
  end
  return true
end

-- The annotations shared by the method of a client and the function of the module.
local function signature(op)
  local returns = op.returns and type_text(op.returns) or "true"
  if returns ~= "any" then returns = returns .. "|nil" end
  return table.concat {
    comment(op.summary), "---\n",
    comment(("`%s %s`, %s"):format(op.method, op.path, KEYS[op.auth])),
    op.note and "---\n" .. comment("Note: " .. op.note) or "",
    "---@param arguments", all_optional(op) and "? " or " ", arguments_class(op), "\n",
    "---@param options? polytomic.CallOptions\n",
    "---@return ", returns, " data\n---@return string|nil message\n",
    "---@return polytomic.Response|polytomic.Error detail\n",
  }
end

local function operation_text(op)
  local shared = signature(op)
  return table.concat {
    arguments_text(op), "\n",
    shared, "function Client:", op.name, "(arguments, options) end\n\n",
    shared, "function M.", op.name, "(arguments, options) end\n",
  }
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Nothing generated may carry the name of something written by hand.
local function check_names(template, model)
  local taken = {}
  for name in template:gmatch "%-%-%-@class (polytomic%.%w+)" do taken[name] = true end
  for name in template:gmatch "%-%-%-@alias (polytomic%.%w+)" do taken[name] = true end
  for name in template:gmatch "\nfunction %w+[.:]([%w_]+)%(" do taken[name] = true end
  for _, schema in ipairs(model.schemas) do
    assert(not taken[class_name(schema.name)], schema.name .. " is taken")
  end
  for _, op in ipairs(model.operations) do assert(not taken[op.name], op.name .. " is taken") end
end

-- The text of library/polytomic.lua; `here` is the directory of the template.
function M.render(model, _, here)
  wrap, words = dofile(here .. "/wrap.lua"), dofile(here .. "/words.lua")
  local template = read(here .. "/library.template")
  check_names(template, model)
  local parts = {}
  for _, schema in ipairs(model.schemas) do parts[#parts + 1] = schema_text(schema) end
  parts[#parts + 1] = schema_text(model.redirect)
  for _, op in ipairs(model.operations) do parts[#parts + 1] = operation_text(op) end
  local generated = table.concat(parts, "\n")
  local before, after = template:match "^(.-)%-%-@generated\n(.*)$"
  return before .. generated .. after
end

return M
