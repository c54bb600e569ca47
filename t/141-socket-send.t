# sock:send() and sock:shutdown(): what can be sent, slow and lost receivers.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== send: strings, numbers, tables of them, and how many bytes they are
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:send("abc"))
    show(sock:send(-42))
    show(sock:send(1.5))
    show(sock:send(1e20))
    show(sock:send("\0\r\n"))
    show(sock:send({ "one", { "two", 33, {}, { { "four" } } }, "", 5 }))
    show(sock:send(""))
    show(sock:send({}))
    show(sock:send({ {}, "" }))
    sock:close()
}
--- peer eval
[['accept'], [expect => "abc-421.51e+20\0\r\nonetwo33four5"], ['expect_eof']]
--- request
--- response
1: 3
1: 3
1: 3
1: 5
1: 3
1: 13
1: 0
1: 0
1: 0
--- no_error_log
[error]


=== send: what cannot be sent
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
    local deep = {}
    for i = 1, 101 do deep = { deep } end
    try(function() sock:send() end)
    try(function() sock:send("a", "b") end)
    try(function() sock:send(nil) end)
    try(function() sock:send(true) end)
    try(function() sock:send(print) end)
    try(function() sock:send(ngx.null) end)
    try(function() sock:send({ "bad", true }) end)
    try(function() sock:send({ "bad", { nil, 1 } }) end)
    try(function() sock:send({ "bad", { ngx.null } }) end)
    try(function() sock:send({ "bad", { a = 1 } }) end)
    try(function() sock:send({ "bad", deep }) end)
    sock:send("good")
    sock:close()
}
--- request
--- response
false expecting 2 arguments (including the object), but got 1
false expecting 2 arguments (including the object), but got 3
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got nil)
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got boolean)
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got function)
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got userdata)
false bad argument #1 to 'send' (bad data type boolean found)
false bad argument #1 to 'send' (bad data type nil found)
false bad argument #1 to 'send' (bad data type userdata found)
false bad argument #1 to 'send' (non-array table found)
false bad argument #1 to 'send' (table is nested too deep)
--- no_error_log
[error]


=== send: on a socket that is not connected
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:send("x"))
    show(sock:shutdown("send"))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:close()
    show(sock:send("x"))
    show(sock:send({ "x" }))
    show(sock:send(""))
    show(sock:shutdown("send"))
}
--- request
--- response
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
--- no_error_log
[alert]


=== send: a lot, in order
--- peer eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 100_000;
[['accept'],
 [expect => "$n\n" . CORE::join '', map { sprintf "%09d\n", $_ } 1 .. $n],
 [send => 'ok'], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send(n .. "\n")
    local lines = {}
    for i = 1, n / 2 do lines[i] = ("%09d\n"):format(i) end
    ngx.say(sock:send(lines) == n / 2 * 10)
    for i = 1, n / 4 do lines[i] = ("%09d\n"):format(i + n / 2) end
    ngx.say(sock:send(table.concat(lines, "", 1, n / 4)) == n / 4 * 10)
    for i = n * 3 / 4 + 1, n do sock:send(("%09d\n"):format(i)) end
    ngx.say(sock:receive(2))
    sock:close()
}
--- request eval
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 100_000) . "\n"
--- response
true
true
ok
--- no_error_log
[error]


=== send: waits for a slow reader, while other threads run
--- peer eval
[['accept'], ['stop_reading'], [wait_log => 'tick 3'], ['start_reading'],
 [expect => 'x' x 8_000_000], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        for i = 1, 3 do
            ngx.sleep(0.05)
            ngx.log(ngx.WARN, "tick ", i)
        end
    end)
    ngx.say(sock:send(("x"):rep(8000000)))
    ngx.say(coroutine.status(t))
    sock:close()
}
--- request
--- response
8000000
zombie
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== send: the other side does not read, what is sent is told
--- tcp_config
init_by_lua_block {
    local semaphore = require "ngx.semaphore"
    go, all = semaphore.new(), semaphore.new()
    state = {}
}
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 300, 5000)
    sock:connect("127.0.0.1", $TEST_PORT2)
    ngx.update_time()
    local began = ngx.now()
    local n, err, sent = sock:send(("x"):rep(20000000))
    ngx.update_time()
    ngx.say(n, " ", err, " ", ngx.now() - began >= 0.295)
    ngx.say(sent > 0 and sent < 20000000)
    show(sock:send("y"))
    show(sock:receive(1))
    show(sock:getreusedtimes())
    show(sock:setkeepalive())
    show(sock:close())
    go:post()
    all:wait(10)
    ngx.say(sent == state.received)
}
--- tcp_server_config2
process_by_lua_block {
    go:wait(10)
    state.received = #ngx.receive("*a")
    all:post()
}
--- request
--- response
nil timeout true
true
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
true
--- error_log
lua tcp socket write timed out while running Lua, client: 127.0.0.1
--- skip_mode: slow: 20 MB byte by byte


=== send: its timeout ends a receive that waits, too
--- peer
accept
stop_reading
wait_log "both are over"
close
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 200, 60000)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(sock.receive, sock, 1)
    local ok, err = sock:send(("x"):rep(20000000))
    show(ok, " ", err)
    show(ngx.thread.wait(t))
    ngx.log(ngx.WARN, "both are over")
}
--- request
--- response
3: nil timeout
3: truenilclosed
--- skip_mode: slow: 20 MB byte by byte
--- no_error_log
[alert]


=== send: a reset ends both a send and a receive that wait
--- peer
accept
stop_reading
wait_log "suspended suspended"
reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:settimeout(60000)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local a = ngx.thread.spawn(sock.receive, sock, 1)
    local b = ngx.thread.spawn(sock.send, sock, ("x"):rep(20000000))
    ngx.log(ngx.WARN, coroutine.status(a), " ", coroutine.status(b))
    local _, data, err = ngx.thread.wait(a)
    ngx.say(data, " ", err)
    _, data, err = ngx.thread.wait(b)
    ngx.say(data, " ", err)
}
--- request
--- response_like
^nil (connection reset by peer|closed)
nil (connection reset by peer|broken pipe|closed)
$
--- skip_mode: slow: 20 MB byte by byte
--- no_error_log
[alert]


=== send: the timeout is one of the whole call
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 500, 5000)
    sock:connect("127.0.0.1", $TEST_PORT2)
    local n, err, sent = sock:send(("x"):rep(20000000))
    ngx.say(n, " ", err, " ", sent > 0)
}
--- tcp_server_config2
process_by_lua_block {
    for _ = 1, 40 do
        ngx.receive(100000, 1)
        ngx.sleep(0.05)
    end
}
--- request
--- response
nil timeout true
--- error_log
lua tcp socket write timed out
--- skip_mode: slow: 20 MB byte by byte


=== send: the timeout of the configuration, of sockets or of all
--- peer
A: accept
A: stop_reading
B: accept
B: stop_reading
A: wait_log "both"
A: close
B: close
--- tcp_config
send_timeout 300ms;
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local ok, err = sock:send(("x"):rep(20000000))
    ngx.say(ok, " ", err)
}
--- tcp_server_config2
send_timeout 10m;
lua_socket_send_timeout 200ms;
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local ok, err = sock:send(("x"):rep(20000000))
    ngx.say(ok, " ", err)
    ngx.log(ngx.WARN, "both")
}
--- request_parts
A: expect "nil timeout\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "nil timeout\n"
B: expect_eof
--- error_log
lua tcp socket write timed out
--- skip_mode: slow: 20 MB byte by byte


=== send: the other side resets
--- peer
accept
expect "a"
reset
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("a")
    ngx.sleep(0.2)
    show(sock:send("b"))
    show(sock:send("c"))
    show(sock:receive(1))
    show(sock:close())
}
--- request
--- response_like
^2: nil(connection reset by peer|broken pipe)
2: nilclosed
2: nilclosed
2: nilclosed
$
--- no_error_log
[alert]


=== send: the other side resets while a thread waits to send
--- peer
accept
stop_reading
wait_log "suspended"
reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        return sock:send(("x"):rep(20000000))
    end)
    ngx.log(ngx.WARN, coroutine.status(t))
    ngx.say(ngx.thread.wait(t))
    ngx.say(sock:send("c"))
}
--- request
--- response_like
^truenil(connection reset by peer|broken pipe)
nilclosed
$
--- skip_mode: slow: 20 MB byte by byte


=== send: the other side has half-closed
--- peer
accept
send "bye"
half_close
wait_log "closed"
expect "still here"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive("*a"))
    show(sock:receive(1))
    ngx.log(ngx.WARN, "closed")
    show(sock:send("still "))
    show(sock:send("here"))
    show(sock:receive(1))
    show(sock:close())
    show(sock:send("gone"))
}
--- request
--- response
1: bye
2: nilclosed
1: 6
1: 4
2: nilclosed
2: nilclosed
2: nilclosed
--- no_error_log
[alert]


=== shutdown: sends FIN, and receiving goes on
--- peer
accept
expect "question"
expect_eof
drip "answer"
half_close
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("question")
    show(sock:shutdown("send"))
    show(sock:send("more"))
    show(sock:shutdown("send"))
    show(sock:receive("*a"))
    show(sock:close())
}
--- request
--- response_like
^1: 1
2: nilclosed
2: nilclosed
1: answer
(1: 1|2: nilclosed)
$
--- error_log
attempt to send data on a closed socket
--- no_error_log
[alert]


=== shutdown: what is no direction; a connection that was shut down goes to no pool
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function try(...)
        local ok, err = pcall(...)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    try(function() return sock:shutdown() end)
    try(function() return sock:shutdown("receive") end)
    try(function() return sock:shutdown("both") end)
    try(function() return sock:shutdown(1) end)
    try(function() return sock:shutdown("send") end)
    ngx.say(sock:setkeepalive())
    ngx.say(sock:receive(1))
}
--- request
--- response
false bad argument #1 to 'shutdown' (only "send" is supported)
false bad argument #1 to 'shutdown' (only "send" is supported)
false bad argument #1 to 'shutdown' (only "send" is supported)
false bad argument #1 to 'shutdown' (only "send" is supported)
true 1
nilconnection in dubious state
nilclosed
--- no_error_log
[error]


=== busy: a second that wants to send, close, keep or connect
--- peer eval
[['accept'], ['stop_reading'], [wait_log => 'tried'], ['start_reading'],
 [expect => 'x' x 8_000_000 . 'end'], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        return sock:send(("x"):rep(8000000))
    end)
    show(sock:send("y"))
    show(sock:send({ "y" }))
    show(sock:shutdown("send"))
    show(sock:close())
    show(sock:setkeepalive())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.log(ngx.WARN, "tried")
    show(ngx.thread.wait(t))
    show(sock:send("end"))
    show(sock:close())
}
--- request
--- response
2: nilsocket busy writing
2: nilsocket busy writing
2: nilsocket busy writing
2: nilsocket busy writing
2: nilsocket busy writing
2: nilsocket busy writing
2: true8000000
1: 3
1: 1
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== send: killed while it waits, and the rest goes out in order
--- peer eval
[['accept'], ['stop_reading'], [wait_log => 'killed'], ['start_reading'],
 [expect => 'x' x 8_000_000 . 'end'], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        return sock:send(("x"):rep(8000000))
    end)
    ngx.say(ngx.thread.kill(t))
    ngx.log(ngx.WARN, "killed")
    ngx.say(sock:send("end"))
    sock:close()
}
--- request
--- response
1
3
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== send: a deadline, and the rest goes out in order
--- peer eval
[['accept'], ['stop_reading'], [wait_log => 'over'], ['start_reading'],
 [expect => 'x' x 8_000_000 . 'end'], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local n, err, sent = ngx.deadline(0.2, function()
        return sock:send(("x"):rep(8000000))
    end)
    ngx.say(n, " ", err, " ", sent > 0 and sent < 8000000)
    ngx.log(ngx.WARN, "over")
    ngx.say(sock:send("end"))
    sock:close()
}
--- request
--- response
nil deadline true
3
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== send: a deadline that is over already
--- peer
accept
expect "small"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.deadline(0, function()
        ngx.say(sock:send("small"))
        ngx.say(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT))
    end)
    sock:close()
}
--- request
--- response
5
nildeadline
--- skip_mode: slow: no byte goes out at once
--- no_error_log
[error]


=== send: many calls in a row leave others their turn
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT2))
    local t = ngx.thread.spawn(function()
        while true do
            ngx.sleep(0.001)
            n = n + 1
        end
    end)
    for i = 1, 20000 do assert(sock:send("0123456789")) end
    sock:shutdown("send")
    ngx.say(n > 0, " ", sock:receive())
    ngx.thread.kill(t)
}
--- tcp_server_config2
process_by_lua_block { ngx.say(#ngx.receive("*a")) }
--- request
--- response
true 200000
--- skip_mode: slow: 200 KB byte by byte
--- no_error_log
[error]


=== send: where one cannot wait, what the kernel does not take still follows
--- peer
A: accept
A: stop_reading
A: wait_log "raised"
A: start_reading
A: expect_like /\Ax+;/
A: send "all"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local text = ("x"):rep(9000000) .. ";"
    ngx.say(pcall(table.sort, { 1, 2 }, function() sock:send(text) end))
    ngx.log(ngx.WARN, "raised")
    ngx.say(sock:receive(3))
    sock:close()
}
--- request
--- response
falseprocess_by_lua_block(nginx.conf:10):4: attempt to yield across C-call boundary
all
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]
