-- How far work is, from data alone; waiting itself is in wait_for_spec.lua.

local work = require "polytomic.work"

describe("The status of work", function()
  local function status_of(operation, data, goal)
    return work.status_of(data, work.watch(operation, goal))
  end

  it("is where the operation has it", function()
    assert.equal("done", status_of("get_job", { status = "done" }))
    assert.equal("fresh", status_of("get_schemas_status", { cache_status = "fresh", status = "x" }))
    local data = { current_execution = { status = "running" }, last_execution = { status = "x" } }
    assert.equal("running", status_of("get_sync_status", data))
    data.current_execution = nil
    assert.equal("x", status_of("get_sync_status", data))
  end)

  it("is with the object that has it", function()
    local last = { status = "failed", errors = { "why" } }
    local status, holder = status_of("get_bulk_sync_status", { last_execution = last })
    assert.equal("failed", status)
    assert.equal(last, holder)
  end)

  it("is none where there is none, or where it is no text", function()
    for _, data in ipairs { {}, { status = 5 }, { current_execution = {} }, true, "text" } do
      assert.is_nil(status_of("get_job", data))
      assert.is_nil(status_of("get_sync_status", data))
      assert.is_nil(status_of("list_bulk_sync_execution_statuses", data))
    end
  end)

  it("of a list is that of what failed, else of what goes on, else of the last", function()
    local function of(goal, ...)
      local data = {}
      for i, word in ipairs { ... } do data[i] = { status = word } end
      return (status_of("list_bulk_sync_execution_statuses", data, goal))
    end
    assert.equal("failed", of(nil, "running", "failed", "completed"))
    assert.equal("running", of(nil, "completed", "running", "completed"))
    assert.equal("completed", of(nil, "completed", "completed"))
    assert.equal("completed", of({ running = true }, "running", "completed", "running"))
  end)
end)

describe("What is watched", function()
  it("is nothing where the end is not known and no goal is given", function()
    assert.is_nil(work.watch "get_org")
    assert.equal("x", work.status_of({ status = "x" }, work.watch("get_org", { ready = true })))
    assert.is_true(work.watch("get_job").by_default)
    assert.is_false(work.watch("get_job", { running = true }).by_default)
  end)
end)
