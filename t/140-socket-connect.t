# Connecting to other servers: where to, from where, and all that can go wrong.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== connect: an IPv4 address
--- peer
accept
expect "hello"
send "world"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:send("hello"))
    show(sock:receive(5))
    show(sock:close())
}
--- request
--- response
1: 1
1: 5
1: world
1: 1
--- no_error_log
[error]


=== connect: an IPv6 address, in brackets, without, and with a port of its own
--- peer
listen [::1]:$TEST_PEER_PORT
A: accept
A: send "1"
A: expect_eof
B: accept
B: send "2"
B: expect_eof
C: accept
C: send "3"
C: expect_eof
--- tcp_server_config
process_by_lua_block {
    for _, host in ipairs({ "::1", "[::1]", "[::1]:$TEST_PEER_PORT" }) do
        local sock = ngx.socket.tcp()
        local port = #host < 6 and $TEST_PEER_PORT or 1
        ngx.say(sock:connect(host, port))
        ngx.say(sock:receive(1), " ", sock:getpeername())
        sock:close()
    end
}
--- request
--- response
1
1 ::1$TEST_PEER_PORT
1
2 ::1$TEST_PEER_PORT
1
3 ::1$TEST_PEER_PORT
--- no_error_log
[error]


=== connect: a Unix socket, with and without a port
--- peer
listen unix:$TEST_DIR/peer.sock
A: accept
A: send "one\n"
A: expect_eof
B: accept
B: send "two\n"
B: expect_eof
C: accept
C: send "three\n"
C: expect_eof
--- tcp_server_config
process_by_lua_block {
    local path = "unix:$TEST_DIR/peer.sock"
    local function try(...)
        local sock = ngx.socket.tcp()
        ngx.say(sock:connect(...), " ", (sock[2]:gsub(".*/", "")), " ",
            sock:receive())
        sock:close()
    end
    try(path)
    try(path, 80, "mine")
    try(path, { pool = "other" })
}
--- request
--- response
1 peer.sock one
1 mine two
1 other three
--- no_error_log
[error]


=== connect: an abstract Unix socket
--- peer
listen unix:@tcp-lua-$TEST_PEER_PORT
accept
expect "a"
send "b"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("unix:@tcp-lua-$TEST_PEER_PORT"))
    sock:send("a")
    ngx.say(sock:receive(1))
    sock:close()
}
--- request
--- response
1
b
--- no_error_log
[error]


=== connect: a port in the host counts before the other; a port may be a string
--- peer
A: accept
A: send "1"
A: expect_eof
B: accept
B: send "2"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("127.0.0.1:$TEST_PEER_PORT", $TEST_CLOSED_PORT))
    ngx.say(sock:receive(1), " ", sock[2] == "127.0.0.1:$TEST_PEER_PORT:$TEST_CLOSED_PORT")
    ngx.say(sock:connect("127.0.0.1", "$TEST_PEER_PORT"))
    ngx.say(sock:receive(1), " ", sock[2] == "127.0.0.1:$TEST_PEER_PORT")
    sock:close()
}
--- request
--- response
1
1 true
1
2 true
--- no_error_log
[error]


=== connect: ngx.socket.stream, and both steps in one
--- peer
A: accept
A: send "1"
A: expect_eof
B: accept
B: send "2"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.stream()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive(1))
    sock:close()
    sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT, { pool = "own" })
    show(type(sock), sock[2])
    show(sock:receive(1))
    sock:close()
    show(ngx.socket.connect("127.0.0.1", $TEST_CLOSED_PORT))
    show(pcall(ngx.socket.connect, "127.0.0.1", 70000))
}
--- request
--- response_like
^1: 1
2: tableown
1: 2
2: nilconnection refused
2: false\S*\s*bad port number, need \[0,65535\]
$
--- error_log
connect() to 127.0.0.1:$TEST_CLOSED_PORT failed (111: connection refused)


=== connect: nobody listens
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
    show(sock:connect("::1", $TEST_CLOSED_PORT))
    show(sock:connect("unix:$TEST_DIR/nobody"))
    show(sock:connect("unix:@tcp-lua-nobody"))
    show(sock:connect("127.0.0.1", 0))
    show(sock:send("x"))
    show(sock:receive())
    show(sock:close())
}
--- request
--- response
2: nilconnection refused
2: nilconnection refused
2: nilno such file or directory
2: nilconnection refused
2: nilconnection refused
2: nilclosed
2: nilclosed
2: nilclosed
--- error_log
connect() to 127.0.0.1:$TEST_CLOSED_PORT failed (111: connection refused) while running Lua, client: 127.0.0.1
connect() to [::1]:$TEST_CLOSED_PORT failed (111: connection refused)
connect() to unix:$TEST_DIR/nobody failed (2: no such file or directory)
--- no_error_log
[alert]


=== connect: lua_socket_log_errors off
--- tcp_server_config
lua_socket_log_errors off;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(sock:connect("unix:$TEST_DIR/nobody"))
}
--- request
--- response
nilconnection refused
nilno such file or directory
--- no_error_log
[error]


=== connect: hosts that are none
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, host in ipairs({
        "", ":80", "a/b", "a b", "a:", "a:x", "a:70000", "[127.0.0.1]", "[x]",
        "unix:", "unix:" .. ("x"):rep(200), ("x"):rep(300), "a\0b", "a\n",
    }) do
        local ok, err = sock:connect(host, 80)
        ngx.say(ok, " ", (err:gsub("xxx+", "xxx")))
    end
}
--- request
--- response eval
CORE::join "", map { "nil failed to parse host name \"$_->[0]\": $_->[1]\n" }
    ["", "no host"], [":80", "no host"], ["a/b", "invalid host"],
    ["a b", "invalid host"], ["a:", "invalid port"], ["a:x", "invalid port"],
    ["a:70000", "invalid port"], ["[127.0.0.1]", "invalid host"],
    ["[x]", "invalid host"], ["unix:", "invalid host"],
    ["unix:xxx", "invalid host"], ["xxx", "invalid host"],
    ["a\0b", "invalid host"], ["a\n", "invalid host"];
--- no_error_log
[error]


=== connect: a host's name is in an error's text as it is
--- peers: dns
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, host in ipairs{ "\xff/\xc3", "\xff\xc3", "\xff\xc3:x" } do
        ngx.say(select(2, sock:connect(host, 1)))
    end
}
--- tcp_server_config2
lua_resolver_default off;
process_by_lua_block {
    ngx.say(select(2, ngx.socket.connect("\xff\xc3", 1)))
}
--- request_parts
expect_like /^failed to parse host name "\xff\/\xc3": invalid host\n\xff\xc3 could not be resolved \(\d+: [^\n]+\)\nfailed to parse host name "\xff\xc3:x": invalid port\n/
expect_eof
B: connect $TEST_PORT2
B: expect "no resolver defined to resolve \"\xff\xc3\"\n"
B: expect_eof
--- no_error_log
[error]


=== connect: mistakes in arguments
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "LINE ", 1)))
    end
    try(function() sock:connect() end)
    try(function() sock:connect("127.0.0.1") end)
    try(function() sock:connect({}, 1) end)
    try(function() sock:connect("127.0.0.1", {}) end)
    try(function() sock:connect("127.0.0.1", "http") end)
    try(function() sock:connect("127.0.0.1", 65536) end)
    try(function() sock:connect("127.0.0.1", -1) end)
    try(function() sock:connect("127.0.0.1", 1.5) end)
    try(function() sock:connect("127.0.0.1", 1, true) end)
    try(function() sock:connect("127.0.0.1", 1, nil, 1) end)
    try(function() sock:connect("127.0.0.1", 1, { pool = {} }) end)
    try(function() sock:connect("127.0.0.1", 1, { pool_size = 0 }) end)
    try(function() sock:connect("127.0.0.1", 1, { pool_size = "x" }) end)
    try(function() sock:connect("127.0.0.1", 1, { backlog = -1 }) end)
    try(function() sock.connect({}, "127.0.0.1", 1) end)
    try(function() ngx.socket.tcp(1) end)
    try(function() ngx.socket.tcp(nil, 2) end)
    try(function() ngx.socket.stream(nil) end)
    try(function() ngx.socket.connect("127.0.0.1", 65536) end)
}
--- request
--- response
false LINE ngx.socket connect: expecting 3 or 4 arguments (including the object), but seen 1
false LINE bad argument #2 to 'connect' (number expected, got nil)
false LINE bad argument #1 to 'connect' (string expected, got table)
false LINE bad argument #2 to 'connect' (number expected, got table)
false LINE bad argument #2 to 'connect' (number expected, got string)
false LINE bad port number, need [0,65535]
false LINE bad port number, need [0,65535]
false LINE bad port number, need [0,65535]
false LINE bad argument #3 to 'connect' (string expected, got boolean)
false LINE ngx.socket connect: expecting 3 or 4 arguments (including the object), but seen 5
false LINE bad argument #3 to 'connect' (bad "pool" option type: table)
false LINE bad argument #3 to 'connect' (bad "pool_size" option value: 0)
false LINE bad argument #3 to 'connect' (bad "pool_size" option value: x)
false LINE bad argument #3 to 'connect' (bad "backlog" option value: -1)
false LINE bad argument #1 to 'connect' (socket expected, got table)
false LINE expecting zero arguments, but got 1
false LINE expecting zero arguments, but got 2
false LINE expecting zero arguments, but got 1
false LINE bad port number, need [0,65535]
--- no_error_log
[error]


=== connect: an error is raised at the caller's line
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", "x")
}
--- request
--- response
--- error_log
process_by_lua_block(nginx.conf:10):3: bad argument #2 to 'connect' (number expected, got string)


=== connect: an explicit nil is no pool
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT, nil), " ", sock[2])
    sock:close()
}
--- request
--- response
1 127.0.0.1:$TEST_PEER_PORT
--- no_error_log
[error]


=== connect: not in init_by_lua
--- tcp_config
init_by_lua_block {
    in_init = tostring(select(2, pcall(function()
        return ngx.socket.tcp():connect("127.0.0.1", 1)
    end))) .. "; " .. tostring(select(2, pcall(ngx.socket.connect, "127.0.0.1", 1)))
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- request
--- response_like
^.*API disabled in the context of init_by_lua\*; .*API disabled in the context of init_by_lua\*$
--- no_error_log
[error]


=== connect: names, and the addresses that they have
--- peers: dns
--- peer
A: accept
A: send "one\n"
A: expect_eof
B: accept
B: send "alias\n"
B: expect_eof
C: accept
C: send "both\n"
C: expect_eof
D: accept
D: send "port\n"
D: expect_eof
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT;
process_by_lua_block {
    for _, host in ipairs({ "one.test", "alias.test", "both.test" }) do
        local sock = ngx.socket.tcp()
        ngx.say(sock:connect(host, $TEST_PEER_PORT), " ", sock:receive(), " ",
            sock[2])
        sock:close()
    end
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("one.test:$TEST_PEER_PORT", 1), " ", sock:receive())
    sock:close()
}
--- request
--- response
1 one one.test:$TEST_PEER_PORT
1 alias alias.test:$TEST_PEER_PORT
1 both both.test:$TEST_PEER_PORT
1 port


=== connect: names without an address
--- peers: dns
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("nx.test", 80))
    ngx.say(sock:connect("servfail.test", 80))
    ngx.say(sock:connect("name.invalid", 80))
    ngx.say(sock:connect("dead.test", $TEST_CLOSED_PORT))
}
--- request
--- response
nilnx.test could not be resolved (3: Host not found)
nilservfail.test could not be resolved (2: Server failure)
nilname.invalid could not be resolved (5: Operation refused)
nilconnection refused
--- error_log
connect() to 127.0.0.9:$TEST_CLOSED_PORT failed (111: connection refused)


=== connect: all addresses of a name are tried
--- peers: dns
--- peer
listen 127.0.1.20:$TEST_PEER_PORT
accept
send "found"
expect_eof
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
lua_socket_log_errors off;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("many.test", $TEST_PEER_PORT))
    ngx.say(sock:receive(5), " ", (sock:getpeername()))
    sock:close()
}
--- request
--- response
1
found 127.0.1.20
--- no_error_log
[error]


=== connect: a name server that never answers
--- peers: dns
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_SILENT_PORT ipv6=off;
resolver_timeout 300ms;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("one.test", 80))
}
--- request
--- response
nilone.test could not be resolved (110: Operation timed out)


=== connect: the other side does not answer
--- peer
listen $TEST_PEER_PORT backlog=0
fill_backlog
--- peer2
accept
send "later"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:settimeout(300)
    ngx.update_time()
    local t = ngx.now()
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.update_time()
    ngx.say(ngx.now() - t >= 0.295)
    ngx.say(sock:send("x"))
    sock:settimeout(5000)
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER2_PORT))
    ngx.say(sock:receive(5))
    sock:close()
}
--- request
--- response
niltimeout
true
nilclosed
1
later
--- error_log
lua tcp socket connect timed out while running Lua, client: 127.0.0.1


=== connect: the timeout of the configuration, inherited and its own
--- peer
listen $TEST_PEER_PORT backlog=0
fill_backlog
--- tcp_config
lua_socket_connect_timeout 100ms;
--- tcp_server_config
process_by_lua_block {
    local ok, err = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(ok, " ", err)
}
--- tcp_server_config2
lua_socket_connect_timeout 10m;
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        return ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    end)
    ngx.sleep(0.3)
    ngx.say(coroutine.status(t))
    ngx.thread.kill(t)
}
--- request_parts
A: expect "nil timeout\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "suspended\n"
B: expect_eof
--- error_log
lua tcp socket connect timed out


=== connect: an object's timeouts outlive its connection
--- peer
A: accept
A: expect_eof
B: accept
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 5000, 100)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:receive(1))
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:receive(1))
    sock:close()
}
--- request
--- response
niltimeout
1
niltimeout
--- error_log
lua tcp socket read timed out


=== connect: again closes what is there
--- peer
A: accept
A: expect "a"
A: expect_eof
B: accept
B: expect "b"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("a")
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    sock:send("b")
    sock:close()
}
--- request
--- response
1
--- no_error_log
[error]


=== connect: again, in vain, closes what is there
--- peer
accept
expect "a"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("a")
    ngx.say(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(sock:send("b"))
    ngx.say(sock:close())
}
--- request
--- response
nilconnection refused
nilclosed
nilclosed


=== connect: not while a thread waits for the connection
--- peer
accept
expect "go"
send "abc"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function() return sock:receive(3) end)
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(sock:close())
    sock:send("go")
    ngx.say(ngx.thread.wait(t))
    ngx.say(sock:close())
}
--- request
--- response
nilsocket busy reading
nilsocket busy reading
nilsocket busy reading
trueabc
1
--- no_error_log
[error]


=== connect: two threads connect one object
--- peer
A: accept
B: accept
A: expect_close
B: expect_like /^.?$/
B: expect_close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function connect()
        return sock:connect("127.0.0.1", $TEST_PEER_PORT)
    end
    local a, b = ngx.thread.spawn(connect), ngx.thread.spawn(connect)
    local ok = ngx.thread.wait(a)
    ngx.say(ok, " ", (ngx.thread.wait(b)))
    ngx.say(sock:close())
}
--- request
--- response
true true
1
--- no_error_log
[error]
[alert]


=== bind: where connections come from
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:bind("127.0.0.7"))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say((sock:getsockname()))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say((sock:getsockname()))
    sock:close()
    show(sock:bind("127.0.0.8:$TEST_PORT9"))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getsockname())
    sock:setoption("linger", true)
    sock:close()
}
--- peer
A: accept
A: expect_eof
B: accept
B: expect_eof
C: accept
C: expect_reset
--- request
--- response
1: 1
127.0.0.7
127.0.0.7
1: 1
127.0.0.8$TEST_PORT9
--- no_error_log
[error]


=== bind: IPv6
--- peer
listen [::1]:$TEST_PEER_PORT
A: accept
A: expect_eof
B: accept
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, from in ipairs({ "::1", "[::1]" }) do
        ngx.say(sock:bind(from))
        ngx.say(sock:connect("::1", $TEST_PEER_PORT), " ", (sock:getsockname()))
        sock:close()
    end
}
--- request
--- response
1
1 ::1
1
1 ::1
--- no_error_log
[error]


=== bind: addresses that are none, or not of this machine, or of another family
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, from in ipairs({ "", "x", "127.0.0", "127.0.0.1:x", "[::1", "one.test",
        "127.0.0.1:70000", "unix:/tmp/x", 5, true, {} }) do
        local ok, err = sock:bind(from)
        if ok or err ~= "bad address" then ngx.say(from, " ", ok, " ", err) end
    end
    ngx.say(sock:bind())
    ngx.say(sock:bind("192.0.2.1"))
    ngx.say(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(sock:bind("::1"))
    ngx.say((sock:connect("127.0.0.1", $TEST_CLOSED_PORT)))
    ngx.say(sock:bind("127.0.0.1"))
    ngx.say(sock:connect("127.0.0.1", $TEST_CLOSED_PORT))
}
--- request
--- response
nilbad address
1
nilcannot assign requested address
1
nil
1
nilconnection refused


=== connect: hundreds at once
--- peer eval
my @steps;
push @steps, ["C$_:", 'accept'] for 1 .. 60;
push @steps, ["C$_:", send => "x"], ["C$_:", 'expect_eof'] for 1 .. 60;
\@steps;
--- tcp_server_config
process_by_lua_block {
    local threads = {}
    for i = 1, 60 do
        threads[i] = ngx.thread.spawn(function()
            local sock = assert(ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT))
            local x = sock:receive(1)
            sock:close()
            return x
        end)
    end
    local n = 0
    for i = 1, 60 do
        local ok, x = ngx.thread.wait(threads[i])
        if x == "x" then n = n + 1 end
    end
    ngx.say(n)
}
--- request
--- response
60
--- no_error_log
[error]
