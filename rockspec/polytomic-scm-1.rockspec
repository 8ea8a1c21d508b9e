local package_name, package_version, rockspec_revision = "polytomic", "scm", "1"

rockspec_format = "3.0"
package = package_name
version = package_version .. "-" .. rockspec_revision

source = {
  url = "git+https://github.com/polytomic/polytomic-lua",
}

description = {
  summary = "The Polytomic API for Lua",
  detailed = [[
Every operation of the Polytomic API as one function, with arguments checked before anything is sent, retries that never
repeat a write by accident, blocking and non-blocking use, a command line, and a sandbox to develop against.]],
  homepage = "https://github.com/polytomic/polytomic-lua",
  issues_url = "https://github.com/polytomic/polytomic-lua/issues",
  labels = { "api", "http", "client", "etl" },
  license = "MIT",
}

-- The command needs argparse, the sandbox needs http; the library needs neither.
dependencies = {
  "lua >= 5.1",
  "lua-cjson >= 2.1.0",
}

external_dependencies = {
  CURL = { library = "curl" },
}

build = {
  type = "builtin",
  modules = {
    ["polytomic.core"] = {
      defines = { "_GNU_SOURCE" },
      incdirs = { "csrc", "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
      libraries = { "curl", "m", "pthread" },
      sources = {
        "csrc/api/call.c",
        "csrc/api/call_pool.c",
        "csrc/api/config.c",
        "csrc/api/credential.c",
        "csrc/api/curl_command.c",
        "csrc/api/engine.c",
        "csrc/api/envelope.c",
        "csrc/api/operations.c",
        "csrc/api/operations_data.c",
        "csrc/api/retry.c",
        "csrc/api/timer_heap.c",
        "csrc/api/trust.c",
        "csrc/base/buffer.c",
        "csrc/base/clock.c",
        "csrc/base/json_text.c",
        "csrc/base/memory.c",
        "csrc/base/nearest.c",
        "csrc/base/random.c",
        "csrc/base/secret.c",
        "csrc/http/headers.c",
        "csrc/http/retry_after.c",
        "csrc/http/sockets.c",
        "csrc/http/transport.c",
        "csrc/http/url.c",
        "csrc/lua/arguments.c",
        "csrc/lua/call.c",
        "csrc/lua/client.c",
        "csrc/lua/events.c",
        "csrc/lua/json.c",
        "csrc/lua/module.c",
        "csrc/lua/options.c",
        "csrc/lua/result.c",
      },
    },
    -- modules written in Lua
    ["polytomic.batch"] = "lua/polytomic/batch.lua",
    ["polytomic.cli"] = "lua/polytomic/cli.lua",
    ["polytomic.cli.arguments"] = "lua/polytomic/cli/arguments.lua",
    ["polytomic.cli.arrays"] = "lua/polytomic/cli/arrays.lua",
    ["polytomic.cli.describe"] = "lua/polytomic/cli/describe.lua",
    ["polytomic.cli.doctor"] = "lua/polytomic/cli/doctor.lua",
    ["polytomic.cli.files"] = "lua/polytomic/cli/files.lua",
    ["polytomic.cli.json"] = "lua/polytomic/cli/json.lua",
    ["polytomic.cli.parser"] = "lua/polytomic/cli/parser.lua",
    ["polytomic.cli.report"] = "lua/polytomic/cli/report.lua",
    ["polytomic.date_time"] = "lua/polytomic/date_time.lua",
    ["polytomic.driver"] = "lua/polytomic/driver.lua",
    ["polytomic.ensure"] = "lua/polytomic/ensure.lua",
    ["polytomic.find"] = "lua/polytomic/find.lua",
    ["polytomic"] = "lua/polytomic/init.lua",
    ["polytomic.json_text"] = "lua/polytomic/json_text.lua",
    ["polytomic.pages"] = "lua/polytomic/pages.lua",
    ["polytomic.patch"] = "lua/polytomic/patch.lua",
    ["polytomic.progress"] = "lua/polytomic/progress.lua",
    ["polytomic.sandbox.abort"] = "lua/polytomic/sandbox/abort.lua",
    ["polytomic.sandbox.answer"] = "lua/polytomic/sandbox/answer.lua",
    ["polytomic.sandbox.api"] = "lua/polytomic/sandbox/api.lua",
    ["polytomic.sandbox.arguments"] = "lua/polytomic/sandbox/arguments.lua",
    ["polytomic.sandbox.bomb"] = "lua/polytomic/sandbox/bomb.lua",
    ["polytomic.sandbox.catalogue"] = "lua/polytomic/sandbox/catalogue.lua",
    ["polytomic.sandbox.certificate"] = "lua/polytomic/sandbox/certificate.lua",
    ["polytomic.sandbox.check"] = "lua/polytomic/sandbox/check.lua",
    ["polytomic.sandbox.child"] = "lua/polytomic/sandbox/child.lua",
    ["polytomic.sandbox.clock"] = "lua/polytomic/sandbox/clock.lua",
    ["polytomic.sandbox.collection"] = "lua/polytomic/sandbox/collection.lua",
    ["polytomic.sandbox.control"] = "lua/polytomic/sandbox/control.lua",
    ["polytomic.sandbox.credential"] = "lua/polytomic/sandbox/credential.lua",
    ["polytomic.sandbox.error"] = "lua/polytomic/sandbox/error.lua",
    ["polytomic.sandbox.example"] = "lua/polytomic/sandbox/example.lua",
    ["polytomic.sandbox.families"] = "lua/polytomic/sandbox/families.lua",
    ["polytomic.sandbox.faults"] = "lua/polytomic/sandbox/faults.lua",
    ["polytomic.sandbox.generic"] = "lua/polytomic/sandbox/generic.lua",
    ["polytomic.sandbox.help"] = "lua/polytomic/sandbox/help.lua",
    ["polytomic.sandbox.http1"] = "lua/polytomic/sandbox/http1.lua",
    ["polytomic.sandbox.http2"] = "lua/polytomic/sandbox/http2.lua",
    ["polytomic.sandbox.idempotency"] = "lua/polytomic/sandbox/idempotency.lua",
    ["polytomic.sandbox.inference"] = "lua/polytomic/sandbox/inference.lua",
    ["polytomic.sandbox"] = "lua/polytomic/sandbox/init.lua",
    ["polytomic.sandbox.journal"] = "lua/polytomic/sandbox/journal.lua",
    ["polytomic.sandbox.json"] = "lua/polytomic/sandbox/json.lua",
    ["polytomic.sandbox.libraries"] = "lua/polytomic/sandbox/libraries.lua",
    ["polytomic.sandbox.operations"] = "lua/polytomic/sandbox/operations.lua",
    ["polytomic.sandbox.pager"] = "lua/polytomic/sandbox/pager.lua",
    ["polytomic.sandbox.place"] = "lua/polytomic/sandbox/place.lua",
    ["polytomic.sandbox.queries"] = "lua/polytomic/sandbox/queries.lua",
    ["polytomic.sandbox.random"] = "lua/polytomic/sandbox/random.lua",
    ["polytomic.sandbox.replies"] = "lua/polytomic/sandbox/replies.lua",
    ["polytomic.sandbox.resources"] = "lua/polytomic/sandbox/resources.lua",
    ["polytomic.sandbox.router"] = "lua/polytomic/sandbox/router.lua",
    ["polytomic.sandbox.schema"] = "lua/polytomic/sandbox/schema.lua",
    ["polytomic.sandbox.seed"] = "lua/polytomic/sandbox/seed.lua",
    ["polytomic.sandbox.server"] = "lua/polytomic/sandbox/server.lua",
    ["polytomic.sandbox.service"] = "lua/polytomic/sandbox/service.lua",
    ["polytomic.sandbox.special"] = "lua/polytomic/sandbox/special.lua",
    ["polytomic.sandbox.state"] = "lua/polytomic/sandbox/state.lua",
    ["polytomic.sandbox.utf8_text"] = "lua/polytomic/sandbox/utf8_text.lua",
    ["polytomic.sandbox.work"] = "lua/polytomic/sandbox/work.lua",
    ["polytomic.wait.copas"] = "lua/polytomic/wait/copas.lua",
    ["polytomic.wait.cqueues"] = "lua/polytomic/wait/cqueues.lua",
    ["polytomic.wait.frame"] = "lua/polytomic/wait/frame.lua",
    ["polytomic.wait.luv"] = "lua/polytomic/wait/luv.lua",
    ["polytomic.wait.openresty"] = "lua/polytomic/wait/openresty.lua",
    ["polytomic.waiting"] = "lua/polytomic/waiting.lua",
    ["polytomic.window"] = "lua/polytomic/window.lua",
    ["polytomic.work"] = "lua/polytomic/work.lua",
  },
  install = {
    bin = { polytomic = "lua/bin/polytomic" },
  },
}

test = {
  type = "command",
  command = "busted",
}
