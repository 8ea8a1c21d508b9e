-- Lists of all organizations that jobs look into: one for all who wait for one.

local ends = require "polytomic.provision.worker.ends"
local reads = require "polytomic.provision.reads"

local M = {}

local function list_body(self, requests)
  local wanted, by_name, by_id = {}, {}, {}
  for _, request in ipairs(requests) do
    wanted[request.wish.organization] = true
    if request.wish.id then wanted[request.wish.id] = true end
  end
  local ok, message, err = reads.organizations(self.client, function(org)
    if (self.keeps_list or wanted[org.name]) and not by_name[org.name] then
      by_name[org.name] = reads.compact(org)
    end
    if wanted[org.id] then by_id[org.id] = reads.compact(org) end
  end)
  if not ok then return nil, message, err end
  return { by_name = by_name, by_id = by_id }
end

-- Starts a list for those who wait for one: it has to begin after they asked.
function M.start(self)
  if self.listing or #self.lookups == 0 then return true end
  local listed_at, found = self.ledger:now()
  if not listed_at then return nil, found end
  local requests = self.lookups
  self.lookups, self.listing = {}, true
  self.pool:start({ ended = function(_, ok, list, message, err)
    self.listing = false
    if not ok then self.thrown = self.thrown or { list } end
    if ok and list and self.keeps_list then
      self.list, self.listed_at = list.by_name, listed_at
    end
    for _, request in ipairs(requests) do
      local wish, task = request.wish, request.task
      local live = not task.over -- its lease may be lost meanwhile
      if live and not ok then
        ends.give_back(self, task)
      elseif live and list then
        self.pool:resume(task, list.by_name[wish.organization] or list.by_id[wish.id or ""])
      elseif live then
        self.pool:resume(task, nil, message, err)
      end
    end
  end }, list_body, self, requests)
  return true
end

return M
