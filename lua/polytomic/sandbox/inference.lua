-- Every choice the sandbox makes where the API's documents are silent, in one place.
--
-- Each entry has a `rule` (what is undocumented), a `choice` (what the sandbox does) and, where
-- code follows it, a `value`. An entry that answers with an error has `status` and `key`; error.lua
-- builds the answer from it. The `key` strings themselves are choices too: the documents give none.

local M = {}

M.list = {}

local function choose(name, entry)
  M.list[#M.list + 1] = entry
  M[name] = entry
end

-- Credentials

choose("no_credential", { status = 401, key = "unauthorized",
  rule = "no Authorization header, an unreadable one or an unknown key",
  choice = "401 with key \"unauthorized\"" })
choose("wrong_credential", { status = 403, key = "forbidden",
  rule = "a user key, or an organization-scoped Basic key, on a partner operation",
  choice = "403 with key \"forbidden\"" })
choose("partner_on_user_operation", {
  rule = "a partner or deployment key sent as Bearer on an operation of the current organization",
  choice = "acts on the owner organization" })
choose("legacy_deployment_basic", {
  rule = "the legacy Basic form with the deployment key as user name and no password",
  choice = "401; only organization:key is understood" })
choose("user_roles", {
  rule = "what a user key may do, by the role of its user",
  choice = "every user operation of its organization, whatever the role" })

-- Requests

choose("default_version", { value = "2025-09-18",
  rule = "a request without X-Polytomic-Version (the documents contradict each other)",
  choice = "2025-09-18" })
choose("unknown_version", { status = 400, key = "unknown_version",
  rule = "an X-Polytomic-Version that does not exist",
  choice = "400 with key \"unknown_version\"" })
choose("older_versions", {
  rule = "the older API versions",
  choice = "accepted and echoed, with the behaviour of 2025-09-18" })
choose("invalid_json", { status = 400, key = "invalid_json",
  rule = "a body that is not a JSON object in UTF-8",
  choice = "400 with key \"invalid_json\"; a body on an operation that takes none is ignored" })
choose("unknown_members", {
  rule = "members of a request body that the API does not know",
  choice = "ignored" })
choose("null_member", {
  rule = "a null in a request body",
  choice = "the same as leaving the member out" })
choose("invalid_value", { status = 422, key = "unprocessable",
  rule = "a missing, empty or wrongly typed value",
  choice = "422 with key \"unprocessable\" and metadata.field" })
choose("unknown_route", { status = 404, key = "not_found",
  rule = "a path that is not an operation",
  choice = "404 with key \"not_found\"" })
choose("wrong_method", { status = 405, key = "method_not_allowed",
  rule = "a known path with a method that is not an operation",
  choice = "405 with key \"method_not_allowed\"" })
choose("unknown_id", { status = 404, key = "not_found",
  rule = "an id that is unknown, belongs to another organization, or is not a UUID",
  choice = "404 with key \"not_found\"" })
choose("internal_error", { status = 500, key = "internal",
  rule = "a defect of the sandbox itself",
  choice = "500 with key \"internal\"" })

-- Organizations

choose("duplicate_name", { status = 409, key = "conflict",
  rule = "an organization name that is taken (names are compared byte for byte)",
  choice = "409 with key \"conflict\"" })
choose("owner_organization", { status = 403, key = "forbidden",
  rule = "deleting the owner organization",
  choice = "403 with key \"forbidden\"" })
choose("omitted_settings", {
  rule = "an optional setting left out of an organization update",
  choice = "cleared, client_id and client_secret included" })
choose("unset_settings", {
  rule = "how an unset issuer, sso_domain or sso_org_id is written",
  choice = "left out" })
choose("deleted_organization", {
  rule = "what deleting an organization takes with it",
  choice = "its users and their keys" })

-- Users

choose("unknown_organization", {
  rule = "create_user in an organization that does not exist (its page lists no 404)",
  choice = "404 with key \"not_found\", as everywhere" })
choose("duplicate_email", { status = 422, key = "unprocessable",
  rule = "an e-mail address that the organization already has",
  choice = "422 with key \"unprocessable\"; another organization may have it" })
choose("email_form", {
  rule = "what an e-mail address looks like",
  choice = "one @ with something on both sides and no white space; otherwise 422" })
choose("default_role", { value = "user",
  rule = "a new user with neither role nor role_ids",
  choice = "role \"user\", the system role Member" })
choose("role_names", { value = { admin = "Admin", user = "Member", member = "Member" },
  rule = "which names the deprecated member role takes, and how they map to system roles",
  choice = "admin is Admin, user and member are Member, case ignored; anything else is 422" })
choose("role_of_role_ids", {
  rule = "what the deprecated member role says when role_ids decide",
  choice = "admin if Admin is among them, else user" })
choose("unknown_role", { status = 422, key = "unprocessable",
  rule = "a role id that does not exist",
  choice = "422 with key \"unprocessable\"" })
choose("update_without_role", {
  rule = "a user update with neither role nor role_ids",
  choice = "leaves the roles as they are" })
choose("second_key", { status = 409, key = "conflict",
  rule = "minting a second API key without force",
  choice = "409 with key \"conflict\"" })
choose("deleted_user", {
  rule = "the API key of a deleted user",
  choice = "revoked" })
choose("empty_list", {
  rule = "an empty list, which may be null by the documents",
  choice = "[]; a wrong_type fault can send null" })

-- Everything beside organizations and users

choose("collections", {
  rule = "what lists, creates, gets, updates and deletes do",
  choice = "each list is a collection of its organization; PUT clears what it leaves out, PATCH "
    .. "does not; deleting takes what is below with it" })
choose("list_order", {
  rule = "the order of lists",
  choice = "the order of adding; `order` and `ascending` are ignored, and so are filters on what "
    .. "items do not have" })
choose("static_collections", { value = 3,
  rule = "lists that no operation adds to",
  choice = "three examples; seeding replaces them" })
choose("static_ids",
  { value = { ["/api/connection_types"] = { "postgresql", "salesforce", "csv" } },
  rule = "which connection types there are",
  choice = "postgresql, salesforce and csv; a connection may have any type" })
choose("page_size", { value = 10,
  rule = "how many items a page has without a limit",
  choice = "10; a limit above the largest counts as the largest, one below 1 is 422" })
choose("last_page", {
  rule = "what the last page says",
  choice = "no next_page_token, a next_cursor of null, no next link" })
choose("malformed_token", {
  rule = "a page token, cursor or page that no answer gave",
  choice = "422 with key \"unprocessable\"" })
choose("examples", {
  rule = "what only the API can know",
  choice = "a typed example that stays the same, with the ids of the path in it" })
choose("unset_members", {
  rule = "members that a request could set and did not",
  choice = "left out of the answer" })
choose("write_only_members", {
  rule = "members that may hold secrets: a connection's configuration, a webhook's secret",
  choice = "never in an answer" })
choose("added_id", { value = { BulkBulkSyncSchedule = true },
  rule = "the id of a bulk sync's schedule, which its documented answer lacks",
  choice = "`id` is there" })
choose("foreign_organization", {
  rule = "organization_id in the body of an operation of the current organization",
  choice = "ignored" })
choose("identity", {
  rule = "the id of a partner or deployment key, and its kind",
  choice = "a fixed id; is_partner for both, is_system for the deployment key; the organization is "
    .. "the owner" })
choose("connect_token", {
  rule = "how often and how long a connect token can be used",
  choice = "until the sandbox is reset" })
choose("system_role", { status = 403, key = "forbidden",
  rule = "changing or deleting a system role",
  choice = "403 with key \"forbidden\"" })
choose("connection_in_use", { status = 422, key = "unprocessable",
  rule = "which uses keep a connection from being deleted without force",
  choice = "those of models, model syncs and bulk syncs" })
choose("drafts", {
  rule = "how drafts of contexts and saved queries differ from these",
  choice = "they are the same items; the draft of one begins as the thing itself" })
choose("progress", {
  rule = "how fast jobs, queries and executions go",
  choice = "created when they start, running at the first look, over at the second; listing "
    .. "executions is not a look" })
choose("failing_work", { value = "fails",
  rule = "which executions and jobs fail, and how that shows",
  choice = "those of a sync or model whose name contains \"fails\"; status failed, and an error "
    .. "that says so; a Harbor of such a name is provisioning_failed once, and ready after it; an "
    .. "action whose operation_id has it fails" })
choose("prepared_action", {
  rule = "the status of an action that was prepared and not executed",
  choice = "prepared" })
choose("log_files", {
  rule = "where log files are",
  choice = "at URLs of example.com, where nothing is" })
choose("async_data", {
  rule = "the data of an answer that names a job",
  choice = "{}; the work itself is done at once, and the job's result is the data" })
choose("query_rows", { value = 25,
  rule = "what a query finds",
  choice = "25 rows of id and name, or as many as LIMIT says (10000 at most), 10 a page; a text "
    .. "that begins with neither SELECT nor WITH fails" })
choose("schemas_refresh", {
  rule = "how long a refresh of schemas takes",
  choice = "refreshing at the first look, fresh at the second" })
choose("event_types",
  { value = { "sync.running", "sync.completed", "sync.completed_with_errors", "sync.failed",
    "sync.canceled", "bulk_sync.running", "bulk_sync.completed", "bulk_sync.completed_with_error",
    "bulk_sync.failed",
    "bulk_sync.canceled" },
  rule = "which events there are",
  choice = "examples and what is seeded; what happens in the sandbox makes none" })

-- Idempotency

choose("malformed_idempotency_key", { status = 400, key = "invalid_idempotency_key",
  rule = "an Idempotency-Key that is not 8 to 255 of letters, digits, dash, underscore",
  choice = "400 with key \"invalid_idempotency_key\"" })
choose("idempotency_in_progress", { status = 409, key = "idempotency_in_progress",
  rule = "how the 409 for a key whose first request is still running looks",
  choice = "key \"idempotency_in_progress\"" })
choose("idempotency_mismatch", { status = 422, key = "idempotency_mismatch",
  rule = "a used Idempotency-Key with another method, path or body",
  choice = "422 with key \"idempotency_mismatch\"" })
choose("idempotency_scope", {
  rule = "who shares Idempotency-Keys",
  choice = "requests with the same credential" })
choose("idempotency_outcomes", {
  rule = "which outcomes are stored",
  choice = "all that come after the checks of version, credential and key form, 4xx included" })
choose("idempotency_methods", {
  rule = "whether PUT and DELETE honour an Idempotency-Key",
  choice = "PUT and PATCH like POST; GET and DELETE ignore it" })
choose("idempotency_replay", {
  rule = "what a replay looks like",
  choice = "the stored status, headers and body, with a new X-Request-Id" })

return M
