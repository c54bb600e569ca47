# resty.nats as lua-resty-nats has it: its methods, what they return, and what
# scripts that were written for it rely on.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

# The script of lua-resty-nats's README, but for the port and for where the
# request comes from.
our $USAGE = <<'LUA';
process_by_lua_block {
    local nats = require "resty.nats"
    local internal_error = '{"code": 500, "msg": "Service is temporarily unavailable. Please try again later"}'
    local n = nats:new()
    local ok, err = n:connect("127.0.0.1", $PORT)
    if not ok then
        ngx.say(internal_error)
        ngx.exit(200)
    end

    local data = ngx.receive("*l")

    local function request_callback(msg)
        ngx.say(msg.payload)
    end
    ok, err = n:request('rpc', data, request_callback)
    if not ok then
        ngx.say(internal_error)
        ngx.exit(200)
    else
        ok,err = n:wait(1)
        if not ok and err then
            ngx.say(internal_error)
            ngx.exit(200)
        end
    end
    ok, err = n:set_keepalive(0, 1024)
}
LUA

sub usage { return $USAGE =~ s/\$PORT/$_[0]/r }

run_tests();

__DATA__

=== usage: a request is answered, again and again
--- peers: nats nats_py
--- tcp_server_config eval: main::usage('$TEST_NATS_PORT')
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
A: send "hello\n"
A: expect "hello\n"
A: expect_eof
B: send "and again\n"
B: expect "and again\n"
B: expect_eof
C: send "\n"
C: expect "\n"
C: expect_eof
--- no_error_log
[error]


=== usage: nobody answers
--- peers: nats
--- tcp_server_config eval: main::usage('$TEST_NATS_PORT')
--- request
hello
--- response
{"code": 500, "msg": "Service is temporarily unavailable. Please try again later"}
--- no_error_log
[error]


=== usage: no server
--- tcp_server_config eval: main::usage('$TEST_CLOSED_PORT')
--- response
{"code": 500, "msg": "Service is temporarily unavailable. Please try again later"}
--- error_log
connect() to 127.0.0.1:$TEST_CLOSED_PORT failed
--- no_error_log
[alert]


=== new: each object has a socket of its own
--- peers: nats
--- tcp_server_config
process_by_lua_block {
    local nats = require "resty.nats"
    local a, b = nats:new(), nats.new()
    ngx.say(type(nats._VERSION), " ", a ~= b, " ", a.sock ~= b.sock)
    ngx.say(a.connected or false, " ", a.subscribed)
    ngx.say(type(a.sock.settimeout), " ", type(a.sock.getreusedtimes))
    assert(a:connect("127.0.0.1", $TEST_NATS_PORT))
    ngx.say(a.connected, " ", a.subscribed, " ", a.sock:getreusedtimes())
    ngx.say(b.connected or false, " ", (b:publish("s", "x")))
    ngx.say(a:close(), " ", a.connected or false)
}
--- response
string true true
false false
function function
true false 0
false false
1 false
--- no_error_log
[error]


=== a message has its fields
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local sid, err = n:subscribe("greet.*", function(msg)
        test.show(msg.type, msg.subject, type(msg.sid), msg.len, msg.reply_to,
                  msg.payload)
    end)
    test.show(type(sid), err)
    test.show(n:publish("greet.joe", "hello"))
    test.show(n:publish("greet.sue", "", "inbox.1"))
    test.show(n:wait(2))
    n:subscribe("other", function(msg)
        ngx.say(msg.sid == sid, " ", msg.subject)
    end)
    n:publish("other", "x")
    test.show(n:wait(1))
    n:close()
}
--- response
string ''
true ''
true ''
MSG greet.joe string 5 nil hello
MSG greet.sue string 0 inbox.1 ''
true ''
false other
true ''
--- no_error_log
[error]


=== not connected: each method says so
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function nothing() end
    test.show(n:publish("s", "x"))
    test.show(n:subscribe("s", nothing))
    test.show(n:unsubscribe("1"))
    test.show(n:request("s", "x", nothing))
    test.show(n:request_sync("s", "x"))
    test.show(n:flush())
    test.show(n:wait(1))
    test.show(n:set_keepalive(0, 10))
    test.show(n:get_reused_times())
    test.show(n:close())
    test.show(n:set_timeout(1000))
    test.show(n:set_timeouts(1000, 1000, 1000))
    n.sock = nil
    test.show(n:set_timeout(1000))
    test.show(n:set_timeouts(1000, 1000, 1000))
    test.show(n:get_reused_times())
    test.show(n:connect("127.0.0.1", $TEST_CLOSED_PORT))
    test.show(n:set_keepalive(0, 10))
}
--- response
false not connected
false not connected
false not connected
false not connected
nil not connected
false not connected
false closed
nil closed
nil closed
false not connected


nil not initialized
nil not initialized
nil not initialized
nil not initialized
nil not initialized
--- no_error_log
[error]


=== wrong arguments: an error, and the connection goes on
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function nothing() end
    test.show(n:subscribe(nil, nothing))
    test.show(n:subscribe({}, nothing))
    test.show(n:subscribe("s"))
    test.show(n:subscribe("s", "nothing"))
    test.show(n:subscribe("s", nothing, "queue"))
    test.show(n:subscribe("s", nothing, { queue = 1 }))
    test.show(n:unsubscribe())
    test.show(n:unsubscribe({}))
    test.show(n:request(nil, "x", nothing))
    test.show(n:request("s", "x"))
    test.show(n:request("s", "x", "nothing"))
    test.show(n:publish(nil, "x"))
    test.show(n:publish({}, "x"))
    test.show(n:publish("s", "x", 1))
    test.show(n:unsubscribe("nonesuch"))
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "fine")
    test.show(n:wait(1))
    n:close()
}
--- response
false subject is not a string
false subject is not a string
false callback is not a function
false callback is not a function
false options are not a table
false invalid queue
false sid is not a string
false sid is not a string
false subject is not a string
false callback is not a function
false callback is not a function
false invalid subject
false invalid subject
false invalid reply subject
true ''
fine
true ''
--- no_error_log
[error]


=== wait: counts messages of all subscriptions
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function show(msg) ngx.say(msg.subject, msg.payload) end
    n:subscribe("a", show)
    n:subscribe("b", show)
    for i = 1, 2 do
        n:publish("a", i)
        n:publish("b", i)
    end
    test.show(n:wait(3))
    test.show(n:wait(1))
    n:close()
}
--- response
a1
b1
a2
true ''
b2
true ''
--- no_error_log
[error]


=== wait: for any number, up to the timeout, and all goes on after it
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    for i = 1, 3 do n:publish("s", i) end
    -- After it all is there that is to come.
    n:flush()
    n:set_timeout(50)
    test.show(n:wait())
    n:publish("s", "more")
    n:flush(60000)
    test.show(n:wait(0))
    n.sock:settimeout(60000)
    n:publish("s", "last")
    test.show(n:wait(1))
    test.show(n:wait(1, 10))
    n:set_timeouts(60000, 60000, 20)
    test.show(n:wait(1))
    n:close()
}
--- response
1
2
3
false timeout
more
false timeout
last
true ''
false timeout
false timeout
--- no_error_log
[error]


=== request: its answer is for the callback, and no subscription is left
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local calls = 0
    for i = 1, 3 do
        test.show(n:request("rpc", "number " .. i, function(msg)
            calls = calls + 1
            test.show(msg.type, msg.payload, calls)
        end))
        test.show(n:wait(1))
    end
    ngx.say(n.subscribed)
    test.show(n:set_keepalive(0, 10))
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
send "\n"
--- response
true ''
MSG number 1 1
true ''
true ''
MSG number 2 2
true ''
true ''
MSG number 3 3
true ''
false
1
--- no_error_log
[error]


=== unsubscribe: what is on its way is dropped, and is no error
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local sid
    sid = n:subscribe("s", function(msg)
        ngx.say(msg.payload)
        test.show(n:unsubscribe(sid))
    end)
    n:subscribe("t", function(msg) ngx.say("t ", msg.payload) end)
    for i = 1, 3 do n:publish("s", i) end
    for i = 1, 3 do n:publish("t", i) end
    test.show(n:wait(4))
    test.show(n:unsubscribe(sid))
    n:close()
}
--- response
1
true ''
t 1
t 2
t 3
true ''
true ''
--- no_error_log
[error]
[warn]


=== unsubscribe: from what came before, before wait
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local sid = n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "lost")
    test.show(n:flush())
    n:unsubscribe(sid)
    n:subscribe("s", function(msg) ngx.say("second ", msg.payload) end)
    n:publish("s", "fine")
    n:flush()
    test.show(n:wait(1))
    test.show(n:wait(1, 50))
    n:close()
}
--- response
true ''
second fine
true ''
false timeout
--- no_error_log
[error]
[warn]


=== set_keepalive: not while a subscription lives
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function show(msg) ngx.say(msg.payload) end
    local a, b = n:subscribe("a", show), n:subscribe("b", show)
    test.show(n.subscribed, n:set_keepalive(0, 10))
    n:unsubscribe(a)
    test.show(n.subscribed, n:set_keepalive(0, 10))
    n:publish("b", "still there")
    test.show(n:wait(1))
    n:unsubscribe(b)
    test.show(n.subscribed, n:set_keepalive(0, 10))
    test.show(n:publish("s", "x"))
    test.show(n:set_keepalive(0, 10))
}
--- response
true nil subscribed state
true nil subscribed state
still there
true ''
false 1
false closed
nil closed
--- no_error_log
[error]


=== close: once
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function() end)
    test.show(n:close())
    test.show(n:close())
    test.show(n.connected or false, n.subscribed)
    test.show(n:wait(1))
    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT))
    test.show(n:get_reused_times())
    test.show(n:close())
}
--- response
1
false not connected
false false
false closed
true ''
0
1
--- no_error_log
[error]


=== drain: what has come is for the callbacks, and then it closes
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    test.show(require "resty.nats":new():drain())
    local other = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg)
        ngx.say(msg.payload)
        other:publish("s", "too late")
        other:flush()
    end)
    n:flush()
    for i = 1, 3 do other:publish("s", i) end
    other:flush()
    n:publish("t", "x")
    test.show(n:drain(60000))
    test.show(n.connected, n.subscribed)
    test.show(n:publish("s", "x"))
    test.show(n:drain())
    test.show(n:close())
    other:close()
}
--- response
false not connected
1
2
3
true ''
false false
false not connected
false not connected
false not connected
--- no_error_log
[error]


=== drain: the server does not answer, or goes
--- peer nats
A: serve
A: expect_like /^SUB s \S+\r\nUNSUB \S+\r\nPING\r\n/
A: expect_close
B: serve
B: expect_like /^SUB s \S+\r\nUNSUB \S+\r\nPING\r\n/
B: half_close
B: expect_close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _, ms in ipairs { 200, 60000 } do
        local n = test.client($TEST_PEER_PORT)
        n:subscribe("s", function() end)
        test.show(n:drain(ms))
        test.show(n.connected, n:publish("s", "x"))
    end
}
--- request
--- response
false timeout
false false not connected
false closed
false false not connected
--- no_error_log
[error]


=== callback: may publish, and wait itself
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("outer", function(msg)
        ngx.say("outer ", msg.payload)
        n:publish("inner", msg.payload)
        test.show(n:wait(1))
        ngx.sleep(0.01)
        ngx.say("outer ends")
    end)
    n:subscribe("inner", function(msg) ngx.say("inner ", msg.payload) end)
    n:publish("outer", "x")
    test.show(n:wait(1))
    n:close()
}
--- response
outer x
inner x
true ''
outer ends
true ''
--- no_error_log
[error]


=== callback: its error is that of wait, the message is gone, all goes on
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local object = {}
    n:subscribe("s", function(msg)
        if msg.payload == "1" then error("no good", 0) end
        if msg.payload == "2" then error(object) end
        ngx.say(msg.payload)
    end)
    for i = 1, 3 do n:publish("s", i) end
    test.show(pcall(n.wait, n, 3))
    ngx.say(select(2, pcall(n.wait, n, 3)) == object)
    test.show(n:wait(1))
    n:close()
}
--- response
false no good
true
3
true ''
--- no_error_log
[error]


=== callback: ends the connection that it is called for
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg)
        test.show(msg.payload, n:close())
    end)
    n:publish("s", 1)
    n:publish("s", 2)
    test.show(n:wait(2))
    test.show(n:close())
}
--- response
1 1
false closed
false not connected
--- no_error_log
[error]


=== callback: gives the connection away when nothing is subscribed any more
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local sid
    sid = n:subscribe("s", function(msg)
        n:unsubscribe(sid)
        test.show(msg.payload, n:set_keepalive(1000, 10))
    end)
    n:publish("s", 1)
    test.show(n:wait(1))
    test.show(n:wait(1))
}
--- response
1 1
true ''
false closed
--- no_error_log
[error]


=== callback: yields to whoever has resumed the coroutine that waits
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) coroutine.yield(msg.payload) end)
    for i = 1, 3 do n:publish("s", i) end
    local messages = coroutine.wrap(function()
        repeat until not n:wait(1)
    end)
    ngx.say(messages())
    -- The callback is not through, and nobody else waits for that.
    test.show(n:flush())
    ngx.say(messages())
    ngx.say(messages())
    n:close()
}
--- response
1
true ''
2
3
--- no_error_log
[error]


=== callback: ends the handler
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_NATS_PORT)
    n:subscribe("s", function(msg)
        ngx.say(msg.payload)
        ngx.exit(200)
    end)
    n:publish("s", "last words")
    n:wait(1)
    ngx.say("not reached")
}
--- response
last words
--- no_error_log
[error]


=== words of a script that was lucky: a queue in the subject, a number in the sid
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local got = { 0, 0 }
    n:subscribe("jobs workers", function() got[1] = got[1] + 1 end)
    n:subscribe("jobs workers", function() got[2] = got[2] + 1 end)
    for _ = 1, 200 do n:publish("jobs", "x") end
    test.show(n:wait(200))
    ngx.say(got[1] + got[2], " ", got[1] > 0, " ", got[2] > 0)

    local count = 0
    local sid = n:subscribe("few", function() count = count + 1 end)
    test.show(n:unsubscribe(sid .. " 3"))
    for _ = 1, 5 do n:publish("few", "x") end
    n:flush()
    test.show(n:wait(4, 50))
    ngx.say(count)
    n:close()
}
--- response
true ''
200 true true
true ''
false timeout
3
--- no_error_log
[error]


=== connect: by a unix socket
--- peer nats
listen unix:$TEST_DIR/nats
serve
expect "PUB s 2\r\nhi\r\n"
expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("unix:$TEST_DIR/nats"))
    test.show(n:publish("s", "hi"))
    test.show(n:close())
}
--- request
--- response
true ''
true ''
1
--- no_error_log
[error]


=== connect: by IPv6, and by a URL without a port
--- peer nats
listen [::1]:$TEST_PEER_PORT
serve
expect "PUB s 2\r\nhi\r\n"
expect_eof
A: serve
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("nats://[::1]:$TEST_PEER_PORT"))
    test.show(n:publish("s", "hi"))
    test.show(n:close())
    test.show(n:connect("[::1]", $TEST_PEER_PORT, { name = "x" }))
    test.show(n:close())
    -- Port 4222 of an address where nobody is.
    test.show(n:connect("nats://127.77.77.77"))
    test.show(n:connect("127.77.77.77"))
}
--- request
--- response
true ''
true ''
1
true ''
1
false connection refused
false connection refused
--- no_error_log
[alert]


=== connect: the socket's options go to it
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local function client(opts)
        local n = nats:new()
        return n, n:connect("127.0.0.1", $TEST_NATS_PORT, opts)
    end
    local a = client { pool = "mine", pool_size = 1, backlog = 0 }
    test.show(a:get_reused_times())
    test.show(select(2, client { pool = "mine", pool_size = 1, backlog = 0 }))
    test.show(a:set_keepalive(1000))
    local b = client { pool = "mine" }
    test.show(b:get_reused_times())
    local c = client()
    test.show(c:get_reused_times())
    b:close()
    c:close()
}
--- response
0
false too many waiting connect operations
1
1
0
--- no_error_log
[error]


=== connect: again while connected is a new connection
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local id = n.info.client_id
    n:subscribe("s", function() ngx.say("not for me") end)
    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT))
    ngx.say(n.info.client_id ~= id, " ", n.subscribed)
    n:publish("s", "x")
    n:flush()
    test.show(n:wait(1, 50))
    n:close()
}
--- response
true ''
true false
false timeout
--- no_error_log
[error]


=== a module-level table has no callbacks of objects that are gone
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local gone = setmetatable({}, { __mode = "k" })
    for i = 1, 3 do
        local n = test.client($TEST_NATS_PORT)
        local data = {}
        gone[data] = i
        n:subscribe("s", function() return data end)
        n:request("nobody", "x", function() return data end)
        if i == 1 then n:close() end
    end
    collectgarbage()
    collectgarbage()
    ngx.say(next(gone))
}
--- response
nil
--- no_error_log
[error]
