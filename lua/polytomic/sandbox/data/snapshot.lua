-- What the sandbox holds as text, and back: a graph of tables, in which every table is written
-- once.
--
-- The text is JSON: `format` 1, `saved` (wall and running clock), `root`, `tables`. A table is
-- { "class": NAME, "members": [ key, value, … ] }; a value is itself, or { "table": N },
-- { "family": TEMPLATE }, { "finish": NAME } for what belongs to the program.

local collection = require "polytomic.sandbox.data.collection"
local families = require "polytomic.sandbox.data.families"
local json = require "polytomic.json_text"
local resources = require "polytomic.sandbox.data.resources"
local state = require "polytomic.sandbox.data.state"

local M = {}

local FORMAT = 1

local CLASSES = {
  collection = collection,
  resources = resources,
  state = state,
  array = getmetatable(json.array()),
}

local class_of = {}
for name, class in pairs(CLASSES) do class_of[class] = name end

-- ---- writing ----

local encode

local function encode_table(graph, value)
  if families.collection(value.template or "") == value then return { family = value.template } end
  local number = graph.numbers[value]
  if not number then
    number = #graph.tables + 1
    graph.numbers[value] = number
    local entry = { class = class_of[getmetatable(value)], members = json.array() }
    graph.tables[number] = entry
    for name, member in pairs(value) do
      table.insert(entry.members, encode(graph, name))
      table.insert(entry.members, encode(graph, member))
    end
  end
  return { table = number }
end

function encode(graph, value)
  if type(value) == "table" then return encode_table(graph, value) end
  if type(value) == "function" then
    return { finish = graph.name_of[value] or error("the state holds a function without a name") }
  end
  return value
end

-- The text for a root table. `finishers` are the functions that items of work may hold, by name.
function M.write(root, finishers, now)
  local graph = { numbers = {}, tables = json.array(), name_of = {} }
  for name, finish in pairs(finishers) do graph.name_of[finish] = name end
  local number = encode(graph, root).table
  return json.encode {
    format = FORMAT,
    saved = { os.time(), now },
    root = number,
    tables = graph.tables,
  }
end

-- ---- reading ----

local function decode(tables, finishers, value)
  if type(value) ~= "table" then return value end
  if value.table then return tables[value.table] or error "a table is missing" end
  if value.family then return families.collection(value.family) or error "a family is missing" end
  return finishers[value.finish] or error "a function is missing"
end

local function read(text, finishers)
  local saved = json.decode(text)
  assert(type(saved) == "table" and saved.format == FORMAT, "it is none of this version")
  local tables = {}
  for i, entry in ipairs(saved.tables) do
    local class = entry.class and (CLASSES[entry.class] or error "a class is missing")
    tables[i] = setmetatable({}, class)
  end
  for i, entry in ipairs(saved.tables) do
    local members = entry.members
    for k = 1, #members, 2 do
      tables[i][decode(tables, finishers, members[k])] =
        decode(tables, finishers, members[k + 1])
    end
  end
  return assert(tables[saved.root], "it has no root"), saved.saved
end

-- The root table of a text, and how much has to be added to times of its running clock to have them
-- on that of this process; or nil and a message.
function M.read(text, finishers, now)
  local ok, root, saved = pcall(read, text, finishers)
  if not ok then
    return nil, (tostring(root):gsub("^.-%.lua:%d+: ", ""))
  end
  return root, now - saved[2] - math.max(os.time() - saved[1], 0)
end

return M
