-- Lists in a window of time, whatever the server means by its bounds and in whichever order it
-- answers.

local contains = require("spec.support.text").contains
local date_time = require "polytomic.date_time"
local generator = require "spec.support.generator"
local window = require "polytomic.window"

local PAGES = {
  token_field = "starting_after",
  window_end_field = "ending_before",
  limit_field = "limit",
  limit_max = 100,
}
local START = "2025-12-31T23:59:58Z"

local function exactly(text) return (date_time.parse(text)) end
local function to_milliseconds(text) return math.floor(exactly(text) / 1000) * 1000 end
local function in_seconds(at) return (date_time.text(at, 6):gsub("%.%d+Z", "Z")) end
local function in_milliseconds(at) return date_time.text(at, 3) end
local function in_microseconds(at) return date_time.text(at, 6) end
local function without_zeros(at)
  return (date_time.text(at, 6):gsub("0+Z$", "Z"):gsub("%.Z$", "Z"))
end

-- Servers by what their clock counts (in microseconds), how they show a time, and how they read a
-- bound.
local servers = {
  { "seconds", 1000000, in_seconds, exactly },
  { "milliseconds", 1000, in_milliseconds, exactly },
  { "microseconds", 1, in_microseconds, exactly },
  { "microseconds, shown as milliseconds", 1, in_milliseconds, exactly },
  { "microseconds, shown without zeros at the end", 1, without_zeros, exactly },
  { "milliseconds, shown without zeros at the end", 1000, without_zeros, exactly },
  { "milliseconds, as which it reads bounds", 1000, in_milliseconds, to_milliseconds },
}

-- A server with events: page(arguments) gives those between the bounds, `limit` at most.
local function server_of(events, read, back, inclusive)
  return function(arguments)
    local from = arguments.starting_after and read(arguments.starting_after) or -math.huge
    local to = arguments.ending_before and read(arguments.ending_before) or math.huge
    local picked = {}
    for i = 1, #events do
      local event = events[back and #events + 1 - i or i]
      local within = inclusive and event.at >= from and event.at <= to
        or event.at > from and event.at < to
      if within and #picked < arguments.limit then picked[#picked + 1] = event end
    end
    return picked
  end
end

-- How often a walk gave each event, and the problem it ended with.
local function walk(page, limit)
  local arguments, times = { limit = limit }, {}
  local state = window.open(PAGES, arguments)
  for _ = 1, 1000 do
    local items, stamp, argument = window.take(state, page(arguments))
    for _, item in ipairs(items) do times[item.id] = (times[item.id] or 0) + 1 end
    if not stamp then return times, argument end
    arguments[argument] = stamp
  end
  return times, "it does not end"
end

-- Events at moments that are now and then the same, now a unit apart, now many; the same on every
-- Lua.
local function events_of(count, seed, unit, show)
  local list, at, random = {}, exactly(START), generator(seed)
  for i = 1, count do
    at = at + unit * ({ 0, 0, 1, 2, 700, 1000, 99700 })[random(7) + 1]
    list[i] = { id = "event " .. i, at = at, created_at = show(at) }
  end
  return list
end

describe("a walk through a window of time", function()
  for _, server in ipairs(servers) do
    for _, back in ipairs { true, false } do
      for _, inclusive in ipairs { true, false } do
        local title = ("gives each event once: %s, %s first, bounds %s"):format(server[1],
          back and "newest" or "oldest", inclusive and "included" or "excluded")
        it(title, function()
          for seed = 1, 12 do
            local events = events_of(60, seed, server[2], server[3])
            for _, limit in ipairs { 3, 5, 8, 13, 21, 41, 60 } do
              local times, problem = walk(server_of(events, server[4], back, inclusive), limit)
              local missing, twice = 0, nil
              for _, event in ipairs(events) do
                local came = times[event.id] or 0
                if came > 1 then twice = event.id end
                if came == 0 then missing = missing + 1 end
              end
              assert.is_nil(twice)
              assert.is_true(missing == 0 or problem ~= nil,
                ("%d events are lost with a limit of %d"):format(missing, limit))
              if problem then
                contains(problem, "so the window cannot move")
              end
              if limit > 40 then assert.is_nil(problem) end
            end
          end
        end)
      end
    end
  end
end)

describe("a date-time", function()
  it("is read in any zone and precision", function()
    local whole = date_time.parse "2025-09-18T10:00:00Z"
    assert.same({ whole, 1000000 }, { date_time.parse "2025-09-18T12:00:00+02:00" })
    assert.same({ whole, 1000000 }, { date_time.parse "2025-09-18 04:30:00-05:30" })
    assert.same({ whole + 250000, 10000 }, { date_time.parse "2025-09-18t10:00:00.25z" })
    assert.same({ whole + 123456, 1 }, { date_time.parse "2025-09-18T10:00:00.123456789Z" })
    assert.same({ 951782400 * 1000000, 1000000 }, { date_time.parse "2000-02-29T00:00:00Z" })
  end)

  it("is written as it is read", function()
    for _, text in ipairs { "1970-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.999999Z",
        "2026-11-22T10:49:44.000001Z" } do
      assert.equal(text, date_time.text(date_time.parse(text), 6))
    end
    assert.equal("2026-11-22T10:49:44.123Z",
      date_time.text((date_time.parse "2026-11-22T10:49:44.1239Z")))
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "2025-09-18", "2025-09-18T10:00Z", "2025-09-18T10:00:00",
        "2025-09-18T10:00:00+02", "x2025-09-18T10:00:00Z", "2025-09-18T10:00:00Zz" } do
      assert.is_nil(date_time.parse(text), text)
    end
  end)
end)
