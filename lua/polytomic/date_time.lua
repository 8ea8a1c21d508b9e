-- Date-times of the API (RFC 3339) as microseconds since 1970: whole numbers that a double holds
-- exactly until the year 2255.

local M = {}

-- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day - 719469
end

-- Seconds east of UTC of a zone's text; nil where it is not a zone.
local function offset_of(zone)
  if zone == "Z" or zone == "z" then return 0 end
  local sign, hours, minutes = zone:match "^([+-])(%d%d):(%d%d)$"
  if not sign then return nil end
  return (tonumber(hours) * 60 + tonumber(minutes)) * (sign == "+" and 60 or -60)
end

-- The microseconds of a text, and how many of them its last digit counts (1 at least); nil
-- where it is not a date-time.
function M.parse(text)
  local year, month, day, hour, minute, second, fraction, zone =
    text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)%.?(%d*)(.*)$"
  local offset = zone and offset_of(zone)
  if not offset then return nil end
  local seconds = days(tonumber(year), tonumber(month), tonumber(day)) * 86400
    + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second) - offset
  local micro = tonumber((fraction .. "000000"):sub(1, 6))
  return seconds * 1000000 + micro, 10 ^ (6 - math.min(#fraction, 6))
end

-- The text of so many microseconds, in UTC, with three digits of a second (the default) or six.
function M.text(microseconds, digits)
  local seconds = math.floor(microseconds / 1000000)
  local fraction = ("%06d"):format(microseconds - seconds * 1000000):sub(1, digits or 3)
  return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. "." .. fraction .. "Z"
end

return M
