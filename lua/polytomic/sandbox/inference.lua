-- Every choice the sandbox makes where the API's documents are silent, in one place.
--
-- Each entry has a `rule` (what is undocumented), a `choice` (what the sandbox does) and, where code follows it,
-- a `value`. An entry that answers with an error has `status` and `key`; error.lua builds the answer from it.
-- The `key` strings themselves are choices too: the documents give none.

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
  rule = "a path that is no operation",
  choice = "404 with key \"not_found\"" })
choose("wrong_method", { status = 405, key = "method_not_allowed",
  rule = "a known path with a method that is no operation",
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
