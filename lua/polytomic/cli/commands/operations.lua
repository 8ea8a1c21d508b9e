-- `polytomic operations [WORD]`: lists the operations.

local describe = require "polytomic.cli.describe"
local output = require "polytomic.cli.output"

return {
  operations = {
    arguments = { { "WORD", "only operations that have it", optional = true } },
    groups = { "general" },
    run = function(context)
      return output.put(describe.operations(context:library().operations, context.words[1]))
    end,
  },
}
