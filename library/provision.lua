---@meta polytomic.provision
-- The LuaLS (lua-language-server) types of provisioning. Written by hand.
-- luacheck: ignore

---Customers as data, brought about exactly once. See docs/provisioning.md.
---@class polytomic.provision
local M = {}

---@class polytomic.provision.User
---@field email string
---@field roles? string[] names of roles of the organization
---@field role_ids? string[] UUIDs
---@field api_key? boolean mint an API key

---@class polytomic.provision.Customer
---@field name string
---@field issuer? string
---@field sso_domain? string
---@field sso_org_id? string
---@field client_id? string
---@field client_secret? string "env:NAME", "file:PATH" or, for apply, the secret itself
---@field users? polytomic.provision.User[]

---A path (.csv, .jsonl, .json, .lua; "-" is JSON lines on standard input), a list, or a function
---that gives the next customer, nil at the end.
---@alias polytomic.provision.Customers string|polytomic.provision.Customer[]|fun(): polytomic.provision.Customer?

---@class polytomic.provision.Change
---@field customer string
---@field action "create_org"|"update_org"|"create_user"|"update_user"|"create_key"
---@field email? string
---@field fields table<string, { from?: string, to?: string }>
---@field problem? string why it will be refused

---@class polytomic.provision.Counts
---@field customers integer
---@field unchanged integer
---@field changes integer
---@field problems integer
---@field create_org integer
---@field update_org integer
---@field create_user integer
---@field update_user integer
---@field create_key integer

---@class polytomic.provision.PlanOptions
---@field concurrency? integer organizations looked at at once; default 8
---@field on_change? fun(change: polytomic.provision.Change) gets each change in place of the list
---@field ledger? string|boolean URL of a ledger, which is only read; true for that of apply
---@field interrupted? fun(): boolean ends the reading

---What would change, without changing anything.
---@param client polytomic.Client
---@param customers polytomic.provision.Customers
---@param options? polytomic.provision.PlanOptions
---@return polytomic.provision.Change[]|nil changes
---@return polytomic.provision.Counts|string counts or the message
---@return polytomic.Error|nil err
function M.plan(client, customers, options) end

---@class polytomic.provision.Step
---@field customer string
---@field step "org"|"user"|"key"
---@field email? string
---@field action? "create_org"|"update_org"|"create_user"|"update_user"|"create_key"
---@field state "done"|"failed"|"unknown"
---@field id? string at the server
---@field error_kind? string
---@field error? string

---@class polytomic.provision.Progress
---@field done integer customers, failed ones included
---@field total? integer
---@field steps integer
---@field failed integer
---@field rate number customers a second
---@field eta? number seconds
---@field slowed? boolean the server asks to slow down
---@field waiting? integer customers that another process holds

---@class polytomic.provision.ApplyOptions
---"sqlite:FILE" or "postgresql://user@host/db"; default POLYTOMIC_LEDGER, else beside the source
---@field ledger? string
---@field concurrency? integer customers at once; default 8
---@field keys? string file that minted API keys are appended to
---@field report? string file with a line per customer, .csv or .jsonl
---@field progress? boolean|fun(state: polytomic.provision.Progress)
---@field on_step? fun(step: polytomic.provision.Step)
---@field on_change? fun(change: polytomic.provision.Change) each change, before anything is done
---@field confirm? fun(counts: polytomic.provision.Counts): boolean whether to go on
---@field stop? fun(): boolean whether to stop after what is under way
---@field retry_failed? boolean try again what was refused before
---@field replace_lost_keys? boolean mint anew the API keys whose values were lost

---@class polytomic.provision.Failure
---@field customer string
---@field state "failed"|"unknown"
---@field kind? string
---@field message? string

---@class polytomic.provision.Summary
---@field done integer customers that are all there
---@field failed integer
---@field unknown integer
---@field queued integer left to do, after an interruption
---@field unchanged integer
---@field created integer organizations, users and keys
---@field updated integer
---@field failures polytomic.provision.Failure[]
---@field interrupted? boolean

---Brings the customers about, each exactly once.
---@param client polytomic.Client
---@param customers polytomic.provision.Customers
---@param options? polytomic.provision.ApplyOptions
---@return polytomic.provision.Summary|nil summary
---@return string|nil message
---@return polytomic.Error|nil err
function M.apply(client, customers, options) end

---Puts customers into a ledger. Nothing is sent.
---@param client polytomic.Client says for which server they are
---@param customers polytomic.provision.Customers
---@param options? { ledger?: string }
---@return { queued: integer, total: integer }|nil result
---@return string|nil message
---@return polytomic.Error|nil err
function M.enqueue(client, customers, options) end

---@class polytomic.provision.Queue
local Queue = {}

---@param customers polytomic.provision.Customers
---@return { queued: integer, total: integer }|nil result
---@return string|nil message
---@return polytomic.Error|nil err
function Queue:put(customers) end

function Queue:close() end

---A ledger that stays open, for programs that enqueue again and again; one for each process.
---@param client polytomic.Client
---@param options? { ledger?: string }
---@return polytomic.provision.Queue|nil queue
---@return string|nil message
---@return polytomic.Error|nil err
function M.queue(client, options) end

---@class polytomic.provision.WorkOptions
---@field ledger? string
---@field concurrency? integer customers at once; default 8
---@field keys? string
---@field drain? boolean end when nothing is queued or leased
---@field stop? fun(): boolean whether to stop after what is under way
---@field progress? boolean|fun(state: polytomic.provision.Progress)
---@field on_step? fun(step: polytomic.provision.Step)
---@field retry_failed? boolean
---@field replace_lost_keys? boolean

---Works a ledger off, beside any number of others.
---@param client polytomic.Client
---@param options? polytomic.provision.WorkOptions
---@return { done: integer, failed: integer, created: integer, updated: integer, interrupted: boolean? }|nil result
---@return string|nil message
---@return polytomic.Error|nil err
function M.work(client, options) end

---@class polytomic.provision.Status
---@field queued integer
---@field running integer
---@field done integer
---@field failed integer
---@field unknown integer
---@field total integer
---@field failures polytomic.provision.Failure[]

---How a ledger stands.
---@param options? { ledger?: string, retry_failed?: boolean }
---@return polytomic.provision.Status|nil status
---@return string|nil message
---@return polytomic.Error|nil err
function M.status(options) end

return M
