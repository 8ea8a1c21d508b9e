-- Certificates for specs: an authority and leaves good and bad, made on first use and written as
-- PEM into the temporary directory.
--
-- `certificates.NAME` is `{ certificate = path, key = path, ca = path of the authority that signed
-- it }`. Names: `good` (localhost, 127.0.0.1, ::1), `expired`, `not_yet_valid`, `wrong_host`
-- (elsewhere.example), `unknown_ca` (good names, an authority nobody trusts), `self_signed`,
-- `client` (for client authentication), `stranger` (the same from the unknown authority).
-- `certificates.ca` is the path of the trusted authority, `certificates.ca_directory` a hashed
-- directory holding it.

local bignum = require "openssl.bignum"
local extension = require "openssl.x509.extension"
local altname = require "openssl.x509.altname"
local name = require "openssl.x509.name"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"
local process = require "spec.support.process"

local DAY = 86400
local HERE = { DNS = { "localhost" }, IP = { "127.0.0.1", "::1" } }

-- Authorities by name, leaves by theirs; kept for the whole process.
local made_before = process.shared("certificates", function()
  return { serial = 0, authorities = {}, leaves = {} }
end)
local authorities = made_before.authorities

local function distinguished(common_name)
  local subject = name.new()
  subject:add("O", "Polytomic Lua specs")
  subject:add("CN", common_name)
  return subject
end

local function alternatives(names)
  local list = altname.new()
  for _, kind in ipairs { "DNS", "IP" } do
    for _, value in ipairs(names[kind] or {}) do list:add(kind, value) end
  end
  return list
end

-- An unsigned certificate; `first` and `last` are days from now.
local function draft(common_name, key, first, last)
  local certificate = x509.new()
  made_before.serial = made_before.serial + 1
  certificate:setVersion(3)
  certificate:setSerial(bignum.new(made_before.serial))
  certificate:setSubject(distinguished(common_name))
  certificate:setPublicKey(key)
  certificate:setLifetime(os.time() + first * DAY, os.time() + last * DAY)
  return certificate
end

local function written(certificate, key, ca)
  local files = {
    certificate = process.temporary_file(certificate:toPEM()),
    key = process.temporary_file(key:toPEM("private")),
  }
  files.ca = ca or files.certificate
  return files
end

local function new_key()
  return pkey.new { type = "EC", curve = "prime256v1" }
end

local function authority(common_name)
  local made = authorities[common_name]
  if not made then
    local key = new_key()
    local certificate = draft(common_name, key, -1, 30)
    certificate:setIssuer(certificate:getSubject())
    certificate:setBasicConstraints { CA = true }
    certificate:setBasicConstraintsCritical(true)
    certificate:addExtension(extension.new("keyUsage", "critical,keyCertSign,cRLSign"))
    certificate:sign(key)
    made =
      { certificate = certificate, key = key, path = process.temporary_file(certificate:toPEM()) }
    authorities[common_name] = made
  end
  return made
end

-- What each name stands for; the trusted authority and this machine's names unless said otherwise.
local leaves = {
  good = {},
  expired = { first = -10, last = -1 },
  not_yet_valid = { first = 1, last = 10 },
  wrong_host = { names = { DNS = { "elsewhere.example" } } },
  unknown_ca = { authority = "Unknown authority" },
  self_signed = { self_signed = true },
  client = { usage = "clientAuth", names = {} },
  stranger = { usage = "clientAuth", names = {}, authority = "Unknown authority" },
}

local function leaf(which)
  local options = leaves[which]
  local key = new_key()
  local signer = not options.self_signed and authority(options.authority or "Trusted authority")
  local certificate = draft(which, key, options.first or -1, options.last or 10)
  certificate:setIssuer(signer and signer.certificate:getSubject() or certificate:getSubject())
  local names = options.names or HERE
  if next(names) then certificate:setSubjectAlt(alternatives(names)) end
  certificate:addExtension(extension.new("extendedKeyUsage", options.usage or "serverAuth"))
  certificate:sign(signer and signer.key or key)
  return written(certificate, key, signer and signer.path)
end

-- A directory as `openssl rehash` makes it.
local function hashed_directory(path)
  local directory = process.temporary_file()
  local script = "mkdir "
    .. directory
    .. " && cp "
    .. path
    .. " "
    .. directory
    .. "/ca.pem && openssl rehash "
    .. directory
  assert(process.run({ "sh", "-c", script }) == 0, "openssl rehash failed")
  return directory
end

return setmetatable(made_before.leaves, {
  __index = function(self, key)
    local value
    if key == "ca" then
      value = authority("Trusted authority").path
    elseif key == "ca_directory" then
      value = hashed_directory(self.ca)
    else
      assert(leaves[key], "no such certificate: " .. tostring(key))
      value = leaf(key)
    end
    rawset(self, key, value)
    return value
  end,
})
