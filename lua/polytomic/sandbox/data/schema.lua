-- Reads the compact text of catalogue.lua: lists of members and types. What has been read once is
-- kept.
--
-- A kind is { kind =, … }: "any", "open", "string", "uuid", "time", "email", "integer", "number",
-- "boolean"; "array" and "map" with `element`; "enum" with `values`; "union" with `variants`;
-- "object" with `name` and `text`, its list of members.

local catalogue = require "polytomic.sandbox.data.catalogue"

local M = {}

local kinds, lists = {}, {}

local function words(text, separator)
  local list = {}
  for word in text:gmatch("[^" .. separator .. "]+") do list[#list + 1] = word end
  return list
end

local function read_schema(name, text)
  local first = text:sub(1, 1)
  if first == "=" then return { kind = "enum", values = words(text:sub(2), "%s") } end
  if first ~= "|" then return { kind = "object", name = name, text = text } end
  local variants = words(text:sub(2), "%s")
  for i, variant in ipairs(variants) do variants[i] = M.kind(variant) end
  return { kind = "union", variants = variants }
end

local function read_kind(text)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "enum" then return { kind = "enum", values = words(inner, "|") } end
  if wrapper then return { kind = wrapper, element = M.kind(inner) } end
  local schema = catalogue.schemas[text]
  if schema then return read_schema(text, schema) end
  return { kind = text:find "^%l+$" and text or "open" }
end

-- The kind that a type's text stands for. A schema that the catalogue only names is open.
function M.kind(text)
  kinds[text] = kinds[text] or read_kind(text)
  return kinds[text]
end

local function read_members(text)
  local list = { by_name = {} }
  for word in text:gmatch "%S+" do
    local name, marks, kind = word:match "^([^!?*:]+)([!?*]*):(.+)$"
    local member = { name = name, kind = M.kind(kind), required = marks:find("!", 1, true) ~= nil,
      nullable = marks:find("?", 1, true) ~= nil, secret = marks:find("*", 1, true) ~= nil }
    list[#list + 1] = member
    list.by_name[name] = member
  end
  return list
end

-- The members of a list's text (nil: none): an array of { name, kind, required, nullable, secret },
-- with `by_name`.
function M.members(text)
  text = text or ""
  lists[text] = lists[text] or read_members(text)
  return lists[text]
end

-- The kind at a dotted path inside a kind: "data.entries". Open where the members are not known,
-- nil where there are none.
function M.at(kind, path)
  for name in path:gmatch "[^.]+" do
    if kind.kind == "open" then return kind end
    local member = kind.kind == "object" and M.members(kind.text).by_name[name]
    if not member then return nil end
    kind = member.kind
  end
  return kind
end

return M
