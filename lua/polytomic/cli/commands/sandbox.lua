-- `polytomic sandbox`: starts the local emulator of the API.

local convert = require("polytomic.cli.options").convert
local report = require "polytomic.cli.report"

return {
  sandbox = {
    options = {
      { "--port", "N", "0 for any free one, the default", convert = convert.port },
      { "--host", "ADDRESS", "where to listen, 127.0.0.1 unless given" },
      { "--tls", false, "speak TLS, with a certificate made for the occasion" },
    },
    groups = { "general" },
    run = function(context)
      local options = context.options
      require("polytomic.sandbox").run {
        port = options.port or 0,
        host = options.host or "127.0.0.1",
        tls = options.tls or false,
      }
      return report.OK
    end,
  },
}
