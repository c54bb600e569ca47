# resty.nats: one connection for several light threads: who reads, who is woken,
# and what is left when one of them is killed or its time is over.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== threads: one waits, another publishes ten thousand
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local many = tonumber(ngx.receive("*l"))
    local n = test.client($TEST_NATS_PORT)
    local sum, count = 0, 0
    n:subscribe("s", function(msg)
        count, sum = count + 1, sum + msg.payload
    end)
    local waiter = ngx.thread.spawn(n.wait, n, many)
    local bad
    for i = 1, many do
        local ok, err = n:publish("s", i)
        if not ok then bad = err end
    end
    ngx.say(bad)
    ngx.say(ngx.thread.wait(waiter))
    ngx.say(count == many, " ", sum == many * (many + 1) / 2)
    n:close()
}
--- request eval
$ENV{TEST_SLOW} ? "300\n" : $ENV{TEST_NGINX_USE_VALGRIND} ? "2000\n" : "10000\n"
--- response
nil
truetrue
true true
--- timeout: 15
--- no_error_log
[error]


=== threads: only one at a time waits for messages
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    local waiter = ngx.thread.spawn(n.wait, n, 2)
    test.show(n:wait(1))
    test.show(n:set_keepalive(0, 10))
    test.show(n:flush())
    test.show(n:wait(1))
    test.show(n:publish("s", 1))
    test.show(n:publish("s", 2))
    test.show(ngx.thread.wait(waiter))
    n:publish("s", 3)
    test.show(n:wait(1))
    n:close()
}
--- response
false socket busy reading
nil subscribed state
true ''
false socket busy reading
true ''
true ''
1
2
true true ''
3
true ''
--- no_error_log
[error]


=== threads: what one subscribes while another waits is for him who waits
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local waiter = ngx.thread.spawn(function() return n:wait(2) end)
    local sid = n:subscribe("late", function(msg) ngx.say(msg.payload) end)
    n:publish("late", "one")
    ngx.sleep(0.1)
    n:request("late", "two", function(msg) ngx.say("no") end)
    test.show(ngx.thread.wait(waiter))
    n:unsubscribe(sid)
    n:close()
}
--- response
one
two
true true ''
--- no_error_log
[error]


=== threads: the reader is killed, and another takes its place
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say("got ", msg.payload) end)
    for round = 1, 20 do
        local reader = ngx.thread.spawn(n.wait, n, 1)
        local askers = {}
        for i = 1, 3 do
            askers[i] = ngx.thread.spawn(function()
                return n:request_sync("late", "30 " .. i)
            end)
        end
        if round % 2 == 0 then ngx.sleep(0.005) end
        ngx.thread.kill(reader)
        for i = 1, 3 do
            local _, msg, err = ngx.thread.wait(askers[i])
            if not msg or msg.payload ~= "30 " .. i then
                ngx.say(round, " ", i, " ", msg and msg.payload or err)
            end
        end
    end
    n:publish("s", "it")
    test.show(n:wait(1))
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
got it
true ''
--- no_error_log
[error]


=== threads: one that asks reads for all, and is killed
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say("got ", msg.payload) end)
    local first = ngx.thread.spawn(function() return n:request_sync("late", "300 x") end)
    local waiter = ngx.thread.spawn(n.wait, n, 1)
    local flusher = ngx.thread.spawn(function() ngx.sleep(0.05) return n:flush() end)
    local asker = ngx.thread.spawn(function() return n:request_sync("late", "100 y") end)
    ngx.sleep(0.02)
    ngx.thread.kill(first)
    test.show(ngx.thread.wait(flusher))
    ngx.say(select(2, ngx.thread.wait(asker)).payload)
    ngx.thread.kill(waiter)
    n:publish("s", "it")
    test.show(n:wait(1))
    -- The late answer is nobody's.
    test.show(n:wait(1, 500))
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
true true ''
100 y
got it
true ''
false timeout
--- no_error_log
[error]


=== threads: those that wait are killed in any order
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local wrong = 0
    for round = 1, 10 do
        local threads = {}
        for i = 1, 10 do
            threads[i] = ngx.thread.spawn(function()
                return n:request_sync("late", "50 " .. i)
            end)
        end
        for i = 1, 10 do
            if (i * 7 + round) % 3 == 0 then
                ngx.thread.kill(threads[i])
                threads[i] = nil
                if i % 2 == 0 then ngx.sleep(0.001) end
            end
        end
        for i, thread in pairs(threads) do
            local _, msg = ngx.thread.wait(thread)
            if not msg or msg.payload ~= "50 " .. i then wrong = wrong + 1 end
        end
    end
    ngx.say(wrong, " wrong")
    test.show(n:flush())
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
0 wrong
true ''
1
--- timeout: 15
--- no_error_log
[error]


=== threads: a deadline ends a wait, and another takes its place
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say("got ", msg.payload) end)
    local reader = ngx.thread.spawn(function() return ngx.deadline(0.05, n.wait, n) end)
    local asker = ngx.thread.spawn(function() return n:request_sync("late", "400 x") end)
    test.show(ngx.thread.wait(reader))
    ngx.say(select(2, ngx.thread.wait(asker)).payload)
    test.show(ngx.deadline(0.05, n.request_sync, n, "late", "500 y"))
    test.show(ngx.deadline(0.05, n.wait, n, 1))
    test.show(ngx.deadline(10, n.flush, n))
    n:publish("s", "it")
    test.show(n:wait(1))
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
true false deadline
400 x
nil deadline
false deadline
true ''
got it
true ''
--- no_error_log
[error]


=== threads: close() of one is the end of the others' waits
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function() end)
    local waiter = ngx.thread.spawn(n.wait, n)
    local asker = ngx.thread.spawn(n.request_sync, n, "s", "x")
    ngx.sleep(0.01)
    test.show(n:close())
    test.show(ngx.thread.wait(waiter))
    test.show(ngx.thread.wait(asker))
    test.show(n:close())
    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT))
    test.show(n:flush())
    n:close()
}
--- response
1
true false closed
true nil closed
false not connected
true ''
true ''
--- no_error_log
[error]


=== threads: a callback that waits keeps nobody from reading
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n, service = test.client($TEST_NATS_PORT), test.client($TEST_NATS_PORT)
    service:subscribe("rpc", function(msg) msg:respond("answer") end)
    service:flush()
    ngx.thread.spawn(service.wait, service)
    n:subscribe("s", function(msg)
        local answer = n:request_sync("rpc", "x")
        ngx.say(msg.payload, " ", answer and answer.payload)
        ngx.sleep(0.3)
    end)
    n:publish("s", 1)
    n:publish("s", 2)
    local waiter = ngx.thread.spawn(n.wait, n, 2)
    ngx.sleep(0.1)
    -- The first callback sleeps.
    local answer = n:request_sync("rpc", "y")
    ngx.say("meanwhile ", answer and answer.payload)
    test.show(n:flush())
    test.show(ngx.thread.wait(waiter))
    n:close()
    service:close()
}
--- response
1 answer
meanwhile answer
true ''
2 answer
true true ''
--- no_error_log
[error]


=== threads: of other sessions use a connection of a timer's
--- peers: nats nats_py
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_check_client_abort on;
init_worker_by_lua_block {
    ngx.timer.at(0, function()
        shared = require "nats_test".client($TEST_NATS_PORT)
        shared:subscribe("news", function(msg) latest = msg.payload end)
        while not ngx.worker.exiting() do shared:wait(1, 50) end
        shared:close()
    end)
}
--- tcp_server_config
process_by_lua_block {
    while not (shared and shared.connected) do ngx.sleep(0.01) end
    while true do
        local line = ngx.receive("*l")
        if not line or line == "end" then break end
        local answer, err = shared:request_sync("late", line)
        ngx.say(answer and answer.payload or err)
        shared:publish("news", line)
        shared:flush()
    end
    ngx.say("latest ", latest)
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond_late late\n"
P: expect "subscribed\n"
A: send "200 a\n"
B: send "100 b\n"
C: send "900 c\n"
B: expect "100 b\n"
A: expect "200 a\n"
# a session that ends while it waits takes nothing with it
C: pause 0.1
C: reset
D: send "0 d\n0 e\nend\n"
D: expect "0 d\n0 e\n"
D: expect_like /^latest 0 [de]\n/
D: expect_eof
A: close
B: close
--- no_error_log
[alert]


=== threads: a loop that publishes starves nobody
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_NATS_PORT)
    local stop = false
    local reader = ngx.thread.spawn(function()
        ngx.receive("*l")
        stop = true
    end)
    local sent = 0
    ngx.say("begins")
    while not stop do
        assert(n:publish("nobody", "x"))
        sent = sent + 1
    end
    ngx.say(sent > 0)
    n:close()
}
--- tcp_server_config2
process_by_lua_block { ngx.print(ngx.receive(2)) }
--- request_parts
A: expect "begins\n"
B: connect $TEST_PORT2
B: send "hi"
B: expect "hi"
B: expect_eof
A: send "\n"
A: expect "true\n"
A: expect_eof
--- no_error_log
[error]


=== threads: a flood of messages starves nobody
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n, other = test.client($TEST_NATS_PORT), test.client($TEST_NATS_PORT)
    local got, stop = 0, false
    -- No other block's subject: the rest of the flood is still on its way then.
    n:subscribe("flood", function() got = got + 1 end)
    n:flush()
    ngx.thread.spawn(function()
        while not stop do other:publish("flood", "x") end
    end)
    local waiter = ngx.thread.spawn(function()
        while not stop do n:wait(100000) end
    end)
    ngx.say("begins")
    ngx.receive("*l")
    stop = true
    n:close()
    ngx.thread.wait(waiter)
    ngx.say(got > 0)
}
--- tcp_server_config2
process_by_lua_block { ngx.print(ngx.receive(2)) }
--- request_parts
A: expect "begins\n"
pause 0.3
B: connect $TEST_PORT2
B: send "hi"
B: expect "hi"
B: expect_eof
A: send "\n"
A: expect "true\n"
A: expect_eof
--- no_error_log
[error]


=== threads: a client of another session is closed to this one
--- peers: nats
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local line = ngx.receive("*l")
    if line == "make" then
        shared.n = test.client($TEST_NATS_PORT)
        shared.n:subscribe("s", function() end)
        ngx.say("made")
        ngx.receive("*l")
        return
    end
    local n = shared.n
    for _, f in ipairs { "publish", "flush", "wait" } do
        local ok, good, err = pcall(n[f], n, "s", "x")
        ngx.say(ok and good and true or false)
    end
}
--- request_parts
A: send "make\n"
A: expect "made\n"
A: send "\n"
A: expect_eof
B: send "use\n"
B: expect "false\nfalse\nfalse\n"
B: expect_eof
--- no_error_log
[alert]
