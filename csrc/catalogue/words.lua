-- How docs, types and help say what a field is.
local M = {}

M.KEYS = {
  user = "user key",
  partner = "partner key",
  unspecified = "any key (the API's pages name none)",
  connect_token = "authorised by the `token` argument",
}

-- Whether the type has a name of its own, under which docs and help describe it.
function M.is_named(kind)
  return kind.schema ~= nil or (kind.name ~= nil and kind.values ~= nil)
end

-- The type that a list or a map is made of in the end; another type as it is.
function M.innermost(kind)
  while kind.element do kind = kind.element end
  return kind
end

-- "array of UUID"; `named(name)` writes a type that has a name, `values(list)` an enumeration
-- without one.
function M.type_text(kind, named, values)
  if kind.element then return kind.kind .. " of " .. M.type_text(kind.element, named, values) end
  if M.is_named(kind) then return named(kind.name) end
  if kind.values then return values(kind.values) end
  if kind.format == "uuid" then return "UUID" end
  if kind.format == "date-time" then return "time (RFC 3339)" end
  if kind.format == "email" then return "e-mail address" end
  return kind.kind
end

-- What is to be known of a field beside its name, type and description, as a list of words; `name`
-- writes another field's name.
function M.remarks(field, name)
  local words = {}
  if field.nullable then words[#words + 1] = "nullable" end
  if field.secret then words[#words + 1] = "write-only" end
  if field.not_empty then words[#words + 1] = "not empty" end
  if field.excludes then words[#words + 1] = "not together with " .. name(field.excludes) end
  if field.deprecated then words[#words + 1] = "deprecated" end
  return words
end

-- The anchor that a heading has on a page of documents.
function M.anchor(title) return (title:lower():gsub("[^%w%- _]", ""):gsub(" ", "-")) end

-- The heading of a type, which keeps its anchor apart from a family's of the same name.
function M.type_title(name) return name .. " (type)" end

-- The named types, by name, that are reached from the operations' arguments and from what they give
-- back, as `answer_of` says where it is given.
function M.used_types(model, answer_of)
  local used = {}
  local function add(kind)
    if kind.element then return add(kind.element) end
    if not M.is_named(kind) or used[kind.name] then return end
    used[kind.name] = kind
    for _, field in ipairs(kind.schema and kind.schema.members or {}) do add(field.type) end
    for _, variant in ipairs(kind.schema and kind.schema.variants or {}) do add(variant) end
  end
  for _, op in ipairs(model.operations) do
    for _, field in ipairs(op.fields) do add(field.type) end
    local answer = answer_of and answer_of(op)
    if answer then add(answer) end
  end
  return used
end

return M
