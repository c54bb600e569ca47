# TLS of ngx.socket.tcp: handshakes, what goes through, sessions, pools, and all
# that can end it. Certificates are in 147-tls-verify.t.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== sslhandshake: returns a session, or true
--- peer
A: accept
A: tls good
A: send "x"
A: expect_eof
B: accept
B: tls good
B: send "x"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        local first = ...
        ngx.say(select("#", ...), " ", type(first), " ", tostring((select(2, ...))))
    end
    for _, reused in ipairs({ true, false }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        show(sock:sslhandshake(reused and nil))
        ngx.say(sock:receive(1), " ", sock:close())
    end
}
--- response
1 userdata nil
x 1
1 boolean nil
x 1
--- no_error_log
[error]


=== sslhandshake: TLS 1.2 and 1.3, all ways to read and to write
--- peer
A: accept
A: tls good TLSv1.2
A: expect "hello worldx1"
A: send "line\r\n12345any until--rest"
A: close
B: accept
B: tls good TLSv1.3
B: expect "hello worldx1"
B: send "line\r\n12345any until--rest"
B: close
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 2 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        assert(sock:sslhandshake())
        ngx.say(sock:send("hello "), " ", sock:send({ "world", { "x", 1 } }))
        ngx.say(sock:receive())
        ngx.say(sock:peek(3), " ", sock:receive(5))
        ngx.say(sock:receiveany(3))
        ngx.say(sock:receiveuntil("--")())
        ngx.say(sock:receive("*a"))
        ngx.say(sock:receive(1))
    end
}
--- response
6 7
line
123 12345
any
 until
rest
nilclosed
6 7
line
123 12345
any
 until
rest
nilclosed
--- no_error_log
[error]


=== sslhandshake: the server speaks first
--- peer
accept
tls good
send "greeting"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(sock:sslhandshake())
    ngx.say(sock:receive(8))
}
--- response
greeting
--- no_error_log
[error]


=== sslhandshake: after some talk in the open
--- peer
accept
send "220 ready\r\n"
expect "STARTTLS\r\n"
send "220 go\r\n"
tls good
expect "secret"
send "answer"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:receive())
    sock:send("STARTTLS\r\n")
    ngx.say(sock:receive())
    assert(sock:sslhandshake())
    sock:send("secret")
    ngx.say(sock:receive(6))
}
--- response
220 ready
220 go
answer
--- no_error_log
[error]


=== sslhandshake: what was sent in the open and not read is no part of it
--- peer
accept
send "220 go\r\n250 injected\r\n"
expect_close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:receive())
    ngx.say(sock:peek(1))
    ngx.say(sock:sslhandshake())
    ngx.say(sock:send("x"))
}
--- response
220 go
2
nilconnection in dubious state
nilclosed
--- no_error_log
[error]


=== sslhandshake: a second one returns at once
--- peer
accept
tls good
expect "x"
send "y"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(sock:sslhandshake())
    ngx.say(type(sock:sslhandshake()), " ", sock:sslhandshake(false))
    ngx.say(sock:send("x"), " ", sock:receive(1))
}
--- response
userdata true
1 y
--- no_error_log
[error]


=== sslhandshake: without a connection
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:sslhandshake())
    ngx.say(sock:sslhandshake(false, "test.example", true))
}
--- response
nilclosed
nilclosed
--- no_error_log
[error]


=== sslhandshake: wrong arguments
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function show(f, ...) ngx.say(select(2, pcall(f, ...))) end
    show(function() sock:sslhandshake("x") end)
    show(function() sock:sslhandshake({}) end)
    show(function() sock:sslhandshake(newproxy()) end)
    show(function() sock:sslhandshake(nil, 1) end)
    show(function() sock:sslhandshake(nil, "x", true, true, 1) end)
    show(function() sock.sslhandshake({}) end)
    show(function() sock:setclientcert("x") end)
    show(function() sock:setclientcert(nil, "x") end)
}
--- response_like eval
qr/\A(?:process_by_lua_block\(nginx\.conf:\d+\):\d+: )bad argument #1 to 'sslhandshake' \(session or ssl_ctx expected, got string\)
.*bad argument #1 to 'sslhandshake' \(session or ssl_ctx expected, got table\)
.*bad argument #1 to 'sslhandshake' \(session or ssl_ctx expected, got userdata\)
.*bad argument #2 to 'sslhandshake' \(string expected, got number\)
.*ngx\.socket sslhandshake: expecting 1 ~ 5 arguments \(including the object\), but seen 6
.*bad argument #1 to 'sslhandshake' \(socket expected, got table\)
.*bad argument #2 to 'setclientcert' \(string expected, got nil\)
.*bad argument #1 to 'setclientcert' \(string expected, got nil\)
\z/
--- no_error_log
[error]


=== sslhandshake: a name that is none
--- peer
A: accept
A: read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:sslhandshake(nil, ""))
    ngx.say(sock:sslhandshake(nil, "a\0b"))
    ngx.say(sock:sslhandshake(nil, ("x"):rep(256)))
    ngx.say(sock:send("as before"))
}
--- response
nilinvalid server name
nilinvalid server name
nilinvalid server name
9
--- no_error_log
[error]


=== receive: the end as it should be, and a FIN alone
--- peer
A: accept
A: tls good TLSv1.2
A: send "all"
A: close
B: accept
B: tls good TLSv1.2
B: send "part"
B: truncate
C: accept
C: tls good TLSv1.3
C: send "part"
C: truncate
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 3 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        assert(sock:sslhandshake())
        ngx.say(sock:receive("*a"))
        ngx.say(sock:receive(1))
    end
}
--- response
all
nilclosed
nilclosedpart
nilclosed
nilclosedpart
nilclosed
--- no_error_log
[error]


=== shutdown: the other side goes on sending
--- peer
A: accept
A: tls good TLSv1.2
A: expect "request"
A: expect_eof
A: send "reply"
A: close
B: accept
B: tls good TLSv1.3
B: expect "request"
B: expect_eof
B: send "reply"
B: close
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 2 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        assert(sock:sslhandshake())
        sock:send("request")
        ngx.say(sock:shutdown("send"), " ", sock:send("more"))
        ngx.say(sock:receive("*a"))
    end
}
--- response
1 nilclosed
reply
1 nilclosed
reply
--- error_log
attempt to send data on a closed socket


=== receive: records that are larger than what is asked for, byte for byte
--- peers: https
--- tcp_server_config
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_TLS12_PORT, $TEST_HTTPS_TLS13_PORT }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        assert(sock:sslhandshake())
        sock:send("GET /big HTTP/1.0\r\n\r\n")
        repeat local line = assert(sock:receive()) until line == ""
        local n, size, data = 0, 1
        repeat
            data = assert(sock:receive(math.min(size, 1000000 - n)))
            assert(data == ("x"):rep(#data))
            n, size = n + #data, size * 3
        until n == 1000000
        ngx.say(n, " ", sock:receive(1))
    end
}
--- timeout: 60
--- response
1000000 nilclosed
1000000 nilclosed
--- no_error_log
[error]


=== send: more than the kernel takes, to one who reads late
--- peer
accept
tls good
stop_reading
pause 0.2
start_reading
expect_bytes 600000
send "done"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    sock:setoption("sndbuf", 4096)
    assert(sock:sslhandshake())
    ngx.say(sock:send(("x"):rep(300000)))
    ngx.say(sock:send({ ("y"):rep(150000), ("z"):rep(150000) }))
    ngx.say(sock:receive(4))
}
--- timeout: 60
--- response
300000
300000
done
--- no_error_log
[error]


=== close: the other side is told, by TLS, too, at close() and at the end
--- peer
A: accept
A: tls good TLSv1.2
A: expect "one"
A: expect_notify
B: accept
B: tls good TLSv1.3
B: expect "two"
B: expect_notify
C: accept
C: tls good
C: expect "three"
C: expect_notify
--- tcp_server_config
process_by_lua_block {
    local function send(text)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        assert(sock:sslhandshake())
        sock:send(text)
        return sock
    end
    ngx.say(send("one"):close())
    ngx.say(send("two"):close())
    send("three")
}
--- response
1
1
--- no_error_log
[error]


=== send and receive at once, by two threads
--- peers: redis
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_REDIS_TLS_PORT))
    assert(sock:sslhandshake())
    local size, n = 20000, 20
    local command = "*2\r\n$4\r\nECHO\r\n$" .. size .. "\r\n" .. ("x"):rep(size) .. "\r\n"
    local writer = ngx.thread.spawn(function()
        for _ = 1, n do
            assert(sock:send(command) == #command)
        end
    end)
    for _ = 1, n do
        assert(sock:receive() == "$" .. size)
        assert(sock:receive(size + 2) == ("x"):rep(size) .. "\r\n")
    end
    ngx.thread.wait(writer)
    ngx.say("all")
}
--- timeout: 60
--- response
all
--- no_error_log
[error]


=== send: the other side takes nothing
--- peer
accept
tls good
stop_reading
pause 1
close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    sock:setoption("sndbuf", 4096)
    assert(sock:sslhandshake())
    sock:settimeouts(nil, 100, nil)
    local ok, err, sent = sock:send(("x"):rep(20000000))
    ngx.say(ok, " ", err, " ", sent < 20000000)
    ngx.say(sock:send("more"))
}
--- response
nil timeout true
nilclosed
--- error_log
lua tcp socket write timed out


=== receive: a timeout, and then the rest
--- peer
accept
tls good
send "par"
expect "go on"
send "tial"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(sock:sslhandshake())
    sock:settimeouts(nil, nil, 500)
    ngx.say(sock:receive(7))
    sock:send("go on")
    sock:settimeouts(nil, nil, 5000)
    ngx.say(sock:receive(4))
}
--- response
niltimeoutpar
tial
--- error_log
lua tcp socket read timed out


=== select: is not told of what is for TLS alone
--- peer
accept
tls good TLSv1.3
expect "go"
send "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(sock:sslhandshake())
    -- The session tickets come now.
    ngx.say(ngx.select({ sock, timeout = 0.1 }))
    sock:send("go")
    ngx.say(ngx.select({ sock, timeout = 5 }))
    ngx.say(sock:receive(1))
}
--- response
niltimeout
1true
x
--- no_error_log
[error]


=== session: TLS 1.2 and 1.3 go on with it, also the one that came of it
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local function ask(port, session)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        session = assert(sock:sslhandshake(session, "test.example"))
        sock:send("GET /tls HTTP/1.0\r\n\r\n")
        ngx.say(sock:receive("*a"):match("(TLSv1.%d .)[^\n]*\n$"))
        return session
    end
    for _, port in ipairs({ $TEST_HTTPS_TLS12_PORT, $TEST_HTTPS_TLS13_PORT }) do
        local session = ask(port)
        collectgarbage()
        session = ask(port, session)
        collectgarbage()
        ask(port, session)
    end
}
--- response
TLSv1.2 .
TLSv1.2 r
TLSv1.2 r
TLSv1.3 .
TLSv1.3 r
TLSv1.3 r
--- no_error_log
[error]


=== session: of another version, or another server, is no harm
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local function ask(port, session)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        session = assert(sock:sslhandshake(session, "test.example"))
        sock:send("GET /tls HTTP/1.0\r\n\r\n")
        ngx.say(sock:receive("*a"):match("(TLSv1.%d .)[^\n]*\n$"))
        return session
    end
    local old = ask($TEST_HTTPS_TLS12_PORT)
    local new = ask($TEST_HTTPS_TLS13_PORT, old)
    ask($TEST_HTTPS_TLS12_PORT, new)
    ask($TEST_HTTPS_ECDSA_PORT, old)
}
--- response_like eval
qr/\ATLSv1\.2 \.\nTLSv1\.3 \.\nTLSv1\.2 .\nTLSv1\.[23] .\n\z/
--- no_error_log
[error]


=== session: an opaque object, and a script that wants to know more
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_HTTPS_PORT))
    local session = assert(sock:sslhandshake())
    ngx.say(getmetatable(session), " ", pcall(function() return session.x end))
    local gc = debug.getmetatable(session).__gc
    gc(session)
    gc(session)
    ngx.say(pcall(sock.sslhandshake, sock, session))
}
--- response_like eval
qr/\Assl session false.*attempt to index.*\nfalse.*session or ssl_ctx expected.*\n\z/
--- no_error_log
[error]


=== pool: the next one has the connection as it is, also with tickets unread
--- peers: https
--- tcp_server_config
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_TLS12_PORT, $TEST_HTTPS_TLS13_PORT }) do
        local numbers = {}
        for i = 1, 3 do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port, { pool = "tls" .. port }))
            ngx.say(sock:getreusedtimes(), " ", sock:sslhandshake(false, "test.example"))
            if i ~= 1 then
                sock:send("GET /connection HTTP/1.1\r\nHost: x\r\n\r\n")
                local length
                repeat
                    local line = assert(sock:receive())
                    length = line:match("^Content%-Length: (%d+)") or length
                until line == ""
                local connection = sock:receive(length and tonumber(length) or 4)
                numbers[#numbers + 1] = connection:match("^%d+")
            else
                ngx.sleep(0.05)
            end
            ngx.say(sock:setkeepalive(i == 3 and 1 or 10000))
        end
        ngx.say(#numbers, " ", numbers[1] == numbers[2])
        ngx.sleep(0.05)
    end
}
--- response
0 true
1
1 true
1
2 true
1
2 true
0 true
1
1 true
1
2 true
1
2 true
--- no_error_log
[error]


=== pool: what is not read, and what comes then, ends it
--- skip_mode: slow: what comes behind a byte there is known by its own event only
--- peer
A: accept
A: tls good
A: send "unread"
A: expect_eof
B: accept
B: tls good
B: send "hello"
B: expect "bye"
B: pause 0.2
B: send "unasked"
B: expect_eof
C: accept
C: tls good
C: send "hello"
C: close
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function connect()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT, "p"))
        assert(sock:sslhandshake())
        return sock:getreusedtimes()
    end
    ngx.say(connect(), " ", sock:peek(1))
    ngx.say(sock:setkeepalive())
    ngx.say(connect(), " ", sock:receive(5))
    ngx.say(sock:send("bye"), " ", sock:setkeepalive())
    ngx.sleep(2)
    ngx.say(connect(), " ", sock:receive(5))
    ngx.sleep(2)
    ngx.say(sock:setkeepalive())
}
--- response
0 u
nilconnection in dubious state
0 hello
3 1
0 hello
nilconnection in dubious state
--- no_error_log
[error]


=== pool: what is verified is so for all, though the first did not ask
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local function ask(port, name)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port, "p" .. port))
        assert(sock:sslhandshake(false, "test.example"))
        assert(sock:setkeepalive())
        assert(sock:connect("127.0.0.1", port, "p" .. port))
        ngx.say(sock:getreusedtimes(), " ", sock:sslhandshake(false, name, true))
        if sock:getreusedtimes() then
            sock:close()
        end
    end
    ask($TEST_HTTPS_PORT, "test.example")
    ask($TEST_HTTPS_PORT, "other.example")
    ask($TEST_HTTPS_SELF_SIGNED_PORT, "test.example")
}
--- response_like eval
qr/\A1 true\n1 nilcertificate host mismatch\n1 nil18: self.signed certificate\n\z/
--- error_log
lua ssl certificate does not match host "other.example"
lua ssl certificate verify error: (18:


=== pool: a NATS server is answered
--- peer
accept
tls good
expect "first"
send "PING\r\n"
expect "PONG\r\n"
expect "second"
send "done"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT, "nats"))
    assert(sock:sslhandshake())
    sock:send("first")
    ngx.say(sock:setkeepalive_nats(10000, 10))
    ngx.sleep(0.3)
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT, "nats"))
    ngx.say(sock:getreusedtimes())
    sock:send("second")
    ngx.say(sock:receive(4))
    sock:close()
}
--- response
1
1
done
--- no_error_log
[error]


=== handshake: the other side says nothing
--- peer
accept
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    sock:settimeouts(100, nil, nil)
    ngx.say(sock:sslhandshake())
    ngx.say(sock:sslhandshake())
    ngx.say(sock:send("x"))
}
--- response
niltimeout
nilclosed
nilclosed
--- error_log
lua ssl handshake timed out


=== handshake: the time is that of lua_socket_connect_timeout
--- peer
accept
read_all
--- tcp_server_config
lua_socket_connect_timeout 100ms;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:sslhandshake())
}
--- response
niltimeout
--- error_log
lua ssl handshake timed out


=== handshake: the other side speaks something else
--- skip_mode: slow: what is taken for a record there is another byte
--- peer
accept
send "HTTP/1.1 400 Bad Request\r\n\r\n"
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:sslhandshake())
    ngx.say(sock:receive(1))
}
--- response
nilhandshake failed
nilclosed
--- error_log
SSL_do_handshake() failed (SSL: error:


=== handshake: the other side closes
--- peer
A: accept
A: half_close
A: read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:sslhandshake())
}
--- response
nilhandshake failed
--- error_log
peer closed connection in SSL handshake


=== handshake: the other side resets
--- peer
A: accept
A: expect_like /^\x16/
A: reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(sock:sslhandshake())
}
--- response
nilhandshake failed
--- error_log
SSL_do_handshake() failed (104: connection reset by peer)


=== receive: the other side resets
--- peer
accept
tls good
send "x"
expect "go"
reset
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(sock:sslhandshake())
    ngx.say(sock:receive(1))
    sock:send("go")
    ngx.say(sock:receive(1))
    ngx.say(sock:receive(1))
}
--- response
x
nilconnection reset by peer
nilclosed
--- no_error_log
[alert]


=== handshake: other threads find the socket busy
--- peer
accept
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    local t = ngx.thread.spawn(function() return sock:sslhandshake() end)
    ngx.say(sock:receive(1))
    ngx.say(sock:send("x"))
    ngx.say(sock:sslhandshake())
    ngx.say(sock:setkeepalive())
    ngx.say(sock:close())
    ngx.say(ngx.thread.kill(t))
    ngx.say(sock:send("x"))
}
--- response
nilsocket busy reading
nilsocket busy writing
nilsocket busy reading
nilsocket busy reading
nilsocket busy reading
1
nilclosed
--- no_error_log
[error]


=== handshake: a deadline ends it
--- peer
accept
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say(ngx.deadline(0.1, function() return sock:sslhandshake() end))
    ngx.say(sock:sslhandshake())
}
--- response
nildeadline
nilclosed
--- no_error_log
[error]


=== handshake: its connection ends with whom it belongs to
--- peer
accept
expect_like /^\x16/
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.thread.spawn(function() sock:sslhandshake() end)
    ngx.sleep(0.05)
    ngx.say("over")
    ngx.exit(0)
}
--- response
over
--- no_error_log
[error]


=== handshake: the client goes away
--- peer
accept
expect_like /^\x16/
read_all
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.say("begin")
    sock:sslhandshake()
}
--- request_parts
expect "begin\n"
reset
--- no_error_log
[error]


=== handshake: in a timer
--- peer
accept
tls good
expect "from a timer"
send "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sema = require("ngx.semaphore").new()
    local result
    ngx.timer.at(0, function()
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
        assert(sock:sslhandshake(nil, "test.example"))
        sock:send("from a timer")
        result = sock:receive(1)
        sema:post()
    end)
    sema:wait(10)
    ngx.say(result)
}
--- response
x
--- no_error_log
[error]


=== openssl s_server: TLS 1.2 and 1.3, with sessions, and a client certificate
--- peers: openssl_tls12 openssl_tls13 openssl_client
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
process_by_lua_block {
    for _, port in ipairs { $TEST_OPENSSL_TLS12_PORT, $TEST_OPENSSL_TLS13_PORT,
                            $TEST_OPENSSL_CLIENT_PORT } do
        local session
        for i = 1, 2 do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            session = assert(sock:sslhandshake(session, "test.example", true))
            assert(sock:send("hello " .. i .. "\n"))
            ngx.print(sock:receive(), " ")
            assert(sock:send({ ("x"):rep(10000), "y\n" }))
            local line = sock:receive()
            ngx.say(#line, line:sub(1, 2))
            assert(sock:close())
        end
    end
}
--- response
1 olleh 10001yx
2 olleh 10001yx
1 olleh 10001yx
2 olleh 10001yx
1 olleh 10001yx
2 olleh 10001yx
--- no_error_log
[error]


=== openssl s_server: wants a client certificate, and gets none
--- peers: openssl_client
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_OPENSSL_CLIENT_PORT))
    -- With TLS 1.3 the client's handshake is over before the server complains.
    local line, err = sock:sslhandshake(nil, "test.example", true)
    if line then
        sock:send("hello\n")
        line, err = sock:receive()
    end
    ngx.say(line, " ", type(err))
}
--- response
nil string
