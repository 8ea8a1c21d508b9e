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
    ["polytomic.run"] = "lua/polytomic/run.lua",
    ["polytomic.sandbox.child"] = "lua/polytomic/sandbox/child.lua",
    ["polytomic.sandbox.clock"] = "lua/polytomic/sandbox/clock.lua",
    ["polytomic.sandbox.data.catalogue"] = "lua/polytomic/sandbox/data/catalogue.lua",
    ["polytomic.sandbox.data.check"] = "lua/polytomic/sandbox/data/check.lua",
    ["polytomic.sandbox.data.collection"] = "lua/polytomic/sandbox/data/collection.lua",
    ["polytomic.sandbox.data.example"] = "lua/polytomic/sandbox/data/example.lua",
    ["polytomic.sandbox.data.families"] = "lua/polytomic/sandbox/data/families.lua",
    ["polytomic.sandbox.data.resources"] = "lua/polytomic/sandbox/data/resources.lua",
    ["polytomic.sandbox.data.schema"] = "lua/polytomic/sandbox/data/schema.lua",
    ["polytomic.sandbox.data.state"] = "lua/polytomic/sandbox/data/state.lua",
    ["polytomic.sandbox.help"] = "lua/polytomic/sandbox/help.lua",
    ["polytomic.sandbox.inference"] = "lua/polytomic/sandbox/inference.lua",
    ["polytomic.sandbox"] = "lua/polytomic/sandbox/init.lua",
    ["polytomic.sandbox.json"] = "lua/polytomic/sandbox/json.lua",
    ["polytomic.sandbox.libraries"] = "lua/polytomic/sandbox/libraries.lua",
    ["polytomic.sandbox.random"] = "lua/polytomic/sandbox/random.lua",
    ["polytomic.sandbox.rules.answer"] = "lua/polytomic/sandbox/rules/answer.lua",
    ["polytomic.sandbox.rules.api"] = "lua/polytomic/sandbox/rules/api.lua",
    ["polytomic.sandbox.rules.arguments"] = "lua/polytomic/sandbox/rules/arguments.lua",
    ["polytomic.sandbox.rules.credential"] = "lua/polytomic/sandbox/rules/credential.lua",
    ["polytomic.sandbox.rules.error"] = "lua/polytomic/sandbox/rules/error.lua",
    ["polytomic.sandbox.rules.generic"] = "lua/polytomic/sandbox/rules/generic.lua",
    ["polytomic.sandbox.rules.idempotency"] = "lua/polytomic/sandbox/rules/idempotency.lua",
    ["polytomic.sandbox.rules.organizations"] = "lua/polytomic/sandbox/rules/organizations.lua",
    ["polytomic.sandbox.rules.pager"] = "lua/polytomic/sandbox/rules/pager.lua",
    ["polytomic.sandbox.rules.place"] = "lua/polytomic/sandbox/rules/place.lua",
    ["polytomic.sandbox.rules.queries"] = "lua/polytomic/sandbox/rules/queries.lua",
    ["polytomic.sandbox.rules.router"] = "lua/polytomic/sandbox/rules/router.lua",
    ["polytomic.sandbox.rules.seed"] = "lua/polytomic/sandbox/rules/seed.lua",
    ["polytomic.sandbox.rules.special"] = "lua/polytomic/sandbox/rules/special.lua",
    ["polytomic.sandbox.rules.work"] = "lua/polytomic/sandbox/rules/work.lua",
    ["polytomic.sandbox.utf8_text"] = "lua/polytomic/sandbox/utf8_text.lua",
    ["polytomic.sandbox.wire.abort"] = "lua/polytomic/sandbox/wire/abort.lua",
    ["polytomic.sandbox.wire.bomb"] = "lua/polytomic/sandbox/wire/bomb.lua",
    ["polytomic.sandbox.wire.certificate"] = "lua/polytomic/sandbox/wire/certificate.lua",
    ["polytomic.sandbox.wire.control"] = "lua/polytomic/sandbox/wire/control.lua",
    ["polytomic.sandbox.wire.faults"] = "lua/polytomic/sandbox/wire/faults.lua",
    ["polytomic.sandbox.wire.http1"] = "lua/polytomic/sandbox/wire/http1.lua",
    ["polytomic.sandbox.wire.http2"] = "lua/polytomic/sandbox/wire/http2.lua",
    ["polytomic.sandbox.wire.journal"] = "lua/polytomic/sandbox/wire/journal.lua",
    ["polytomic.sandbox.wire.replies"] = "lua/polytomic/sandbox/wire/replies.lua",
    ["polytomic.sandbox.wire.server"] = "lua/polytomic/sandbox/wire/server.lua",
    ["polytomic.sandbox.wire.service"] = "lua/polytomic/sandbox/wire/service.lua",
    ["polytomic.wait.copas"] = "lua/polytomic/wait/copas.lua",
    ["polytomic.wait.cqueues"] = "lua/polytomic/wait/cqueues.lua",
    ["polytomic.wait.frame"] = "lua/polytomic/wait/frame.lua",
    ["polytomic.wait.luv"] = "lua/polytomic/wait/luv.lua",
    ["polytomic.wait.openresty"] = "lua/polytomic/wait/openresty.lua",
    ["polytomic.wait_for"] = "lua/polytomic/wait_for.lua",
    ["polytomic.window"] = "lua/polytomic/window.lua",
  },
  install = {
    bin = { polytomic = "lua/bin/polytomic" },
  },
}

test = {
  type = "command",
  command = "busted",
}
