-- Which proxy of the environment applies to a server (csrc/http/proxy_variable.c).

local core = require "polytomic.testing"
local process = require "spec.support.process"

describe("A list in no_proxy", function()
  local ROWS = {
    { "", "api.example", false },
    { "*", "api.example", true },
    { "*", "10.0.0.1", true },
    { "api.example", "api.example", true },
    { "API.Example", "api.example", true },
    { "example", "api.example", true },
    { ".example", "api.example", true },
    { ".example", "example", true },
    { "example.", "api.example", true },
    { "ample", "api.example", false },
    { "www.api.example", "api.example", false },
    { "api.example.com", "api.example", false },
    { "other.example,api.example", "api.example", true },
    { "other.example api.example", "api.example", true },
    { " ,\tother.example ,, api.example , ", "api.example", true },
    { "other.example;api.example", "api.example", false },
    { ".", "api.example", false },
    { "api.example:443", "api.example", false },
    { "10.1.2.3", "10.1.2.3", true },
    { "2.3", "10.1.2.3", false },
    { "10.1.2.3", "10.1.2.30", false },
    { "10.0.0.0/8", "10.1.2.3", true },
    { "10.1.2.0/23", "10.1.3.4", true },
    { "10.1.2.0/23", "10.1.4.4", false },
    { "10.1.2.3/32", "10.1.2.3", true },
    { "10.1.2.3/33", "10.1.2.3", false },
    { "10.1.2.3/x", "10.1.2.3", false },
    { "10.1.2.3/", "10.1.2.3", false },
    { "0.0.0.0/0", "10.1.2.3", true },
    { "10.0.0.0/8", "api.example", false },
    { "fd00::1", "[fd00::1]", true },
    { "[fd00::1]", "[fd00::1]", true },
    { "FD00:0::1", "[fd00::1]", true },
    { "fd00::/8", "[fd12::1]", true },
    { "fd00::/8", "[fe00::1]", false },
    { "fd00::1/128", "[fd00::1]", true },
    { "10.0.0.0/8", "[fd00::1]", false },
    { ("a"):rep(300), "api.example", false },
    { "api.example", ("a"):rep(300), false },
  }
  for _, row in ipairs(ROWS) do
    local list, host, excluded = row[1], row[2], row[3]
    local title = ("%q %s %s"):format(list, excluded and "excludes" or "does not exclude", host)
    it("Q " .. title, function() assert.equal(excluded, core.proxy_excluded(list, host)) end)
  end
end)

describe("The proxy of the environment", function()
  local FAR = "https://api.example"

  local function variable(url, env)
    local script = ('io.write(tostring(require("polytomic.testing").proxy_variable(%q)))')
      :format(url)
    local status, out, errors = process.run({ process.interpreter(), "-e", script },
      { env = process.environment(env) })
    assert.same({ 0, "" }, { status, errors })
    return out
  end

  it("Q is the one for the scheme, then the one for all, in lower case first", function()
    local all = { https_proxy = "a", HTTPS_PROXY = "b", all_proxy = "c", ALL_PROXY = "d" }
    for _, name in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } do
      assert.equal(name, variable(FAR, all))
      all[name] = nil
    end
    assert.equal("nil", variable(FAR, all))
  end)

  it("Q is not taken from HTTP_PROXY, which a request can set in a CGI host", function()
    assert.equal("nil", variable("http://api.example", { HTTP_PROXY = "a", https_proxy = "a" }))
    assert.equal("http_proxy", variable("http://api.example", { http_proxy = "a" }))
  end)

  it("Q is none where the variable is empty", function()
    assert.equal("nil", variable(FAR, { https_proxy = "" }))
    assert.equal("all_proxy", variable(FAR, { https_proxy = "", all_proxy = "a" }))
  end)

  it("Q never applies to a loopback address", function()
    local env = { https_proxy = "a", http_proxy = "a", all_proxy = "a" }
    local hosts = { "localhost", "sandbox.localhost", "127.0.0.1:8099", "127.9.9.9", "[::1]:8" }
    for _, host in ipairs(hosts) do
      for _, scheme in ipairs { "http://", "https://" } do
        assert.equal("nil", variable(scheme .. host, env))
      end
    end
  end)

  it("Q does not apply where no_proxy, or else NO_PROXY, excludes the server", function()
    local env = { https_proxy = "a", no_proxy = "example" }
    assert.equal("nil", variable(FAR, env))
    env.NO_PROXY, env.no_proxy = "example", "elsewhere"
    assert.equal("https_proxy", variable(FAR, env))
    env.no_proxy = ""
    assert.equal("nil", variable(FAR, env))
  end)
end)
