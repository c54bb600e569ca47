# Options and names of sockets, and the directives lua_socket_*.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== getpeername, getsockname: IPv4
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:getpeername())
    show(sock:getsockname())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:getpeername())
    local ip, port = sock:getsockname()
    show(ip, type(port), " ", port > 0)
    sock:close()
    show(sock:getpeername())
    show(sock:getsockname())
}
--- request
--- response
2: nilclosed
2: nilclosed
2: 127.0.0.1$TEST_PEER_PORT
4: 127.0.0.1number true
2: nilclosed
2: nilclosed
--- no_error_log
[error]


=== getpeername, getsockname: IPv6
--- peer
listen [::1]:$TEST_PEER_PORT
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("::1", $TEST_PEER_PORT)
    ngx.say(sock:getpeername())
    ngx.say((sock:getsockname()))
    sock:close()
}
--- request
--- response
::1$TEST_PEER_PORT
::1
--- no_error_log
[error]


=== getpeername, getsockname: Unix
--- peer
listen unix:$TEST_DIR/peer.sock
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.connect("unix:$TEST_DIR/peer.sock")
    show(sock:getpeername())
    show(sock:getsockname())
    sock:close()
}
--- request
--- response
1: unix:$TEST_DIR/peer.sock
1: unix:
--- no_error_log
[error]


=== getfd: a number while there is a connection
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:getfd())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local fd = sock:getfd()
    local link = io.popen("readlink /proc/" .. ngx.worker.pid() .. "/fd/" .. fd)
    show(link:read("*l"):match("^socket"))
    link:close()
    sock:close()
    show(sock:getfd())
}
--- request
--- response
2: nilclosed
1: socket
2: nilclosed
--- no_error_log
[error]


=== setoption: each of them, and what getoption sees
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:getoption("tcp-nodelay"))
    for _, name in ipairs({ "keepalive", "reuseaddr", "tcp-nodelay" }) do
        show(sock:setoption(name, true), " ", sock:getoption(name) ~= 0)
        show(sock:setoption(name, 0), " ", sock:getoption(name))
        show(sock:setoption(name, "1"), " ", sock:getoption(name) ~= 0)
        show(sock:setoption(name, false), " ", sock:getoption(name))
    end
    for _, name in ipairs({ "rcvbuf", "sndbuf" }) do
        show(sock:setoption(name, 10000), " ", sock:getoption(name))
    end
    show(sock:getoption("error"))
    show(sock:getoption("linger"))
    for _, value in ipairs({
        true, false, 1, 0, { on = true, timeout = 5 }, { on = 0, timeout = 5 },
    }) do
        show(sock:setoption("linger", value), " ", sock:getoption("linger"))
    end
    sock:close()
}
--- request
--- response
1: 1
3: 1 true
3: 1 0
3: 1 true
3: 1 0
3: 1 true
3: 1 0
3: 1 true
3: 1 0
3: 1 true
3: 1 0
3: 1 true
3: 1 0
3: 1 20000
3: 1 20000
1: 0
1: false
3: 1 0
3: 1 false
3: 1 0
3: 1 false
3: 1 5
3: 1 false
--- no_error_log
[error]


=== setoption: linger makes close send RST
--- peer
A: accept
A: expect "a"
A: expect_reset
B: accept
B: expect "b"
B: expect_reset
C: accept
C: expect "c"
C: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("a")
    sock:setoption("linger", true)
    ngx.sleep(0.1)
    sock:close()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("b")
    sock:setoption("linger", { on = true, timeout = 0 })
    ngx.sleep(0.1)
    sock:close()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("c")
    sock:setoption("linger", { on = false, timeout = 0 })
    sock:close()
}
--- request
--- response
--- no_error_log
[error]


=== setoption, getoption: what goes wrong
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    local sock = ngx.socket.tcp()
    show(sock:setoption("keepalive", true))
    show(sock:getoption("keepalive"))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:setoption())
    show(sock:setoption("keepalive"))
    show(sock:setoption("keepalive", "x"))
    show(sock:setoption("keepalive", {}))
    show(sock:setoption("color", 1))
    show(sock:getoption("color"))
    try(function() sock:setoption(1, 1) end)
    try(function() sock:setoption({}, 1) end)
    try(function() sock:getoption() end)
    try(function() sock:getoption(1) end)
    sock:close()
    show(sock:setoption("keepalive", true))
}
--- request
--- response
2: nilclosed
2: nilclosed
0: 
2: nilbad option value
2: nilbad option value
2: nilbad option value
2: nilunsupported option color
2: nilunsupported option color
false bad argument #1 to 'setoption' (string expected, got number)
false bad argument #1 to 'setoption' (string expected, got table)
false bad argument #1 to 'getoption' (string expected, got nil)
false bad argument #1 to 'getoption' (string expected, got number)
2: nilclosed
--- no_error_log
[error]


=== getoption: the error of a connection that was reset
--- peer
accept
reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.sleep(0.1)
    local n, err = sock:getoption("error")
    ngx.say(n or err)
}
--- request
--- response_like: ^(104|closed)$


=== objects: what is none
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, name in ipairs({ "connect", "setoption", "getoption", "getpeername",
        "getsockname", "bind", "shutdown", "setkeepalive", "settimeouts",
        "receiveuntil" }) do
        for _, self in ipairs({ {}, 1, "x" }) do
            local ok, err = pcall(sock[name], self, "127.0.0.1", 1)
            if ok or not tostring(err):find("bad argument #1 to '" .. name
                .. "' (socket expected, got " .. type(self) .. ")", 1, true)
            then
                ngx.say(name, " ", err)
            end
        end
    end
    for _, name in ipairs({ "send", "receive", "receiveany", "peek", "close", "getfd",
        "getreusedtimes" }) do
        for _, self in ipairs({ {}, { "x" }, { -1 }, { 0 }, { 1e300 }, { 0 / 0 },
            { 2 ^ 24 }, { 2 ^ 24 * 77 + 5 }, 1, "x", ngx.null }) do
            local ok, err, more
            if name == "send" or name == "receiveany" or name == "peek" then
                ok, err, more = pcall(sock[name], self, 5)
            else
                ok, err, more = pcall(sock[name], self)
            end
            if ok and not (err == nil and more == "closed") then
                ngx.say(name, " ", err, " ", more)
            end
        end
    end
    ngx.say("done")
}
--- request
--- response
done
--- no_error_log
[alert]


=== objects: a script may write into them
--- peer
accept
expect "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local id = sock[1]
    for _, value in ipairs({ "x", {}, true, -5, 1e18 }) do
        sock[1], sock[3], sock[4], sock[5] = value, value, value, value
        pcall(sock.send, sock, "y")
        pcall(sock.receive, sock, 1)
        pcall(sock.setkeepalive, sock)
        pcall(sock.close, sock)
    end
    sock[1], sock[3], sock[4], sock[5] = id, nil, nil, nil
    sock[2] = "other name"
    sock.user = "mine"
    ngx.say(sock:send("x"), " ", sock.user)
    sock:close()
}
--- request
--- response
1 mine
--- no_error_log
[alert]


=== directives: all of them, in tcp and in a server
--- tcp_config
lua_socket_connect_timeout 1s;
lua_socket_send_timeout 2s;
lua_socket_read_timeout 3s;
lua_socket_keepalive_timeout 4s;
lua_socket_pool_size 5;
lua_socket_buffer_size 6k;
lua_socket_log_errors off;
--- tcp_server_config
lua_socket_connect_timeout 100ms;
lua_socket_send_timeout 200ms;
lua_socket_read_timeout 300ms;
lua_socket_keepalive_timeout 0;
lua_socket_pool_size 1;
lua_socket_buffer_size 1;
lua_socket_log_errors on;
process_by_lua_block { ngx.say("ok") }
--- conf_ok


=== directives: lua_socket_send_lowat does nothing, and says so
--- tcp_server_config
lua_socket_send_lowat 1k;
process_by_lua_block { ngx.say("ok") }
--- conf_ok
"lua_socket_send_lowat" is not supported, ignored


=== directives: lua_socket_connect_timeout twice
--- tcp_config
lua_socket_connect_timeout 1s;
lua_socket_connect_timeout 2s;
--- conf_error
"lua_socket_connect_timeout" directive is duplicate


=== directives: lua_socket_send_timeout twice
--- tcp_config
lua_socket_send_timeout 1s;
lua_socket_send_timeout 2s;
--- conf_error
"lua_socket_send_timeout" directive is duplicate


=== directives: lua_socket_read_timeout twice
--- tcp_config
lua_socket_read_timeout 1s;
lua_socket_read_timeout 2s;
--- conf_error
"lua_socket_read_timeout" directive is duplicate


=== directives: lua_socket_keepalive_timeout twice
--- tcp_config
lua_socket_keepalive_timeout 1s;
lua_socket_keepalive_timeout 2s;
--- conf_error
"lua_socket_keepalive_timeout" directive is duplicate


=== directives: lua_socket_pool_size twice
--- tcp_config
lua_socket_pool_size 1;
lua_socket_pool_size 2;
--- conf_error
"lua_socket_pool_size" directive is duplicate


=== directives: lua_socket_buffer_size twice
--- tcp_config
lua_socket_buffer_size 1k;
lua_socket_buffer_size 2k;
--- conf_error
"lua_socket_buffer_size" directive is duplicate


=== directives: lua_socket_send_lowat twice
--- tcp_config
lua_socket_send_lowat 1k;
lua_socket_send_lowat 2k;
--- conf_error
"lua_socket_send_lowat" is not supported, ignored
"lua_socket_send_lowat" directive is duplicate


=== directives: lua_socket_log_errors twice
--- tcp_config
lua_socket_log_errors on;
lua_socket_log_errors on;
--- conf_error
"lua_socket_log_errors" directive is duplicate


=== directives: a time that is none
--- tcp_config
lua_socket_connect_timeout soon;
--- conf_error
"lua_socket_connect_timeout" directive invalid value


=== directives: a time that is none, of reading
--- tcp_config
lua_socket_read_timeout -1;
--- conf_error
"lua_socket_read_timeout" directive invalid value


=== directives: a number that is none
--- tcp_config
lua_socket_pool_size many;
--- conf_error
"lua_socket_pool_size" directive invalid number


=== directives: a size that is none
--- tcp_config
lua_socket_buffer_size big;
--- conf_error
"lua_socket_buffer_size" directive invalid value


=== directives: neither on nor off
--- tcp_config
lua_socket_log_errors maybe;
--- conf_error
invalid value "maybe" in "lua_socket_log_errors" directive, it must be "on" or "off"
