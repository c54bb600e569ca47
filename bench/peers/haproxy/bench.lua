-- The services of bench/ours/*.lua in HAProxy's words.

local function echo(size)
    return function(applet)
        while true do
            local data = applet:receive(size)
            if not data or #data == 0 then
                return
            end
            applet:send(data)
        end
    end
end


local function line(applet)
    while true do
        -- HAProxy leaves the line feed on the line.
        local text = applet:getline()
        if not text or #text == 0 then
            return
        end
        applet:send(text)
    end
end


local function connect(applet)
    applet:send(applet:receive(10))
end


-- There is no pool: each client has a connection of its own. The variable has
-- the port.
local function upstream(method, variable)
    local port = tonumber(os.getenv(variable))
    return function(applet)
        local sock = core.tcp()
        sock:settimeout(3600)
        assert(sock[method](sock, "127.0.0.1", port))
        while true do
            local data = applet:receive(10)
            if not data or #data == 0 then
                break
            end
            assert(sock:send(data))
            applet:send(sock:receive(10))
        end
        sock:close()
    end
end


-- The one job of jobs.lua that there is here. Nobody waits for the others, but
-- all of them run at the same time.
local function sleep(applet)
    local wakes = tonumber(string.match(applet:getline(), ":(%d+)\n"))
    local cpu, start = os.clock(), core.now()
    for _ = 1, wakes do
        core.msleep(1)
    end
    local now = core.now()
    local wall = (now.sec - start.sec) * 1e9 + (now.usec - start.usec) * 1e3
    applet:send(string.format("%.0f %.0f\n", (os.clock() - cpu) * 1e9, wall))
end


local chunk = string.rep("0123456789abcdef", 4096)

local function bulk(applet)
    local left = tonumber(applet:getline())
    while left >= #chunk do
        applet:send(chunk)
        left = left - #chunk
    end
    if left > 0 then
        applet:send(string.sub(chunk, 1, left))
    end
end


core.register_service("echo-10", "tcp", echo(10))
core.register_service("echo-1k", "tcp", echo(1024))
core.register_service("echo-64k", "tcp", echo(65536))
core.register_service("line", "tcp", line)
core.register_service("connect", "tcp", connect)
core.register_service("sleep", "tcp", sleep)
core.register_service("bulk", "tcp", bulk)
core.register_service("upstream", "tcp",
    upstream("connect", "UPSTREAM_ECHO"))
core.register_service("upstream-tls", "tcp",
    upstream("connect_ssl", "UPSTREAM_TLS"))
