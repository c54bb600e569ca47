-- For init_by_lua of `ours` and of the peer http-lua: the work of the rows that
-- count operations of the scheduler, of sockets, and of shared dictionaries
-- (dict_jobs.lua), the same code in both. A request is one word,
-- NAME:CLIENTS:BEFORE:COUNT. The answer is what COUNT operations took, after
-- BEFORE others in the same handler: nanoseconds of the worker on a CPU, and of
-- time. With several clients each of them does COUNT.
local dict_jobs = require "dict_jobs"
local ffi = require "ffi"
local semaphore = require "ngx.semaphore"
local upstream = require "upstream"

ffi.cdef [[
    struct bench_time { long seconds, nanoseconds; };
    int bench_clock(int, struct bench_time *) __asm__("clock_gettime");
]]

-- See clock_gettime(2). The first is what /proc/PID/schedstat shows, without
-- its delay of up to one tick.
local PROCESS_CPUTIME, MONOTONIC = 2, 1

-- Timers started before the first of them fires; http-lua allows 1,024 pending
-- ones by default, as we do.
local TIMERS = 200

-- Seconds; nothing that is waited for takes so long.
local LONG = 600

local spawn, wait = ngx.thread.spawn, ngx.thread.wait
local sleep = ngx.sleep
local tcp = ngx.socket.tcp
local timer_at = ngx.timer.at

local jobs = {}


local function nothing()
end


function jobs.spawn(n)
    for _ = 1, n do
        wait(spawn(nothing))
    end
end


-- A light thread that waits once before it ends.
jobs["spawn-wait"] = function(n)
    local sem = semaphore.new()

    local function waits()
        sem:wait(LONG)
    end

    for _ = 1, n do
        local thread = spawn(waits)
        sem:post()
        wait(thread)
    end
end


-- Nobody waits.
function jobs.semaphore(n)
    local sem = semaphore.new()
    for _ = 1, n do
        sem:post()
        assert(sem:wait(LONG))
    end
end


-- Each post wakes the other of two light threads: n wake-ups in all.
jobs["semaphore-wake"] = function(n)
    local ping, pong = semaphore.new(), semaphore.new()
    local rounds = n / 2

    local answering = spawn(function()
        for _ = 1, rounds do
            assert(ping:wait(LONG))
            pong:post()
        end
    end)
    local asking = spawn(function()
        for _ = 1, rounds do
            ping:post()
            assert(pong:wait(LONG))
        end
    end)
    assert(wait(answering))
    assert(wait(asking))
end


function jobs.timer(n)
    local fired = semaphore.new()
    local pending

    local function fire()
        pending = pending - 1
        if pending == 0 then
            fired:post()
        end
    end

    while n > 0 do
        pending = math.min(n, TIMERS)
        n = n - pending
        for _ = 1, pending do
            assert(timer_at(0, fire))
        end
        assert(fired:wait(LONG))
    end
end


function jobs.wrap(n)
    local yield = coroutine.yield
    local sum = 0
    local numbers = coroutine.wrap(function()
        for i = 1, n do
            yield(i)
        end
    end)
    for i in numbers do
        sum = sum + i
    end
    assert(sum == n * (n + 1) / 2)
end


-- A message and its answer on a connection of a pool.
function jobs.upstream(n)
    for _ = 1, n do
        local sock = tcp()
        local ok, err = sock:connect(upstream.host, upstream.echo)
        if not ok then
            error(err)
        end
        ok, err = sock:send("0123456789")
        if not ok then
            error(err)
        end
        local data
        data, err = sock:receive(10)
        if not data then
            error(err)
        end
        ok, err = sock:setkeepalive(60000, 100)
        if not ok then
            error(err)
        end
    end
end


-- A request by the library http, which http-lua has not.
local function make_request(h, options, what)
    local ok, err = h:init(options)
    if not ok then
        error(err)
    end
    local response
    response, err = h:http_request(what)
    if not response or response.body ~= "hello\n" then
        error(err)
    end
    ok, err = h:done()
    if not ok then
        error(err)
    end
end

local function http_requests(n, is_kept)
    local http = require "http"
    local options = { host = upstream.host, port = upstream.http }
    local what = { method = "GET", uri = "/" }
    local h = http.new()
    for _ = 1, n do
        h = is_kept and h or http.new()
        make_request(h, options, what)
    end
end

function jobs.http(n)
    http_requests(n, false)
end

jobs["http-kept"] = function(n)
    http_requests(n, true)
end


function jobs.sleep(n)
    for _ = 1, n do
        sleep(0.001)
    end
end


-- The first is shorter, so that many clients do not wake up all at once.
jobs["sleep-long"] = function(n)
    sleep(0.001 + 0.099 * math.random())
    for _ = 2, n do
        sleep(0.1)
    end
end


local time = ffi.new("struct bench_time")

local function clock(number)
    ffi.C.bench_clock(number, time)
    return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end


-- Lets nobody through before all clients are there; the last runs `f` first.
local function gate(f)
    local here = 0
    local open = semaphore.new()

    return function(clients)
        here = here + 1
        if here < clients then
            assert(open:wait(LONG))
            return
        end
        here = 0
        f()
        if clients > 1 then
            open:post(clients - 1)
        end
    end
end


local cpu, wall

local begin = gate(function()
    cpu, wall = clock(PROCESS_CPUTIME), clock(MONOTONIC)
end)

local finish = gate(function()
    cpu, wall = clock(PROCESS_CPUTIME) - cpu, clock(MONOTONIC) - wall
end)


-- What the servers see as the global `bench`.
local _M = {}


function _M.run(request)
    local name, clients, before, count =
        string.match(request, "^([%a-]+):(%d+):(%d+):(%d+)$")
    clients, before = tonumber(clients), tonumber(before)
    count = tonumber(count)
    local job = jobs[name]
    if not job then
        local dict_job = assert(dict_jobs[string.match(name, "^dict%-(.+)$")],
                                "unknown job")
        dict_job.prepare(count)
        job = dict_job.run
    end

    if before > 0 then
        job(before)
    end
    begin(clients)
    job(count)
    finish(clients)
    return string.format("%.0f %.0f", cpu, wall)
end


rawset(_G, "bench", _M)
