-- Random numbers that are the same on every Lua (Park and Miller): a function (limit) that gives a
-- whole number from 0 to below the limit, or without one a number in [0, 1).

return function(seed)
  local state = seed
  return function(limit)
    state = state * 16807 % 2147483647
    return limit and state % limit or state / 2147483647
  end
end
