-- A light thread in each kind of wait there is, for tests of their end.  For
-- blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local semaphore = require "ngx.semaphore"


local spawn, wait = ngx.thread.spawn, ngx.thread.wait
local sleep = ngx.sleep


local _M = {}


-- What all connections of the worker wait for, and nobody ever gives.
local sem, empty = semaphore.new(), ngx.channel.new(1)
local full = ngx.channel.new(1)
full:try_send("full")


local function nest(n, f, ...)
    if n == 0 then return f(...) end
    return coroutine.wrap(nest)(n - 1, f, ...)
end


local waits = {
    function() sleep(1000) end,
    function() coroutine.yield() sleep(1000) end,
    function() sem:wait(1000) end,
    function() empty:receive() end,
    function() empty:receive(1000) end,
    function() full:send({ "x" }) end,
    function() full:send("x", 1000) end,
    function() ngx.select{ sem, empty, { full, {} }, timeout = 1000 } end,
    function() ngx.deadline(1000, sem.wait, sem, 1000) end,
    function()
        ngx.deadline(1000, ngx.deadline, 500, function()
            wait(spawn(function() sleep(1000) end))
        end)
    end,
    function() pcall(pcall, sleep, 1000) end,
    function() nest(5, sleep, 1000) end,
    function() nest(3, pcall, function() sem:wait(1000) end) end,
    function() wait(spawn(sleep, 1000), spawn(nest, 3, sleep, 1000)) end,
    function() ngx.select{ spawn(sleep, 1000), sem } end,
    function()
        local t = spawn(sleep, 1000)
        ngx.thread.kill(t)
        sleep(1000)
    end,
    -- Zombies, of both kinds of end.
    function() return {}, "result" end,
    function()
        local co = coroutine.create(coroutine.yield)
        coroutine.resume(co)
        return co
    end,
}


-- Starts them all; returns the threads.
function _M.start()
    local threads = {}
    for i, f in ipairs(waits) do threads[i] = spawn(f) end
    return threads
end


-- What waits for the semaphore and is in the channels: "0 0 1" if nothing.
function _M.counts()
    return table.concat({ sem:count(), empty:count(), full:count() }, " ")
end


return _M
