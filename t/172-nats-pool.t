# resty.nats: connections that are given back live on: heartbeats are answered,
# whoever gets one finds it as good as new, and what is dead is never handed out.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== reuse: the connection is as it was, and nothing is sent or read for it
--- peer nats
A: serve "server_name":"one"
A: expect "PUB s 1\r\n1\r\n"
A: expect "PUB s 1\r\n2\r\n"
A: expect "PUB s 1\r\n3\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    for i = 1, 3 do
        if i == 3 then n = nats:new() end
        test.show(n:connect("127.0.0.1", $TEST_PEER_PORT))
        test.show(n:get_reused_times(), n.connected, n.info.server_name)
        n:publish("s", i)
        if i < 3 then
            test.show(n:set_keepalive(0, 10))
        end
    end
    n:close()
}
--- request
--- response
true ''
0 true one
1
true ''
1 true one
1
true ''
2 true one
--- no_error_log
[error]


=== reuse: after many heartbeats, with the same client_id
--- peers: nats nats_ping nats_tls
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local ports = { $TEST_NATS_PORT, $TEST_NATS_PING_PORT, $TEST_NATS_TLS_PORT,
                    $TEST_NATS_PING_PORT }
    local ids = {}
    for i, port in ipairs(ports) do
        local n = test.client(port, { pool = "pool" .. i })
        ids[i] = n.info.client_id
        if i < 4 then
            test.show(n:set_keepalive(0, 10))
        else
            test.show(n.sock:setkeepalive_nats(0, 10))
        end
    end
    -- And one that stays here, and never reads.
    local idle = test.client($TEST_NATS_PING_PORT)
    -- nats_ping sends a PING each second, the others the first of theirs after
    -- some two.
    ngx.sleep(8)
    for i, port in ipairs(ports) do
        local n = test.client(port, { pool = "pool" .. i })
        ngx.say(n.info.client_id == ids[i], " ", n:get_reused_times())
        n:subscribe("s", function(msg) ngx.say(msg.payload) end)
        n:publish("s", "alive")
        test.show(n:wait(1))
        n:close()
    end
    test.show(idle:flush())
    idle:close()
    ngx.say(test.count("$TEST_NATS_PING_LOG", "Stale Connection"))
}
--- repeat: 1
--- timeout: 25
--- response eval
"1\n" x 4 . "true 1\nalive\ntrue ''\n" x 4 . "true ''\n0\n"
--- no_error_log
[error]


=== reuse: what was published right before is with the server
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local listener = test.client($TEST_NATS_PORT)
    local count, last = 0
    listener:subscribe("s", function(msg) count, last = count + 1, msg.payload end)
    listener:flush()
    for i = 1, 500 do
        local n = test.client($TEST_NATS_PORT, { pool = "p" })
        n:publish("s", i)
        assert(n:set_keepalive(0, 10))
    end
    test.show(listener:wait(500))
    ngx.say(count, " ", last)
    listener:close()
}
--- response
true ''
500 500
--- no_error_log
[error]


=== reuse: the requests' inbox is not left behind
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local function subscriptions(n)
        n:flush()
        return test.monitor($TEST_NATS_MONITOR_PORT,
            "/connz?cid=" .. n.info.client_id).connections[1].subscriptions
    end
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) msg:respond("yes") end)
    n:flush()
    local asker = test.client($TEST_NATS_PORT, { pool = "p" })
    local id = asker.info.client_id
    for _ = 1, 3 do
        asker:request("s", "x", function(msg) ngx.say(msg.payload) end)
        n:wait(1)
        asker:wait(1)
        ngx.say(subscriptions(asker))
        test.show(asker:set_keepalive(0, 10))
        asker:connect("127.0.0.1", $TEST_NATS_PORT, { pool = "p" })
        ngx.say(asker.info.client_id == id, " ", subscriptions(asker))
    end
    asker:close()
    n:close()
}
--- response
yes
1
1
true 0
yes
1
1
true 0
yes
1
1
true 0
--- no_error_log
[error]


=== reuse: with a request that nobody answered
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local late
    n:subscribe("s", function(msg) late = msg end)
    n:flush()
    local asker = test.client($TEST_NATS_PORT, { pool = "p" })
    test.show(asker:request_sync("s", "x", { timeout = 50 }))
    test.show(asker:set_keepalive(0, 10))
    n:wait(1)
    n:publish(late.reply_to, "too late")
    n:flush()
    asker:connect("127.0.0.1", $TEST_NATS_PORT, { pool = "p" })
    ngx.say(asker:get_reused_times())
    asker:subscribe("t", function(msg) ngx.say(msg.payload) end)
    asker:publish("t", "fine")
    test.show(asker:wait(1))
    asker:close()
    n:close()
}
--- response
nil timeout
1
1
fine
true ''
--- no_error_log
[error]


=== reuse: what comes late for the one before is not for the next
--- peer nats
A: serve
A: expect_like /^SUB s (?<old>\S+)\r\nUNSUB \k<old>\r\nPING\r\n/
A: send "MSG s ${old} 3\r\nold\r\nPONG\r\n"
A: wait_log "in use"
A: expect_like /^SUB s (?<new>\S+)\r\n/
A: send "MSG s ${old} 3\r\nold\r\nMSG s ${new} 3\r\nnew\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:unsubscribe(n:subscribe("s", function() ngx.say("wrong one") end))
    test.show(n:set_keepalive(0, 10))
    n = test.client($TEST_PEER_PORT)
    ngx.say(n:get_reused_times())
    ngx.log(ngx.WARN, "in use")
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    test.show(n:wait(1))
    n:close()
}
--- request
--- response
1
1
new
true ''
--- no_error_log
[error]


=== reuse: a PONG that is not there yet is not the next one's
--- peer nats
A: serve
A: expect "PING\r\n"
A: wait_log "gives it back"
A: pause 0.2
A: send "PONG\r\n"
A: expect "PING\r\n"
A: send "PONG\r\n"
A: expect "PUB s 1\r\nx\r\nPING\r\n"
A: send "PONG\r\n"
A: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    test.show(n:flush(50))
    ngx.log(ngx.WARN, "gives it back")
    test.show(n:set_keepalive(0, 10))
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:publish("s", "x")
    test.show(n:flush())
    n:close()
}
--- request
--- response
false timeout
1
1
true ''
--- no_error_log
[error]


=== reuse: a PONG that does not come keeps the connection from the next one
--- peer nats
A: serve
A: expect_like /^PING\r\nPING\r\n/
A: expect_close
B: serve
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    test.show(n:flush(50))
    n:set_timeouts(200, 200, 200)
    test.show(n:set_keepalive(0, 10))
    n:close()
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:close()
}
--- request
--- response
false timeout
nil timeout
0
--- no_error_log
[error]


=== parked: PING in two pieces, five at once, and others between
--- peer nats
A: serve "server_name":"before"
A: wait_log "parked"
A: drip "PI"
A: pause 0.05
A: drip "NG\r\n"
A: expect "PONG\r\n"
A: send "PING\r\n" x 5
A: expect "PONG\r\n" x 5
A: send "PING\r\nINFO {\"server_name\":\"after\",\"max_payload\":100}\r\nPING\r\n+OK\r\n"
A: expect "PONG\r\nPONG\r\n"
A: wait_log "in use"
A: expect "PUB s 2\r\nhi\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:set_keepalive(0, 10)
    ngx.say("parked")
    ngx.log(ngx.WARN, "parked")
    ngx.receive("*l")
    n = test.client($TEST_PEER_PORT)
    ngx.log(ngx.WARN, "in use")
    test.show(n:get_reused_times(), n.info.server_name)
    test.show(n:publish("s", ("x"):rep(101)))
    n:publish("s", "hi")
    n:close()
}
--- request_parts
expect "parked\n"
pause 0.8
send "\n"
expect "1 after\nfalse maximum payload exceeded\n"
expect_eof
--- no_error_log
[error]


=== parked: what ends it is never handed out
--- peer eval
my @steps;
my @words = ("-ERR 'Stale Connection'\r\n", "MSG a 1 2\r\nhi\r\n", "\r\n",
    "INFO {\"ldm\":true}\r\n", '');
for my $i (0 .. @words) {
    push @steps, map { "C$i: $_\n" } 'serve', "wait_log \"parked $i;\"";
    next if $i == @words;
    my $word = $words[$i] =~ s/(["\\])/\\$1/gr =~ s/\r/\\r/gr =~ s/\n/\\n/gr;
    push @steps, map { "C$i: $_\n" } $i == 0 ? "send_fin \"$word\""
        : length $word ? "send \"$word\"" : 'half_close', 'expect_close';
}
main::nats(CORE::join '', @steps);
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n
    for i = 0, 5 do
        n = test.client($TEST_PEER_PORT)
        test.show(n:get_reused_times(), n:set_keepalive(0, 10))
        ngx.log(ngx.WARN, "parked ", i, ";")
        ngx.sleep(0.3)
    end
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:close()
}
--- request
--- response
0 1
0 1
0 1
0 1
0 1
0 1
1
--- no_error_log
[error]


=== parking: not of a server that is about to leave
--- peer nats
A: serve
A: expect "PING\r\n"
A: send "INFO {\"ldm\":true}\r\nPONG\r\n"
A: expect_close
B: serve
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:flush()
    ngx.say(n.info.ldm)
    test.show(n:set_keepalive(0, 10))
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:close()
}
--- request
--- response
true
1
0
--- no_error_log
[error]


=== parking: not while a thread waits
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local server = test.client($TEST_NATS_PORT)
    local late
    server:subscribe("s", function(msg) late = msg end)
    server:flush()
    local asker = ngx.thread.spawn(n.request_sync, n, "s", "x")
    server:wait(1)
    test.show(n:set_keepalive(0, 10))
    late:respond("answer")
    ngx.say(select(2, ngx.thread.wait(asker)).payload)
    test.show(n:set_keepalive(0, 10))
    local waiter = ngx.thread.spawn(server.wait, server, 1)
    test.show(server:set_keepalive(0, 10))
    server:publish("s", "x")
    test.show(ngx.thread.wait(waiter))
    server:close()
}
--- response
nil socket busy reading
answer
1
nil subscribed state
true true ''
--- no_error_log
[error]


=== parking: a PING that is there already is answered
--- peer nats
A: serve
A: send "PING\r\n"
A: expect "PONG\r\n"
A: expect "PUB s 2\r\nhi\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    -- Nobody else runs meanwhile: what came was not seen before.
    os.execute("sleep 0.2")
    test.show(n:set_keepalive(0, 10))
    ngx.sleep(0.3)
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:publish("s", "hi")
    n:close()
}
--- request
--- response
1
1
--- no_error_log
[error]


=== idle: its time ends although PINGs come
--- peer nats
A: serve
A: drip "PING\r\nPING\r\nPING\r\nPING\r\n" 0.02
A: expect "PONG\r\n" x 4
A: expect_close
B: serve
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:set_keepalive(1000, 10)
    ngx.sleep(1.3)
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:close()
}
--- request
--- response
0
--- no_error_log
[error]


=== idle: never ends for 0; the configuration's for nil
--- peer nats
A: serve
B: serve
B: expect_close
A: expect "PUB s 2\r\nhi\r\n"
A: expect_eof
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_socket_keepalive_timeout 300ms;
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local a = test.client($TEST_PEER_PORT)
    local b = test.client($TEST_PEER_PORT)
    test.show(a:set_keepalive(0, 10))
    test.show(b:set_keepalive(nil, 10))
    ngx.sleep(0.8)
    local n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times())
    n:publish("s", "hi")
    n:close()
}
--- request
--- response
1
1
1
--- no_error_log
[error]


=== size: the oldest makes room
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local function open(id)
        local z = test.monitor($TEST_NATS_MONITOR_PORT, "/connz")
        for _, c in ipairs(z.connections) do
            if c.cid == id then return true end
        end
        return false
    end
    local clients, ids = {}, {}
    for i = 1, 3 do
        clients[i] = test.client($TEST_NATS_PORT, { pool = "p" })
        ids[i] = clients[i].info.client_id
    end
    for i = 1, 3 do clients[i]:set_keepalive(0, 2) end
    ngx.sleep(0.5)
    ngx.say(open(ids[1]), " ", open(ids[2]), " ", open(ids[3]))
    for i = 3, 2, -1 do
        local n = test.client($TEST_NATS_PORT, { pool = "p" })
        ngx.say(n.info.client_id == ids[i])
        n:close()
    end
}
--- response
false true true
true
true
--- no_error_log
[error]


=== wrong arguments: raise as those of the socket, and it stays connected
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function try(...)
        local ok, err = pcall(n.set_keepalive, n, ...)
        ngx.say(ok, " ", (tostring(err):gsub("^.-%(", "(")))
    end
    try(-1, 10)
    try("x", 10)
    try(0, -1)
    try(0, {})
    test.show(n:set_keepalive(0, 0))
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "alive")
    test.show(n:wait(1))
    n:close()
}
--- response
false (bad timeout value)
false (bad timeout value)
false (bad pool size)
false (bad pool size)
nil zero pool size
alive
true ''
--- no_error_log
[error]


=== pools: who has other credentials has another connection
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local port = $TEST_NATS_AUTH_PORT
    local first, other = {}, {}
    for _, user in ipairs { "tcp", "deny" } do
        local n = test.client(port, { user = user, pass = "secret" })
        first[user] = n.info.client_id
        n:set_keepalive(0, 10)
    end
    for _, user in ipairs { "tcp", "deny" } do
        local n = test.client(port, { user = user, pass = "secret" })
        ngx.say(n.info.client_id == first[user], " ", n:get_reused_times())
        n:set_keepalive(0, 10)
    end
    -- Neither a wrong password nor none takes one that is there.
    local n = nats:new()
    test.show(n:connect("127.0.0.1", port, { user = "tcp", pass = "wrong" }))
    test.show(n:connect("127.0.0.1", port))
    test.show(n:connect("127.0.0.1", port,
                        { user = "tcp", pass = "wrong", pool = "p" }))
    test.show(n:connect("127.0.0.1", port,
                        { user = "tcp", pass = "secret", pool = "p" }))
    n:set_keepalive(0, 10)
    test.show(n:connect("127.0.0.1", port,
                        { user = "deny", pass = "secret", pool = "p" }))
    test.show(n:get_reused_times())
    n:close()
    test.show(n:connect("nats://tcp:secret@127.0.0.1:" .. port))
    ngx.say(n:get_reused_times() > 0)
    n:close()
}
--- repeat: 1
--- response
true 1
true 1
false Authorization Violation
false Authorization Violation
false Authorization Violation
true ''
true ''
0
true ''
true
--- no_error_log
[error]


=== pools: what is said in CONNECT for good divides them, too
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local sets = {
        {}, { echo = false }, { verbose = true }, { pedantic = true },
        { headers = false }, { name = "me" }, { no_responders = false },
    }
    local first = {}
    for i, opts in ipairs(sets) do
        local n = test.client($TEST_NATS_PORT, opts)
        ngx.say(n:get_reused_times())
        first[i] = n.info.client_id
        n:set_keepalive(5000, 10)
    end
    local right = 0
    for i, opts in ipairs(sets) do
        local n = test.client($TEST_NATS_PORT, opts)
        if n.info.client_id == first[i] then right = right + 1 end
        n:close()
    end
    ngx.say(right)
}
--- response
0
0
0
0
0
0
0
7
--- no_error_log
[error]
