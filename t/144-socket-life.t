# Whose sockets are, until when, and what ends with them; two threads on one
# socket; sockets in timers and hooks, and in ngx.select.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== life: kept in a module's table, used when its session has ended
--- peer
A: accept
A: expect "one"
A: expect_eof
B: accept
B: expect "two"
B: expect_eof
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    kept.reader = kept.sock:receiveuntil("x")
    ngx.say(kept.sock:send("one"))
}
--- tcp_server_config2
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = kept.sock
    show(sock:send("x"))
    show(sock:receive())
    show(sock:receiveany(1))
    show(sock:peek(1))
    show((select(2, kept.reader())))
    show(sock:shutdown("send"))
    show(sock:getreusedtimes())
    show(sock:getpeername())
    show(sock:getfd())
    show(sock:setoption("keepalive", true))
    show(sock:setkeepalive())
    show(sock:close())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:send("two"))
}
--- request_parts
A: expect "3\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "2: nilclosed\n" x 4
B: expect "1: closed\n"
B: expect "2: nilclosed\n" x 7
B: expect "1: 1\n1: 3\n"
B: expect_eof
--- no_error_log
[error]


=== life: another session uses it while its own lasts, and is told the end
--- peer
accept
expect "12"
send "ab"
expect_eof
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(kept.sock:send("1"))
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(kept.sock:send("2"))
    ngx.say(kept.sock:receive(2))
    ngx.log(ngx.WARN, "waits")
    ngx.say(kept.sock:receive(2))
    ngx.say(kept.sock:send("3"))
}
--- request_parts
A: expect "1\n"
B: connect $TEST_PORT2
B: expect "1\nab\n"
B: expect_nothing 0.1
A: send "\n"
A: expect_eof
B: expect "nilclosed\nnilclosed\n"
B: expect_eof
--- no_error_log
[error]


=== life: another session puts it into a pool, where it outlives its own
--- peer
accept
expect "123"
expect_eof
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(kept.sock:send("1"))
    ngx.receive("*l")
    ngx.say(kept.sock:send("x"))
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(kept.sock:send("2"))
    ngx.say(kept.sock:setkeepalive())
}
--- tcp_server_config3
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getreusedtimes(), " ", sock:send("3"))
}
--- request_parts
A: expect "1\n"
B: connect $TEST_PORT2
B: expect "1\n1\n"
B: expect_eof
A: send "\n"
A: expect "nilclosed\n"
A: expect_eof
C: connect $TEST_PORT3
C: expect "1 1\n"
C: expect_eof
--- no_error_log
[error]


=== life: over ngx.wait_next_request
--- peer
accept
expect "12"
send "answer\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:send(ngx.receive(1)))
    ngx.wait_next_request()
    ngx.say(sock:send(ngx.receive(1)))
    ngx.say(sock:receive())
}
--- request_parts
send "1"
expect "1\n"
send "2"
expect "1\nanswer\n"
expect_eof
--- no_error_log
[error]


=== end: of the script, with sockets open
--- peer
A: accept
B: accept
A: expect_eof
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say("bye")
}
--- request
--- response
bye
--- no_error_log
[error]


=== end: ngx.exit with a thread in each wait
--- peer
A: accept
B: accept
B: stop_reading
A: wait_log "all wait"
A: expect_close
B: start_reading
B: read_all
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_server_config
process_by_lua_block {
    local options = { pool = "p", pool_size = 1, backlog = 5 }
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.spawn(function() a:receive(1) ngx.log(ngx.ERR, "woken") end)
    ngx.thread.spawn(function()
        b:send(("x"):rep(8000000))
        ngx.log(ngx.ERR, "woken")
    end)
    ngx.thread.spawn(function() b:receiveuntil("x")() ngx.log(ngx.ERR, "woken") end)
    ngx.thread.spawn(function()
        ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
        ngx.log(ngx.ERR, "woken")
    end)
    ngx.thread.spawn(function()
        ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
        ngx.log(ngx.ERR, "woken")
    end)
    ngx.say("all wait")
    ngx.log(ngx.WARN, "all wait")
    ngx.exit()
}
--- request
--- response
all wait
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== end: an error with a thread in each wait
--- peer
A: accept
B: accept
A: expect_close
B: read_all
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_server_config
process_by_lua_block {
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.spawn(function() a:receive(1) ngx.log(ngx.ERR, "woken") end)
    ngx.thread.spawn(function() b:receive(1) ngx.log(ngx.ERR, "woken") end)
    ngx.thread.spawn(function()
        ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
        ngx.log(ngx.ERR, "woken")
    end)
    ngx.say("all wait")
    error("enough")
}
--- request
--- response
all wait
--- error_log
enough
--- no_error_log
woken
[alert]


=== end: the client goes with a thread in each wait
--- peer
A: accept
B: accept
A: expect_close
B: read_all
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_config
lua_check_client_abort on;
--- tcp_server_config
process_by_lua_block {
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.spawn(function() a:receive(1) ngx.log(ngx.ERR, "woken") end)
    ngx.thread.spawn(function() b:receive(1) ngx.log(ngx.ERR, "woken") end)
    ngx.say("all wait")
    ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
    ngx.log(ngx.ERR, "woken")
}
--- request_parts
expect "all wait\n"
close
--- no_error_log
[error]
woken


=== end: the client goes while its script looks a name up, then a reload
--- peers: dns
--- tcp_config
resolver 127.0.0.1:$TEST_DNS_SILENT_PORT ipv6=off;
lua_check_client_abort on;
--- tcp_server_config
process_by_lua_block {
    ngx.say("looks")
    ngx.socket.connect("one.test", 80)
    ngx.log(ngx.ERR, "woken")
}
--- request_parts
A: expect "looks\n"
A: reset
B: connect
B: expect "looks\n"
B: close
C: connect
C: expect "looks\n"
C: close
sync
--- no_error_log
[error]
woken


=== kill: a thread in each wait
--- peer
A: accept
B: accept
B: stop_reading
A: expect "still"
A: expect_eof
B: close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_server_config
process_by_lua_block {
    local options = { pool = "p", pool_size = 1, backlog = 5 }
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local threads = {
        ngx.thread.spawn(function() a:receive(1) end),
        ngx.thread.spawn(function() b:send(("x"):rep(8000000)) end),
        ngx.thread.spawn(function() b:receiveuntil("x")() end),
        ngx.thread.spawn(function()
            ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
        end),
        ngx.thread.spawn(function()
            ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
        end),
        ngx.thread.spawn(function() ngx.select{ b, timeout = 60 } end),
    }
    for i, t in ipairs(threads) do
        ngx.say(coroutine.status(t), " ", ngx.thread.kill(t))
    end
    ngx.say(a:send("still"))
}
--- request
--- response_like
^(suspended 1
){5}(suspended|zombie) .*
5
$
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== deadline: in each wait, all in one thread
--- peer
A: accept
B: accept
B: stop_reading
A: expect "still"
A: expect_eof
B: close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- peers: dns
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_SILENT_PORT ipv6=off;
process_by_lua_block {
    local options = { pool = "p", pool_size = 1, backlog = 5 }
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local function try(f)
        ngx.deadline(0.05, function()
            local ok, err = f()
            ngx.say(ok, " ", err)
        end)
    end
    try(function() return a:receive(1) end)
    try(function() return b:receiveuntil("x")() end)
    try(function() return ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT) end)
    try(function() return ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, options) end)
    try(function() return ngx.socket.connect("one.test", 80) end)
    try(function() return ngx.select{ a, b } end)
    try(function() return b:send(("x"):rep(8000000)) end)
    ngx.say(a:send("still"))
}
--- request
--- response
nil deadline
nil deadline
nil deadline
nil deadline
nil deadline
nil deadline
nil deadline
5
--- skip_mode: slow: 8 MB byte by byte
--- no_error_log
[error]


=== collected: objects that nobody has any more
--- events
worker_connections 1024;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local before = worker.fds()
    local most = 0
    for i = 1, 300 do
        assert(ngx.socket.connect("127.0.0.1", $TEST_PORT2))
        if i % 20 == 0 then
            collectgarbage()
            ngx.sleep(0.001)
            most = math.max(most, worker.fds() - before)
        end
    end
    ngx.say(most < 450 and "fewer" or most)
}
--- tcp_server_config2
process_by_lua_block { ngx.receive("*a") }
--- request
--- response
fewer
--- no_error_log
[error]


=== collected: an object whose thread waits is none
--- peer
accept
expect "go"
send "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        sock:send("go")
        return sock:receive(1)
    end)
    for _ = 1, 10 do
        collectgarbage()
        ngx.sleep(0.002)
    end
    ngx.say(ngx.thread.wait(t))
}
--- request
--- response
truex
--- no_error_log
[error]


=== duplex: one thread sends while another receives
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local writer = ngx.thread.spawn(function()
        for i = 1, n do assert(sock:send(("%09d\n"):format(i))) end
        return sock:shutdown("send")
    end)
    local reader = ngx.thread.spawn(function()
        local i = 0
        for line in function() return (sock:receive()) end do
            i = i + 1
            assert(tonumber(line) == i)
        end
        return i
    end)
    ngx.say(ngx.thread.wait(writer))
    ngx.say(ngx.thread.wait(reader))
    ngx.say(sock:close())
}
--- tcp_server_config2
process_by_lua_block {
    while true do
        local data = ngx.receive(65536, 1)
        if not data then break end
        ngx.print(data)
    end
}
--- request eval
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 50_000) . "\n"
--- response eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 50_000;
"true1\ntrue$n\nnilclosed\n"
--- no_error_log
[alert]


=== duplex: a relay of two threads between client and server
--- tcp_server_config
process_by_lua_block {
    local client = ngx.req.socket(true)
    local server = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local function pump(from, to)
        while true do
            local data = from:receiveany(16384)
            if not data then break end
            if not to:send(data) then return end
        end
        to:shutdown("send")
    end
    local up, down = ngx.thread.spawn(pump, client, server),
        ngx.thread.spawn(pump, server, client)
    ngx.thread.wait(up)
    ngx.thread.wait(down)
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say("hello")
    local n = 0
    while true do
        local data = ngx.receive(65536, 1)
        if not data then break end
        n = n + #data
        ngx.print(data)
    end
    ngx.say("bye ", n)
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 500_000;
[[expect => "hello\n"], [drip => 'one'], [expect => 'one'],
 [send => 'xy' x $n], [expect => 'xy' x $n], ['half_close'],
 [expect => 'bye ' . (2 * $n + 3) . "\n"], ['expect_eof']]
--- no_error_log
[error]


=== timers: a socket of a callback ends with it
--- peer
accept
expect "tick"
send "tock\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local done = require("ngx.semaphore").new()
    local kept
    ngx.timer.at(0, function()
        kept = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        kept:send("tick")
        ngx.log(ngx.WARN, "timer: ", kept:receive())
        done:post()
    end)
    ngx.say(done:wait(5))
    ngx.sleep(0.05)
    ngx.say(kept:send("x"))
}
--- request
--- response
true
nilclosed
--- error_log
timer: tock
--- no_error_log
[error]


=== timers: use a session's socket, a session a timer's
--- peer
A: accept
A: expect "by timer"
A: expect_eof
B: accept
B: expect "by session"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local ready, done = semaphore.new(), semaphore.new()
    local own = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local timers
    ngx.timer.at(0, function()
        own:send("by timer")
        timers = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        ready:post()
        done:wait(5)
    end)
    ready:wait(5)
    ngx.say(timers:send("by session"))
    own:close()
    done:post()
}
--- request
--- response
10
--- no_error_log
[error]


=== hooks: a worker connects before it accepts, and pools what it has
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { results = {} }
init_worker_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:settimeout(3000)
    results[1] = tostring(sock:connect("127.0.0.1", $TEST_REDIS_PORT))
    results[2] = tostring(sock:send("PING\r\n"))
    results[3] = tostring(sock:receive())
    results[4] = tostring(sock:setkeepalive(0))
}
--- peers: redis
--- tcp_server_config
process_by_lua_block {
    ngx.say(table.concat(results, " "))
    local sock = ngx.socket.connect("127.0.0.1", $TEST_REDIS_PORT)
    ngx.say(sock:getreusedtimes() > 0)
    sock:send("PING\r\n")
    ngx.say(sock:receive())
    sock:setkeepalive(0)
}
--- request
--- response
1 6 +PONG 1
true
+PONG
--- no_error_log
[error]


=== hooks: a worker that exits says goodbye
--- tcp_config
exit_worker_by_lua_block {
    local sock, err = ngx.socket.connect("127.0.0.1", $TEST_REDIS_PORT)
    if not sock then return ngx.log(ngx.ERR, "no goodbye: ", err) end
    sock:send("PING\r\n")
    ngx.log(ngx.WARN, "goodbye: ", sock:receive(), " ", sock:setkeepalive(), " ",
        sock:send("x"))
}
--- peers: redis
--- tcp_server_config
process_by_lua_block { ngx.say("ok") }
--- request
--- response
ok
--- stop_log
goodbye: +PONG 1 nilclosed


=== hooks: a worker that is terminated has no time for it
--- tcp_config
exit_worker_by_lua_block {
    local sock, udp = ngx.socket.tcp(), ngx.socket.udp()
    local _, err = sock:connect("127.0.0.1", $TEST_CLOSED_PORT)
    local _, udp_err = udp:setpeername("127.0.0.1", $TEST_CLOSED_PORT)
    ngx.log(ngx.WARN, "tcp: ", err, ", udp: ", udp_err)
}
--- tcp_server_config
process_by_lua_block { ngx.say("ok") }
--- request
--- response
ok
--- stop: TERM
--- stop_log
tcp: process exiting, udp: process exiting


=== coroutines: calls that wait, in coroutines of the script's own
--- peer
accept
drip "a\nb\nc\n" 0.01
expect "done"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local lines = coroutine.wrap(function()
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        for _ = 1, 3 do coroutine.yield((sock:receive())) end
        local co = coroutine.create(function() return sock:send("done") end)
        local ok, n = coroutine.resume(co)
        sock:close()
        coroutine.yield(n)
    end)
    for value in lines do
        ngx.say(value)
        if value == 4 then break end
    end
}
--- request
--- response
a
b
c
4
--- no_error_log
[error]


=== errors: in a thread leave the sockets of the others
--- peer
A: accept
A: expect "fine"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        sock:send("fi")
        error("oops")
    end)
    ngx.say((ngx.thread.wait(t)))
    ngx.say(sock:send("ne"))
}
--- request
--- response
false
2
--- error_log
oops


=== select: the first socket of several on which something comes
--- peer
A: accept
B: accept
B: expect "go"
B: send "second"
A: expect "go"
A: send "first"
A: expect_eof
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    show(ngx.select{ a, b, timeout = 0 })
    show(ngx.select{ a, b, timeout = 0.05 })
    b:send("go")
    show(ngx.select{ a, b, timeout = 5 })
    show(ngx.select{ a, b, timeout = 0 })
    show(b:receive(6))
    a:send("go")
    show(ngx.select{ b, a })
    show(a:receive(1))
    show(ngx.select{ a, b })
    show(a:receive(4))
    show(ngx.select{ a, b, timeout = 0 })
    a:close()
    b:close()
}
--- request
--- response
2: niltimeout
2: niltimeout
2: 2true
2: 2true
1: second
2: 2true
1: f
2: 1true
1: irst
2: niltimeout
--- no_error_log
[error]


=== select: sockets among channels, semaphores and threads
--- peer
accept
expect "go"
send "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local ch, sem = ngx.channel.new(1), require("ngx.semaphore").new()
    ngx.timer.at(0.05, function() ch:send("news") end)
    show(ngx.select{ sock, ch, sem, timeout = 5 })
    local t = ngx.thread.spawn(function() ngx.sleep(0.02) return "done" end)
    show(ngx.select{ sock, ch, sem, t })
    sock:send("go")
    show(ngx.select{ ch, sem, sock })
    ch:send("more")
    show(ngx.select{ ch, sem, sock })
    show(sock:receive(1))
    sock:close()
}
--- request
--- response
2: 2news
3: 4truedone
2: 3true
2: 1more
1: x
--- no_error_log
[error]


=== select: a socket that is closed, of no connection, or read by another thread
--- peer
A: accept
A: half_close
A: expect_eof
B: accept
B: expect "go"
B: send "x"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local a = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    show(ngx.select{ a, timeout = 5 })
    show(a:receive())
    show(ngx.select{ a, timeout = 5 })
    show(ngx.select{ ngx.socket.tcp(), timeout = 5 })
    a:close()
    show(ngx.select{ a, timeout = 5 })
    local b = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(b.receive, b, 1)
    show(ngx.select{ b, timeout = 5 })
    b:send("go")
    show(ngx.thread.wait(t))
    t = ngx.thread.spawn(ngx.select, { b, timeout = 5 })
    show(b:receive(1))
    show(b:close())
    ngx.thread.kill(t)
    show(b:close())
}
--- request
--- response
2: 1true
2: nilclosed
2: 1true
2: 1true
2: 1true
3: 1nilsocket busy reading
2: truex
2: nilsocket busy reading
2: nilsocket busy reading
1: 1
--- no_error_log
[alert]


=== select: a send that times out ends it
--- peer
accept
stop_reading
wait_log "it is over"
close
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 200, 5000)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(ngx.select, { sock, timeout = 60 })
    local ok, err = sock:send(("x"):rep(20000000))
    show(ok, " ", err)
    show(sock:setkeepalive())
    ngx.sleep(0.01)
    show(ngx.thread.wait(t))
    ngx.log(ngx.WARN, "it is over")
}
--- request
--- response
3: nil timeout
2: nilclosed
3: true1true
--- skip_mode: slow: 20 MB byte by byte
--- no_error_log
[alert]


=== select: the client and a server
--- peer
accept
expect "hi\n"
send "from server\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local client = ngx.req.socket()
    local server = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    for _ = 1, 2 do
        local i = ngx.select{ client, server, timeout = 5 }
        if i == 1 then
            server:send(client:receive() .. "\n")
        else
            ngx.say(i, " ", server:receive())
        end
    end
    server:close()
}
--- request_parts
send "hi\n"
expect "2 from server\n"
expect_eof
--- no_error_log
[error]


=== nothing left: round trips with and without a pool
--- events
worker_connections 1024;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local function trip(keep)
        local sock = assert(ngx.socket.connect("127.0.0.1", $TEST_PORT2))
        assert(sock:send("ping\n"))
        assert(sock:receive() == "pong")
        if keep then assert(sock:setkeepalive()) else sock:close() end
    end
    local function round()
        for i = 1, n do trip(i % 10 > 0) end
        ngx.sleep(0.05)
        collectgarbage()
        collectgarbage()
        return worker.fds(), worker.memory()
    end
    round()
    round()
    local fds, memory = round()
    for _ = 1, 3 do round() end
    local more_fds, more_memory = round()
    ngx.say(more_fds - fds <= 2 and "no fds" or more_fds - fds)
    ngx.say(more_memory - memory < 24 and "no memory" or more_memory - memory)
}
--- tcp_server_config2
process_by_lua_block {
    while ngx.receive() do ngx.say("pong") end
}
--- request eval
($ENV{TEST_SLOW} ? 50 : $ENV{TEST_NGINX_USE_VALGRIND} ? 30 : 2000) . "\n"
--- response
no fds
no memory
--- timeout: 60
--- no_error_log
[alert]


=== nothing left: 100,000 round trips by a pool
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local function trips()
        for _ = 1, n / 8 do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", $TEST_PORT2))
            assert(sock:send("ping\n"))
            assert(sock:receive() == "pong")
            assert(sock:setkeepalive(60000, 8))
        end
    end
    local function round()
        local threads = {}
        for i = 1, 8 do threads[i] = ngx.thread.spawn(trips) end
        for i = 1, 8 do assert(ngx.thread.wait(threads[i])) end
        collectgarbage()
        collectgarbage()
        return worker.fds(), worker.memory()
    end
    round()
    local fds, memory = round()
    for _ = 1, 10 do
        local more_fds, more_memory = round()
        if more_fds ~= fds or more_memory > memory + 24 then
            ngx.say(more_fds - fds, " fds more, ", more_memory - memory, " KiB more")
        end
    end
    ngx.say("done")
}
--- tcp_server_config2
process_by_lua_block {
    while ngx.receive() do ngx.say("pong") end
}
--- repeat: 1
--- request eval
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 80 : 10_000) . "\n"
--- response
done
--- timeout: 60
--- no_error_log
[error]


=== nothing left: connects that fail, sockets left to the session's end
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_socket_log_errors off;
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    for i = 1, n do
        ngx.socket.connect("127.0.0.1", $TEST_CLOSED_PORT)
        ngx.socket.connect("unix:$TEST_DIR/nobody")
        ngx.socket.connect("", 1)
    end
    local socks = {}
    for i = 1, 20 do
        socks[i] = assert(ngx.socket.connect("127.0.0.1", $TEST_PORT2))
        socks[i]:send("x")
    end
    ngx.say("used")
}
--- tcp_server_config2
process_by_lua_block { ngx.receive("*a") }
--- tcp_server_config3
process_by_lua_block {
    ngx.sleep(0.1)
    collectgarbage()
    collectgarbage()
    local fds, memory = worker.fds(), worker.memory()
    local first = package.loaded.first
    package.loaded.first = first or { fds, memory }
    if first then
        ngx.say(fds - first[1], " ", memory - first[2] < 24 and "ok"
            or memory - first[2])
    end
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 20 : 200;
my @use = map {
    (["U$_:", connect => '$TEST_PORT'], ["U$_:", send => "$n\n"],
     ["U$_:", expect => "used\n"], ["U$_:", 'expect_eof'], ['sync'])
} 1 .. 4;
[@use, ['A:', connect => '$TEST_PORT3'], ['A:', 'expect_eof'],
 (map { my $step = [@$_]; $step->[0] =~ s/^U/V/; $step } @use),
 ['B:', connect => '$TEST_PORT3'], ['B:', expect => "0 ok\n"], ['B:', 'expect_eof']]
--- no_error_log
[alert]


=== torture: threads that share sockets, with kills and deadlines at any moment
--- events
worker_connections 1024;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_socket_log_errors off;
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local random = math.random
    local words = {
        ["closed"] = true, ["timeout"] = true, ["deadline"] = true,
        ["socket busy reading"] = true, ["socket busy writing"] = true,
        ["connection reset by peer"] = true, ["broken pipe"] = true,
        -- shutdown, when the other side has reset
        ["transport endpoint is not connected"] = true,
        ["connection in dubious state"] = true, ["key not found"] = true,
        ["too many waiting connect operations"] = true,
    }
    local rounds = tonumber(ngx.receive())
    local socks, ops = {}, 0
    for i = 1, 8 do
        socks[i] = ngx.socket.tcp()
        socks[i]:settimeout(20)
    end

    local function check(ok, err)
        ops = ops + 1
        if not ok and err ~= nil and not words[err] then
            ngx.say("unexpected: ", err)
        end
        return ok
    end

    local acts = {
        function(s) check(s:connect("127.0.0.1", $TEST_PORT2)) end,
        function(s)
            check(s:connect("127.0.0.1", $TEST_PORT2,
                { pool = "p", pool_size = 3, backlog = 3 }))
        end,
        function(s) check(s:send(random(1, 5) .. "\n")) end,
        function(s) check(s:send({ random(1, 5), "\n", ("x"):rep(random(1, 9)), "\n" })) end,
        function(s) check(s:receive()) end,
        function(s) check(s:receive(random(1, 3))) end,
        function(s) check(s:receiveany(5)) end,
        function(s) check(s:peek(2)) end,
        function(s) check(s:receiveuntil("\n")(2)) end,
        function(s) check(s:setkeepalive(random(1, 50), 3)) end,
        function(s) check(s:setkeepalive_nats(10)) end,
        function(s) check(s:close()) end,
        function(s) check(s:shutdown("send")) end,
        function(s) check(ngx.select{ s, socks[random(8)], timeout = 0.01 }) end,
        function(s) s:settimeouts(random(30), random(30), random(30)) end,
        function(s) ngx.sleep(random(1, 3) / 1000) end,
    }

    local function play()
        for _ = 1, rounds do
            acts[random(#acts)](socks[random(8)])
            if random(20) == 1 then collectgarbage() end
        end
    end

    local threads = {}
    for i = 1, 30 do
        if i % 3 == 0 then
            threads[i] = ngx.thread.spawn(ngx.deadline, random(50) / 1000, play)
        else
            threads[i] = ngx.thread.spawn(play)
        end
    end
    for i = 1, 10 do
        ngx.sleep(random(1, 10) / 1000)
        ngx.thread.kill(threads[i * 3 - 1])
    end
    for i = 1, 30 do
        if i % 3 ~= 2 then
            local ok, err = ngx.thread.wait(threads[i])
            if not ok then ngx.say(i, " ", err) end
        end
    end
    for _, s in ipairs(socks) do s:close() end
    ngx.say(ops > 100 and "played" or ops)
}
--- tcp_server_config2
process_by_lua_block {
    local client = ngx.req.socket()
    for line in function() return (client:receive()) end do
        local n = tonumber(line)
        if n == 1 then return end
        if n == 2 then client:setoption("linger", true) return end
        if n == 3 then ngx.sleep(0.01) end
        if n == 4 then client:shutdown("send") end
        if n == 5 then client:send("PING\r\n") end
        client:send(line .. "\n")
    end
}
--- request eval
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 40 : 400) . "\n"
--- response
played
--- timeout: 60
--- no_error_log
[alert]


=== quit: a session with sockets in use is served to its end
--- peer
accept
expect "question"
wait_log "gracefully shutting down"
drip "answer\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("question")
    ngx.say("asked")
    ngx.say(sock:receive())
}
--- request_parts
expect "asked\n"
signal QUIT
expect "answer\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== reload: the old worker's sockets go on
--- peer
accept
expect "question"
wait_log "start worker process" 2
drip "answer\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("question")
    ngx.say("asked")
    ngx.say(sock:receive())
}
--- request_parts
expect "asked\n"
reload
expect "answer\n"
expect_eof
wait_workers
--- no_error_log
[error]


=== terminate: with sockets in each wait
--- peer
A: accept
A: stop_reading
A: wait_log "exiting"
A: close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.spawn(function() sock:receive(1) end)
    ngx.thread.spawn(function()
        ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
    end)
    ngx.thread.spawn(function() sock:send(("x"):rep(20000000)) end)
    ngx.say("all wait")
    ngx.receive("*a")
}
--- request_parts
expect "all wait\n"
signal TERM
expect_close
wait_exit
--- skip_mode: slow: 20 MB byte by byte
--- no_error_log
[alert]


=== terminate: timers with sockets in each wait
--- peer
A: accept
A: stop_reading
A: wait_log "exiting"
A: close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_server_config
process_by_lua_block {
    local threads = 0
    local function in_timer(f)
        ngx.timer.at(0, function()
            threads = threads + 1
            f()
        end)
    end
    in_timer(function()
        ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT)
    end)
    in_timer(function()
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        ngx.thread.spawn(function() sock:receive(1) end)
        threads = threads + 1
        sock:send(("x"):rep(20000000))
    end)
    in_timer(function()
        local udp = ngx.socket.udp()
        udp:setpeername("127.0.0.1", $TEST_CLOSED_PORT)
        udp:receive()
    end)
    in_timer(function() ngx.thread.spawn(ngx.sleep, 3600) end)
    while threads < 5 do ngx.sleep(0.001) end
    ngx.say("all wait")
    ngx.receive("*a")
}
--- request_parts
expect "all wait\n"
signal TERM
expect_close
wait_exit
--- skip_mode: slow: 20 MB byte by byte
--- no_error_log
[alert]
