-- What a text must hold, and what it must not.

local M = {}

-- Fails where the text does not hold the part.
function M.contains(text, part)
  assert(text:find(part, 1, true), ("%q is not in %q"):format(part, text))
end

-- Fails where it does.
function M.lacks(text, part)
  assert(not text:find(part, 1, true), ("%q is in %q"):format(part, text))
end

return M
