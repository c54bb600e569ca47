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


local function sleep(applet)
    while true do
        local wakes = applet:receive(10)
        if not wakes or #wakes == 0 then
            return
        end
        for _ = 1, tonumber(wakes) do
            core.msleep(1)
        end
        applet:send(wakes)
    end
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
