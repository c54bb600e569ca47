-- Sockets at random: scripts that do everything with sockets that they share,
-- and a server that treats them badly.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local semaphore = require "ngx.semaphore"


local _M = {}


-- What may go wrong when others do something else with the same socket.
local EXPECTED = {}
for word in ([[closed,timeout,deadline,socket busy reading,socket busy writing,
connection reset by peer,broken pipe,transport endpoint is not connected,
connection in dubious state,key not found,connection refused,
too many waiting connect operations,handshake failed,protocol error,
err status line,err headers,err body,err header too big,err body too big,
cannot assign requested address,address already in use,bad option value]])
    :gmatch("[^,\n]+")
do
    EXPECTED[word] = true
end

-- Sockets of the worker, for any session.
local shared = {}
-- A TLS session, for the next handshakes.
local session

-- What was wrong, once each.
local wrong = {}

local function complain(text)
    wrong[text] = true
end

local function check(what, ok, err)
    if not ok and err ~= nil and not EXPECTED[err]
        and not err:find("could not be resolved", 1, true)
    then
        complain(what .. ": " .. tostring(err))
    end
    return ok
end


-- Numbers from 1 to n that follow from the seed.
local function generator(seed)
    local state = seed % 2147483646 + 1
    return function(n)
        state = state * 16807 % 2147483647
        return state % n + 1
    end
end


-- Reads the value of `n` bytes in one of many ways; nil and the error.
local function read_value(sock, random, n)
    local way = random(4)
    if way == 1 then
        return sock:receive(n)
    elseif way == 2 then
        local line, err = sock:receive()
        return line and line .. "\n", err
    elseif way == 3 then
        local reader, size, parts = sock:receiveuntil("\n"), random(300), {}
        while true do
            local part, err = reader(size)
            if err then
                return nil, err
            elseif not part then
                return table.concat(parts) .. "\n"
            elseif #part > size then
                complain("a piece is too long")
            end
            parts[#parts + 1] = part
        end
    end
    local value = ""
    while #value < n do
        ngx.select{ sock, timeout = 10 }
        local part, err = sock:receiveany(n - #value)
        if not part then
            return nil, err
        end
        value = value .. part
    end
    return value
end

-- A talk with a real server, which has to be right to the byte. Its connections
-- have pools of their own: what others leave in one may get an answer later.
local function talk(random, places)
    local number = random(#places.redis)
    local place, pool = places.redis[number], { pool = "talk " .. number }
    local sock = ngx.socket.tcp()
    sock:settimeout(20000)
    if not check("redis", sock:connect(place[1], place[2] or 0, pool)) then
        return
    end
    if place.tls then
        local verify = random(2) == 1
        local got = check("tls",
            sock:sslhandshake(random(2) == 1 and session, place.tls, verify))
        if not got then
            return
        end
        session = got ~= true and got or session
    end
    for _ = 1, random(4) do
        local n = random(places.large)
        local value = ("v"):rep(n - 1) .. "\n"
        local writer = ngx.thread.spawn(sock.send, sock,
            { "*2\r\n$4\r\nECHO\r\n$", n, "\r\n", { value, "\r\n" } })
        local head = sock:receive()
        local got = head and read_value(sock, random, n)
        local ending = got and sock:receive(2)
        ngx.thread.wait(writer)
        if not ending then
            return sock:close()
        elseif head ~= "$" .. n or got ~= value or ending ~= "\r\n" then
            complain(("an echo of %d bytes differs: %q, %q..., %q")
                :format(n, head:sub(1, 80), got:sub(1, 80), ending))
        end
    end
    if random(4) == 1 then
        check("close", sock:close())
    else
        check("setkeepalive", sock:setkeepalive(random(2000), 10))
    end
end


local SAY = {
    "line\n", "sleep\n", "reset\n", "fin\n", "flood\n", "nats\n", "http\n",
    "chunks\n", "close\n", "no such word\n",
}

-- What one does with a socket that others have, too.
local acts = {
    function(s, random, places)
        local place = places.any[random(#places.any)]
        check("connect", s:connect(place[1], place[2] or 0))
    end,
    function(s, random, places)
        local pool = { pool = "p" .. random(3), pool_size = random(3) }
        pool.backlog = random(4) - 1
        check("connect", s:connect("127.0.0.1", places.bad, pool))
    end,
    function(s, random, places)
        local place = places.redis[#places.redis]
        if check("connect", s:connect(place[1], place[2], "shared tls")) then
            check("tls", s:sslhandshake(session, place.tls, random(2) == 1))
        end
    end,
    function(s) check("tls", s:sslhandshake()) end,
    function(s, random) check("send", s:send(SAY[random(#SAY)])) end,
    function(s, random)
        check("send", s:send({ "line", { random(9) }, "\n" }))
    end,
    function(s, random) check("send", s:send(("x"):rep(random(3000)))) end,
    function(s) check("receive", s:receive()) end,
    function(s, random) check("receive", s:receive(random(2000))) end,
    function(s, random) check("receive", s:receive(2000, random(2000))) end,
    function(s) check("receive", s:receive("*a")) end,
    function(s) check("receive", s:receive(0)) end,
    function(s, random) check("receiveany", s:receiveany(random(2000))) end,
    function(s, random) check("peek", s:peek(random(99))) end,
    function(s, random)
        local reader = s:receiveuntil("\n", { inclusive = random(2) == 1 })
        for _ = 1, 3 do
            check("receiveuntil", reader(random(2) == 1 and random(9) or nil))
        end
    end,
    function(s, random)
        local reply, err = s:receive_http(random(200), random(2000))
        check("receive_http", not err, err)
        return reply
    end,
    function(s, random)
        check("keep", s:setkeepalive(random(90), random(4)))
    end,
    function(s) check("keep", s:setkeepalive_nats(50, 3)) end,
    function(s) check("close", s:close()) end,
    function(s) check("shutdown", s:shutdown("send")) end,
    function(s, random)
        check("option", s:setoption("linger", random(2) == 1))
        s:getpeername()
        s:getsockname()
        s:getreusedtimes()
    end,
    function(s, random) s:settimeouts(random(60), random(60), random(60)) end,
    function(_, random) ngx.sleep(random(3) / 1000) end,
    function() collectgarbage() end,
    function(s)
        local read_and_send = coroutine.wrap(function()
            check("receive", s:receive(1))
            coroutine.yield()
            check("send", s:send("line\n"))
        end)
        read_and_send()
        read_and_send()
    end,
}

local function datagram(u, random, places)
    local what = random(4)
    if what == 1 then
        check("setpeername", u:setpeername("127.0.0.1", places.udp[random(2)]))
    elseif what == 2 then
        check("send", u:send(("u"):rep(random(50))))
    elseif what == 3 then
        u:settimeout(random(20))
        check("receive", u:receive(random(50)))
    else
        check("close", u:close())
    end
end


-- A session: threads that play with the same sockets, until each has made so
-- many moves or somebody has ended it.
function _M.play(seed, moves, places)
    local random = generator(seed)
    local socks, udps, threads = {}, {}, {}
    local place = random(4)
    socks[6] = shared[place]
    for i = 1, 6 do
        socks[i] = socks[i] or ngx.socket.tcp()
        socks[i]:settimeout(50)
    end
    shared[place] = socks[1]
    for i = 1, 2 do
        udps[i] = ngx.socket.udp()
    end
    local sem, channel = semaphore.new(), ngx.channel.new(2)

    local function move()
        local sock, act = socks[random(6)], acts[random(#acts)]
        local what = random(20)
        if what <= 12 then
            act(sock, random, places)
        elseif what <= 14 then
            talk(random, places)
        elseif what == 15 then
            datagram(udps[random(2)], random, places)
        elseif what == 16 then
            ngx.deadline(random(20) / 1000, act, sock, random, places)
        elseif what == 17 then
            check("select", ngx.select{ sock, udps[random(2)], socks[random(6)],
                sem, channel, { channel, 1 }, timeout = random(20) / 1000 })
        elseif what == 18 then
            sem:post()
            channel:receive(0)
        elseif what == 19 and random(10) == 1 then
            ngx.timer.at(random(20) / 1000, function()
                act(sock, random, places)
            end)
        elseif what == 20 and random(10) == 1 then
            error("on purpose")
        end
    end

    local function play()
        for _ = 1, moves do
            move()
        end
    end

    for i = 1, 6 do
        if random(4) == 1 then
            local time = random(200) / 1000
            threads[i] = ngx.thread.spawn(ngx.deadline, time, play)
        else
            threads[i] = ngx.thread.spawn(play)
        end
    end
    for _ = 1, random(4) do
        ngx.sleep(random(20) / 1000)
        ngx.thread.kill(threads[random(6)])
    end
    if random(4) == 1 then
        -- Whatever they wait for.
        return
    end
    for i = 1, 6 do
        ngx.thread.wait(threads[i])
    end
end


-- The server that they are treated badly by.
function _M.serve()
    local client = ngx.req.socket()
    while true do
        local line = client:receive()
        if line == "sleep" then
            ngx.sleep(0.01)
            client:send("slept\n")
        elseif line == "reset" then
            client:setoption("linger", true)
            client:send("res")
            return
        elseif line == "fin" then
            client:send("the end")
            client:shutdown("send")
            client:receive("*a")
            return
        elseif line == "flood" then
            client:send(("f"):rep(20000))
        elseif line == "nats" then
            client:send("PING\r\n")
        elseif line == "http" then
            client:send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
        elseif line == "chunks" then
            client:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                .. "3\r\nabc\r\n0\r\n\r\n")
        elseif line and line:find("^line") then
            client:send({ line, "\n" })
        else
            return
        end
    end
end


-- What was wrong, a text for each; and nothing is shared any more.
function _M.outcome()
    shared, session = {}, nil
    local texts = {}
    for text in pairs(wrong) do
        texts[#texts + 1] = text
    end
    table.sort(texts)
    return texts
end


return _M
