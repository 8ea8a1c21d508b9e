-- Shapes what is known into the body an operation promises, and refusals into errors.

local errors = require "polytomic.sandbox.rules.error"
local example = require "polytomic.sandbox.data.example"
local families = require "polytomic.sandbox.data.families"
local inference = require "polytomic.sandbox.inference"
local json = require "polytomic.json_text"

local M = {}

-- A value of the kind, from what is known (`values`) and from examples. `settable` as in
-- example.build.
function M.shape(kind, values, settable, seed)
  if kind.kind == "object" or kind.kind == "open" or kind.kind == "any" then
    return example.build(kind, values, settable, seed)
  end
  return example.of(kind, "value", seed)
end

-- What some kinds call the id of the item that they show.
local named_ids = {
  CloseHarborSessionEnvelopeData = "session_id",
  HarborActionExecutionResponse = "execution_id",
  HarborActionPreparation = "execution_id",
  HarborActionSummary = "operation_id",
  RegisterHarborSessionResponse = "session_id",
}

-- An item (resources.lua) as the kind has it.
function M.show(item, kind)
  if kind.kind == "map" then return { id = item.id, name = item.values.name or "example" } end
  local shown = M.shape(kind, item.values, item.settable, item.id)
  if inference.added_id.value[kind.name] then shown.id = item.id end
  local own_name = named_ids[kind.name]
  if own_name then shown[own_name] = item.id end
  return shown
end

-- The body that holds `data` by the operation's answer, with examples of the members beside it; nil
-- if it has no body.
function M.wrap(operation, data)
  local whole = families.answer_kinds(operation)
  if not whole or not operation.envelope then return whole and data end
  local body = example.build(whole, { data = json.null },
    { job = true, links = true, pagination = true }, operation.name)
  body.data = data
  return body
end

-- The body of an operation about one item.
function M.item(operation, item)
  local whole, kind = families.answer_kinds(operation)
  return whole and M.wrap(operation, M.show(item, kind))
end

-- The body of an operation from plain values.
function M.values(operation, values, settable, seed)
  local whole, kind = families.answer_kinds(operation)
  return whole and M.wrap(operation, M.shape(kind, values, settable or {}, seed))
end

-- The rest are refusals: nil and an error response.

function M.unknown(what)
  return nil, errors.response(inference.unknown_id, what .. " not found")
end

function M.invalid(field, message)
  return nil, errors.response(inference.invalid_value, field .. ": " .. message, { field = field })
end

function M.refuse(entry, message)
  return nil, errors.response(entry, message)
end

return M
