-- `polytomic help [NAME]`: describes the command, a command or an operation.

local output = require "polytomic.cli.output"

return {
  help = {
    arguments = { { "NAME", "an operation or a command", optional = true } },
    groups = { "general" },
    run = function(context)
      local cli = require "polytomic.cli"
      local name = context.words[1]
      if not name then return output.put(require("polytomic.cli.help").general()) end
      local command, status = cli.find(name)
      if not command then return status end
      local text = cli.help_of(command)
      if command.more then
        local columns = require("polytomic.cli.help").columns()
        text = text .. "\n" .. require("polytomic.terminal").wrap(command.more(), columns, "      ")
      end
      return output.put(text)
    end,
  },
}
