-- Lists in a window of time, whatever the server means by its bounds and in whichever order it answers.

local date_time = require "polytomic.date_time"
local window = require "polytomic.window"

local PAGES = { token_field = "starting_after", window_end_field = "ending_before", limit_field = "limit", limit_max = 100 }
local START = "2025-12-31T23:59:58Z"

-- A server with events: page(arguments) gives those between the bounds, `limit` at most.
local function server_of(events, back, inclusive)
  return function(arguments)
    local from = arguments.starting_after and date_time.parse(arguments.starting_after) or -math.huge
    local to = arguments.ending_before and date_time.parse(arguments.ending_before) or math.huge
    local picked = {}
    for i = 1, #events do
      local event = events[back and #events + 1 - i or i]
      local within = inclusive and event.at >= from and event.at <= to or event.at > from and event.at < to
      if within and #picked < arguments.limit then picked[#picked + 1] = event end
    end
    return picked
  end
end

-- How often a walk gave each event, how many pages it took, and the problem it ended with.
local function walk(page, limit)
  local arguments, times, pages = { limit = limit }, {}, 0
  local state = window.open(PAGES, arguments)
  while pages < 1000 do
    pages = pages + 1
    local items, stamp, argument = window.take(state, page(arguments))
    for _, item in ipairs(items) do times[item.id] = (times[item.id] or 0) + 1 end
    if not stamp then return times, pages, argument end
    arguments[argument] = stamp
  end
  return times, pages, "it does not end"
end

-- Events of which `burst` share each moment; moments are `unit` microseconds apart, or more, and written with `digits`.
local function events_of(count, burst, unit, digits)
  local list, start = {}, date_time.parse(START)
  for i = 1, count do
    local at = start + math.floor((i - 1) / burst) * unit * (i % 7 < 3 and 3 or 1)
    list[i] = { at = at }
  end
  table.sort(list, function(one, other) return one.at < other.at end)
  for i, event in ipairs(list) do
    event.id = "event " .. i
    local text = date_time.text(event.at, 6)
    event.created_at = digits == 0 and text:gsub("%.%d+Z", "Z") or text:gsub("(%.%d+)Z", function(fraction) return fraction:sub(1, digits + 1) .. "Z" end)
  end
  return list
end

describe("a walk through a window of time", function()
  for _, resolution in ipairs { { "seconds", 1000000, 0 }, { "milliseconds", 1000, 3 }, { "microseconds", 1, 6 } } do
    for _, back in ipairs { true, false } do
      for _, inclusive in ipairs { true, false } do
        local title = ("gives each event once: %s, %s first, bounds %s"):format(resolution[1], back and "newest" or "oldest",
          inclusive and "included" or "excluded")
        it(title, function()
          for burst = 1, 3 do
            local events = events_of(40, burst, resolution[2], resolution[3])
            for limit = 2, 45 do
              local times, _, problem = walk(server_of(events, back, inclusive), limit)
              local missing = 0
              for _, event in ipairs(events) do
                assert.is_true((times[event.id] or 0) <= 1, event.id .. " came twice")
                if not times[event.id] then missing = missing + 1 end
              end
              assert.is_true(missing == 0 or problem ~= nil, ("%d events are lost with a limit of %d"):format(missing, limit))
              if limit > 20 then assert.is_nil(problem) end
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
    for _, text in ipairs { "1970-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.999999Z", "2026-11-22T10:49:44.000001Z" } do
      assert.equal(text, date_time.text(date_time.parse(text), 6))
    end
    assert.equal("2026-11-22T10:49:44.123Z", date_time.text((date_time.parse "2026-11-22T10:49:44.1239Z")))
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "2025-09-18", "2025-09-18T10:00Z", "2025-09-18T10:00:00", "2025-09-18T10:00:00+02", "x2025-09-18T10:00:00Z", "2025-09-18T10:00:00Zz" } do
      assert.is_nil(date_time.parse(text), text)
    end
  end)
end)
