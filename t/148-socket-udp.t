# ngx.socket.udp and ngx.nlog: datagrams.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== udp: datagrams go and come
--- udp_peer
expect "one"
send "two"
expect "three4five"
send "six"
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.udp()
    show(sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT))
    show(sock:send("one"))
    show(sock:receive())
    show(sock:send({ "three", { 4 }, "five" }))
    show(sock:receive(100))
    show(sock:close())
    show(sock:close())
}
--- request
--- response
1: 1
1: 1
1: two
1: 1
1: six
1: 1
2: nilclosed
--- no_error_log
[error]


=== udp: many in a row, empty ones and large ones
--- peers: udp
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    sock:settimeout(5000)
    sock:setpeername("127.0.0.1", $TEST_UDP_PORT)
    for i = 1, 100 do
        sock:send("n" .. i)
        assert(sock:receive() == "n" .. i)
    end
    sock:send("twice x")
    ngx.say(sock:receive(), " ", sock:receive())
    sock:send("empty")
    ngx.say("<", sock:receive(), ">")
    sock:send("big 9000")
    ngx.say(#sock:receive(65535))
    sock:send("big 9000")
    ngx.say(#sock:receive())
    sock:send("big 100")
    ngx.say(#sock:receive(10))
    sock:send("next")
    ngx.say(sock:receive(2.9))
    sock:close()
}
--- request
--- response
twice x twice x
<>
9000
8192
10
ne
--- skip_mode: slow: one byte a call
--- no_error_log
[error]


=== udp: what the object is without a peer
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.udp()
    show(sock:send("x"))
    show(sock:receive())
    show(sock:getpeername())
    show(sock:getsockname())
    show(sock:close())
    show(sock:settimeout(5))
}
--- request
--- response
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
0: 
--- no_error_log
[error]


=== udp: nobody answers
--- udp_peer
expect "hello"
expect_nothing 0.1
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.udp()
    sock:settimeout(200)
    sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    sock:send("hello")
    ngx.update_time()
    local began = ngx.now()
    show(sock:receive())
    ngx.update_time()
    show(ngx.now() - began >= 0.195)
}
--- request
--- response
2: niltimeout
1: true
--- error_log
lua udp socket read timed out while running Lua, client: 127.0.0.1


=== udp: the socket is as good as before after a timeout
--- udp_peer
expect "one"
expect "two"
send "2"
--- tcp_server_config
lua_socket_read_timeout 100ms;
lua_socket_log_errors off;
process_by_lua_block {
    local sock = ngx.socket.udp()
    sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    sock:send("one")
    ngx.say(sock:receive())
    sock:send("two")
    sock:settimeout(5000)
    ngx.say(sock:receive())
}
--- request
--- response
niltimeout
2
--- no_error_log
[error]


=== udp: nobody is there
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    ngx.say(sock:setpeername("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(sock:send("x"))
    ngx.say(sock:receive())
    ngx.say(sock:send("x"))
    ngx.say(sock:receive())
}
--- request
--- response
1
1
nilconnection refused
1
nilconnection refused
--- error_log
recv() failed (111: connection refused) while running Lua, client: 127.0.0.1


=== udp: what cannot be sent
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    sock:setpeername("127.0.0.1", $TEST_CLOSED_PORT)
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    ngx.say(sock:send(("x"):rep(70000)))
    try(function() sock:send() end)
    try(function() sock:send("a", "b") end)
    try(function() sock:send(true) end)
    try(function() sock:send({ true }) end)
    try(function() sock:send({ a = 1 }) end)
    try(function() sock:receive(0) end)
    try(function() sock:receive("x") end)
    try(function() sock:settimeout(2 ^ 31) end)
    try(function() sock:setpeername("127.0.0.1", 70000) end)
    try(function() sock:setpeername("127.0.0.1") end)
    try(function() sock:setpeername({}, 1) end)
    try(function() ngx.socket.udp(1) end)
    try(function() sock.setpeername({}, "127.0.0.1", 1) end)
    ngx.say(sock:setpeername("", 1))
}
--- request
--- response
nilmessage too long
false expecting 2 arguments (including the object), but got 1
false expecting 2 arguments (including the object), but got 3
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got boolean)
false bad argument #1 to 'send' (bad data type boolean found)
false bad argument #1 to 'send' (non-array table found)
false bad argument #1 to 'receive' (bad size)
false bad argument #1 to 'receive' (bad size)
false bad argument #1 to 'settimeout' (bad timeout value)
false bad port number, need [0,65535]
false bad argument #2 to 'setpeername' (number expected, got nil)
false bad argument #1 to 'setpeername' (string expected, got table)
false expecting zero arguments, but got 1
false bad argument #1 to 'setpeername' (socket expected, got table)
nilfailed to parse host name "": no host
--- no_error_log
[alert]


=== udp: names, and their errors
--- peers: udp dns
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
process_by_lua_block {
    local sock = ngx.socket.udp()
    ngx.say(sock:setpeername("one.test", $TEST_UDP_PORT))
    sock:send("x")
    ngx.say(sock:receive(), " ", (sock:getpeername()))
    ngx.say(sock:setpeername("nx.test", $TEST_UDP_PORT))
    ngx.say(sock:send("x"))
}
--- request
--- response
1
x 127.0.0.1
nilnx.test could not be resolved (3: Host not found)
nilclosed


=== udp: from an address, and the names of both sides
--- peers: udp
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    ngx.say(sock:bind("nonsense"))
    ngx.say(sock:bind("127.0.0.9:$TEST_PORT9"))
    sock:setpeername("127.0.0.1", $TEST_UDP_PORT)
    sock:send("x")
    ngx.say(sock:receive())
    ngx.say(sock:getpeername())
    ngx.say(sock:getsockname())
    sock:close()
}
--- request
--- response
nilbad address
1
x
127.0.0.1$TEST_UDP_PORT
127.0.0.9$TEST_PORT9
--- no_error_log
[error]


=== udp: a second peer closes the first socket
--- udp_peer
expect "a"
send "b"
--- udp_peer2
expect "c"
send "d"
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    sock:send("a")
    ngx.say(sock:receive())
    ngx.say(sock:setpeername("127.0.0.1", $TEST_UDP_PEER2_PORT))
    sock:send("c")
    ngx.say(sock:receive())
}
--- request
--- response
b
1
d
--- no_error_log
[error]


=== udp: a second reader, kill and deadline
--- udp_peer
expect "go"
send "x"
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.udp()
    sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    local t = ngx.thread.spawn(sock.receive, sock)
    ngx.say(sock:receive())
    ngx.say(sock:close())
    ngx.say(sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT))
    ngx.say(ngx.thread.kill(t))
    ngx.say(ngx.deadline(0.05, sock.receive, sock))
    ngx.say(ngx.deadline(0, sock.receive, sock))
    sock:send("go")
    ngx.say(sock:receive())
}
--- request
--- response
nilsocket busy reading
nilsocket busy reading
nilsocket busy reading
1
nildeadline
nildeadline
x
--- no_error_log
[error]


=== udp: in ngx.select, among others
--- udp_peer
expect "one"
send "first"
expect "two"
send ""
--- peer
accept
expect "go"
send "tcp"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local tcp = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local udp, other = ngx.socket.udp(), ngx.socket.udp()
    udp:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    other:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    local sem, ch = require("ngx.semaphore").new(), ngx.channel.new(1)
    show(ngx.select{ tcp, udp, other, sem, timeout = 0 })
    show(ngx.select{ tcp, udp, other, sem, timeout = 0.02 })
    udp:send("one")
    show(ngx.select{ tcp, other, udp, sem, timeout = 5 })
    show(ngx.select{ tcp, other, udp, udp })
    show(udp:receive(2))
    show(ngx.select{ udp, ch, tcp, timeout = 0 })
    tcp:send("go")
    show(ngx.select{ udp, ch, tcp })
    show(tcp:receive(3))
    udp:send("two")
    show(ngx.select{ ch, udp, udp, timeout = 5 })
    show(udp:receive())
    ch:send("news")
    show(ngx.select{ udp, ch })
    show(ngx.select{ udp, other, timeout = 0 })
    tcp:close()
}
--- request
--- response
2: niltimeout
2: niltimeout
2: 3true
2: 3true
1: fi
2: niltimeout
2: 3true
1: tcp
2: 2true
1: 
2: 2news
2: niltimeout
--- no_error_log
[error]


=== udp: in ngx.select, the same one or a stream's twice: the first counts
--- udp_peer
expect "one"
send "x"
--- peer
accept
expect "go"
send "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local udp, tcp = ngx.socket.udp(), ngx.socket.tcp()
    udp:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    tcp:connect("127.0.0.1", $TEST_PEER_PORT)
    local function wait() return ngx.select{ udp, tcp, udp, tcp } end
    local t = ngx.thread.spawn(wait)
    udp:send("one")
    show(ngx.thread.wait(t))
    udp:receive()
    t = ngx.thread.spawn(wait)
    tcp:send("go")
    show(ngx.thread.wait(t))
    tcp:close()
    local client = ngx.req.socket()
    show(ngx.select{ udp, client, client })
}
--- request_parts
expect "3: true1true\n3: true2true\n"
send "x"
expect "2: 2true\n"
expect_eof
--- no_error_log
[alert]


=== udp: in ngx.select, where there is none, nobody, or another reader
--- udp_peer
expect "go"
send "x"
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local udp = ngx.socket.udp()
    show(ngx.select{ udp, timeout = 5 })
    udp:setpeername("127.0.0.1", $TEST_CLOSED_PORT)
    udp:send("is anybody there?")
    show(ngx.select{ udp, timeout = 5 })
    show(udp:receive())
    udp:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    local t = ngx.thread.spawn(udp.receive, udp)
    show(ngx.select{ udp, timeout = 5 })
    ngx.thread.kill(t)
    t = ngx.thread.spawn(ngx.select, { udp })
    show(udp:receive())
    show(udp:close())
    show(udp:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT))
    ngx.thread.kill(t)
    show(ngx.deadline(0.02, ngx.select, { udp }))
    udp:send("go")
    show(ngx.select{ udp })
    show(udp:receive())
    show(udp:close())
    show(ngx.select{ udp })
}
--- request
--- response
2: 1true
2: 1true
2: nilconnection refused
3: 1nilsocket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
2: nildeadline
2: 1true
1: x
1: 1
2: 1true
--- no_error_log
[alert]


=== udp: in ngx.select, when the session whose socket it is ends
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.socket.udp()
    kept.sock:setpeername("127.0.0.1", $TEST_UDP_PEER_PORT)
    ngx.say("ready")
    ngx.receive(1)
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say("waiting")
    ngx.say(ngx.select{ kept.sock })
    ngx.say(kept.sock:receive())
}
--- udp_peer
expect_nothing 0.01
--- request_parts
A: expect "ready\n"
B: connect $TEST_PORT2
B: expect "waiting\n"
A: send "x"
A: expect_eof
B: expect "1true\nnilclosed\n"
B: expect_eof
--- no_error_log
[error]


=== udp: a host's name is in an error's text as it is
--- tcp_server_config
lua_resolver_default off;
process_by_lua_block {
    local sock = ngx.socket.udp()
    ngx.print(select(2, sock:setpeername("\xff/\xc3", 1)), "\n",
        select(2, sock:setpeername("\xff\xc3", 1)), "\n")
}
--- request
--- response eval
qq{failed to parse host name "\xff/\xc3": invalid host\n}
    . qq{no resolver defined to resolve "\xff\xc3"\n}
--- no_error_log
[error]


=== udp: kept in a module's table, used when its session has ended
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.socket.udp()
    kept.sock:setpeername("127.0.0.1", $TEST_CLOSED_PORT)
    ngx.say("ready")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say("waits")
    ngx.flush()
    ngx.say(kept.sock:receive())
    ngx.say(kept.sock:send("x"))
    ngx.say(kept.sock:close())
}
--- request_parts
A: expect "ready\n"
B: connect $TEST_PORT2
B: expect "waits\n"
B: expect_nothing 0.1
A: send "\n"
A: expect_eof
B: expect "nilclosed\nnilclosed\nnilclosed\n"
B: expect_eof
--- no_error_log
[error]


=== udp: in timers, and the end of a session in a wait
--- peers: udp
--- tcp_config
lua_check_client_abort on;
--- tcp_server_config
process_by_lua_block {
    local done = require("ngx.semaphore").new()
    ngx.timer.at(0, function()
        local sock = ngx.socket.udp()
        sock:setpeername("127.0.0.1", $TEST_UDP_PORT)
        sock:send("tick")
        ngx.log(ngx.WARN, "timer: ", sock:receive())
        done:post()
    end)
    ngx.say(done:wait(5))
    local sock = ngx.socket.udp()
    sock:setpeername("127.0.0.1", $TEST_UDP_PORT)
    sock:receive()
    ngx.log(ngx.ERR, "woken")
}
--- request_parts
expect "true\n"
close
--- error_log
timer: tick
--- no_error_log
[error]
woken


=== udp: nothing is left of many
--- peers: udp
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local function round()
        for i = 1, 300 do
            local sock = ngx.socket.udp()
            assert(sock:setpeername("127.0.0.1", $TEST_UDP_PORT))
            sock:send("x")
            if i % 3 > 0 then
                sock:close()
            else
                assert(sock:receive() == "x")
            end
            if i % 50 == 0 then collectgarbage() end
        end
        collectgarbage()
        ngx.sleep(0.01)
    end
    round()
    local fds = worker.fds()
    for _ = 1, 3 do round() end
    ngx.say(worker.fds() - fds < 100 and "ok" or worker.fds() - fds)
}
--- request
--- response
ok
--- skip_mode: slow valgrind: thousands of calls
--- no_error_log
[alert]


=== nlog: lines of a log
--- udp_peer
expect "first"
expect "42"
--- tcp_config
init_by_lua_block {
    in_init = ngx.nlog("127.0.0.1:0", "127.0.0.1:$TEST_UDP_PEER_PORT")
}
--- tcp_server_config
process_by_lua_block {
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    ngx.say(in_init:send("first"), " ", in_init:send(42))
    try(function() in_init:send("") end)
    try(function() in_init:send({}) end)
    try(function() in_init:send() end)
    try(function() in_init:send("a", "b") end)
    try(function() in_init.send({}, "a") end)
    try(function() ngx.nlog("127.0.0.1:0", "127.0.0.1:1") end)
}
--- request
--- response
5 2
false nlog only send string
false nlog only send string
false expecting 1 arguments, but got 0
false expecting 1 arguments, but got 2
false wrong nlog object
false only use in init_by_lua
--- skip_mode: slow: one byte a call
--- no_error_log
[alert]


=== nlog: mistakes
--- tcp_config
init_by_lua_block {
    results = {}
    for i, case in ipairs({
        {}, { "127.0.0.1:0" }, { "127.0.0.1:0", 5, 6 }, { "x", "127.0.0.1:1" },
        { "127.0.0.1:0", "127.0.0.1" }, { "[::1]:0", "127.0.0.1:1" }, { {}, "x" },
        { "192.0.2.1:0", "127.0.0.1:1" },
    }) do
        results[i] = select(2, pcall(function() ngx.nlog(unpack(case)) end))
    end
}
--- tcp_server_config
process_by_lua_block {
    for _, result in ipairs(results) do
        ngx.say((result:gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
}
--- request
--- response
expecting 2 arguments, but got 0
expecting 2 arguments, but got 1
expecting 2 arguments, but got 3
bad argument, wrong format of ip:port
bad argument, wrong format of ip:port
bad argument, wrong format of ip:port
bad argument #1 to 'nlog' (string expected, got table)
bind failed
--- no_error_log
[error]
