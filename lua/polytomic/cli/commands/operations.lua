-- `polytomic operations [WORD]`: lists the operations.

local describe = require "polytomic.cli.describe"
local output = require "polytomic.cli.output"

return {
  operations = {
    arguments = { { "WORD", "only operations that have it", optional = true } },
    groups = { "general" },
    run = function(context)
      local word = context.words[1]
      local text = describe.operations(context:library().operations, word)
      if text then return output.put(text) end
      return context:usage("no operation has '" .. word .. "'", "polytomic operations lists all")
    end,
  },
}
