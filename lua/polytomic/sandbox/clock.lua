-- Times of the sandbox as the API writes them (RFC 3339, UTC, milliseconds); no two readings are the same.

local M = {}

local last = 0

-- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day - 719469
end

-- Milliseconds since 1970 as text.
function M.text(milliseconds)
  local seconds = math.floor(milliseconds / 1000)
  return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. string.format(".%03dZ", milliseconds - seconds * 1000)
end

-- The time now, later than every time told before.
function M.now()
  last = math.max(os.time() * 1000, last + 1)
  return M.text(last)
end

-- The time in so many seconds.
function M.later(seconds)
  return M.text((os.time() + seconds) * 1000)
end

-- Milliseconds since 1970 of an RFC 3339 text; nil if it is none.
function M.parse(text)
  local year, month, day, hour, minute, second, rest =
    text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$"
  if not year then return nil end
  local fraction, zone = rest:match "^(%.?%d*)(.*)$"
  local sign, zone_hours, zone_minutes = zone:match "^([+-])(%d%d):(%d%d)$"
  if not sign and zone ~= "Z" and zone ~= "z" then return nil end
  local offset = sign and (tonumber(zone_hours) * 60 + tonumber(zone_minutes)) * (sign == "+" and 60 or -60) or 0
  local whole = days(tonumber(year), tonumber(month), tonumber(day)) * 86400 + tonumber(hour) * 3600
    + tonumber(minute) * 60 + tonumber(second) - offset
  return math.floor((whole + (tonumber("0" .. fraction) or 0)) * 1000 + 0.5)
end

return M
