-- Makes answers of a documented type: what is known of it as it is, the rest by example. The same
-- seed makes the same.

local check = require "polytomic.sandbox.data.check"
local json = require "polytomic.json_text"
local schema = require "polytomic.sandbox.data.schema"

local M = {}

-- Members that mean something only when it has happened.
local exceptional = { error = true, status_error = true, auth_code = true, auth_url = true,
  deletedAt = true, deletedBy = true, next_cursor = true, next_page_token = true, reconnect = true,
  disabled = true, failure_category = true }
local truths = {
  active = true,
  enabled = true,
  saved = true,
  supported = true,
  createable = true,
  updateable = true,
}
local texts = { email = "someone@example.com", status = "healthy", message = "done",
  type = "example", cache_status = "fresh", method = "GET", value = "example", day_of_week = "1",
  hour = "0", minute = "0" }

-- Written out, because the schema says too little.
local written = {
  JsonschemaSchema = { title = "Example", type = "object",
    properties = { host = { type = "string", title = "Host" } }, required = json.array { "host" } },
}

local function hash(text, factor)
  local value = factor
  for i = 1, #text do value = (value * factor + text:byte(i)) % 4294967296 end
  return value
end

-- A UUID that depends on the seed alone.
function M.uuid(seed)
  local a, b, c, d = hash(seed, 31), hash(seed, 37), hash(seed, 41), hash(seed, 43)
  return string.format("%08x-%04x-4%03x-a%03x-%04x%08x", a, b % 65536, c % 4096, d % 4096,
    (b - b % 65536) / 65536, c)
end

local make = {}

function make.any(name) return "example " .. (name:gsub("_", " ")) end

function make.open() return {} end

function make.string(name)
  if texts[name] then return texts[name] end
  if name:lower():find("url", 1, true) or name == "endpoint" then
    return "https://example.com/" .. name
  end
  return "example " .. (name:gsub("_", " "))
end

function make.uuid(name, seed) return M.uuid(seed .. "." .. name) end

function make.email() return texts.email end

function make.time() return "2025-01-01T00:00:00.000Z" end

function make.integer() return 1 end

function make.number() return 1.5 end

function make.boolean(name) return truths[name] or false end

local function example(kind, name, seed, within)
  if kind.kind == "enum" then return kind.values[1] end
  if kind.kind == "union" then return example(kind.variants[1], name, seed, within) end
  if kind.kind == "object" then return M.build(kind, {}, {}, seed .. "." .. name, within) end
  if kind.kind == "array" then
    if within[kind.element.name or ""] then return json.array() end
    return json.array { example(kind.element, name, seed, within) }
  end
  if kind.kind == "map" then return { example = example(kind.element, name, seed, within) } end
  return make[kind.kind](name, seed)
end

-- An object of the kind that a text stands for: the text is its id and its name.
local function named(text, kind)
  local object = M.build(kind, { id = text, name = text, label = text }, {}, text)
  return check.fits(object, kind) and object or nil
end

-- The value as the kind has it; nil if it cannot be.
local function adapt(value, kind)
  if value == json.null or check.fits(value, kind) then return value end
  if kind.kind == "object" and type(value) == "string" then return named(value, kind) end
  if kind.kind == "array" and type(value) == "table" then
    local list = json.array()
    for i, element in ipairs(value) do
      list[i] = adapt(element, kind.element)
      if list[i] == nil then return nil end
    end
    return list
  end
  if kind.kind == "uuid" and type(value) == "table" then return adapt(value.id, kind) end
  return nil
end

local function snake(name) return (name:gsub("(%l)(%u)", "%1_%2"):lower()) end

local function copy(values)
  local copied = {}
  for name, value in pairs(values) do copied[name] = value end
  return copied
end

-- An object of the kind: the members of `given` (also under their names in snake case) where they
-- fit, no member that `settable` has and `given` has not, an example of every other. An open kind
-- gets all that is given. `seed` (text) decides the examples; `within` is the set of schemas this
-- one is part of.
function M.build(kind, given, settable, seed, within)
  if kind.kind == "open" or kind.kind == "any" then return copy(given) end
  if written[kind.name] then return written[kind.name] end
  within = within and copy(within) or {}
  within[kind.name] = true
  local object = {}
  for _, member in ipairs(schema.members(kind.text)) do
    local name = member.name
    local value = given[name]
    if value == nil then value = given[snake(name)] end
    if value ~= nil then value = adapt(value, member.kind) end
    local silent = settable[name] or exceptional[name] or within[member.kind.name or ""]
    if value == nil and not (silent and not member.required) then
      value = example(member.kind, name, seed, within)
    end
    object[name] = value
  end
  return object
end

-- An example of a kind, for a member of that name.
function M.of(kind, name, seed) return example(kind, name, seed, {}) end

return M
