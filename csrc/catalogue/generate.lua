-- Generates what is made from the catalogue: the C table, the operation reference, the LuaLS types,
-- the command line's list of arrays and its help, the sandbox's catalogue, and the statuses that
-- are waited for.
--
--   lua5.4 csrc/catalogue/generate.lua [--check] [--only NAME,NAME...] [OUTDIR]
--
-- Without OUTDIR the committed files are written; with it the same files go flat into that existing
-- directory. --check writes nothing and exits 1 naming every file that is stale. --only keeps just
-- the named operations and needs OUTDIR.
local here = (arg and arg[0] or "csrc/catalogue/generate.lua"):match "^(.*)/[^/]*$" or "."

local function sibling(name) return dofile(here .. "/" .. name .. ".lua") end

local model_reader = sibling "model"

local OUTPUTS = {
  { path = "csrc/api/operations_data.c", writer = "write_c" },
  { path = "docs/operations.md", writer = "write_docs" },
  { path = "library/polytomic.lua", writer = "write_library" },
  { path = "lua/polytomic/cli/arrays.lua", writer = "write_arrays" },
  { path = "lua/polytomic/cli/descriptions.lua", writer = "write_descriptions" },
  { path = "lua/polytomic/sandbox/data/catalogue.lua", writer = "write_sandbox" },
  { path = "lua/polytomic/statuses.lua", writer = "write_statuses" },
}

local function usage(message)
  io.stderr:write("generate.lua: ", message,
    "\nusage: generate.lua [--check] [--only NAME,NAME...] [OUTDIR]\n")
  os.exit(2)
end

local function parse_arguments(arguments)
  local options = {}
  local i = 1
  while arguments[i] do
    local argument = arguments[i]
    if argument == "--check" then
      options.check = true
    elseif argument == "--only" then
      i = i + 1
      options.only = {}
      for name in (arguments[i] or usage "--only needs names"):gmatch "[^,%s]+" do
        options.only[#options.only + 1] = name
      end
    elseif argument:sub(1, 1) == "-" then
      usage("unknown option " .. argument)
    elseif options.directory then
      usage "more than one directory"
    else
      options.directory = argument
    end
    i = i + 1
  end
  if options.only and not options.directory then
    usage "--only needs OUTDIR, so that the committed files stay whole"
  end
  return options
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function target(output, directory)
  if directory then return directory .. "/" .. output.path:match "[^/]+$" end
  return here .. "/../../" .. output.path
end

local function main(arguments)
  local options = parse_arguments(arguments)
  local model = model_reader.load(here, options.only)
  local stale = false
  for _, output in ipairs(OUTPUTS) do
    local text = sibling(output.writer).render(model, model_reader.sorted_keys, here)
    local path = target(output, options.directory)
    if not options.check then
      write(path, text)
    elseif read(path) ~= text then
      stale = true
      io.stderr:write("stale: ", output.path, " (run lua5.4 csrc/catalogue/generate.lua)\n")
    end
  end
  os.exit(stale and 1 or 0)
end

main(arg)
