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

-- Prints all items; returns the exit status. What came before a failure has been printed.
function M.run(context, client, operation, values, call_options)
  context:library()
  local walk = client:pages(operation.name, values, call_options)
  -- Documented are the fields of the data: of the items only where the data is the list itself.
  local name = operation.pages.items_field == "data" and operation.name or nil
  local writer = require("polytomic.cli.output").list(context.options, name)
  local show, clear = progress(operation.name)
  local count, pages, last = 0, 0, nil
  while true do
    local items, message, response = walk.next()
    if message then
      clear()
      local status = writer:finish()
      if status ~= report.OK then return status end
      return context:failed(operation, message, response)
    end
    if not items then break end
    count, pages, last = count + #items, pages + 1, response
    if not writer:items(items) then break end
    show(count, pages)
  end
  clear()
  if context.options.verbose and last then require("polytomic.cli.timeline").show(last) end
  return writer:finish()
end

return M
