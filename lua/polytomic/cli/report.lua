-- What the command says of a failure, on standard error, and the exit status that goes with it.

local M = {
  OK = 0, FAILURE = 1, USAGE = 2, INVALID = 3, REFUSED = 4, UNKNOWN = 5, NETWORK = 6,
}

local BY_KIND = {
  invalid = M.INVALID, unconfigured = M.INVALID,
  unauthorized = M.REFUSED, forbidden = M.REFUSED, not_found = M.REFUSED, conflict = M.REFUSED, unprocessable = M.REFUSED,
  rate_limited = M.REFUSED, server = M.REFUSED, api = M.REFUSED, redirect = M.REFUSED,
}

-- The exit status for a failed call.
function M.status(operation, err)
  if err.outcome == "unknown" and operation.method ~= "GET" then return M.UNKNOWN end
  return BY_KIND[err.kind] or M.NETWORK
end

local function hint(operation, message, err)
  if M.status(operation, err) == M.UNKNOWN then
    local replayed = err.status == 500 and "; its key gets this same answer for a day"
    local again = err.idempotency_key
      and not replayed
      and "repeat it with --idempotency-key " .. err.idempotency_key
    return "it may have been carried out; "
      .. (again or "look before you repeat it" .. (replayed or ""))
  end
  if err.kind == "invalid" then
    return "polytomic help " .. operation.name .. " lists its arguments"
  end
  if err.hint and not message:find(err.hint, 1, true) then return err.hint end
end

-- Writes a message and, where there is one, a hint to standard error; returns `status`.
function M.problem(status, message, advice)
  io.stderr:write("polytomic: ", message, "\n")
  if advice then io.stderr:write("hint: ", advice, "\n") end
  return status
end

-- The same for a failed call.
function M.failed_call(operation, message, err, with_curl)
  M.problem(M.status(operation, err), message, hint(operation, message, err))
  if with_curl then io.stderr:write(err:curl(), "\n") end
  return M.status(operation, err)
end

-- The message of an error raised for bad usage, without the place in this program where it was
-- raised.
function M.without_position(message)
  return (tostring(message):gsub("^[^\n]-%.lua:%d+: ", ""))
end

return M
