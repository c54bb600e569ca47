# resty.nats: what goes to the server and what comes back, byte for byte:
# payloads, subjects, queue groups, limits of a subscription, flush.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== payloads: any bytes, also those of the protocol
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local all = {}
    for i = 0, 255 do all[i + 1] = string.char(i) end
    local payloads = {
        "", "x", "\r\n", "\r\n\r\n", "\n", "\0\0\0", "a\r\nPING\r\n",
        "MSG x 1 1\r\nx\r\n", "-ERR 'no'\r\n", "+OK\r\n", "x\r",
        table.concat(all), table.concat(all):rep(16),
    }
    local i, wrong = 0, 0
    n:subscribe("s", function(msg)
        i = i + 1
        if msg.payload ~= payloads[i] or msg.len ~= #payloads[i] then
            wrong = wrong + 1
        end
    end)
    for _, payload in ipairs(payloads) do n:publish("s", payload) end
    test.show(n:wait(#payloads))
    ngx.say(i, " ", wrong)
    n:close()
}
--- response
true ''
13 0
--- no_error_log
[error]


=== payloads: nil is none, a number its text, nothing else is one
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) test.show(msg.len, msg.payload) end)
    test.show(n:publish("s"))
    test.show(n:publish("s", 42))
    test.show(n:publish("s", 1.5))
    test.show(n:publish("s", {}))
    test.show(n:publish("s", true))
    test.show(n:publish("s", function() end))
    test.show(n:wait(3))
    n:close()
}
--- response
true ''
true ''
true ''
false payload is not a string
false payload is not a string
false payload is not a string
0 ''
2 42
3 1.5
true ''
--- no_error_log
[error]


=== payloads: as long as the server takes, and one byte more
--- peers: nats_limits
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_LIMITS_PORT)
    ngx.say(n.info.max_payload)
    n:subscribe("s", function(msg) ngx.say(msg.payload == ("x"):rep(msg.len), " ", msg.len) end)
    test.show(n:publish("s", ("x"):rep(1024)))
    test.show(n:publish("s", ("x"):rep(1025)))
    test.show(n:request("s", ("x"):rep(1025), function() end))
    test.show(n:request_sync("s", ("x"):rep(1025)))
    test.show(n:publish("s", "fine"))
    test.show(n:wait(2))
    n:close()
}
--- response
1024
true ''
false maximum payload exceeded
false maximum payload exceeded
nil maximum payload exceeded
true ''
true 1024
false 4
true ''
--- no_error_log
[error]


=== payloads: a megabyte
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local max = n.info.max_payload
    local payload = ("0123456789abcde\n"):rep(max / 16)
    n:subscribe("s", function(msg) ngx.say(msg.len, " ", msg.payload == payload) end)
    for _ = 1, 3 do n:publish("s", payload) end
    test.show(n:wait(3))
    test.show(n:publish("s", payload .. "x"))
    n:close()
}
--- response
1048576 true
1048576 true
1048576 true
true ''
false maximum payload exceeded
--- skip_mode: slow: a system call for each of six million bytes
--- no_error_log
[error]


=== subjects: what is none is not sent
--- peer nats
A: serve
A: expect "PUB end 0\r\n\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local function nothing() end
    local wrong = { "", " ", "a b", "a\tb", "a\rb", "a\nb", "a\0b", ".a", "a.",
        "a..b", ".", "s 1\r\nPUB x 0\r\n" }
    local answers = {}
    for _, subject in ipairs(wrong) do
        local ok, err = n:publish(subject, "x")
        answers[tostring(ok) .. " " .. err] = true
    end
    for _, subject in ipairs(wrong) do
        local ok, err = n:publish("s", "x", subject)
        answers[tostring(ok) .. " " .. err] = true
    end
    for _, subject in ipairs(wrong) do
        local ok, err = n:request(subject, "x", nothing)
        answers[tostring(ok) .. " " .. err] = true
    end
    for _, subject in ipairs(wrong) do
        local ok, err = n:request_sync(subject, "x")
        answers[tostring(ok) .. " " .. err] = true
    end
    for _, subject in ipairs(wrong) do
        -- That has a queue group for a second word.
        if subject ~= "a b" then
            local ok, err = n:subscribe(subject, nothing)
            answers["subscribe: " .. tostring(ok) .. " " .. err] = true
        end
    end
    for _, queue in ipairs { "", "a b", "a\tb", "a\rb", "a\nb" } do
        local ok, err = n:subscribe("s", nothing, { queue = queue })
        answers["queue: " .. tostring(ok) .. " " .. err] = true
    end
    -- There is no such subscription.
    for _, sid in ipairs { "", "a\r\nPUB x 0", "1 x", "1 2 3", "\n" } do
        local ok, err = n:unsubscribe(sid)
        answers["unsubscribe: " .. tostring(ok) .. err] = true
    end
    answers = (function(t)
        local list = {}
        for answer in pairs(t) do list[#list + 1] = answer end
        table.sort(list)
        return list
    end)(answers)
    ngx.say(table.concat(answers, "\n"))
    test.show(n:publish("end"))
    n:close()
}
--- request
--- response
false invalid reply subject
false invalid subject
nil invalid subject
queue: false invalid queue
subscribe: false invalid subject
unsubscribe: true
true ''
--- no_error_log
[error]


=== subjects: wildcards, and one that is long
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function show(name)
        return function(msg) ngx.say(name, " ", msg.subject) end
    end
    local long = ("a."):rep(1000) .. "z"
    n:subscribe("a.*", show "star")
    n:publish("a.b", "")
    test.show(n:wait(1))
    n:subscribe("x.>", show "tail")
    n:publish("x.y.z", "")
    n:publish("x.ü.$SRV-_", "")
    test.show(n:wait(2))
    n:subscribe(long, function(msg) ngx.say(msg.subject == long) end)
    n:publish(long, "")
    test.show(n:wait(1))
    n:close()
}
--- response
star a.b
true ''
tail x.y.z
tail x.ü.$SRV-_
true ''
true
true ''
--- no_error_log
[error]


=== reply: goes along, and respond answers to it
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) test.show(msg:respond("pong " .. msg.payload)) end)
    n:subscribe("inbox", function(msg) test.show(msg.payload, msg.reply_to) end)
    n:publish("s", "1", "inbox")
    test.show(n:wait(2))
    n:publish("s", "2", { reply = "inbox" })
    test.show(n:wait(2))
    n:publish("s", "3")
    test.show(n:wait(1))
    n:close()
}
--- response
true ''
pong 1 nil
true ''
true ''
pong 2 nil
true ''
false no reply subject
true ''
--- no_error_log
[error]


=== queue groups: each message has one receiver
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local seen, twice, got = {}, 0, { 0, 0 }
    local members = {}
    for i = 1, 2 do
        local n = test.client($TEST_NATS_PORT)
        n:subscribe("jobs", function(msg)
            if seen[msg.payload] then twice = twice + 1 end
            seen[msg.payload] = true
            got[i] = got[i] + 1
        end, { queue = "workers" })
        assert(n:flush())
        members[i] = n
    end
    ngx.say("ready")
    ngx.receive("*l")
    for i = 1, 2 do
        members[i]:flush()
        while members[i]:wait(1, 50) do end
    end
    ngx.say(twice, " twice, ", got[1] > 50, " ", got[2] > 50)
    ngx.say("rest ", 1000 - got[1] - got[2])
    for i = 1, 2 do members[i]:close() end
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "count jobs workers\n"
P: expect "subscribed\n"
A: expect "ready\n"
P: send "many jobs 1000\n"
P: expect "published\n"
A: send "\n"
A: expect "0 twice, true true\n"
A: expect_like /^rest (?<rest>\d+)\n/
A: expect_eof
P: send "counted\n"
P: expect "${rest}, 0 twice\n"
--- no_error_log
[error]


=== max: a subscription that ends after so many messages
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function show(msg) ngx.say(msg.payload) end
    n:subscribe("s", show, { max = 3 })
    ngx.say(n.subscribed)
    for i = 1, 5 do n:publish("s", i) end
    n:flush()
    test.show(n:wait(4, 50))
    ngx.say(n.subscribed)

    local sid = n:subscribe("s", show)
    n:publish("s", 6)
    test.show(n:wait(1))
    -- That counts from the beginning.
    test.show(n:unsubscribe(sid, 2))
    n:publish("s", 7)
    n:publish("s", 8)
    n:flush()
    test.show(n:wait(2, 50))
    ngx.say(n.subscribed)

    sid = n:subscribe("s", show)
    n:publish("s", 9)
    test.show(n:wait(1))
    test.show(n:unsubscribe(sid, 1))
    ngx.say(n.subscribed)
    n:flush()
    local left = test.monitor($TEST_NATS_MONITOR_PORT,
        "/connz?subs=1&cid=" .. n.info.client_id)
    ngx.say(left.connections[1].subscriptions)
    test.show(n:set_keepalive(0, 10))
}
--- response
true
1
2
3
false timeout
false
6
true ''
true ''
7
false timeout
false
9
true ''
true ''
false
0
1
--- no_error_log
[error]


=== max: what is no number
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function nothing() end
    for _, max in ipairs { 0, -1, 1.5, "x", 0/0, 1/0 } do
        test.show(n:subscribe("s", nothing, { max = max }))
    end
    local sid = n:subscribe("s", nothing)
    for _, max in ipairs { 0, -1, 1.5, "x" } do
        test.show(n:unsubscribe(sid, max))
    end
    test.show(n:unsubscribe(sid))
    test.show(n.subscribed)
    n:close()
}
--- response
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
false max is not a positive integer
true ''
false
--- no_error_log
[error]


=== flush: the server has all that was published
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    ngx.receive("*l")
    for i = 1, 1000 do n:publish("s", i) end
    test.show(n:flush())
    local connection = test.monitor($TEST_NATS_MONITOR_PORT,
        "/connz?cid=" .. n.info.client_id).connections[1]
    ngx.say(connection.in_msgs)
    ngx.receive("*l")
    n:close()
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "count s\n"
P: expect "subscribed\n"
A: send "\n"
A: expect "true ''\n1000\n"
P: send "await 1000\n"
P: expect "1000, 0 twice\n"
A: send "\n"
A: expect_eof
--- no_error_log
[error]


=== flush: its time is over
--- peer nats
A: serve
A: expect "PING\r\n"
A: wait_log "over"
A: send "PONG\r\n"
A: expect "PING\r\n"
A: send "PONG\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    test.show(n:flush(300))
    ngx.log(ngx.WARN, "over")
    -- The late PONG is not this one's.
    test.show(n:flush())
    n:close()
}
--- request
--- response
false timeout
true ''
--- no_error_log
[error]


=== echo: off, its own messages do not come back
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT, { echo = false })
    local other = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "own")
    test.show(n:flush())
    other:publish("s", "other's")
    test.show(n:wait(1))
    test.show(n:wait(1, 50))
    n:close()
    other:close()
}
--- response
true ''
other's
true ''
false timeout
--- no_error_log
[error]


=== verbose: +OK is in nobody's way
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT, { verbose = true })
    n:subscribe("s", function(msg) msg:respond(msg.payload) end)
    for i = 1, 3 do
        n:request("s", i, function(msg) ngx.say(msg.payload) end)
        test.show(n:wait(2))
    end
    test.show(n:flush())
    test.show(n:wait(1, 50))
    n:close()
}
--- response
1
true ''
2
true ''
3
true ''
true ''
false timeout
--- no_error_log
[error]


=== pedantic: the server complains of a subject, else it does not
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT, { pedantic = true })
    n:publish("a.*", "x")
    test.show(n:flush())
    ngx.say(n.last_error)
    n:close()
    n = test.client($TEST_NATS_PORT)
    n:publish("a.*", "x")
    test.show(n:flush())
    ngx.say(n.last_error)
    n:close()
}
--- response
true ''
Invalid Publish Subject
true ''
nil
--- no_error_log
[error]


=== CONNECT: says who we are and what we want
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT,
        { user = "tcp", pass = "secret", name = 'me "and\\\n you' })
    local connection = test.monitor($TEST_NATS_AUTH_MONITOR_PORT,
        "/connz?auth=1&cid=" .. n.info.client_id).connections[1]
    test.show(connection.lang, connection.authorized_user,
              connection.version == require "resty.nats"._VERSION)
    ngx.say(connection.name)
    n:close()
}
--- response
lua tcp true
me "and\
 you
--- no_error_log
[error]


=== CONNECT: the options in it
--- peer nats
A: accept
A: send "INFO {\"headers\":true} \r\n"
A: expect_like /^CONNECT \{(?=.*"verbose":false)(?=.*"pedantic":false)(?=.*"echo":true)(?=.*"headers":true)(?=.*"no_responders":true)(?=.*"protocol":1)(?=.*"lang":"lua")(?=.*"version":"\d)(?!.*"(?:user|pass|auth_token)")/
A: expect_like /\r\nPING\r\n/
A: send "PONG\r\n"
A: expect_eof
B: accept
B: send "INFO {\"headers\":true} \r\n"
B: expect_like /^CONNECT \{(?=.*"verbose":true)(?=.*"pedantic":true)(?=.*"echo":false)(?=.*"headers":false)(?=.*"no_responders":false)(?=.*"user":"u\\"\\\\")(?=.*"pass":"p")(?=.*"auth_token":"t")(?=.*"name":"n")/
B: expect_like /\r\n(?:\+OK\r\n)?PING\r\n/
B: send "+OK\r\nPONG\r\n"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local nats = require "resty.nats"
    local n = nats:new()
    ngx.say(n:connect("127.0.0.1", $TEST_PEER_PORT))
    n:close()
    -- What connect() is given comes before what new() was given.
    n = nats:new { name = "n", echo = false, user = 'u"\\', pedantic = true,
                   token = "other" }
    ngx.say(n:connect("127.0.0.1", $TEST_PEER_PORT,
        { token = "t", pass = "p", verbose = true, headers = false,
          no_responders = false }))
    n:close()
}
--- request
--- response
true
true
--- no_error_log
[error]


=== INFO: is the object's, also the last of many
--- peer nats
A: serve "server_name":"first","client_id":9007199254740993
A: send "INFO {\"server_name\":\"second\",\"max_payload\":5,\"client_id\":12}\r\n"
A: expect "PING\r\n"
A: send "PONG\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    test.show(n.info.version, n.info.headers, type(n.info.client_id))
    test.show(n:flush())
    test.show(n.info.server_name, n.info.client_id)
    test.show(n:publish("s", "123456"))
    n:close()
}
--- request
--- response
2.9.10 true number
true ''
second 12
false maximum payload exceeded
--- no_error_log
[error]
