-- What one worker does with a dictionary while the others do the same, or
-- rest: the same code in ours and in http-lua, for bench/dict. A request is
-- one word, OPERATION:KEYS:SECONDS:WORKERS, of which the end is the digits
-- of the workers; the answer is how many operations each of them did in a
-- second, and which share of it it was on a CPU. What is called OPERATION-
-- handler is done as handlers do it, with a thousand keys.
local ffi = require "ffi"

ffi.cdef [[
    struct bench_time { long seconds, nanoseconds; };
    int bench_clock(int, struct bench_time *) __asm__("clock_gettime");
]]

-- See clock_gettime(2).
local PROCESS_CPUTIME, MONOTONIC = 2, 1

local board = ngx.shared.board

-- Ways through all keys that are not their order, prime to their numbers: one
-- for each worker. On the same way the faster one would come up to the other,
-- and then meet it at each key.
local STRIDES = { 414977, 618033 }
local VALUE = string.rep("v", 10)

-- Between two looks at the clock.
local CHUNK = 5000

-- As the operations of dict_jobs.lua; `own` is a letter for each worker.
local OPERATIONS = {
    get = "dict:get(k)",
    set = "dict:set(k, value)",
    incr = "dict:incr(k, 1)",
    add = "k = own .. k dict:add(k, value) dict:delete(k)",
    mixed = "if i % 10 == 0 then dict:set(k, value) else dict:get(k) end",
}

local LOOP = [[
    local dict, keys, value, own, stride, share = ...
    local n = #keys
    local at = math.floor(share * n)
    return function(count)
        for i = 1, count do
            at = (at + stride) %% n
            local k = keys[at + 1]
            %s
        end
    end
]]


local _M = {}


local keys_of = setmetatable({}, { __index = function(self, n)
    local keys = {}
    for i = 1, n do
        keys[i] = string.format("%010d", i)
    end
    self[n] = keys
    return keys
end })


-- Unless they are there from the run before.
local function fill(dict, keys, value)
    local kind = #keys .. type(value)
    if board:get("filled") == kind then return end
    dict:flush_all()
    dict:flush_expired()
    for i = 1, #keys do
        local ok, err, forcible = dict:set(keys[i], value)
        assert(ok and not forcible, err)
    end
    board:set("filled", kind)
end


local time = ffi.new("struct bench_time")

-- Seconds.
local function clock(which)
    ffi.C.bench_clock(which, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end


-- Calls one after the other without a loop; LuaJIT compiles each by itself.
local HANDLER = [[
    local dict, keys, value, own = ...
    local i, k = 0
    return function()
        %s
    end
]]

local HANDLER_CALLS = 1000


local function loop(operation, dict, keys, own, stride, share)
    local make = loadstring(LOOP:format(OPERATIONS[operation]))
    return make(dict, keys, VALUE, own, stride, share)
end


local function handler(operation, dict, keys, own, stride, share)
    local lines, n, code = {}, #keys, OPERATIONS[operation]
    local at = math.floor(share * n)
    for i = 1, HANDLER_CALLS do
        at = (at + stride) % n
        lines[i] = ("i = i + 1 k = %q %s"):format(keys[at + 1], code)
    end
    local make = loadstring(HANDLER:format(table.concat(lines, "\n")))
    local call = make(dict, keys, VALUE, own)
    return function(count)
        for _ = 1, count / HANDLER_CALLS do
            call()
        end
    end
end


local function work(text)
    local operation, kind, n, seconds, workers =
        text:match("^(%a+)([-%a]*):(%d+):(%S+):(%d+)")
    local id = ngx.worker.id()
    local place = workers:find(id, 1, true)
    if not place then return end
    seconds = tonumber(seconds)

    local dict, keys = ngx.shared.bench, keys_of[tonumber(n)]
    local own = string.char(97 + id)
    local make = kind == "-handler" and handler or loop
    -- Each begins elsewhere.
    local run = make(operation, dict, keys, own, STRIDES[id + 1],
                     (place - 1) / #workers)
    if place == 1 then
        fill(dict, keys, operation == "incr" and 0 or VALUE)
    end
    run(CHUNK)

    board:incr("ready", 1, 0)
    while board:get("ready") < #workers do end
    local start, cpu, done = clock(MONOTONIC), clock(PROCESS_CPUTIME), 0
    repeat
        run(CHUNK)
        done = done + CHUNK
    until clock(MONOTONIC) - start >= seconds
    local elapsed = clock(MONOTONIC) - start
    board:set("result " .. id, string.format("%.0f %.3f", done / elapsed,
              (clock(PROCESS_CPUTIME) - cpu) / elapsed))
    board:incr("done", 1, 0)
end


-- A worker that does what is on the board.
function _M.start()
    assert(ngx.timer.at(0, function()
        local last
        while not ngx.worker.exiting() do
            local text = board:get("job")
            if text and text ~= last then
                last = text
                work(text)
            end
            ngx.sleep(0.01)
        end
    end))
end


local number = 0

function _M.run(request)
    local workers = request:match("(%d+)$")
    for _, key in ipairs{ "ready", "done", "result 0", "result 1" } do
        board:delete(key)
    end
    number = number + 1
    board:set("job", request .. " " .. ngx.worker.pid() .. " " .. number)
    repeat
        ngx.sleep(0.01)
    until board:get("done") == #workers
    local results = {}
    for id in workers:gmatch("%d") do
        results[#results + 1] = board:get("result " .. id)
    end
    return table.concat(results, " ")
end


return _M
