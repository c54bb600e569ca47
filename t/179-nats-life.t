# resty.nats: what is published is sent however the script goes on, and nothing
# is left of connections and requests: no memory, no descriptor, no worker that
# does not end.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== sent: at the end of the turn, whatever the script waits for
--- peer nats
A: serve
A: expect "PUB s 1\r\n1\r\nPUB s 1\r\n2\r\n"
A: wait_log "still there"
A: expect "PUB s 1\r\n3\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_PEER_PORT)
    n:publish("s", 1)
    n:publish("s", 2)
    ngx.say("sent")
    ngx.receive("*l")
    ngx.log(ngx.WARN, "still there")
    n:publish("s", 3)
    ngx.sleep(0.5)
    n:close()
}
--- request_parts
expect "sent\n"
pause 0.3
send "\n"
expect_eof
--- no_error_log
[error]


=== sent: by a handler that ends, by an error, by exit, by kill
--- peer nats
A: serve
A: expect "PUB s 3\r\nend\r\n"
A: expect_eof
B: serve
B: expect "PUB s 5\r\nerror\r\n"
B: expect_eof
C: serve
C: expect "PUB s 4\r\nexit\r\n"
C: expect_eof
D: serve
D: expect "PUB s 6\r\nthread\r\n"
D: expect_eof
E: serve
E: expect "PUB s 9\r\ncollected\r\n"
E: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local how = ngx.receive("*l")
    if how == "thread" then
        local thread = ngx.thread.spawn(function()
            local n = test.client($TEST_PEER_PORT)
            n:publish("s", how)
            ngx.sleep(3600)
        end)
        ngx.sleep(0.3)
        ngx.thread.kill(thread)
        ngx.say("killed")
        return
    end
    local n = test.client($TEST_PEER_PORT)
    n:publish("s", how)
    if how == "error" then error("on purpose") end
    if how == "exit" then ngx.exit(0) end
    if how == "collected" then
        n = nil
        collectgarbage()
        collectgarbage()
        ngx.receive("*l")
    end
}
--- request_parts
A: send "end\n"
A: expect_eof
B: send "error\n"
B: expect_eof
C: send "exit\n"
C: expect_eof
D: send "thread\n"
D: expect "killed\n"
D: expect_eof
E: send "collected\n"
E: half_close
E: expect_eof
--- error_log
on purpose
--- no_error_log
[alert]


=== sent: send() of the socket comes behind it
--- peer nats
A: serve
A: expect "PUB s 1\r\n1\r\nPUB s 1\r\n2\r\nPUB s 1\r\n3\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_PEER_PORT)
    n:publish("s", 1)
    ngx.say(n.sock:send("PUB s 1\r\n2\r\n"))
    n:publish("s", 3)
    ngx.say(n.sock:close())
}
--- request
--- response
12
1
--- no_error_log
[error]


=== sent: much, and then close
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local pad = ("x"):rep(1000)
    for i = 1, 4 do
        local n = test.client($TEST_NATS_PORT)
        for j = 1, 500 do n:publish("s", i .. " " .. j .. pad) end
        if i % 2 == 0 then n:close() end
    end
    ngx.say("done")
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "count s\n"
P: expect "subscribed\n"
A: send "\n"
A: expect "done\n"
A: expect_eof
P: send "await 2000\n"
P: expect "2000, 0 twice\n"
--- skip_mode: slow: a system call for each of two million bytes
--- no_error_log
[error]


=== PING: is answered while nobody reads
--- peer nats
A: serve
A: send "PING\r\n"
A: expect "PONG\r\n"
A: drip "+OK\r\nPING\r\n"
A: expect "PONG\r\n"
A: wait_log "on"
A: expect "PUB s 1\r\nx\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_PEER_PORT)
    ngx.sleep(1)
    ngx.log(ngx.WARN, "on")
    n:publish("s", "x")
    n:close()
}
--- request
--- no_error_log
[error]


=== PING: is answered behind much that nobody waits for
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_PORT2)
    local messages = {}
    n:subscribe("s", function(msg) messages[#messages + 1] = msg.payload end)
    n:flush()
    ngx.receive("*l")
    test.show(n:wait(10003))
    local all = table.concat(messages)
    test.show(#messages, all == ("x"):rep(100000) .. ("hello"):rep(10000) .. ("y"):rep(200000) .. "end")
    ngx.receive("*l")
    n:close()
}
--- request_parts nats
S: listen $TEST_PORT2
A: send "\n"
S: serve
S: expect_like /\ASUB s (?<sid>\d+)\r\nPING\r\n/
S: send "PONG\r\nMSG s ${sid} 100000\r\n"
S: send "x" x 100000
S: send "\r\nPING\r\n"
S: expect "PONG\r\n"
S: send "MSG s ${sid} 5\r\nhello\r\n" x 10000
S: send "PING\r\nMSG s ${sid} 200000\r\n"
S: expect "PONG\r\n"
S: send "y" x 200000
S: send "\r\nMSG s ${sid} 3\r\nend\r\n"
S: drip "PING\r\n"
S: expect "PONG\r\n"
A: send "\n"
A: expect "true ''\n10003 true\n"
S: expect_nothing 0.1
S: send "PING\r\n"
S: expect "PONG\r\n"
A: send "\n"
A: expect_eof
S: expect_eof
--- timeout: 15
--- no_error_log
[error]


=== PING: not behind more than is to be read while nobody waits
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_PORT2, { max_pending_bytes = 1 })
    n:subscribe("s", function(msg) ngx.say(msg.len) end)
    n:flush()
    for i = 1, 3 do
        ngx.receive("*l")
        test.show(n:wait(i))
    end
    n:set_keepalive(0, 10)
}
--- request_parts nats
S: listen $TEST_PORT2
A: send "\n"
S: serve
S: expect_like /\ASUB s (?<sid>\d+)\r\nPING\r\n/
S: send "PONG\r\nMSG s ${sid} 1000\r\n"
S: send "x" x 1000
S: send "\r\nPING\r\n"
S: expect "PONG\r\n"
S: send "MSG s ${sid} 300000\r\n"
S: send "x" x 300000
S: send "\r\nPING\r\n"
S: expect_nothing 0.3
A: send "\n"
A: expect "1000\ntrue ''\n"
S: expect_nothing 0.3
A: send "\n"
A: send "\n"
A: expect "300000\n"
S: expect "PONG\r\n"
S: send "MSG s ${sid} 1\r\nx\r\n"
A: expect "1\ntrue ''\n"
S: send "MSG s ${sid} 2\r\nxx\r\nMSG s ${sid} 0\r\n\r\nMSG s ${sid} 3\r\nxxx\r\n"
A: expect "2\n0\n3\ntrue ''\n"
A: expect_eof
S: expect_eof
--- timeout: 15
--- no_error_log
[error]


=== memory: ten thousand times from the pool and back
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local left, test = require "left", require "nats_test"
    local cycles = tonumber(ngx.receive("*l"))
    local reused = 0
    local function round()
        for _ = 1, cycles / 8 do
            local clients = {}
            for i = 1, 8 do
                local n = test.client($TEST_NATS_PORT)
                if n:get_reused_times() > 0 then reused = reused + 1 end
                n:publish("s", "x")
                clients[i] = n
            end
            for i = 1, 8 do assert(clients[i]:set_keepalive(0, 8)) end
        end
    end
    for i = 1, 9 do
        round()
        left.check()
    end
    round()
    ngx.say(left.check(true))
    ngx.say(reused == 10 * cycles - 8)
}
--- repeat: 1
--- request eval
$ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? "80\n" : "1000\n"
--- response
nothing left
true
--- timeout: 30
--- no_error_log
[error]


=== memory: requests that nobody answers
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local left, test = require "left", require "nats_test"
    local many = tonumber(ngx.receive("*l"))
    local server = test.client($TEST_NATS_PORT)
    server:subscribe("deaf", function() end)
    server:flush()
    local n = test.client($TEST_NATS_PORT, { pool = "p" })
    local function round()
        for i = 1, many do
            local data = ("x"):rep(1000) .. i
            assert(n:request("deaf", "x", function() return data end, { timeout = 1 }))
        end
        for _ = 1, many do
            local ok, err = n:wait(1)
            assert(not ok and err == "timeout")
        end
        for _ = 1, many / 10 do
            local msg, err = n:request_sync("deaf", "x", { timeout = 1 })
            assert(not msg and err == "timeout")
        end
        while server:wait(1, 10) do end
    end
    for i = 1, 9 do
        round()
        left.check()
    end
    round()
    ngx.say(left.check(true))
    test.show(n.subscribed, n:set_keepalive(0, 10))
    server:close()
}
--- repeat: 1
--- request eval
$ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? "20\n" : "1000\n"
--- response
nothing left
false 1
--- timeout: 30
--- no_error_log
[error]


=== memory: sessions that leave all as it is
--- peers: nats
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local left, test = require "left", require "nats_test"
    local many = tonumber(ngx.receive("*l"))
    local function session()
        local n = test.client($TEST_NATS_PORT)
        local data = ("x"):rep(10000)
        n:subscribe("s", function() return data end)
        n:request("nobody", "x", function() return data end)
        n:publish("s", "x")
        n:flush()
        ngx.thread.spawn(n.wait, n)
    end
    for i = 1, 10 do
        for _ = 1, many do
            local done = false
            assert(ngx.timer.at(0, function() session() done = true end))
            while not done do ngx.sleep(0.001) end
        end
        if i < 10 then left.check() end
    end
    ngx.say(left.check(true))
}
--- repeat: 1
--- request eval
$ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? "3\n" : "50\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== end: of a session whose client goes, and with it its subscriptions
--- peers: nats
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_check_client_abort on;
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local what = ngx.receive("*l")
    if what == "look" then
        local names = "?"
        for _ = 1, 500 do
            names = ""
            local z = test.monitor($TEST_NATS_MONITOR_PORT, "/connz")
            for _, c in ipairs(z.connections) do names = names .. (c.name or "") end
            if names == "" then break end
            ngx.sleep(0.02)
        end
        ngx.say("<", names, ">")
        return
    end
    local n = test.client($TEST_NATS_PORT, { name = what })
    n:subscribe("s", function() end)
    n:flush()
    ngx.say("ready")
    if what == "waits" then
        n:wait()
    elseif what == "asks" then
        n:request_sync("s", "x")
    else
        ngx.sleep(3600)
    end
}
--- request_parts
A: send "waits\n"
A: expect "ready\n"
B: send "asks\n"
B: expect "ready\n"
C: send "sleeps\n"
C: expect "ready\n"
A: close
B: reset
C: close
D: send "look\n"
D: expect "<>\n"
D: expect_eof
--- no_error_log
[alert]


=== reload: who waits goes on, and the old worker ends with him
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local parked = test.client($TEST_NATS_PORT)
    parked:set_keepalive(0, 10)
    local n = test.client($TEST_NATS_PORT, { name = "mine" })
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:flush()
    ngx.say("waits")
    test.show(n:wait(1))
    n:set_keepalive(0, 10)
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
A: expect "waits\n"
reload
B: expect "waits\n"
P: send "publish s hello\n"
P: expect "published\n"
A: expect "hello\ntrue ''\n"
A: expect_eof
B: expect "hello\ntrue ''\n"
B: expect_eof
wait_workers
--- no_error_log
[error]
[alert]


=== reload: parked connections are closed, and the server sees it
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local clients, names = {}, {}
    if ngx.receive("*l") == "park" then
        for i = 1, 20 do
            clients[i] = test.client($TEST_NATS_PORT, { name = "parked" })
        end
        for i = 1, 20 do clients[i]:set_keepalive(0, 30) end
        ngx.say("parked")
        return
    end
    local still
    for _ = 1, 500 do
        still = 0
        local z = test.monitor($TEST_NATS_MONITOR_PORT, "/connz")
        for _, c in ipairs(z.connections) do
            if c.name == "parked" then still = still + 1 end
        end
        if still == 0 then break end
        ngx.sleep(0.02)
    end
    ngx.say(still)
}
--- request_parts
A: send "park\n"
A: expect "parked\n"
A: expect_eof
reload
wait_workers
B: send "look\n"
B: expect "0\n"
B: expect_eof
--- no_error_log
[error]
[alert]


=== exit: of a worker in which all kinds of connections are
--- peers: nats_ping nats_tls
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
init_worker_by_lua_block {
    ngx.timer.at(0, function()
        local test = require "nats_test"
        local n = test.client($TEST_NATS_PING_PORT)
        n:subscribe("s", function() end)
        n:wait()
    end)
}
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _ = 1, 3 do
        test.client($TEST_NATS_PING_PORT):set_keepalive(0, 10)
        test.client($TEST_NATS_TLS_PORT):set_keepalive(0, 10)
    end
    local n = test.client($TEST_NATS_TLS_PORT)
    n:subscribe("s", function() end)
    ngx.thread.spawn(n.request_sync, n, "s", "x")
    ngx.thread.spawn(n.wait, n)
    n:publish("s", "x")
    n:flush()
    ngx.say("waits")
    n:flush()
    ngx.sleep(3600)
}
--- request_parts
A: expect "waits\n"
signal TERM
wait_exit
A: expect_close
--- no_error_log
[alert]


=== timers and workers: have clients, too
--- peers: nats
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    ngx.timer.at(0, function()
        local n = require "nats_test".client($TEST_NATS_PORT)
        n:subscribe("upper", function(msg) msg:respond(msg.payload:upper()) end)
        n:flush()
        ready = true
        while not ngx.worker.exiting() do n:wait(1, 50) end
        n:drain()
    end)
}
--- tcp_server_config
process_by_lua_block {
    while not ready do ngx.sleep(0.01) end
    local n = require "nats_test".client($TEST_NATS_PORT)
    ngx.say(n:request_sync("upper", "hello").payload)
    n:close()
}
--- response
HELLO
--- no_error_log
[alert]


=== phases: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local nats = require "resty.nats"
    in_init = select(2, pcall(nats.new, nats))
    local ok, n = pcall(nats.new, nats)
    in_init = ok and select(2, pcall(n.connect, n, "127.0.0.1", 1)) or n
}
--- tcp_server_config
process_by_lua_block { ngx.say((tostring(in_init):gsub("^.-:%d+: ", ""))) }
--- response_like
^(?:no session found|API disabled in the context of .*)$
--- no_error_log
[alert]
