-- The pages of every list operation: one at a time, or item by item.
--
-- Plain functions and closures that yield nothing of their own, so they work under any `wait` on
-- any Lua. Only where a coroutine cannot be suspended inside the iterator of a `for` (PUC Lua 5.1)
-- do items block while a further page comes.

local core = require "polytomic.core"
local quoting = require "polytomic.quoting"
local run = require "polytomic.run"
local usage = require "polytomic.usage"
local window = require "polytomic.window"

local M = {
  -- Of one walk; past them the error has a cursor, for a list that really is that long
  most_pages = 10000,
  most_empty_pages = 100, -- in a row
}

local function block(client)
  client:step(1)
end

-- ---- reading a reply ----

-- The value at a dotted path ("pagination.next_page_token"), nil where there is none.
local function member(value, path)
  for name in path:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

-- A token as a message may show it: in quotes, on one line.
local function shown(token)
  return '"' .. token:gsub('[%c"\\]', function(c) return ("\\%03d"):format(c:byte()) end) .. '"'
end

local function new_token(walk, token, source)
  if type(token) ~= "string" then
    return nil, ("%s is a %s instead of a string"):format(source, type(token))
  end
  if walk.seen[token] then return nil, ("%s repeats the token %s"):format(source, shown(token)) end
  walk.seen[token] = true
  return token
end

-- Why a link is refused. Only the host of the link is shown: what is before and after it may hold a
-- secret.
local function refusal(client, link)
  local scheme, authority = link:match "^(%a[%w+.-]*)://([^/\\?#]+)"
  authority = authority or link:match "^//([^/\\?#]+)"
  if not authority then return "is not a link to this server, and is refused" end
  local ours = core.same_origin(client, "//" .. authority)
  if ours then
    return "has another scheme than this client's server, " .. shown(scheme) .. ", and is refused"
  end
  return ("leads to another host, %s, and is refused"):format(shown(authority:match "[^@]*$"))
end

-- For each kind of pagination, how a list goes on after a reply: the items to give out, then the
-- next token and the argument it belongs to, or nil at the end, or nil and a problem.
local follow = {}

function follow.page_token(walk, items, response)
  local pages = walk.operation.pages
  local token = member(response.body, pages.response_field)
  if token == nil or token == "" then return items end
  local fresh, problem = new_token(walk, token, pages.response_field)
  return items, fresh, problem or pages.token_field
end

follow.cursor = follow.page_token

-- The link is never followed: only the token is taken from it, and only where it leads to the
-- client's own server.
function follow.links(walk, items, response)
  local pages = walk.operation.pages
  local link = member(response.body, pages.response_field)
  if link == nil or link == "" then return items end
  if type(link) ~= "string" then
    return items, nil, ("%s is a %s instead of a string"):format(pages.response_field, type(link))
  end
  if not core.same_origin(walk.client, link) then
    return items, nil, pages.response_field .. " " .. refusal(walk.client, link)
  end
  local token = link:gsub("#.*", ""):match("[?&]" .. pages.token_field .. "=([^&]*)")
  if not token then
    return items, nil, ("%s holds no %s"):format(pages.response_field, pages.token_field)
  end
  if token == "" then return items end
  local fresh, problem = new_token(walk, quoting.query_decoded(token), pages.response_field)
  return items, fresh, problem or pages.token_field
end

function follow.time_window(walk, items)
  return window.take(walk.window, items)
end

-- Where replies of this API name the page that follows.
local NEXT_PAGE = { "pagination.next_page_token", "pagination.next_page", "links.next" }

-- A list that is not paginated, as far as the catalogue knows. It must not be cut short silently.
function follow.none(_, items, response)
  for _, path in ipairs(NEXT_PAGE) do
    local token = member(response.body, path)
    if token ~= nil and token ~= "" then
      return items, nil, path .. " names a further page of a list that has only one"
    end
  end
  return items
end

-- ---- walking ----

-- A walk over the pages of an operation. Raises for bad usage of `method`.
function M.open(method, client, name, arguments, options)
  usage.check_client(method, client, "(…)")
  usage.check_name(method, name)
  -- Raises for bad usage; the first page reports bad data
  core.check(client, name, arguments, options)
  local operation = core.describe(name)
  if not operation or not operation.pages then
    core.raise(("%s: %s gives no list"):format(method, name))
  end
  local kind = operation.pages.kind
  local walk = {
    client = client, operation = operation, arguments = run.copied(arguments),
    options = run.copied(options), follow = follow[kind or "none"], seen = {}, count = 0, empty = 0,
  }
  if kind == "time_window" then
    walk.window = window.open(operation.pages, walk.arguments)
  elseif kind then
    walk.argument = operation.pages.token_field
    local token = walk.arguments[walk.argument]
    if type(token) == "string" then
      walk.token = token
      walk.seen[token] = true
    end
  end
  return walk
end

-- An error is kept with the token to resume from, where there is one.
local function with_cursor(walk, message, err)
  if walk.token ~= nil then
    err.cursor = walk.token
    err.text = ("%s (resume with %s = %s)"):format(message, walk.argument, shown(walk.token))
    message = err.text
  end
  return message, err
end

-- What is wrong with a page is reported after its items were given out, by every following call.
local function keep_failure(walk, response, problem)
  local _, message, err = core.make_error(response, "bad_response", "unknown", problem)
  walk.message, walk.err = with_cursor(walk, message, err)
end

local function too_many(walk, items)
  walk.count = walk.count + 1
  walk.empty = #items == 0 and walk.empty + 1 or 0
  if walk.empty >= M.most_empty_pages then
    return ("%d pages in a row were empty and each named another one"):format(walk.empty)
  end
  if walk.count >= M.most_pages then
    return ("%d pages were read and there is still another one"):format(walk.count)
  end
end

-- What is in the place of a list: nil for a list, else its kind.
local function not_list(items)
  if type(items) ~= "table" then return type(items) end
  if items[1] == nil and next(items) ~= nil then return "object" end
end

-- Notes where the list goes on; returns the items to give out, or nil, message, err.
local function take(walk, response)
  local field = walk.operation.pages.items_field
  local items = member(response.body, field)
  if items == nil then items = {} end
  local wrong = not_list(items)
  if wrong then
    local article = wrong == "object" and "an" or "a"
    return core.make_error(response, "bad_response", "unknown",
      ("%s is %s %s instead of a list"):format(field, article, wrong))
  end
  local token, argument
  items, token, argument = walk.follow(walk, items, response)
  walk.token = token
  if token ~= nil then
    walk.argument = argument
    walk.arguments[argument] = token
    local problem = too_many(walk, items)
    if problem then keep_failure(walk, response, problem) end
  elseif argument then
    keep_failure(walk, response, argument)
  else
    walk.over = true
  end
  return items, nil, response
end

-- The next page: items, nil, response; nil, message, err; nil alone at the end. `wait` takes the
-- place of the client's own.
function M.next(walk, wait)
  if walk.err then return nil, walk.message, walk.err end
  if walk.over then return nil end
  local response = walk.first
  walk.first = nil
  if not response then
    local data, message
    data, message, response =
      run.operation(walk.client, walk.operation.name, walk.arguments, walk.options, wait)
    if data == nil then return nil, with_cursor(walk, message, response) end
  end
  return take(walk, response)
end

-- An iterator over the items of a walk; it raises the message of an error. The first page is asked
-- for at once, where every Lua can suspend the coroutine.
function M.items(walk)
  local items, count, index, page = {}, 0, 0, nil
  local wait = not run.yields_anywhere and core.wait_of(walk.client) and block or nil
  local function turn(as_client_waits)
    local list, message, response = M.next(walk, as_client_waits)
    if message then error(message, 0) end
    items, count, index, page = list, list and #list or 0, 0, response
  end
  turn()
  return function()
    while items and index >= count do turn(wait) end
    if not items then return nil end
    index = index + 1
    return items[index], page
  end
end

-- ---- methods ----

-- for item, page in client:each(operation, arguments, options) do: every item over all pages;
-- `page` is its response.
local function each(client, name, arguments, options)
  local walk = M.open("each", client, name, arguments, options)
  return M.items(walk)
end

-- client:pages(operation, arguments, options) gives an object with
--   next()   items, nil, response; nil, message, err, after which next() asks for the same page
--   again; nil at the end
--   cursor() the token of the page that comes next and the name of the argument it belongs to; nil
--   at the end
local function pages(client, name, arguments, options)
  local walk = M.open("pages", client, name, arguments, options)
  return {
    next = function() return M.next(walk) end,
    cursor = function()
      if walk.token == nil then return nil end
      return walk.token, walk.argument
    end,
  }
end

-- Gives every client `each` and `pages`.
function M.install()
  core.methods.each = each
  core.methods.pages = pages
end

return M
