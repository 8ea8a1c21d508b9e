-- What provisioning asks of the system: private files written durably, signals, fingerprints, keys.

local core = require "polytomic.core"
local process = require "spec.support.process"

local function output_of(command)
  local _, out = process.run(command)
  return out
end

local function mode_of(path)
  return (output_of({ "stat", "-c", "%a", path }):gsub("%s", ""))
end

local function put(path, text, mode)
  process.write(path, text)
  if mode then process.run { "chmod", mode, path } end
end

describe("core.append_durably", function()
  local path
  before_each(function() path = process.temporary_file() end)

  it("makes a file that only its owner can read, whatever the umask", function()
    for _, umask in ipairs { "000", "022", "777" } do
      local made = path .. umask
      local status, _, err =
        process.run("sh -c " .. process.quote(("umask %s; exec %s -e %s"):format(umask,
          process.quote(process.interpreter()), process.quote(
            ('assert(require("polytomic.core").append_durably(%q, "x"))'):format(made)))),
          { env = process.environment() })
      assert.same({ 0, "" }, { status, err })
      assert.same({ "600", "x\n" }, { mode_of(made), process.contents(made) })
    end
  end)

  it("appends whole lines, and ends first the one that a crash or a full disk has torn", function()
    assert(core.append_durably(path, "one"))
    assert(core.append_durably(path, ""))
    local file = io.open(path, "ab")
    file:write "torn"
    file:close()
    assert(core.append_durably(path, "a\0b", "", "last"))
    assert.equal("one\n\ntorn\na\0b\n\nlast\n", process.contents(path))
  end)

  it("closes a file to others before it writes a byte", function()
    put(path, "", "644")
    assert(core.append_durably(path, "secret"))
    assert.equal("600", mode_of(path))
  end)

  it("says why it could not, for what is no regular file, no directory, or full", function()
    assert.equal("Invalid argument", (select(2, core.append_durably("/dev/null", "x"))))
    assert.equal("No such file or directory",
      (select(2, core.append_durably("/nowhere/at/all", "x"))))
    process.run { "mkfifo", path }
    assert.is_nil((core.append_durably(path, "x")))
    assert.has_error(function() core.append_durably(path, "a\nb") end)
    assert.has_error(function() core.append_durably("a\0b", "x") end)
    assert.has_error(function() core.append_durably(path) end)
  end)
end)

describe("core.create_private", function()
  it("makes an empty private file, and touches none that is there", function()
    local path = process.temporary_file()
    assert.is_true(core.create_private(path))
    assert.same({ "600", "" }, { mode_of(path), process.contents(path) })
    put(path, "text", "644")
    local made, message, taken = core.create_private(path)
    assert.same({ nil, "File exists", true }, { made, message, taken })
    assert.same({ "644", "text" }, { mode_of(path), process.contents(path) })
    assert.is_false((select(3, core.create_private "/nowhere/at/all")))
  end)
end)

describe("core.catch_signals", function()
  -- Runs a script that catches signals and sends some to itself; its exit status and output.
  local function run(body)
    local script = 'local core = require "polytomic.core" assert(core.catch_signals()) '
      .. 'local function send(name) io.popen("kill -" .. name .. " $PPID"):close() end ' .. body
    local status, out =
      process.run({ process.interpreter(), "-e", script }, { env = process.environment() })
    return status, out
  end

  it("remembers the first signal instead of ending the process", function()
    assert.same({ 0, "nil\n15\n" },
      { run 'print(core.caught_signal()) send "TERM" print(core.caught_signal())' })
    assert.same({ 0, "2\n" }, { run 'send "INT" print(core.caught_signal())' })
  end)

  it("lets the second end it", function()
    assert.same({ 128 + 15, "" }, { run 'send "TERM" send "TERM" print "still here"' })
  end)

  it("gives the signals back, and forgets", function()
    assert.same({ 128 + 15, "nil\n" },
      { run('send "INT" core.release_signals() print(core.caught_signal()) '
          .. 'io.stdout:flush() send "TERM" print "still here"') })
  end)
end)

describe("core.fingerprint", function()
  it("is FNV-1a of 64 bits", function()
    assert.equal("cbf29ce484222325", core.fingerprint "")
    assert.equal("af63dc4c8601ec8c", core.fingerprint "a")
    assert.equal("85944171f73967e8", core.fingerprint "foobar")
  end)
end)

describe("core.uuid", function()
  it("gives another UUID version 4 each time", function()
    local seen = {}
    for _ = 1, 1000 do
      local uuid = core.uuid()
      assert.matches(
        "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", uuid)
      assert.is_nil(seen[uuid])
      seen[uuid] = true
    end
  end)
end)
