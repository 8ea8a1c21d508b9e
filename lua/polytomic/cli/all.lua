-- --all: every page of a list, its items printed as they come.

local report = require "polytomic.cli.report"
local terminal = require "polytomic.terminal"

local M = {}

local function nothing() end

-- Shows how far it has come where results go elsewhere than to the terminal.
local function progress(name)
  if not terminal.is_capable(2) or terminal.is_terminal(1) then return nothing, nothing end
  local show, clear = terminal.status_line(2, io.stderr)
  return function(count, pages)
    show(("%s: %d items, %d page%s"):format(name, count, pages, pages == 1 and "" or "s"))
  end, clear
end

-- Prints the items of every page. Returns nothing at the end, or the message and error of a page
-- that failed.
local function print_pages(context, walk, writer, show)
  local count, pages = 0, 0
  while true do
    local items, message, response = walk.next()
    if message then return message, response end
    if not items then return end
    count, pages = count + #items, pages + 1
    context.last = response
    if not writer:items(items) then return end
    local token, argument = walk.cursor()
    context.resume = token and argument .. "=" .. token
    show(count, pages)
  end
end

-- Prints all items; returns the exit status. What came before a failure, or Ctrl-C, has been
-- printed and is whole.
function M.run(context, client, operation, values, call_options)
  context:library()
  local walk = client:pages(operation.name, values, call_options)
  -- Documented are the fields of the data: of the items only where the data is the list itself.
  local name = operation.pages.items_field == "data" and operation.name or nil
  local writer = require("polytomic.cli.output").list(context.options, name)
  local show, clear = progress(operation.name)
  local ok, message, err = pcall(print_pages, context, walk, writer, show)
  clear()
  local status = writer:finish()
  if not ok then error(message, 0) end
  if status ~= report.OK then return status end
  if message then return context:failed(operation, message, err) end
  if context.options.verbose and context.last then
    require("polytomic.cli.timeline").show(context.last)
  end
  return status
end

return M
