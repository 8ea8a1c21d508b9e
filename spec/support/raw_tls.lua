-- TLS for the raw server: contexts made from certificate files, kept by their paths.

local context = require "openssl.ssl.context"
local errno = require "cqueues.errno"
local pkey = require "openssl.pkey"
local process = require "spec.support.process"
local store = require "openssl.x509.store"
local x509 = require "openssl.x509"

local M = {}

local contexts = {}

local function require_client_certificate(made, path)
  local trusted = store.new()
  trusted:add(x509.new(process.contents(path)))
  made:setStore(trusted)
  made:setVerify(context.VERIFY_PEER + context.VERIFY_FAIL_IF_NO_PEER_CERT)
end

-- The server context for `files`: `certificate`, `key`, `client_ca` where the client must show a
-- certificate, and `alpn`, the one protocol the server speaks.
function M.context(files)
  local name =
    table.concat({ files.certificate, files.key, files.client_ca or "", files.alpn or "" }, "\n")
  if not contexts[name] then
    local made = context.new("TLS", true)
    made:setCertificate(x509.new(process.contents(files.certificate)))
    made:setPrivateKey(pkey.new(process.contents(files.key)))
    if files.client_ca then require_client_certificate(made, files.client_ca) end
    if files.alpn then made:setAlpnSelect(function() return files.alpn end) end
    contexts[name] = made
  end
  return contexts[name]
end

-- A readable reason for a failed handshake.
function M.reason(code)
  return type(code) == "number" and errno.strerror(code) or tostring(code)
end

return M
