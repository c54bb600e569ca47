# ngx.req.socket(): the client's connection as an object.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== req: receives as ngx.receive, and together with it
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.req.socket()
    show(sock:receive(3))
    show(ngx.receive())
    show(sock:receive())
    show(sock:peek(4))
    show(sock:receive(100, 4))
    show(sock:receiveany(1))
    local reader = sock:receiveuntil("--")
    show(reader())
    show(reader(2))
    show(reader(2))
    show(reader(2))
    show(sock:receiveuntil("--", { inclusive = true })())
    show(ngx.receive(1))
    show(sock:receive("*a"))
}
--- request_parts
send "abcdef\r\nline\n"
expect "1: abc\n1: def\n1: line\n"
send "peek"
expect "1: peek\n1: peek\n"
send "x"
expect "1: x\n"
drip "one--two--three--fall of it"
half_close
expect "1: one\n1: tw\n1: o\n3: nilnilnil\n1: three--\n1: f\n1: all of it\n"
expect_eof
--- no_error_log
[error]


=== req: what is raw
--- tcp_server_config
process_by_lua_block {
    local function try(...)
        local ok, err = pcall(ngx.req.socket, ...)
        ngx.say(ok, " ", ok and type(err) or (err:gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    try()
    try(true)
    try(false)
    try(nil)
    local ok, err = pcall(function() ngx.req.socket(1) end)
    ngx.say(ok, " ", (err:gsub("^.-:%d+:%d*:? ?", "", 1)))
}
--- request
--- response
true table
true table
true table
true table
false bad argument #1 to 'socket' (boolean expected, got number)
--- no_error_log
[error]


=== req: sends in order with what is printed
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.req.socket()
    ngx.print("a")
    ngx.print(sock:send("b"))
    sock:send({ "c", { 1, "d" } })
    ngx.print(sock:send(42))
    ngx.say(sock:send(""))
    ngx.say(select("#", sock:send("e")))
}
--- request
--- response
ab1nilc1d422nil0nil
e2
--- no_error_log
[error]


=== req: what cannot be sent
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.req.socket()
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    try(function() sock:send() end)
    try(function() sock:send("a", "b") end)
    try(function() sock:send(nil) end)
    try(function() sock:send(true) end)
    try(function() sock:send({ "a", true }) end)
    try(function() sock:send({ "a", { b = 1 } }) end)
    try(function() sock:shutdown() end)
    try(function() sock:receive(-1) end)
    try(function() sock:receiveany() end)
    try(function() sock:peek("x") end)
    try(function() sock:receiveuntil() end)
    try(function() sock:setoption(1, 1) end)
    try(function() sock:settimeout(2 ^ 31) end)
}
--- request
--- response
false expecting 2 arguments (including the object), but got 1
false expecting 2 arguments (including the object), but got 3
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got nil)
false bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got boolean)
false bad argument #1 to 'send' (bad data type boolean found)
false bad argument #1 to 'send' (non-array table found)
false bad argument #1 to 'shutdown' (only "send" is supported)
false bad argument #1 to 'receive' (bad argument <= 0)
false expecting 2 arguments (including the object)
false bad argument #1 to 'peek' (number expected, got string)
false bad argument #1 to 'receiveuntil' (string expected, got nil)
false bad argument #1 to 'setoption' (string expected, got number)
false bad argument #1 to 'settimeout' (bad timeout value)
--- no_error_log
[error]


=== req: shutdown, and receiving goes on
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.req.socket()
    sock:send("question")
    local results = { sock:shutdown("send") }
    results[2] = tostring(select(2, sock:send("x")))
    results[3] = tostring(select(2, sock:shutdown("send")))
    results[4] = tostring(select(2, ngx.print("x")))
    results[5] = sock:receive()
    ngx.log(ngx.WARN, table.concat(results, " "))
}
--- request_parts
expect "question"
expect_eof
send "answer\n"
wait_log "1 closed closed seen eof answer"
close
--- no_error_log
[alert]


=== req: the client ends
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.req.socket()
    show(sock:receive(10))
    show(sock:receive(1))
    show(sock:receiveany(1))
    show(sock:peek(1))
    show(ngx.receive())
}
--- request_parts
send "abc"
half_close
expect "3: nilclosedabc\n2: nilclosed\n2: nilclosed\n2: nilclosed\n2: nilclosed\n"
expect_eof
--- no_error_log
[alert]


=== req: timeouts of its own, and of the configuration
--- tcp_server_config
read_timeout 150ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.req.socket()
    show(sock:receive(10))
    sock:settimeouts(1, 2, 10000)
    ngx.say("long")
    show(sock:receive(3))
    sock:settimeout(50)
    show(sock:receive(1))
    sock:settimeouts(nil, nil, nil)
    show(sock:receive())
}
--- request_parts
send "ab"
expect "3: niltimeoutab\nlong\n"
pause 0.4
send "cde"
expect "1: cde\n2: niltimeout\n2: niltimeout\n"
expect_eof
--- error_log
lua tcp socket read timed out


=== req: the send timeout
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local sock = ngx.req.socket()
        sock:settimeouts(nil, 200, nil)
        local n, err = sock:send(("x"):rep(4000000))
        ngx.log(ngx.WARN, "sent: ", n, " ", err)
    }
}
--- request_parts eval
[[connect => 'rcvbuf=32768'], ['stop_reading'], [wait_log => 'sent: nil timeout'],
 ['close']]
--- skip_mode: slow: 4 MB byte by byte
--- no_error_log
[alert]


=== req: names and options of the connection
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.req.socket()
    local ip, port = sock:getpeername()
    ngx.say(ip, " ", port > 0)
    ngx.say(sock:getsockname())
    ngx.say(sock:getfd() > 0)
    ngx.say(sock:setoption("keepalive", true), " ", sock:getoption("keepalive"))
    ngx.say(sock:setoption("color", 1))
    ngx.say(sock:getoption("color"))
}
--- request
--- response
127.0.0.1 true
127.0.0.1$TEST_PORT
true
1 1
nilunsupported option color
nilunsupported option color
--- no_error_log
[error]


=== req: two that want to read
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.req.socket()
    local t = ngx.thread.spawn(sock.receive, sock, 3)
    show(sock:receive(1))
    show(ngx.receive(1))
    show(sock:peek(1))
    show(ngx.thread.wait(t))
    t = ngx.thread.spawn(ngx.receive, 3)
    show(sock:receiveany(1))
    show(ngx.thread.wait(t))
}
--- request_parts
expect "2: nilsocket busy reading\n" x 3
send "abc"
expect "2: trueabc\n2: nilsocket busy reading\n"
send "def"
expect "2: truedef\n"
expect_eof
--- no_error_log
[error]


=== req: of another connection, and of one that has ended
--- tcp_config
init_by_lua_block { kept = {} }
--- tcp_server_config
process_by_lua_block {
    kept.sock = ngx.req.socket()
    ngx.say("ready")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local function try()
        local sock = kept.sock
        show(sock:send("x"))
        show(sock:receive())
        show(sock:receiveany(1))
        show(sock:peek(1))
        show((select(2, sock:receiveuntil("x")())))
        show(sock:shutdown("send"))
        show(sock:getfd())
        show(sock:getpeername())
        show(sock:setoption("keepalive", true))
        sock:settimeout(5)
        sock:settimeouts(5, 5, 5)
        show(ngx.select{ sock, timeout = 0 })
    end
    try()
    ngx.receive("*l")
    try()
}
--- request_parts
A: expect "ready\n"
B: connect $TEST_PORT2
B: expect "2: nilclosed\n" x 4
B: expect "1: closed\n"
B: expect "2: nilclosed\n" x 4
B: expect "2: 1true\n"
A: send "\n"
A: expect_eof
B: send "\n"
B: expect "2: nilclosed\n" x 4
B: expect "1: closed\n"
B: expect "2: nilclosed\n" x 4
B: expect "2: 1true\n"
B: expect_eof
--- no_error_log
[alert]


=== req: not where there is no client
--- tcp_config
init_by_lua_block {
    in_init = select(2, pcall(function() return ngx.req.socket() end))
}
--- tcp_server_config
process_by_lua_block {
    local done, err = require("ngx.semaphore").new(), nil
    ngx.timer.at(0, function()
        err = select(2, pcall(function() return ngx.req.socket() end))
        done:post()
    end)
    done:wait(5)
    ngx.say((tostring(in_init):gsub("^.-:%d+:%d*:? ?", "", 1)))
    ngx.say((tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
}
--- request
--- response_like
^(no session found|API disabled in the context of init_by_lua\*)
API disabled in the context of ngx.timer
$
--- no_error_log
[alert]


=== req: in ngx.select, over requests
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.req.socket()
    ngx.say(ngx.select{ sock, timeout = 0 })
    ngx.say(ngx.select{ sock, timeout = 5 })
    ngx.say(ngx.select{ sock, timeout = 0 })
    ngx.say(sock:receive())
    ngx.wait_next_request()
    ngx.say(ngx.select{ sock })
    ngx.say(sock:receive())
}
--- request_parts
expect "niltimeout\n"
send "one\n"
expect "1true\n1true\none\n"
send "two\n"
expect "1true\ntwo\n"
expect_eof
--- no_error_log
[error]


=== req: thousands of lines that are there leave others their turn
--- tcp_server_config
process_by_lua_block {
    local sock, n = ngx.req.socket(), 0
    local t = ngx.thread.spawn(function()
        while true do
            ngx.sleep(0.001)
            n = n + 1
        end
    end)
    for i = 1, 20000 do assert(sock:receive() == "x") end
    ngx.thread.kill(t)
    ngx.say(n > 0)
}
--- request eval
"x\n" x 20_000
--- response
true
--- no_error_log
[error]
