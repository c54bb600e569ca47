# Sockets with nginx's event methods: what they do is the same, and whatever the
# other side does while nobody reads it or nothing can be written, the worker
# sleeps.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== epoll: sockets in each state, and the worker sleeps
--- peers: udp
--- events: use epoll;
--- peer
A: accept
B: accept
C: accept
D: accept
E: accept
F: accept
G: accept
H: accept
I: accept
D: stop_reading
H: stop_reading
A: send "unread"
B: half_close
C: send "x"
C: reset
G: send "part"
I: send "x"
I: half_close
D: wait_log "the worker is"
D: reset
H: reset
A: expect_close
B: expect_close
E: close
F: close
G: expect_close
I: expect_close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local function connect(pool)
        return assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, pool))
    end
    local a, b, c, d = connect(), connect(), connect(), connect()
    local e, f, g, h, i = connect("e"), connect("f"), connect(), connect(), connect()
    e:setkeepalive(0)
    f:setkeepalive_nats(0)
    local spawn = ngx.thread.spawn
    local threads = {
        spawn(function() d:send(("x"):rep(20000000)) end),
        spawn(function() g:receive(100) end),
        spawn(function() ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT) end),
        spawn(function() ngx.select{ d, g, timeout = 60 } end),
    }
    -- The rest of it is still to be sent.
    ngx.thread.kill(spawn(function() h:send(("x"):rep(20000000)) end))
    i:peek(1)
    local udp = {}
    for n = 1, 5 do
        udp[n] = ngx.socket.udp()
        udp[n]:setpeername("127.0.0.1", n < 4 and $TEST_UDP_PORT or $TEST_CLOSED_PORT)
        if n > 1 then udp[n]:send("unread") end
    end
    -- Nothing comes; something has come, and nobody knew or one was told of it;
    -- nobody is there, and the same.
    spawn(ngx.select, { udp[1] })
    ngx.select{ udp[3], timeout = 5 }
    ngx.select{ udp[5], timeout = 5 }
    ngx.sleep(0.3)
    ngx.log(ngx.WARN, "the worker is ", worker.busy(1))
    ngx.exit()
}
--- request
--- response
--- error_log
the worker is idle
--- no_error_log
[alert]
--- skip_mode: slow valgrind: uses processor time itself


=== epoll: what sockets do
--- events: use epoll;
--- peer
A: accept
A: drip "by\nbytes"
A: expect "x" x 2000
A: send "done\n"
A: wait_log "idle"
A: send "PING\r\n"
A: expect "PONG\r\n"
A: expect "again"
A: half_close
A: expect_eof
B: accept
B: expect "late"
B: send "r"
B: reset
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:receive())
    show(sock:receive(5))
    local t = ngx.thread.spawn(sock.receive, sock)
    show(sock:send(("x"):rep(2000)))
    show(ngx.thread.wait(t))
    sock:settimeout(100)
    show(sock:receive(1))
    sock:settimeout(5000)
    show(ngx.select{ sock, timeout = 0.05 })
    local other = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    other:send("echo\n")
    show(other:receive())
    show(other:setkeepalive_nats())
    local f = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    show(f:getreusedtimes())
    f:close()
    ngx.log(ngx.WARN, "idle")
    show(sock:receive())
    show(sock:send("PONG\r\nagain"))
    show(ngx.select{ sock, timeout = 5 })
    show(sock:receive("*a"))
    show(sock:close())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:send("late"))
    ngx.sleep(0.2)
    show((select(2, sock:receive("*a"))))
    show(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
}
--- tcp_server_config2
process_by_lua_block {
    for line in function() return (ngx.receive()) end do ngx.say(line) end
}
--- request
--- response
1: 1
1: by
1: bytes
1: 2000
2: truedone
2: niltimeout
2: niltimeout
1: echo
1: 1
1: 1
1: PING
1: 11
2: 1true
1: 
1: 1
1: 1
1: 4
1: connection reset by peer
2: nilconnection refused
--- no_error_log
[alert]


=== epoll: much, both ways at once
--- events: use epoll;
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive())
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local writer = ngx.thread.spawn(function()
        for _ = 1, 10 do sock:send(("0123456789"):rep(n / 100)) end
        return sock:shutdown("send")
    end)
    ngx.say(sock:receive("*a") == ("0123456789"):rep(n / 10))
    ngx.say(ngx.thread.wait(writer))
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
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 1000 : 3_000_000) . "\n"
--- response
true
true1
--- no_error_log
[alert]


=== poll: sockets in each state, and the worker sleeps
--- peers: udp
--- events: use poll;
--- peer
A: accept
B: accept
C: accept
D: accept
E: accept
F: accept
G: accept
H: accept
I: accept
D: stop_reading
H: stop_reading
A: send "unread"
B: half_close
C: send "x"
C: reset
G: send "part"
I: send "x"
I: half_close
D: wait_log "the worker is"
D: reset
H: reset
A: expect_close
B: expect_close
E: close
F: close
G: expect_close
I: expect_close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local function connect(pool)
        return assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, pool))
    end
    local a, b, c, d = connect(), connect(), connect(), connect()
    local e, f, g, h, i = connect("e"), connect("f"), connect(), connect(), connect()
    e:setkeepalive(0)
    f:setkeepalive_nats(0)
    local spawn = ngx.thread.spawn
    local threads = {
        spawn(function() d:send(("x"):rep(20000000)) end),
        spawn(function() g:receive(100) end),
        spawn(function() ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT) end),
        spawn(function() ngx.select{ d, g, timeout = 60 } end),
    }
    -- The rest of it is still to be sent.
    ngx.thread.kill(spawn(function() h:send(("x"):rep(20000000)) end))
    i:peek(1)
    local udp = {}
    for n = 1, 5 do
        udp[n] = ngx.socket.udp()
        udp[n]:setpeername("127.0.0.1", n < 4 and $TEST_UDP_PORT or $TEST_CLOSED_PORT)
        if n > 1 then udp[n]:send("unread") end
    end
    -- Nothing comes; something has come, and nobody knew or one was told of it;
    -- nobody is there, and the same.
    spawn(ngx.select, { udp[1] })
    ngx.select{ udp[3], timeout = 5 }
    ngx.select{ udp[5], timeout = 5 }
    ngx.sleep(0.3)
    ngx.log(ngx.WARN, "the worker is ", worker.busy(1))
    ngx.exit()
}
--- request
--- response
--- error_log
the worker is idle
--- no_error_log
[alert]
--- skip_mode: slow valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-poll_module/ && "nginx has no poll"


=== poll: what sockets do
--- events: use poll;
--- peer
A: accept
A: drip "by\nbytes"
A: expect "x" x 2000
A: send "done\n"
A: wait_log "idle"
A: send "PING\r\n"
A: expect "PONG\r\n"
A: expect "again"
A: half_close
A: expect_eof
B: accept
B: expect "late"
B: send "r"
B: reset
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:receive())
    show(sock:receive(5))
    local t = ngx.thread.spawn(sock.receive, sock)
    show(sock:send(("x"):rep(2000)))
    show(ngx.thread.wait(t))
    sock:settimeout(100)
    show(sock:receive(1))
    sock:settimeout(5000)
    show(ngx.select{ sock, timeout = 0.05 })
    local other = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    other:send("echo\n")
    show(other:receive())
    show(other:setkeepalive_nats())
    local f = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    show(f:getreusedtimes())
    f:close()
    ngx.log(ngx.WARN, "idle")
    show(sock:receive())
    show(sock:send("PONG\r\nagain"))
    show(ngx.select{ sock, timeout = 5 })
    show(sock:receive("*a"))
    show(sock:close())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:send("late"))
    ngx.sleep(0.2)
    show((select(2, sock:receive("*a"))))
    show(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
}
--- tcp_server_config2
process_by_lua_block {
    for line in function() return (ngx.receive()) end do ngx.say(line) end
}
--- request
--- response
1: 1
1: by
1: bytes
1: 2000
2: truedone
2: niltimeout
2: niltimeout
1: echo
1: 1
1: 1
1: PING
1: 11
2: 1true
1: 
1: 1
1: 1
1: 4
1: connection reset by peer
2: nilconnection refused
--- no_error_log
[alert]
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-poll_module/ && "nginx has no poll"


=== poll: much, both ways at once
--- events: use poll;
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive())
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local writer = ngx.thread.spawn(function()
        for _ = 1, 10 do sock:send(("0123456789"):rep(n / 100)) end
        return sock:shutdown("send")
    end)
    ngx.say(sock:receive("*a") == ("0123456789"):rep(n / 10))
    ngx.say(ngx.thread.wait(writer))
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
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 1000 : 3_000_000) . "\n"
--- response
true
true1
--- no_error_log
[alert]
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-poll_module/ && "nginx has no poll"


=== select: sockets in each state, and the worker sleeps
--- peers: udp
--- events: use select;
--- peer
A: accept
B: accept
C: accept
D: accept
E: accept
F: accept
G: accept
H: accept
I: accept
D: stop_reading
H: stop_reading
A: send "unread"
B: half_close
C: send "x"
C: reset
G: send "part"
I: send "x"
I: half_close
D: wait_log "the worker is"
D: reset
H: reset
A: expect_close
B: expect_close
E: close
F: close
G: expect_close
I: expect_close
--- peer2
listen $TEST_PEER2_PORT backlog=0
fill_backlog
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local function connect(pool)
        return assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, pool))
    end
    local a, b, c, d = connect(), connect(), connect(), connect()
    local e, f, g, h, i = connect("e"), connect("f"), connect(), connect(), connect()
    e:setkeepalive(0)
    f:setkeepalive_nats(0)
    local spawn = ngx.thread.spawn
    local threads = {
        spawn(function() d:send(("x"):rep(20000000)) end),
        spawn(function() g:receive(100) end),
        spawn(function() ngx.socket.connect("127.0.0.1", $TEST_PEER2_PORT) end),
        spawn(function() ngx.select{ d, g, timeout = 60 } end),
    }
    -- The rest of it is still to be sent.
    ngx.thread.kill(spawn(function() h:send(("x"):rep(20000000)) end))
    i:peek(1)
    local udp = {}
    for n = 1, 5 do
        udp[n] = ngx.socket.udp()
        udp[n]:setpeername("127.0.0.1", n < 4 and $TEST_UDP_PORT or $TEST_CLOSED_PORT)
        if n > 1 then udp[n]:send("unread") end
    end
    -- Nothing comes; something has come, and nobody knew or one was told of it;
    -- nobody is there, and the same.
    spawn(ngx.select, { udp[1] })
    ngx.select{ udp[3], timeout = 5 }
    ngx.select{ udp[5], timeout = 5 }
    ngx.sleep(0.3)
    ngx.log(ngx.WARN, "the worker is ", worker.busy(1))
    ngx.exit()
}
--- request
--- response
--- error_log
the worker is idle
--- no_error_log
[alert]
--- skip_mode: slow valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: what sockets do
--- events: use select;
--- peer
A: accept
A: drip "by\nbytes"
A: expect "x" x 2000
A: send "done\n"
A: wait_log "idle"
A: send "PING\r\n"
A: expect "PONG\r\n"
A: expect "again"
A: half_close
A: expect_eof
B: accept
B: expect "late"
B: send "r"
B: reset
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:receive())
    show(sock:receive(5))
    local t = ngx.thread.spawn(sock.receive, sock)
    show(sock:send(("x"):rep(2000)))
    show(ngx.thread.wait(t))
    sock:settimeout(100)
    show(sock:receive(1))
    sock:settimeout(5000)
    show(ngx.select{ sock, timeout = 0.05 })
    local other = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    other:send("echo\n")
    show(other:receive())
    show(other:setkeepalive_nats())
    local f = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    show(f:getreusedtimes())
    f:close()
    ngx.log(ngx.WARN, "idle")
    show(sock:receive())
    show(sock:send("PONG\r\nagain"))
    show(ngx.select{ sock, timeout = 5 })
    show(sock:receive("*a"))
    show(sock:close())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:send("late"))
    ngx.sleep(0.2)
    show((select(2, sock:receive("*a"))))
    show(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
}
--- tcp_server_config2
process_by_lua_block {
    for line in function() return (ngx.receive()) end do ngx.say(line) end
}
--- request
--- response
1: 1
1: by
1: bytes
1: 2000
2: truedone
2: niltimeout
2: niltimeout
1: echo
1: 1
1: 1
1: PING
1: 11
2: 1true
1: 
1: 1
1: 1
1: 4
1: connection reset by peer
2: nilconnection refused
--- no_error_log
[alert]
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: much, both ways at once
--- events: use select;
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive())
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local writer = ngx.thread.spawn(function()
        for _ = 1, 10 do sock:send(("0123456789"):rep(n / 100)) end
        return sock:shutdown("send")
    end)
    ngx.say(sock:receive("*a") == ("0123456789"):rep(n / 10))
    ngx.say(ngx.thread.wait(writer))
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
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 1000 : 3_000_000) . "\n"
--- response
true
true1
--- no_error_log
[alert]
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"
