-- The vendor's TypeScript client (npm package `polytomic`), installed into spec/conformance on
-- first use and run by Node.
--
--   local results = vendor.run("run.mjs", { url = sandbox.url, … })    every line of output,
--   decoded

local cjson = require("cjson").new()
local process = require "spec.support.process"

local M = {}

local DIRECTORY = "spec/conformance"
local SKIP = "POLYTOMIC_SKIP_CONFORMANCE"
local NODE = 18          -- the oldest major version with fetch
local INSTALLATION = 120 -- seconds npm may take
local RUN = 60           -- seconds a script may take

-- Why the vendor's client is to be left alone, from the environment; nil where it is not.
function M.skipped()
  local reason = os.getenv(SKIP)
  return reason ~= "" and reason or nil
end

local function fail(message)
  error(("%s. Where that cannot be helped, set %s to the reason."):format(message, SKIP), 0)
end

-- Raises unless there is such a command.
local function need(command)
  if process.run({ "sh", "-c", "command -v " .. command }) ~= 0 then
    fail(
      ("%s is missing: the conformance specs need Node %d "
          .. "or newer and npm (Debian packages nodejs and npm)"):format(command, NODE)
    )
  end
end

local function need_node()
  need "node"
  local _, version = process.run { "node", "--version" }
  if (tonumber(version:match "^v(%d+)") or 0) < NODE then
    fail(("Node %d or newer is needed (Debian package nodejs); this is %s"):format(NODE,
      (version:gsub("%s+$", ""))))
  end
end

-- The versions of packages by their paths in a lock file; nil where there is no such file.
local function locked(path)
  local text = process.contents(path)
  if not text then return nil end
  local versions = {}
  for where, package in pairs(cjson.decode(text).packages) do
    if where ~= "" then versions[where] = package.version end
  end
  return versions
end

-- Whether node_modules is what the lock file wants: npm writes a lock file of its own there once it
-- is through.
local function installed()
  local there = locked(DIRECTORY .. "/node_modules/.package-lock.json")
  for where, version in pairs(locked(DIRECTORY .. "/package-lock.json")) do
    if not there or there[where] ~= version then return false end
  end
  return true
end

-- Installs the package unless it is there. Raises where Node, npm or the network is missing.
function M.install()
  need_node()
  if installed() then return end
  need "npm"
  local status, out, err = process.run({ "npm", "ci", "--ignore-scripts", "--no-audit",
    "--no-fund" }, { directory = DIRECTORY, timeout = INSTALLATION })
  if status ~= 0 then
    fail(("npm ci failed in %s (status %s): %s"):format(DIRECTORY, tostring(status),
      (out .. err):sub(-1000)))
  end
end

-- Runs a script of spec/conformance with `input` as JSON on its standard input; returns what it
-- printed, one value a line. Raises where Node, npm or the package is missing, and where the script
-- fails.
function M.run(script, input)
  M.install()
  local status, out, err = process.run({ "node", DIRECTORY .. "/" .. script },
    { stdin = cjson.encode(input), timeout = RUN })
  if status ~= 0 then
    error(("%s ended with status %s: %s"):format(script, tostring(status), err), 0)
  end
  local lines = {}
  for line in out:gmatch "[^\n]+" do lines[#lines + 1] = cjson.decode(line) end
  return lines
end

return M
