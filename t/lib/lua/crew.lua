-- All workers of a server do a job at the same time.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--     lua_shared_dict crew 100k;
--     init_by_lua_block { crew = require "crew" crew.init() }
--     init_worker_by_lua_block { crew.hire{ NAME = function(id, n) ... end } }
-- where `id` is the worker's, and `n` the number of all.


local _M = {}


-- Seconds for a job.
local LONG = 100


local board = ngx.shared.crew

-- Workers of an older configuration, perhaps still there, have another number.
local generation


function _M.init()
    generation = board:incr("generation", 1, 0)
end


-- Waits until all workers are at this place.
local function meet(place, n)
    local here = board:incr(place, 1, 0)
    while here < n do
        ngx.sleep(0.001)
        here = board:get(place)
        if not here then error("the job is over", 0) end
    end
end


local function work(jobs, text)
    local number, name = text:match("^(%d+) (.*)$")
    local n = ngx.worker.count()
    local ok, result = pcall(function()
        meet(number .. " ready", n)
        return jobs[name](ngx.worker.id(), n)
    end)
    board:set(number .. " result " .. ngx.worker.id(),
              ok and tostring(result or "") or "error: " .. tostring(result))
    board:incr(number .. " done", 1, 0)
end


function _M.hire(jobs)
    assert(ngx.timer.at(0, function()
        local last
        while not ngx.worker.exiting() do
            local job = board:get("job of " .. generation)
            if job and job ~= last then
                last = job
                work(jobs, job)
            end
            ngx.sleep(0.005)
        end
    end))
end


-- Has all workers do a job; returns their results in a table.
function _M.run(name)
    local n = ngx.worker.count()
    local number = board:incr("jobs", 1, 0)
    board:set("job of " .. generation, number .. " " .. name)
    for _ = 1, LONG / 0.005 do
        if board:get(number .. " done") == n then break end
        ngx.sleep(0.005)
    end
    local results = {}
    for id = 0, n - 1 do
        results[id + 1] = board:get(number .. " result " .. id) or "not done"
    end
    board:delete("job of " .. generation)
    return results
end


-- Says what the workers found, if anything.
function _M.complain(results)
    for i, result in ipairs(results) do
        if result ~= "" then ngx.say("worker ", i - 1, ": ", result) end
    end
end


return _M
