-- How each fault spoils the reply: given the true response, plays what the client gets instead.

local bomb = require "polytomic.sandbox.wire.bomb"
local json = require "polytomic.json_text"
local random = require "polytomic.sandbox.random"

local M = {}

local json_type = { { "Content-Type", "application/json" } }

-- Stands for the true response when the operation was not carried out.
local function stand_in()
  return { status = 200, headers = json_type, body = '{"data":{}}' }
end

-- A copy of the response with another body.
local function with_body(response, body)
  return { status = response.status, headers = response.headers, body = body }
end

local function body_text(value, default)
  if value == nil then return default end
  if type(value) == "string" then return value end
  return json.encode(value)
end

-- Whether a status fault is the API's own outcome, stored under the idempotency key; otherwise it
-- comes from a gateway.
function M.is_stored(fault)
  local members = fault.members
  if members.store ~= nil then return members.store end
  return (members.status or 503) == 500
end

-- The response of a status fault.
function M.status_response(fault)
  local members = fault.members
  local status = members.status or 503
  local headers = {}
  for name, value in pairs(members.headers or {}) do
    headers[#headers + 1] = { name, body_text(value) }
  end
  if members.retry_after then
    headers[#headers + 1] = { "Retry-After", body_text(members.retry_after) }
  end
  if not (members.headers or {})["Content-Type"] then headers[#headers + 1] = json_type[1] end
  local default = json.encode {
    key = "fault",
    message = "the sandbox was asked to answer " .. status,
    status = status,
  }
  return { status = status, headers = headers, body = body_text(members.body, default) }
end

local play = {}

function play.status(exchange, _, fault, finish)
  exchange:respond(finish(M.status_response(fault)))
end

function play.redirect(exchange, _, fault, finish)
  local location = fault.members.location or "/redirected"
  local headers = { { "Location", location } }
  exchange:respond(finish { status = fault.members.status or 302, headers = headers, body = "" })
end

local function reset(exchange, _, fault)
  exchange:close(fault.members.fin and "fin" or "reset")
end

play.reset_before = reset
play.reset_after_commit = reset

function play.stall_headers(exchange, response, fault)
  if exchange:wait(fault.members.seconds or 3600) then exchange:respond(response) end
end

function play.stall_body(exchange, response, fault)
  exchange:head(response, { length = #response.body })
  if exchange:wait(fault.members.seconds or 3600) then
    exchange:body(response.body)
    exchange:finish()
  end
end

function play.drip(exchange, response, fault)
  exchange:drip(response, fault.members.interval or 0.4, fault.members.headers or false)
end

function play.truncate(exchange, response, fault)
  local body = response.body
  local framing = { length = #body + 10 }
  if fault.members.chunked then framing = { chunked = true, cut = true } end
  if fault.members.no_length then framing = { close = true } end
  exchange:head(response, framing)
  exchange:body(body:sub(1, math.floor(#body / 2)))
  exchange:cut()
end

function play.garbage(exchange, _, fault)
  exchange:raw(fault.members.raw or random.bytes(fault.members.bytes or 512))
  exchange:close("fin")
end

function play.empty(exchange, response)
  exchange:respond(with_body(response, ""))
end

function play.bad_json(exchange, response, fault)
  exchange:respond(with_body(response, fault.members.body or '{"data":{"id":'))
end

function play.wrong_type(exchange, response, fault)
  exchange:respond(with_body(response, body_text(fault.members.body, '{"data":"x"}')))
end

-- Sends `count` bytes of filler in pieces, as long as somebody reads them.
local function send_filler(exchange, count)
  local piece = ("a"):rep(65536)
  while count > 0 do
    local size = math.min(count, #piece)
    if not exchange:body(size == #piece and piece or piece:sub(1, size)) then return end
    count = count - size
  end
end

function play.huge(exchange, response, fault)
  local before, after = '{"data":"', '"}'
  local filler = math.max((fault.members.bytes or 70000000) - #before - #after, 0)
  exchange:head(response, { length = filler + #before + #after })
  exchange:body(before)
  send_filler(exchange, filler)
  exchange:body(after)
  exchange:finish()
end

function play.gzip_bomb(exchange, response, fault)
  local bombed =
    with_body(response, bomb.gzip('{"data":"', "a", '"}', fault.members.bytes or 104857600))
  local headers = { { "Content-Encoding", "gzip" } }
  for _, header in ipairs(response.headers) do headers[#headers + 1] = header end
  bombed.headers = headers
  exchange:respond(bombed)
end

function play.close_idle(exchange, response, fault)
  exchange:respond(response)
  if not fault.members.seconds or exchange:wait(fault.members.seconds) then
    exchange:close("fin")
  end
end

-- Plays the fault. `response` is the true one, nil if the operation was not carried out;
-- `finish(plain)` adds the headers that every response carries.
function M.play(fault, exchange, response, finish)
  play[fault.fault](exchange, response or finish(stand_in()), fault, finish)
end

return M
