-- Describes the operations in words: the list of all, and the help for one.

local M = {}

local AUTHS = {
  partner = "with a partner key",
  user = "with a user key, or a partner key and --organization",
  unspecified = "with any key",
  connect_token = "authorised by its token",
}

local function padded(text, width)
  return text .. (" "):rep(width - #text)
end

local function widest(list, length)
  local width = 0
  for _, item in ipairs(list) do width = math.max(width, length(item)) end
  return width
end

-- Every operation with its summary, one a line.
function M.operations(operations, word) -- luacheck: no unused args
  local width = widest(operations, function(operation) return #operation.name end)
  local lines = {}
  for i, operation in ipairs(operations) do
    lines[i] = (padded(operation.name, width + 2) .. (operation.summary or "")):gsub("%s+$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function type_words(field)
  local words = field.format == "uuid" and "UUID"
    or field.format == "date-time" and "time (RFC 3339)"
    or field.type
  if field.type == "array" then words = "list of " .. (field.element or "any") end
  return words
end

local function remarks(field)
  local words = { type_words(field) }
  if field.required then words[#words + 1] = "required" end
  if field.secret then words[#words + 1] = "secret: give it as " .. field.name .. "=@FILE" end
  if field.deprecated then words[#words + 1] = "deprecated" end
  return table.concat(words, ", ")
end

local function example(operation)
  local words = { "polytomic " .. operation.name }
  for _, field in ipairs(operation.arguments) do
    if field.required then
      local structured = field.type == "object" or field.type == "map" or field.type == "any"
      words[#words + 1] = field.name
        .. (structured and ":=JSON" or field.format == "uuid" and "=UUID" or "=…")
    end
  end
  return table.concat(words, " ")
end

-- What one operation does and takes.
function M.operation(command)
  local operation = command.operation
  local lines = {
    operation.name .. ": " .. (operation.summary or operation.id),
    operation.method .. " " .. operation.path .. ", " .. AUTHS[operation.auth],
    "",
    "  " .. example(operation),
  }
  if #operation.arguments > 0 then
    lines[#lines + 1] = ""
    local width = widest(operation.arguments, function(field) return #field.name end)
    for _, field in ipairs(operation.arguments) do
      lines[#lines + 1] = "  " .. padded(field.name, width + 2) .. remarks(field)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
