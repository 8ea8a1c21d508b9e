-- Prints results: as a table, JSON, JSON lines or CSV; to a terminal fit to be shown, elsewhere as
-- they are.

local fields = require "polytomic.cli.fields"
local report = require "polytomic.cli.report"
local terminal = require "polytomic.terminal"

local M = {}

local STDOUT = 1 -- its descriptor
local EPIPE = 32 -- on every Unix

-- Writes to standard output, or says that it could not: a result may be a key that is shown only
-- once. Returns the exit status.
function M.put(text)
  local ok, message, code = io.stdout:write(text)
  if ok then ok, message, code = io.stdout:flush() end
  if ok then return report.OK end
  -- Nobody reads on, as after `head`. Where SIGPIPE is not ignored, it ended the process.
  if code == EPIPE then return report.UNREAD end
  return report.problem(report.FAILURE, "cannot write the result: " .. tostring(message))
end

-- What the options ask for: "table", "json", "jsonl" or "csv".
function M.format(options)
  if options.raw then return "json" end
  if options.output then return options.output end
  if options.csv_raw then return "csv" end
  return terminal.is_terminal(STDOUT) and "table" or "json"
end

-- A message and advice where the options of the output contradict each other, or name a field that
-- the operation's data never has; nil where all is well.
function M.complaint(options, name)
  if options.raw and options.output and options.output ~= "json" then
    return "--raw prints JSON, --output asks for " .. options.output
  end
  if options.csv_raw and M.format(options) ~= "csv" then
    return "--csv-raw is for --output csv"
  end
  local names = options.fields and name and fields.documented(name)
  if not names then return nil end
  local unknown, nearest = fields.unknown(options.fields, names)
  if not unknown then return nil end
  return ("there is no field '%s'%s"):format(unknown, require("polytomic.usage").meant(nearest)),
    "the fields of " .. name .. ": " .. table.concat(names, ", ")
end

-- ---- JSON ----

local function code_units(code)
  if code < 0x10000 then return ("\\u%04x"):format(code) end
  code = code - 0x10000
  return ("\\u%04x\\u%04x"):format(0xD800 + math.floor(code / 0x400), 0xDC00 + code % 0x400)
end

-- JSON has escapes for all that is unfit for a terminal; bytes that are not UTF-8 are replaced.
local function fit_json(text)
  return terminal.replace_unfit(text, function(code)
    return code and code_units(code) or "\\ufffd"
  end)
end

-- The text of a value as JSON. On a terminal it is indented unless `raw`.
local function json(value, options, is_list, shown)
  local encode = require("polytomic.cli.json").encode
  local pretty = shown and not options.raw
  return encode(value, {
    pretty = pretty,
    array = is_list,
    paint = pretty and options.paint or nil,
    fit = shown and fit_json or nil,
  })
end

-- ---- one value ----

local function selected(value, wanted)
  if not wanted then return value end
  if fields.is_object(value) then return fields.select(value, wanted) end
  if not fields.is_list(value) then return value end
  local list = {}
  for i, item in ipairs(value) do list[i] = fields.select(item, wanted) end
  return list
end

local function settings(options)
  local shown = terminal.is_terminal(STDOUT)
  options.paint = shown and terminal.painter(STDOUT) or nil
  return shown, shown and terminal.columns(STDOUT) or nil
end

-- ---- lists as they come ----

local Writer = {}
Writer.__index = Writer

-- The text for some more items of a list.
local function text_for(self, items)
  if self.rows then
    local text = self.rows:items(items)
    -- A cell's own line breaks stay: what was written can still be read as CSV.
    if self.format == "csv" and self.shown then text = text:gsub("[^\n]+", terminal.line) end
    return text
  end
  local parts = {}
  for _, item in ipairs(items) do
    if self.wanted then item = fields.select(item, self.wanted) end
    local text = json(item, self.options, false, self.shown)
    if self.format == "jsonl" then
      parts[#parts + 1] = text .. "\n"
    else
      parts[#parts + 1] = (self.count == 0 and "[" or ",") .. self.line_break .. self.indented(text)
    end
    self.count = self.count + 1
  end
  return table.concat(parts)
end

-- Prints some more items; false where that failed, which has been reported.
function Writer:items(items)
  if self.status ~= report.OK then return false end
  local text = text_for(self, items)
  if text ~= "" then self.status = M.put(text) end
  return self.status == report.OK
end

-- Ends the list; returns the exit status.
function Writer:finish()
  if self.status ~= report.OK then return self.status end
  if self.rows then
    if self.format == "csv" and not self.rows.names then self:items {} end
    local remark = self.rows:remark()
    if remark then report.remark(remark) end
  elseif self.format == "json" then
    self.status = M.put(self.count == 0 and "[]\n" or self.line_break .. "]\n")
  end
  return self.status
end

-- A writer for the items of a list. `name` is the operation whose items they are, where there is
-- one.
function M.list(options, name)
  local shown, columns = settings(options)
  local format = M.format(options)
  local pretty = format == "json" and shown and not options.raw
  local self = {
    options = options, format = format, shown = shown, wanted = options.fields, count = 0,
    status = report.OK, line_break = pretty and "\n" or "",
    indented = pretty and function(text) return "  " .. text:gsub("\n", "\n  ") end
      or function(text) return text end,
  }
  if format == "jsonl" then self.options = setmetatable({ raw = true }, { __index = options }) end
  if format == "table" then
    self.rows = require("polytomic.cli.table").list(options.fields, columns, options.paint)
  elseif format == "csv" then
    local documented = name and not options.fields and fields.documented(name) or nil
    self.rows = require("polytomic.cli.csv").list(options.fields, documented, options.csv_raw)
  end
  return setmetatable(self, Writer)
end

-- Prints the data of a call; returns the exit status. `is_list` says what an empty table is.
function M.print(data, options, is_list, name)
  local shown, columns = settings(options)
  local format, wanted = M.format(options), options.fields
  if format == "json" then
    return M.put(json(selected(data, wanted), options, is_list, shown) .. "\n")
  end
  if type(data) == "table" and (is_list or data[1] ~= nil) then
    local writer = M.list(options, name)
    writer:items(data)
    return writer:finish()
  end
  if format == "csv" and fields.is_object(data) then
    local writer = M.list(options, name)
    writer:items { data }
    return writer:finish()
  end
  if format == "table" and fields.is_object(data) then
    return M.put(require("polytomic.cli.table").object(data, wanted, columns, options.paint))
  end
  if format == "table" and type(data) ~= "table" and data ~= nil and not fields.is_null(data) then
    return M.put(require("polytomic.cli.table").text(data) .. "\n")
  end
  local raw = setmetatable({ raw = true }, { __index = options })
  return M.put(json(selected(data, wanted), raw, false, shown) .. "\n")
end

return M
