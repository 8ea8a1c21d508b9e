-- Times of the sandbox as the API writes them (RFC 3339, UTC, milliseconds); no two readings are
-- the same.

local date_time = require "polytomic.date_time"

local M = {}

local MILLISECOND, SECOND = 1000, 1000000 -- microseconds

local last = 0

-- The time now, later than every time given before.
function M.now()
  last = math.max(os.time() * SECOND, last + MILLISECOND)
  return date_time.text(last)
end

-- The time in so many seconds.
function M.later(seconds)
  return date_time.text((os.time() + seconds) * SECOND)
end

return M
