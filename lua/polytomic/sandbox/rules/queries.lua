-- Jobs and queries: work that a request starts and others look after.

local answer = require "polytomic.sandbox.rules.answer"
local clock = require "polytomic.sandbox.clock"
local families = require "polytomic.sandbox.data.families"
local inference = require "polytomic.sandbox.inference"
local json = require "polytomic.json_text"
local random = require "polytomic.sandbox.random"
local work = require "polytomic.sandbox.rules.work"

local M = {}

M.created, M.handlers = {}, {}

-- Jobs
-- -------------------------------------------------------------------------------------------------

local job_types = { create_model = "createmodel", update_model = "updatemodel",
  preview_model = "previewmodel", sample_model = "samplemodel",
  export_bulk_sync_execution_logs = "exportlogs" }

function work.finishers.job(item)
  if item.values.status == "done" then
    item.values.result = item.result
  else
    item.values.error = "the sandbox was asked to fail"
  end
end

local function start_job(item, result, fails)
  item.values.job_id, item.result = item.id, result
  work.start(item, fails and "failed" or "done", work.finishers.job)
end

local function add_job(context, kind)
  local family = families.collection "/api/jobs/{}"
  local store = context.resources:store(family, "/api/jobs/" .. kind)
  return context.resources:add(store, { id = random.uuid(), type = kind }, {}, true)
end

-- A call of the proxy says in its body whether it is to run in the background, and its data where
-- the job is.
local function proxied(context, body)
  if not context.body.async then
    body.data.jobId, body.data.jobStatus, body.data.jobUrl = nil, nil, nil
    return body
  end
  local job = add_job(context, "connectionproxy")
  start_job(job, body.data, false)
  return { data = { jobId = job.id, jobStatus = job.values.status, jobUrl = job.path } }
end

-- If the operation is to run in the background: starts a job whose result is the body's data, and
-- returns the body that says so. Otherwise the body.
function M.in_background(context, body)
  if context.operation.name == "call_connection_proxy" then return proxied(context, body) end
  local kind = job_types[context.operation.name]
  if not kind or not (context.arguments.async or kind == "exportlogs") then return body end
  local job = add_job(context, kind)
  start_job(job, body.data, work.fails(body.data.name))
  return { data = {}, job = { job_id = job.id, type = kind, status = job.values.status } }
end

M.created["/api/jobs/{}"] = function(context, item)
  item.values.type = context.parameters.type
  start_job(item, { id = item.id }, false)
end

local silent = { error = true, result = true }

function M.handlers.get_job(context)
  local item = work.look(context.place.item)
  return answer.values(context.operation, item.values, silent, item.id)
end

-- Queries
-- -------------------------------------------------------------------------------------------------

-- How many rows a text gives; nil if it is not a query. The sandbox knows no SQL, only its
-- outlines.
local function count_rows(sql)
  local text = sql:lower()
  if not text:find "^%s*select%f[%W]" and not text:find "^%s*with%f[%W]" then return nil end
  local limit = tonumber(text:match "%f[%w]limit%s+(%d+)")
  return math.min(limit or inference.query_rows.value, 10000)
end

function work.finishers.query(item)
  if item.values.status == "failed" then
    item.values.error = "syntax error"
  else
    item.values.count, item.values.fields = item.rows, json.array { "id", "name" }
  end
end

-- Only `owner` (the id of a principal; nil: everybody) may read the results.
local function start_query(item, sql, owner)
  item.rows, item.owner = count_rows(sql), owner
  item.values.expires = clock.later(3600)
  work.start(item, item.rows and "done" or "failed", work.finishers.query)
end

local unset = { error = true, count = true, fields = true, results = true }

M.created["/api/queries"] = function(_, item)
  item.settable = unset
  start_query(item, "select", nil)
end

function M.handlers.run_query(context)
  local store = context.resources:store(families.collection "/api/queries", "/api/queries")
  local item = context.resources:add(store, {}, unset, true)
  start_query(item, context.arguments.query or "", context.principal.id)
  return answer.item(context.operation, item)
end

local function rows_of(item, page, size)
  local rows = json.array()
  for i = (page - 1) * size + 1, math.min(page * size, item.rows) do
    rows[#rows + 1] = { id = i, name = "row " .. i }
  end
  return rows
end

local function link(item, page) return "/api/queries/" .. item.id .. "?page=" .. page end

-- Puts one page of the results and the links to its neighbours into the body.
local function write_page(body, item, page)
  local size = inference.page_size.value
  body.data.results = rows_of(item, page, size)
  body.links = { next = page * size < item.rows and link(item, page + 1) or nil,
    previous = page > 1 and link(item, page - 1) or nil }
end

function M.handlers.get_query(context)
  local item = context.place.item
  if item.owner and item.owner ~= context.principal.id then return answer.unknown "query" end
  local text = context.arguments.page or "1"
  local page = text:find "^[1-9]%d?%d?%d?%d?$" and tonumber(text)
  if not page then return answer.invalid("page", "is not a page of this query") end
  work.look(item)
  local body = answer.item(context.operation, item)
  if item.values.status == "done" then write_page(body, item, page) end
  return body
end

return M
