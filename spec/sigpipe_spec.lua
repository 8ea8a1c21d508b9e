-- SIGPIPE while libcurl before 7.88 writes (csrc/http/sigpipe.c). Each in a process of its own,
-- which it would end.

local process = require "spec.support.process"

local function run(body)
  local script = ([[
    local testing = require "polytomic.testing"
    local function show(...)
      local words = { ... }
      for i = 1, #words do words[i] = tostring(words[i]) end
      print(table.concat(words, " "))
    end
    %s
  ]]):format(body)
  local status, out, errors = process.run({ process.interpreter(), "-e", script },
    { env = process.environment() })
  assert.same({ 0, "" }, { status, errors })
  return out
end

describe("SIGPIPE", function()
  it("P is blocked while libcurl runs, discarded, and let through afterwards", function()
    assert.equal("false true false false\n", run "show(testing.hold_sigpipe(true))")
  end)

  it("P is left alone where libcurl does not raise it", function()
    assert.equal("false false false false\n", run "show(testing.hold_sigpipe(false))")
  end)

  it("P that the host blocks is the host's: it stays blocked, and pending", function()
    local out = run "testing.block_sigpipe() show(testing.hold_sigpipe(true))"
    assert.equal("true true true true\n", out)
  end)
end)
