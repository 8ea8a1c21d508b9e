-- `polytomic request METHOD PATH name=value…`: any path of the API, with the same safety as an
-- operation.

local arguments = require "polytomic.cli.arguments"
local files = require "polytomic.cli.files"
local quoting = require "polytomic.quoting"

local METHODS = { "GET", "POST", "PUT", "PATCH", "DELETE" }
local IN_QUERY = { GET = true, DELETE = true }

-- Takes the query off a path; returns the path and the query's members.
local function split(path)
  local before, text = path:match "^([^?]*)%?(.*)$"
  local query = {}
  for name, value in (text or ""):gmatch "([^&=]+)=?([^&]*)" do
    query[quoting.query_decoded(name)] = quoting.query_decoded(value)
  end
  return before or path, query
end

local function use(context, request)
  context:library()
  local client, status = context:client()
  if not client then return status end
  local operation = { name = "request", method = request.method }
  local call_options = { idempotency_key = context.options.idempotency_key }
  if context.options.dry_run then
    return context:dry_run(client, operation, request, call_options)
  end
  local subject = request.method .. " " .. request.path
  local refusal = context:refusal(client, operation, request, call_options, subject)
  if refusal then return refusal end
  local data, message, response = client:request(request, call_options)
  if data == nil then return context:failed(operation, message, response) end
  return context:succeeded({}, data, response)
end

-- The request that the words describe; or nil, a message and advice.
local function read(words, options)
  local method = words[1]:upper()
  if not (" " .. table.concat(METHODS, " ") .. " "):find(" " .. method .. " ", 1, true) then
    return nil, "'" .. words[1] .. "' is not a method", "GET, POST, PUT, PATCH or DELETE"
  end
  local path, query = split(words[2])
  local rest = {}
  for i = 3, #words do rest[#rest + 1] = words[i] end
  local members, message, advice = arguments.read({ name = "request", arguments = {} }, rest)
  if not members then return nil, message, advice end
  local request = { method = method, path = path }
  if options.body then
    if next(members) and not IN_QUERY[method] then
      return nil, "give the body by --body or by name=value, not both"
    end
    local text
    text, message = files.text_of(options.body)
    if not text then return nil, message end
    request.body, message = require("polytomic.cli.json").decode(text)
    if request.body == nil then return nil, "--body is not JSON: " .. message end
  end
  if IN_QUERY[method] then
    for name, value in pairs(members) do query[name] = value end
  elseif next(members) then
    request.body = members
  end
  if next(query) then request.query = query end
  return request
end

return {
  request = {
    details = "name=value goes into the query of GET and DELETE, and into the body of the others, "
      .. "where name:=JSON makes numbers, booleans, lists and objects.",
    arguments = {
      { "METHOD", "GET, POST, PUT, PATCH or DELETE", choices = METHODS },
      { "PATH", "the path, which may have a query: /api/connections?limit=5" },
      { "name=value…", "members of the query or the body", optional = true, many = true },
    },
    options = {
      { "--body", "JSON", "the whole body; @FILE or - (standard input) read it" },
    },
    groups = { "output", "sending", "connection", "general" },
    run = function(context)
      local problem, advice = require("polytomic.cli.output").complaint(context.options)
      if problem then return context:usage(problem, advice) end
      local request
      request, problem, advice = read(context.words, context.options)
      if not request then return context:usage(problem, advice) end
      return context:protected(use, context, request)
    end,
  },
}
