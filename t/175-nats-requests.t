# resty.nats: requests, by a callback in wait() and by request_sync(): who
# answers, who does not, and what becomes of answers that come late.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== request_sync: the answer is what it returns
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    for _, payload in ipairs { "one", "", "\0\r\n", 42 } do
        local msg, err = n:request_sync("rpc", payload)
        test.show(msg.type, msg.payload == tostring(payload), msg.len, msg.reply_to, err)
    end
    local msg = n:request_sync("rpc")
    test.show(msg.payload)
    msg = n:request_sync("rpc", "x", { timeout = 30000 })
    test.show(msg.payload, n.subscribed)
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
MSG true 3 nil nil
MSG true 0 nil nil
MSG true 3 nil nil
MSG true 2 nil nil
''
x false
1
--- no_error_log
[error]


=== requests: nobody is there: said at once
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    test.show(n:request_sync("nobody", "x"))
    test.show(n:request("nobody", "x", function() ngx.say("no") end))
    ngx.say(n.subscribed)
    test.show(n:wait(1))
    ngx.say(n.subscribed, " ", n.last_error)
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "fine")
    test.show(n:wait(1))
    n:close()
}
--- response
nil no responders
true ''
true
false no responders
false nil
fine
true ''
--- no_error_log
[error]


=== requests: what a server says of nobody
--- peers: nats_old
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("inbox", function(msg)
        test.show(msg.status, msg.len, msg.headers["Nats-Subject"])
    end)
    n:publish("nobody", "x", "inbox")
    test.show(n:wait(1))
    n:close()
}
--- response
503 0 nil
true ''
--- no_error_log
[error]


=== requests: what a newer server says of nobody
--- peers: nats_new
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("inbox", function(msg)
        test.show(msg.status, msg.len, msg.headers["Nats-Subject"])
    end)
    n:publish("nobody", "x", "inbox")
    test.show(n:wait(1))
    n:close()
}
--- response
503 0 nobody
true ''
--- no_error_log
[error]


=== requests: without no_responders their time goes by
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _, opts in ipairs { { no_responders = false }, { headers = false } } do
        local n = test.client($TEST_NATS_PORT, opts)
        test.show(n:request_sync("nobody", "x", { timeout = 50 }))
        test.show(n:request("nobody", "x", function() ngx.say("no") end))
        test.show(n:wait(1, 50))
        n:close()
    end
}
--- response
nil timeout
true ''
false timeout
nil timeout
true ''
false timeout
--- no_error_log
[error]


=== requests: many in flight, their answers in another order
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local order = {}
    for i, ms in ipairs { 900, 600, 300, 0 } do
        n:request("late", ms .. " " .. i, function(msg)
            order[#order + 1] = msg.payload
        end)
    end
    test.show(n:wait(4))
    ngx.say(table.concat(order, ", "))
    n:close()
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond_late late\n"
P: expect "subscribed\n"
send "\n"
--- response
true ''
0 4, 300 3, 600 2, 900 1
--- no_error_log
[error]


=== request_sync: a hundred threads over one connection, each gets its own
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local threads, right = {}, 0
    for i = 1, 100 do
        threads[i] = ngx.thread.spawn(function()
            for round = 1, 3 do
                local ask = i * 7919 % 100 .. " " .. i .. " " .. round
                local msg, err = n:request_sync("late", ask)
                if msg and msg.payload == ask then
                    right = right + 1
                else
                    ngx.say(ask, ": ", msg and msg.payload or err)
                end
            end
        end)
    end
    for i = 1, 100 do ngx.thread.wait(threads[i]) end
    ngx.say(right)
    local c = test.monitor($TEST_NATS_MONITOR_PORT,
        "/connz?subs=1&cid=" .. n.info.client_id).connections[1]
    ngx.say(c.subscriptions)
    test.show(n:set_keepalive(0, 10))
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond_late late\n"
P: expect "subscribed\n"
send "\n"
--- response
300
1
1
--- timeout: 20
--- no_error_log
[error]


=== request_sync: with wait, flush and messages at the same time
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local got, answers, flushes = 0, 0, 0
    n:subscribe("s", function(msg) got = got + 1 end)
    local waiter = ngx.thread.spawn(function() return n:wait(300) end)
    local threads = {}
    for i = 1, 10 do
        threads[i] = ngx.thread.spawn(function()
            for round = 1, 30 do
                n:publish("s", "x")
                local msg = n:request_sync("rpc", i .. " " .. round)
                if msg.payload == i .. " " .. round then answers = answers + 1 end
                if round % 10 == 0 and n:flush() then flushes = flushes + 1 end
            end
        end)
    end
    for i = 1, 10 do ngx.thread.wait(threads[i]) end
    ngx.say(ngx.thread.wait(waiter))
    ngx.say(got, " ", answers, " ", flushes)
    n:close()
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
send "\n"
--- response
truetrue
300 300 30
--- timeout: 20
--- no_error_log
[error]


=== request_sync: an answer that comes too late is nobody's
--- peer nats
A: serve
A: expect_like /^SUB (?<inbox>\S+)\.\* (?<sid>\S+)\r\nPUB s \k<inbox>\.(?<first>\S+) 1\r\n1\r\n/
A: wait_log "too late"
A: send "MSG ${inbox}.${first} ${sid} 5\r\nfirst\r\n"
A: expect_like /^PUB s \S+\.(?<second>\S+) 1\r\n2\r\n/
A: send "MSG ${inbox}.${second} ${sid} 6\r\nsecond\r\n"
A: send "MSG ${inbox}.${second} ${sid} 6\r\nsecond\r\n"
A: send "MSG ${inbox}.nonesuch ${sid} 1\r\nx\r\nMSG ${inbox}. ${sid} 1\r\nx\r\n"
A: send "MSG elsewhere ${sid} 1\r\nx\r\n"
A: expect_like /^PUB s \S+\.(?<third>\S+) 1\r\n3\r\n/
A: send "MSG ${inbox}.${third} ${sid} 5\r\nthird\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    test.show(n:request_sync("s", 1, { timeout = 100 }))
    ngx.log(ngx.WARN, "too late")
    test.show(n:request_sync("s", 2).payload)
    test.show(n:request_sync("s", 3).payload)
    n:close()
}
--- request
--- response
nil timeout
second
third
--- no_error_log
[error]


=== request: a timeout of its own, after which its answer is nobody's
--- peer nats
A: serve
A: expect_like /^SUB (?<inbox>\S+)\.\* (?<sid>\S+)\r\nPUB s \k<inbox>\.(?<first>\S+) 1\r\n1\r\n/
A: wait_log "too late"
A: send "MSG ${inbox}.${first} ${sid} 5\r\nfirst\r\n"
A: expect_like /^PUB s \S+\.(?<second>\S+) 1\r\n2\r\n/
A: send "MSG ${inbox}.${second} ${sid} 6\r\nsecond\r\n"
A: expect_like /^UNSUB \S+\r\n/
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local function show(msg) ngx.say(msg.payload) end
    test.show(n:request("s", 1, show, { timeout = 100 }))
    test.show(n:wait(1))
    ngx.say(n.subscribed)
    ngx.log(ngx.WARN, "too late")
    n:request("s", 2, show, { timeout = 60000 })
    test.show(n:wait(1))
    test.show(n:set_keepalive(100, 10))
    ngx.sleep(0.3)
}
--- request
--- response
true ''
false timeout
false
second
true ''
1
--- no_error_log
[error]


=== requests: wrong options
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function nothing() end
    for _, opts in ipairs { 1, { timeout = "x" }, { timeout = 0 }, { timeout = -1 } } do
        test.show(n:request("s", "x", nothing, opts))
        test.show(n:request_sync("s", "x", opts))
    end
    test.show(n:request_sync(nil, "x"))
    test.show(n:request_sync("s", {}))
    test.show(n.subscribed)
    n:close()
}
--- response
false options are not a table
nil options are not a table
false timeout is not a positive number
nil timeout is not a positive number
false timeout is not a positive number
nil timeout is not a positive number
false timeout is not a positive number
nil timeout is not a positive number
nil invalid subject
nil payload is not a string
false
--- no_error_log
[error]


=== requests: an inbox where none can be is not asked for
--- peer nats
A: serve
A: expect "PUB end 0\r\n\r\n"
B: serve
B: expect "PUB end 0\r\n\r\n"
C: serve
C: expect "PUB end 0\r\n\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _, prefix in ipairs { "a b", "a.", "a\r\nPUB b 0\r\n\r\n" } do
        local n = test.client($TEST_PEER_PORT, { inbox_prefix = prefix })
        test.show(n:request("s", "x", function() end))
        test.show(n:request_sync("s", "x"))
        ngx.say(n.subscribed)
        n:publish("end")
        n:close()
    end
}
--- request
--- response eval
"false invalid reply subject\nnil invalid reply subject\nfalse\n" x 3
--- no_error_log
[error]


=== requests: inboxes of any length
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local service = test.client($TEST_NATS_PORT)
    local reply_to
    service:subscribe("rpc", function(msg)
        reply_to = msg.reply_to
        msg:respond(msg.payload, msg.headers)
    end)
    service:flush()
    local serving = ngx.thread.spawn(service.wait, service)
    local lengths = { 1, 60, 300, 3000 }
    for len = 80, 110 do lengths[#lengths + 1] = len end
    for _, len in ipairs(lengths) do
        local prefix = ("p"):rep(len)
        local n = test.client($TEST_NATS_PORT, { inbox_prefix = prefix })
        local names = {}
        for i = 1, 3 do
            local headers = i == 3 and { A = "b" } or nil
            local msg, err = n:request_sync("rpc", i, { headers = headers })
            if not msg or msg.payload ~= tostring(i) or not reply_to:find("^" .. prefix .. "%.%w+%.%d+$")
                or (msg.headers and msg.headers.A) ~= (headers and "b") or names[reply_to]
            then
                ngx.say(len, " ", i, " ", err)
            end
            names[reply_to] = true
        end
        n:close()
    end
    ngx.thread.kill(serving)
    service:close()
    ngx.say("done")
}
--- response
done
--- timeout: 20
--- no_error_log
[error]


=== requests: the end of the connection is the end of all
--- peer nats
A: serve
A: expect_like /^SUB \S+ \S+\r\n(?:PUB s \S+ 1\r\n\d\r\n){5}/
A: send "-ERR 'Stale Connection'\r\n"
A: expect_close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local threads = {}
    n:request("s", 1, function() ngx.say("no") end)
    for i = 2, 5 do
        threads[i] = ngx.thread.spawn(function()
            local msg, err = n:request_sync("s", i)
            return tostring(msg) .. " " .. err
        end)
    end
    test.show(n:wait(1))
    for i = 2, 5 do ngx.say(select(2, ngx.thread.wait(threads[i]))) end
    ngx.say(n.subscribed)
    n:close()
}
--- request
--- response
false Stale Connection
nil Stale Connection
nil Stale Connection
nil Stale Connection
nil Stale Connection
false
--- no_error_log
[error]


=== a service: requests of many clients, answered by threads
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("upper", function(msg)
        ngx.thread.spawn(function()
            ngx.sleep(0.01)
            msg:respond(msg.payload:upper(), { From = "us" })
        end)
    end, { queue = "service" })
    n:flush()
    ngx.say("ready")
    test.show(n:wait(2))
    ngx.receive("*l")
    n:close()
}
--- request_parts
A: expect "ready\n"
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "request upper hello\n"
P: expect "reply {From=us}: HELLO\n"
P: send "request upper again\n"
A: expect "true ''\n"
P: expect "reply {From=us}: AGAIN\n"
A: send "\n"
A: expect_eof
--- no_error_log
[error]
