-- What `ours` of bench/nats does: the same jobs as async-nats/ and nats_py.py
-- have. A request is a line, "JOB COUNT SIZE"; the answer is the seconds that
-- the job took. Each job has connections of its own.
local nats = require "resty.nats"

local spawn, kill = ngx.thread.spawn, ngx.thread.kill
local wait = ngx.thread.wait

-- `server` is the port of the NATS server.
local _M = { server = nil }
local jobs = {}
local barriers = 0


-- Reads until the connection fails or is killed.
local function serve(n)
    local ok, err
    repeat
        ok, err = n:wait()
    until not ok and err ~= "timeout"
    error(err)
end


-- A subscription to a subject of the connection's own: when a message has come
-- back by it the server has all that was sent before.
local function pass_barrier(n, barrier)
    local ok, err = n:publish(barrier, "")
    if ok then
        ok, err = n:wait(1)
    end
    assert(ok, err)
end


local function connect()
    local n = nats:new()
    assert(n:connect("127.0.0.1", _M.server))
    barriers = barriers + 1
    local barrier = "bench.barrier." .. ngx.worker.pid() .. "." .. barriers
    assert(n:subscribe(barrier, function() end))
    pass_barrier(n, barrier)
    return n, barrier
end


local function publish_all(n, subject, count, size)
    local payload = ("x"):rep(size)
    for _ = 1, count do
        local ok, err = n:publish(subject, payload)
        if not ok then
            error(err)
        end
    end
end


local function now()
    ngx.update_time()
    return ngx.now()
end


function jobs.publish(count, size)
    local n, barrier = connect()
    local begin = now()
    publish_all(n, "bench.publish", count, size)
    pass_barrier(n, barrier)
    local seconds = now() - begin
    n:close()
    return seconds
end


-- Messages from one connection to another one, which subscribes to `subjects`;
-- publish(connection, subjects, count, size) publishes them.
local function subscribe(count, size, subjects, publish)
    local publisher = connect()
    local subscriber, barrier = connect()
    for _, subject in ipairs(subjects) do
        assert(subscriber:subscribe(subject, function(msg)
            if #msg.payload ~= size then
                error("message of another size")
            end
        end))
    end
    pass_barrier(subscriber, barrier)
    local begin = now()
    local publishing = spawn(publish, publisher, subjects, count, size)
    assert(subscriber:wait(count))
    local seconds = now() - begin
    assert(wait(publishing))
    publisher:close()
    subscriber:close()
    return seconds
end


function jobs.subscribe(count, size)
    return subscribe(count, size, { "bench.subscribe" },
        function(n, subjects, ...) publish_all(n, subjects[1], ...) end)
end


-- No message has the subject of the one before.
function jobs.alternate(count, size)
    return subscribe(count, size, { "bench.subscribe.a", "bench.subscribe.b" },
        function(n, subjects)
            local payload = ("x"):rep(size)
            for _ = 1, count / 2 do
                assert(n:publish(subjects[1], payload))
                assert(n:publish(subjects[2], payload))
            end
        end)
end


-- Requests, `flying` of them in flight, to a service behind another connection.
local function request(count, size, flying)
    local client = connect()
    local service, barrier = connect()
    assert(service:subscribe("bench.request", function(msg)
        local ok, err = service:publish(msg.reply_to, msg.payload)
        if not ok then
            error(err)
        end
    end))
    pass_barrier(service, barrier)
    local serving = spawn(serve, service)

    local function ask()
        local payload = ("x"):rep(size)
        for _ = 1, count / flying do
            local answer, err = client:request_sync("bench.request", payload)
            if not answer or #answer.payload ~= size then
                error(err or "answer of another size")
            end
        end
    end

    local begin = now()
    local asking = {}
    for i = 1, flying do
        asking[i] = spawn(ask)
    end
    for i = 1, flying do
        assert(wait(asking[i]))
    end
    local seconds = now() - begin
    kill(serving)
    client:close()
    service:close()
    return seconds
end


function jobs.request(count, size)
    return request(count, size, 1)
end


function jobs.requests(count, size)
    return request(count, size, 32)
end


function _M.run(line)
    local name, count, size = line:match("^(%w+) (%d+) (%d+)$")
    local ok, result = pcall(jobs[name], tonumber(count), tonumber(size))
    return ok and ("%.6f"):format(result) or result
end


return _M
