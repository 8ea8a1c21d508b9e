-- One source for Lua 5.1, LuaJIT, 5.3 and 5.4: only what all of them have.
std = "min"
max_line_length = 100
cache = false
exclude_files = { "build", "spec/conformance/node_modules" }
files["spec"] = { std = "min+busted" }
files["rockspec"] = { std = "rockspec" }
files[".luacheckrc"] = { std = "luacheckrc" }
files["lua/polytomic/wait/openresty.lua"] = { std = "ngx_lua" }
files["examples/openresty"] = { std = "ngx_lua" }
