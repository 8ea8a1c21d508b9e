-- Makes the sandbox's TLS certificate: an authority of its own, and a leaf for localhost, 127.0.0.1
-- and ::1.

local altname = require "openssl.x509.altname"
local bignum = require "openssl.bignum"
local extension = require "openssl.x509.extension"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"
local x509_name = require "openssl.x509.name"

local random = require "polytomic.sandbox.random"

local M = {}

local lifetime = 30 * 86400 -- seconds
local clock_skew = 3600

local function distinguished_name(common_name)
  local name = x509_name.new()
  name:add("CN", common_name)
  return name
end

local function blank_certificate(subject, issuer, key)
  local certificate = x509.new()
  certificate:setVersion(3)
  certificate:setSerial(bignum.fromBinary("\1" .. random.bytes(15)))
  certificate:setSubject(subject)
  certificate:setIssuer(issuer)
  local now = os.time()
  certificate:setLifetime(now - clock_skew, now + lifetime)
  certificate:setPublicKey(key)
  return certificate
end

local function new_key()
  return pkey.new { type = "EC", curve = "prime256v1" }
end

local function new_authority()
  local key, name = new_key(), distinguished_name("Polytomic sandbox authority " .. random.hex(4))
  local certificate = blank_certificate(name, name, key)
  certificate:setBasicConstraints { CA = true }
  certificate:setBasicConstraintsCritical(true)
  certificate:addExtension(extension.new("keyUsage", "critical,keyCertSign,cRLSign"))
  certificate:sign(key)
  return certificate, key, name
end

-- Returns { authority = PEM text, certificate =, key = }: the last two for a server context.
function M.new()
  local authority, authority_key, authority_name = new_authority()
  local key = new_key()
  local certificate = blank_certificate(distinguished_name("localhost"), authority_name, key)
  local names = altname.new()
  names:add("DNS", "localhost")
  names:add("IP", "127.0.0.1")
  names:add("IP", "::1")
  certificate:setSubjectAlt(names)
  certificate:setBasicConstraints { CA = false }
  certificate:setBasicConstraintsCritical(true)
  certificate:addExtension(extension.new("extendedKeyUsage", "serverAuth"))
  certificate:sign(authority_key)
  return { authority = authority:toPEM(), certificate = certificate, key = key }
end

return M
