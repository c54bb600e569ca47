# Pools of connections: sock:setkeepalive(), who gets what from them, and what is
# never handed out.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== keep: a connection is used again and again
--- peer
A: accept
A: expect "123"
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    for i = 1, 3 do
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        show(sock:getreusedtimes())
        sock:send(i)
        show(sock:setkeepalive())
    end
    ngx.say(sock[2])
}
--- request
--- response
1: 0
1: 1
1: 1
1: 1
1: 2
1: 1
127.0.0.1:$TEST_PEER_PORT
--- no_error_log
[error]


=== keep: what is left of the object
--- peer
accept
expect_close
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:setkeepalive())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:setkeepalive(100))
    show(sock:setkeepalive())
    show(sock:send("x"))
    show(sock:receive())
    show(sock:getreusedtimes())
    show(sock:getfd())
    show(sock:close())
}
--- request
--- response
2: nilkey not found
1: 1
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
--- no_error_log
[error]


=== keep: mistakes in arguments leave the connection as it is
--- peer
accept
expect "good"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    try(function() sock:setkeepalive(-1) end)
    try(function() sock:setkeepalive("x") end)
    try(function() sock:setkeepalive(0 / 0) end)
    try(function() sock:setkeepalive(1, -1) end)
    try(function() sock:setkeepalive(1, {}) end)
    try(function() sock:setkeepalive(1, 1, 1) end)
    try(function() sock:setkeepalive(1, 1, { heartbeat = "x" }) end)
    try(function() sock:setkeepalive(1, 1, {}, 1) end)
    ngx.say(sock:setkeepalive(1000, 0))
    ngx.say(sock:send("good"))
    sock:close()
}
--- request
--- response
false bad argument #1 to 'setkeepalive' (bad timeout value)
false bad argument #1 to 'setkeepalive' (bad timeout value)
false bad argument #1 to 'setkeepalive' (bad timeout value)
false bad argument #2 to 'setkeepalive' (bad pool size)
false bad argument #2 to 'setkeepalive' (bad pool size)
false bad argument #3 to 'setkeepalive' (table expected, got number)
false bad argument #3 to 'setkeepalive' (unknown heartbeat "x")
false expecting 1 to 3 arguments (including the object), but got 5
nilzero pool size
4
--- no_error_log
[error]


=== keep: nil is the default
--- peer
accept
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _ = 1, 2 do
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.say(sock:getreusedtimes(), " ", sock:setkeepalive(nil, nil, nil))
    end
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:close()
}
--- request
--- response
0 1
1 1
--- no_error_log
[error]


=== names: a pool's name counts, not where it leads
--- peer
A: accept
A: expect "a"
A: expect_eof
--- peer2
B: accept
B: expect "b"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT, "mine")
    ngx.say(sock[2], " ", sock:setkeepalive())
    sock:connect("127.0.0.1", $TEST_PEER2_PORT, { pool = "mine" })
    ngx.say(sock:getreusedtimes(), " ", sock:send("a"))
    sock:close()
    sock:connect("127.0.0.1", $TEST_PEER2_PORT, 42)
    ngx.say(sock[2], " ", sock:setkeepalive())
    sock:connect("1.2.3.4", 5, { pool = "42" })
    ngx.say(sock:getreusedtimes(), " ", sock:send("b"))
    sock:close()
}
--- request
--- response
mine 1
1 1
42 1
1 1
--- no_error_log
[error]


=== names: a pool that is gone has a successor
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT2;
    process_by_lua_block {
        while ngx.receive(1) do
            ngx.print("y")
        end
    }
}
--- tcp_server_config
process_by_lua_block {
    local function use(ends)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PORT2))
        local times = sock:getreusedtimes()
        assert(sock:send("x"))
        assert(sock:receive(1))
        assert(sock[ends](sock))
        return times .. " " .. sock[2]
    end
    for _, ends in ipairs{ "setkeepalive", "setkeepalive", "setkeepalive",
                           "close", "setkeepalive", "setkeepalive",
                           "setkeepalive", "close" } do
        ngx.say(use(ends))
    end
}
--- request
--- response
0 127.0.0.1:$TEST_PORT2
1 127.0.0.1:$TEST_PORT2
2 127.0.0.1:$TEST_PORT2
3 127.0.0.1:$TEST_PORT2
0 127.0.0.1:$TEST_PORT2
1 127.0.0.1:$TEST_PORT2
2 127.0.0.1:$TEST_PORT2
3 127.0.0.1:$TEST_PORT2
--- no_error_log
[error]


=== names: addresses that look alike have pools of their own
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT2;
    listen 127.0.1.1:$TEST_PORT2;
    listen 127.1.0.1:$TEST_PORT2;
    process_by_lua_block {
        local own = ngx.req.socket():getsockname()
        while ngx.receive(1) do
            ngx.say(own)
        end
    }
}
--- tcp_server_config
process_by_lua_block {
    local hosts = { "127.0.0.1", "127.0.1.1", "127.1.0.1" }
    local wrong, reused = 0, 0
    for i = 1, 60 do
        local host = hosts[i % 7 % 3 + 1]
        local sock = ngx.socket.tcp()
        assert(sock:connect(host, i % 2 == 0 and $TEST_PORT2 or "$TEST_PORT2"))
        reused = reused + sock:getreusedtimes()
        assert(sock:send("x"))
        if sock:receive() ~= host or sock[2] ~= host .. ":$TEST_PORT2" then
            wrong = wrong + 1
        end
        assert(sock:setkeepalive())
    end
    ngx.say(wrong, " wrong, ", reused > 60 and "" or "not ", "used again")
}
--- request
--- response
0 wrong, used again
--- no_error_log
[error]


=== order: the last that came is the first that goes
--- peer
A: accept
B: accept
C: accept
C: expect "1"
B: expect "2"
A: expect "3"
A: expect_eof
B: expect_eof
C: expect_eof
--- tcp_server_config
process_by_lua_block {
    local socks = {}
    for i = 1, 3 do
        socks[i] = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    end
    for i = 1, 3 do socks[i]:setkeepalive() end
    for i = 1, 3 do
        socks[i]:connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.say(socks[i]:send(i), " ", socks[i]:getreusedtimes())
    end
    for i = 1, 3 do socks[i]:close() end
}
--- request
--- response
1 1
1 1
1 1
--- no_error_log
[error]


=== size: the oldest makes room
--- peer
A: accept
B: accept
C: accept
A: expect_eof
C: expect "1"
B: expect "2"
B: expect_eof
C: expect_eof
D: accept
D: expect "3"
D: expect_eof
--- tcp_server_config
process_by_lua_block {
    local socks = {}
    for i = 1, 3 do
        socks[i] = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    end
    for i = 1, 3 do socks[i]:setkeepalive(0, 2) end
    for i = 1, 3 do
        socks[i]:connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.say(socks[i]:send(i), " ", socks[i]:getreusedtimes())
    end
    for i = 1, 3 do socks[i]:close() end
}
--- request
--- response
1 1
1 1
1 0
--- no_error_log
[error]


=== size: of the configuration, or of connect
--- peer
A: accept
B: accept
A: expect_eof
B: expect "x"
B: expect_eof
C: accept
D: accept
C: expect_eof
D: expect "x"
D: expect_eof
--- tcp_server_config
lua_socket_pool_size 1;
process_by_lua_block {
    local function try(...)
        local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, ...)
        local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, ...)
        ngx.say(a:setkeepalive(), " ", b:setkeepalive(nil, ... and 5))
        a:connect("127.0.0.1", $TEST_PEER_PORT, ...)
        a:send("x")
        a:close()
    end
    try()
    try({ pool = "p", pool_size = 1 })
}
--- request
--- response
1 1
1 1
--- no_error_log
[error]


=== timeout: an idle connection is closed when its time is over
--- peer
A: accept
A: expect_eof
B: accept
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:setkeepalive(200)
    ngx.sleep(0.1)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:setkeepalive(100)
    ngx.sleep(0.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    ngx.sleep(0.3)
    ngx.say(sock:send(""), " ", sock:close())
}
--- request
--- response
1
0
0 1
--- no_error_log
[error]


=== timeout: of the configuration; 0 is for ever
--- peer
A: accept
A: expect_eof
B: accept
B: expect "b"
B: expect_eof
--- peer2
C: accept
C: expect "c"
C: expect_eof
--- tcp_config
lua_socket_keepalive_timeout 100ms;
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:setkeepalive()
    ngx.sleep(0.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:setkeepalive(0)
    ngx.sleep(0.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("b")
    sock:close()
}
--- tcp_server_config2
lua_socket_keepalive_timeout 0;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER2_PORT)
    sock:setkeepalive()
    ngx.sleep(0.2)
    sock:connect("127.0.0.1", $TEST_PEER2_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("c")
    sock:close()
}
--- request_parts
A: expect "0\n1\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "1\n"
B: expect_eof
--- no_error_log
[error]


=== dubious: bytes that nobody has received, in the kernel or read already
--- peer
A: accept
A: send "abc"
A: expect_close
B: accept
B: send "abc"
B: expect_close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.sleep(0.2)
    ngx.say(sock:setkeepalive())
    ngx.say(sock:receive(3))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(3)
    sock:receive(1)
    ngx.say(sock:setkeepalive())
    ngx.say(sock:close())
}
--- request
--- response
nilconnection in dubious state
nilclosed
nilconnection in dubious state
nilclosed
--- no_error_log
[alert]


=== dubious: the other side has ended
--- peer
A: accept
A: half_close
A: expect_eof
B: accept
B: send "abc"
B: half_close
B: expect_eof
C: accept
C: expect "x"
C: reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.sleep(0.2)
    ngx.say(sock:setkeepalive())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.sleep(0.2)
    sock:receive(3)
    ngx.say(sock:setkeepalive())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("x")
    ngx.sleep(0.2)
    ngx.say(sock:setkeepalive())
    ngx.say(sock:close())
}
--- request
--- response_like
^nilconnection in dubious state
nilconnection in dubious state
nil(connection in dubious state|closed)
nilclosed
$
--- no_error_log
[alert]


=== dubious: a receive was given up, by timeout, deadline or kill
--- peer
A: accept
A: expect_close
B: accept
B: expect_close
C: accept
C: expect_close
D: accept
D: expect_close
E: accept
E: expect "go"
E: send "late"
E: expect_close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function try(f)
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        f()
        ngx.say(sock:setkeepalive())
    end
    try(function()
        sock:settimeout(50)
        sock:receive(1)
        sock:settimeout(5000)
    end)
    try(function()
        ngx.deadline(0.05, function() return sock:receive() end)
    end)
    try(function()
        local t = ngx.thread.spawn(sock.receive, sock, 1)
        ngx.thread.kill(t)
    end)
    try(function()
        sock:settimeout(50)
        sock:receiveuntil("x")()
        sock:settimeout(5000)
    end)
    try(function()
        sock:settimeout(50)
        sock:receive(4)
        sock:settimeout(5000)
        sock:send("go")
        ngx.say(sock:receive(4))
    end)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:close()
}
--- request
--- response
nilconnection in dubious state
nilconnection in dubious state
nilconnection in dubious state
nilconnection in dubious state
late
1
1


=== idle: bytes, FIN and RST take a connection out of the pool
--- peer
A: accept
A: expect "a"
A: wait_log "idle 1"
A: send "unasked"
A: expect_close
B: accept
B: expect "b"
B: wait_log "idle 2"
B: half_close
B: expect_close
C: accept
C: expect "c"
C: wait_log "idle 3"
C: reset
D: accept
D: expect "d"
D: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for i = 1, 3 do
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.say(sock:getreusedtimes())
        sock:send(("abc"):sub(i, i))
        sock:setkeepalive()
        ngx.log(ngx.WARN, "idle ", i)
        ngx.sleep(0.3)
    end
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("d")
    sock:close()
}
--- request
--- response
0
0
0
0
--- no_error_log
[error]


=== idle: what has come since the last look is seen before a connection is used
--- peer
A: accept
A: expect "x"
A: send "y"
A: half_close
A: expect_close
B: accept
B: expect "z"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("x")
    sock:receive(1)
    -- The worker looks at no event meanwhile.
    local busy = io.popen("sleep 0.3")
    local ok, err = sock:setkeepalive()
    busy:read("*a")
    busy:close()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("z")
    sock:close()
}
--- request
--- response
0
--- no_error_log
[error]


=== sessions: what one gives back another gets
--- peer
A: accept
A: expect "12"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("1")
    sock:setkeepalive()
}
--- tcp_server_config2
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("2")
}
--- request_parts
A: expect "0\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "1\n"
B: expect_eof
--- no_error_log
[error]


=== sessions: in wait_next_request as well as in a timer
--- peer
A: accept
A: expect "123"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("1")
    sock:setkeepalive()
    ngx.say("kept")
    ngx.wait_next_request()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:send("2")
    sock:setkeepalive()
    local done = require("ngx.semaphore").new()
    ngx.timer.at(0, function()
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.log(ngx.WARN, "timer: ", sock:getreusedtimes())
        sock:send("3")
        sock:close()
        done:post()
    end)
    done:wait(5)
}
--- request_parts
expect "kept\n"
send "x"
expect "1\n"
close
--- error_log
timer: 2
--- no_error_log
[error]


=== busy: a connection in use by a thread is not given back
--- peer
accept
expect "go"
send "x"
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(sock.receive, sock, 1)
    ngx.say(sock:setkeepalive())
    sock:send("go")
    ngx.say(ngx.thread.wait(t))
    ngx.say(sock:setkeepalive(1))
}
--- request
--- response
nilsocket busy reading
truex
1
--- no_error_log
[error]


=== backlog: one waits until a connection is given back
--- peer
A: accept
A: expect "12"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local options = { pool_size = 1, backlog = 1 }
    local function connect()
        return ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    end
    local sock = connect()
    local t = ngx.thread.spawn(function()
        local sock = connect()
        ngx.say("got ", sock:getreusedtimes(), " ", sock:send("2"))
        sock:close()
    end)
    ngx.say(connect())
    ngx.say(coroutine.status(t))
    sock:send("1")
    ngx.say(sock:setkeepalive())
    ngx.thread.wait(t)
}
--- request
--- response
niltoo many waiting connect operations
suspended
1
got 1 1
--- no_error_log
[error]


=== backlog: one waits until a connection is closed, and makes its own
--- peer
A: accept
A: expect "1"
A: expect_eof
B: accept
B: expect "2"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local options = { pool = "p", pool_size = 1, backlog = 1 }
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    local t = ngx.thread.spawn(function()
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
        ngx.say("got ", sock:getreusedtimes(), " ", sock:send("2"))
        sock:close()
    end)
    sock:send("1")
    ngx.say(sock:close())
    ngx.thread.wait(t)
}
--- request
--- response
1
got 0 1
--- no_error_log
[error]


=== backlog: 0, and without a size
--- peer
A: accept
A: expect_eof
B: accept
C: accept
B: expect_eof
C: expect_eof
--- tcp_server_config
lua_socket_pool_size 2;
process_by_lua_block {
    local function connect(options)
        return ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    end
    local a = connect({ pool = "none", pool_size = 1, backlog = 0 })
    ngx.say(connect({ pool = "none", pool_size = 1, backlog = 0 }))
    ngx.say(connect({ pool = "none" }))
    a:close()
    local b, c = connect({ backlog = 0 }), connect({ backlog = 0 })
    ngx.say(b ~= nil, " ", c ~= nil)
    ngx.say(connect({ backlog = 0 }))
    b:close()
    c:close()
}
--- request
--- response
niltoo many waiting connect operations
niltoo many waiting connect operations
true true
niltoo many waiting connect operations
--- no_error_log
[error]


=== backlog: first come, first served
--- peer
A: accept
A: expect "12345"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local options = { pool_size = 1, backlog = 10 }
    local function use(i)
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
        sock:send(i)
        ngx.sleep(0.01)
        ngx.say(i, " ", sock:getreusedtimes())
        if i < 5 then sock:setkeepalive() else sock:close() end
    end
    local threads = {}
    for i = 1, 5 do threads[i] = ngx.thread.spawn(use, i) end
    for i = 1, 5 do ngx.thread.wait(threads[i]) end
}
--- request
--- response
1 0
2 1
3 2
4 3
5 4
--- no_error_log
[error]


=== backlog: timeout, kill and deadline of those that wait, and who is next
--- peer
A: accept
A: expect "15"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local options = { pool_size = 1, backlog = 3 }
    local function connect(timeout)
        local sock = ngx.socket.tcp()
        sock:settimeout(timeout)
        local ok, err = sock:connect("127.0.0.1", $TEST_PEER_PORT, options)
        return ok and sock, err
    end
    local first = connect(5000)
    first:send("1")
    local second = ngx.thread.spawn(connect, 5000)
    local third = ngx.thread.spawn(function()
        return ngx.deadline(0.1, connect, 5000)
    end)
    ngx.update_time()
    local began = ngx.now()
    ngx.say(connect(200))
    ngx.update_time()
    ngx.say(ngx.now() - began >= 0.195)
    ngx.say(ngx.thread.wait(third))
    ngx.say(ngx.thread.kill(second))
    local fifth = ngx.thread.spawn(connect, 5000)
    first:setkeepalive()
    local _, sock = ngx.thread.wait(fifth)
    ngx.say(sock:getreusedtimes(), " ", sock:send("5"))
    sock:close()
}
--- request
--- response
niltimeout
true
truenildeadline
1
1 1
--- error_log
lua tcp socket connect timed out


=== backlog: the session that has the connection ends
--- peer
A: accept
A: expect_eof
B: accept
B: expect "x"
B: expect_eof
--- tcp_config
init_by_lua_block { options = { pool = "p", pool_size = 1, backlog = 1 } }
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    ngx.say("has it")
    ngx.receive("*l")
    ngx.say("bye")
}
--- tcp_server_config2
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    ngx.say("mine now ", sock:getreusedtimes(), " ", sock:send("x"))
}
--- request_parts
A: expect "has it\n"
B: connect $TEST_PORT2
B: expect_nothing 0.1
A: send "\n"
A: expect "bye\n"
A: expect_eof
B: expect "mine now 0 1\n"
B: expect_eof
--- no_error_log
[error]


=== backlog: the session that waits ends
--- peer
A: accept
A: expect "z"
A: expect_eof
--- tcp_config
lua_check_client_abort on;
init_by_lua_block { options = { pool = "p", pool_size = 1, backlog = 1 } }
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    ngx.say("has it")
    ngx.receive("*l")
    ngx.say(sock:setkeepalive())
    sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    ngx.say(sock:getreusedtimes(), " ", sock:send("z"))
}
--- tcp_server_config2
process_by_lua_block {
    ngx.log(ngx.WARN, "waits")
    ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    ngx.log(ngx.ERR, "woken")
}
--- request_parts
A: expect "has it\n"
B: connect $TEST_PORT2
B: wait_log "waits"
B: pause 0.1
B: close
A: sync
A: send "\n"
A: expect "1\n1 1\n"
A: expect_eof
--- no_error_log
[error]


=== backlog: a connect that fails makes room for the next
--- tcp_server_config
lua_socket_log_errors off;
process_by_lua_block {
    local options = { pool_size = 1, backlog = 5 }
    local function connect()
        return ngx.socket.connect("127.0.0.1", $TEST_CLOSED_PORT, options)
    end
    local threads = {}
    for i = 1, 5 do threads[i] = ngx.thread.spawn(connect) end
    for i = 1, 5 do ngx.say(ngx.thread.wait(threads[i])) end
    ngx.say(connect())
}
--- request
--- response
truenilconnection refused
truenilconnection refused
truenilconnection refused
truenilconnection refused
truenilconnection refused
nilconnection refused
--- no_error_log
[error]


=== backlog: idle connections that end make room for those that wait
--- peer
A: accept
B: accept
A: wait_log "waiting"
B: close
C: accept
C: expect "c"
C: expect_eof
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local options = { pool_size = 2, backlog = 2 }
    local function connect()
        return ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    end
    local a, b = connect(), connect()
    local t = ngx.thread.spawn(connect)
    ngx.log(ngx.WARN, "waiting")
    ngx.sleep(0.2)
    ngx.say(b:receive(1))
    b:close()
    local _, c = ngx.thread.wait(t)
    ngx.say(c:send("c"))
    c:close()
    a:close()
}
--- request
--- response
nilclosed
1
--- no_error_log
[alert]


=== backlog: a storm of timeouts, kills, deadlines and closes, and the count is right
--- events
worker_connections 1024;
--- tcp_server_config
lua_socket_log_errors off;
process_by_lua_block {
    local options = { pool = "p", pool_size = 5, backlog = 200 }
    local random = math.random
    local held, done = {}, 0

    local function use(i)
        local sock = ngx.socket.tcp()
        sock:settimeouts(random(1, 30), 1000, random(1, 30))
        held[i] = sock
        if not sock:connect("127.0.0.1", $TEST_PORT2, options) then return end
        sock:send(random(1, 5) .. "\n")
        local what = random(1, 4)
        if what == 1 then
            sock:close()
        elseif what == 2 then
            sock:receive()
            sock:setkeepalive()
        elseif what == 3 then
            sock:receive()
            ngx.sleep(random(1, 5) / 1000)
            sock:setkeepalive(random(1, 20))
        else
            sock:receive(random(1, 3))
        end
        done = done + 1
    end

    local function act(i)
        for _ = 1, 10 do
            local what = random(1, 3)
            if what == 1 then
                use(i)
            elseif what == 2 then
                ngx.deadline(random(0, 20) / 1000, use, i)
            else
                local t = ngx.thread.spawn(use, i)
                ngx.sleep(random(1, 20) / 1000)
                ngx.thread.kill(t)
            end
            held[i]:close()
        end
    end

    local threads = {}
    for i = 1, 60 do threads[i] = ngx.thread.spawn(act, i) end
    for i = 1, 60 do assert(ngx.thread.wait(threads[i])) end

    local last = {}
    for i = 1, 5 do
        last[i] = ngx.socket.tcp()
        last[i]:settimeout(3000)
        ngx.say(last[i]:connect("127.0.0.1", $TEST_PORT2, options))
    end
    local one_more = ngx.socket.tcp()
    one_more:settimeout(50)
    ngx.say(one_more:connect("127.0.0.1", $TEST_PORT2, options))
    for i = 1, 5 do last[i]:close() end
    if done == 0 then ngx.say("nothing came through") end
}
--- tcp_server_config2
process_by_lua_block {
    for line in function() return (ngx.receive()) end do
        local n = tonumber(line)
        if n == 1 then return end
        if n == 2 then ngx.req.socket():setoption("linger", true) return end
        if n == 3 then ngx.sleep(0.02) end
        ngx.say(line)
    end
}
--- request
--- response
1
1
1
1
1
niltimeout
--- timeout: 60
--- no_error_log
[error]
[alert]


=== worker_connections: idle connections make room for new ones
--- events
worker_connections 32;
--- peer
accept
--- tcp_server_config
process_by_lua_block {
    local old, new = {}, {}
    for i = 1, 15 do
        old[i] = assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, "old"))
    end
    for i = 1, 15 do assert(old[i]:setkeepalive(0)) end
    for i = 1, 15 do
        new[i] = assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, "new"))
    end
    ngx.say("all")
}
--- request
--- response
all
--- no_error_log
[error]


=== worker_connections: none is left
--- events
worker_connections 16;
--- tcp_server_config
process_by_lua_block {
    local socks, err = {}, nil
    for i = 1, 20 do
        socks[i], err = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
        if not socks[i] then break end
    end
    ngx.say(#socks > 3 and #socks < 16, " ", err)
}
--- tcp_server_config2
process_by_lua_block { ngx.receive("*a") }
--- request
--- response
true worker_connections are not enough
--- error_log
worker_connections are not enough


=== reload: the old worker gives its idle connections up and goes
--- peer
A: accept
A: expect "1"
A: expect_close
B: accept
B: expect "2"
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes(), " ", sock:send(ngx.receive("*l")))
    sock:setkeepalive(0)
}
--- request_parts
A: send "1\n"
A: expect "0 1\n"
A: expect_eof
reload
wait_workers
B: connect $TEST_PORT
B: send "2\n"
B: expect "0 1\n"
B: expect_eof
--- no_error_log
[error]


=== quit: idle connections do not hold the worker, one in use is closed when it is given back
--- peer
A: accept
A: expect "idle"
A: expect_close
B: accept
B: expect "used"
B: expect_close
--- tcp_server_config
process_by_lua_block {
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, "a")
    a:send("idle")
    a:setkeepalive(0)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, "b")
    b:send("used")
    ngx.say("ready")
    ngx.receive("*l")
    ngx.say(b:setkeepalive(0))
    ngx.say((ngx.socket.connect("127.0.0.1", $TEST_CLOSED_PORT, "b")))
}
--- request_parts
expect "ready\n"
signal QUIT
pause 0.3
send "\n"
expect "1\nnil\n"
expect_eof
wait_exit
--- no_error_log
[alert]


=== heartbeat: what is nats to a connection that is not idle is data
--- peer
accept
send "PING\r\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:receive())
    sock:close()
}
--- request
--- response
PING
--- no_error_log
[error]


=== heartbeat: PING is answered, and the connection stays
--- peer
A: accept
A: wait_log "idle"
A: send "PING\r\n"
A: expect "PONG\r\n"
A: drip "PI"
A: drip "NG\r\n"
A: expect "PONG\r\n"
A: send "PING\r\n" x 5
A: expect "PONG\r\n" x 5
A: send "+OK\r\nPONG\r\nINFO {\"a\":\"x\"}\r\nping\r\nINFO {}\r\nPING\r\n"
A: expect "PONG\r\nPONG\r\n"
A: wait_log "more"
A: expect "user"
A: send "answer"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:setkeepalive_nats(60000, 10))
    ngx.log(ngx.WARN, "idle")
    ngx.say("parked")
    ngx.receive("*l")
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.log(ngx.WARN, "more")
    ngx.say(sock:getreusedtimes(), " ", sock:send("user"))
    ngx.say(sock:receive(6))
    sock:close()
}
--- request_parts
expect "1\nparked\n"
pause 0.5
send "\n"
expect "1 4\nanswer\n"
expect_eof
--- no_error_log
[error]


=== heartbeat: what was not read yet when the connection is given back
--- peer
A: accept
A: send "+OK\r\nPING\r\nPI"
A: expect "PONG\r\n"
A: drip "NG\r\n"
A: expect "PONG\r\n"
A: expect "x"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(3)
    ngx.sleep(0.1)
    ngx.say(sock:setkeepalive(nil, nil, { heartbeat = "nats" }))
    ngx.sleep(0.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes(), " ", sock:send("x"))
    sock:close()
}
--- request
--- response
1
1 1
--- no_error_log
[error]


=== heartbeat: half a line goes to the next user, PING before it is answered
--- peer
A: accept
A: wait_log "idle"
A: send "PING\r\nMSG a"
A: expect "PONG\r\n"
A: wait_log "taken"
A: send " 1 2\r\nhi\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:setkeepalive_nats()
    ngx.log(ngx.WARN, "idle")
    ngx.sleep(0.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.log(ngx.WARN, "taken")
    ngx.say(sock:getreusedtimes(), " ", sock:receive(), " ", sock:receive())
    sock:close()
}
--- request
--- response
1 MSG a 1 2 hi
--- no_error_log
[error]


=== heartbeat: -ERR, a message, nonsense, lame duck mode and FIN end it
--- peer eval
my @steps;
my @words = ("-ERR 'Stale Connection'\r\n", "MSG a 1 2\r\nhi\r\n",
    "PING\r\nMSG a 1 2\r\nhi\r\n", "HMSG a 1 2 4\r\n", "\r\n", "nonsense\r\n",
    "INFO {\"ldm\":true}\r\n", 'x' x 70_000);
for my $i (0 .. $#words) {
    push @steps, ["C$i:", 'accept'], ["C$i:", wait_log => "idle $i;"],
        ["C$i:", send => $words[$i]],
        $words[$i] =~ /^PING/ ? ["C$i:", expect => "PONG\r\n"] : (),
        ["C$i:", 'expect_close'];
}
push @steps, ['D:', 'accept'], ['D:', wait_log => 'idle 8;'], ['D:', 'half_close'],
    ['D:', 'expect_close'], ['E:', 'accept'], ['E:', 'expect_eof'];
\@steps;
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for i = 0, 8 do
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.say(sock:getreusedtimes(), " ", sock:setkeepalive_nats())
        ngx.log(ngx.WARN, "idle ", i, ";")
        ngx.sleep(0.4)
    end
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:close()
}
--- request
--- response eval
"0 1\n" x 9 . "0\n"
--- timeout: 30
--- skip_mode: slow: 70 KB byte by byte
--- no_error_log
[error]


=== heartbeat: does not put the timeout off
--- peer
A: accept
A: drip "PING\r\nPING\r\nPING\r\nPING\r\n" 0.02
A: expect "PONG\r\n" x 4
A: expect_close
B: accept
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:setkeepalive_nats(1000)
    ngx.sleep(1.3)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes())
    sock:close()
}
--- request
--- response
0
--- no_error_log
[error]


=== heartbeat: the oldest makes room
--- peer
A: accept
B: accept
A: expect_eof
B: send "PING\r\n"
B: expect "PONG\r\n"
--- tcp_server_config
process_by_lua_block {
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(a:setkeepalive_nats(0, 1), " ", b:setkeepalive_nats(0, 1))
    ngx.sleep(0.3)
}
--- request
--- response
1 1
--- no_error_log
[error]


=== pools: hundreds of names, each used twice
--- events
worker_connections 1024;
--- tcp_server_config
process_by_lua_block {
    local sock, reused = ngx.socket.tcp(), 0
    for round = 1, 2 do
        for i = 1, 200 do
            assert(sock:connect("127.0.0.1", $TEST_PORT2, "pool" .. i))
            reused = reused + sock:getreusedtimes()
            if round == 1 then assert(sock:setkeepalive()) else sock:close() end
        end
    end
    ngx.say(reused)
}
--- tcp_server_config2
process_by_lua_block { ngx.receive("*a") }
--- request
--- response
200
--- no_error_log
[error]
