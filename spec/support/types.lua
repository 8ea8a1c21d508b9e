-- library/polytomic.lua, the types that editors read, taken apart by its paragraphs.

local process = require "spec.support.process"

local M = {
  text = process.contents "library/polytomic.lua",
  classes = {},     -- the lines of each class, by its name
  annotations = {}, -- the lines above each function, by "function Client:name"
}

for paragraph in (M.text .. "\n\n"):gmatch "(.-)\n\n+" do
  paragraph = "\n" .. paragraph
  local name, lines = paragraph:match "\n%-%-%-@class (polytomic[%w_.]*)[^\n]*(.*)$"
  if name then M.classes[name] = lines end
  local above, signature = paragraph:match "^(.*)\n(function [%w_.:]+)%("
  if signature then M.annotations[signature] = above end
end

return M
