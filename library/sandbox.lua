---@meta polytomic.sandbox
-- The LuaLS (lua-language-server) types of the sandbox. Written by hand.
-- luacheck: ignore

---A local emulator of the API, for developing and testing without an account. It needs the rock
---http (Debian: lua-http). See docs/testing.md.
---@class polytomic.sandbox
---What it does where the API's documents are silent.
---@field inferences { rule: string, choice: string }[]
local M = {}

---@class polytomic.sandbox.Options
---@field host? string where to listen; default "127.0.0.1"
---@field port? integer default 0: any free one
---@field tls? boolean speak TLS, with a certificate made for the occasion
---@field partner_key? string the partner key to accept; random unless given
---@field deployment_key? string the deployment key to accept; random unless given
---@field parent? integer stop when the process of this id has ended
---@field allow_host? string[] names that requests may call it by, beside addresses and localhost
---@field show_keys? boolean do not mask keys in /_sandbox/requests
---@field state? string a file that keeps what it holds, from one start to the next

---How a sandbox is reached.
---@class polytomic.sandbox.Ready
---@field url string for the option base_url of polytomic.new
---@field partner_key string
---@field deployment_key string
---@field ca_file? string with TLS: for the option ca_file of polytomic.new

---A sandbox in a child process.
---@class polytomic.sandbox.Process: polytomic.sandbox.Ready
---@field pid integer
local Process = {}

---Stops it and waits until it has ended. A second call does nothing.
---@return true|nil ok
---@return string|nil message what it complained of while it ran
function Process:stop() end

---Starts a sandbox in a child process, which ends with this one.
---@param options? polytomic.sandbox.Options
---@return polytomic.sandbox.Process|nil sandbox
---@return string|nil message
function M.start(options) end

---A request that the sandbox got.
---@class polytomic.sandbox.Request
---@field n integer
---@field method string
---@field path string
---@field operation string|polytomic.Null
---@field status integer|polytomic.Null
---@field fault string|polytomic.Null
---@field committed boolean whether it changed anything
---@field replayed boolean whether the answer was that of an earlier request with its key

---Runs a sandbox in this process until SIGTERM or SIGINT.
---@param options polytomic.sandbox.Options
---@param announce fun(ready: polytomic.sandbox.Ready) called once it can be reached
---@param on_request? fun(request: polytomic.sandbox.Request, seconds: number) after each request
---@return true|nil ok
---@return string|nil message
function M.serve(options, announce, on_request) end

---The same as a program: prints one line of JSON that says how it is reached, on a terminal what to
---do and a line for each request, and ends the process with status 1 where it cannot start.
---@param options? polytomic.sandbox.Options
---@return true
function M.run(options) end

---What the sandbox is and can do, as text for a terminal.
---@return string
function M.help() end

return M
