# resty.nats: headers of messages, out and in.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

run_tests();

__DATA__

=== headers: there and back
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg)
        local keys = {}
        for key, value in pairs(msg.headers or {}) do
            if type(value) == "table" then
                value = "{" .. table.concat(value, "|") .. "}"
            end
            keys[#keys + 1] = key .. "=<" .. value .. ">"
        end
        table.sort(keys)
        test.show(msg.type, msg.len, msg.payload, msg.reply_to, msg.status,
                  msg.description)
        ngx.say(table.concat(keys, " "))
    end)
    test.show(n:publish("s", "hi", nil, { One = "1" }))
    n:publish("s", "hi", "inbox", { One = "1", one = "2", ["X-Y!#$%&'*+.^_`|~"] = "3" })
    n:publish("s", "", { headers = { Many = { "a", "", "c" }, Empty = "" } })
    n:publish("s", "x", { reply = "r", headers = { Number = 42, Few = { "only" } } })
    n:publish("s", "x", nil, { Blanks = " \t in  the \t middle \t ", Colon = "a:b: c" })
    n:publish("s", "x", nil, { Utf = "süß ☃", Quotes = [["'\]] })
    n:publish("s", "\r\n\0", nil, { A = "1" })
    n:publish("s", "none", nil, {})
    n:publish("s", "none")
    test.show(n:wait(9))
    n:close()
}
--- response eval
<<'TEXT' . "MSG 3 \r\n\0 nil nil nil\nA=<1>\n" . <<'TEXT';
true ''
MSG 2 hi nil nil nil
One=<1>
MSG 2 hi inbox nil nil
One=<1> X-Y!#$%&'*+.^_`|~=<3> one=<2>
MSG 0 '' nil nil nil
Empty=<> Many=<{a||c}>
MSG 1 x r nil nil
Few=<only> Number=<42>
MSG 1 x nil nil nil
Blanks=<in  the 	 middle> Colon=<a:b: c>
MSG 1 x nil nil nil
Quotes=<"'\> Utf=<süß ☃>
TEXT
MSG 4 none nil nil nil

MSG 4 none nil nil nil

true ''
TEXT
--- no_error_log
[error]


=== headers: to somebody else, and back
--- peers: nats nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("to.us", function(msg)
        ngx.say(msg.payload, " ", msg.headers.Plain, " ", msg.headers["X-Utf"])
    end)
    n:flush()
    ngx.say("ready")
    n:publish("to.them", "pay load", nil, { Plain = "value" })
    n:publish("to.them", "", nil, { Plain = "ü", Empty = "" })
    test.show(n:wait(1))
    n:request("rpc", "question", function(msg)
        ngx.say(msg.payload, " ", msg.headers.Back)
    end, { headers = { Back = "and forth" } })
    test.show(n:wait(1))
    local msg = n:request_sync("rpc", "again", { headers = { Back = "home" } })
    ngx.say(msg.payload, " ", msg.headers.Back)
    n:close()
}
--- request_parts
P: connect $TEST_NATS_PY_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "subscribe to.them\n"
P: expect "subscribed\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
A: expect "ready\n"
P: expect "got to.them {Plain=value}: pay load\n"
P: expect_like /^got to\.them \{(?:Plain=\\xc3\\xbc Empty=|Empty= Plain=\\xc3\\xbc)\}: \n/
P: send "publish to.us Plain=simple X-Utf=\\xc3\\xa4 -- hello\n"
P: expect "published\n"
A: expect "hello simple ä\ntrue ''\n"
A: expect "question and forth\ntrue ''\n"
A: expect "again home\n"
A: expect_eof
--- no_error_log
[error]


=== headers: what cannot be sent is not
--- peer nats
A: serve
A: expect "PUB end 0\r\n\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local wrong = {
        { [""] = "x" }, { ["a b"] = "x" }, { ["a:b"] = "x" }, { ["a\r"] = "x" },
        { ["a\n"] = "x" }, { ["a\tb"] = "x" }, { ["ü"] = "x" }, { ["\0"] = "x" },
        { a = "x\r" }, { a = "x\n" }, { a = "x\r\nB: y" }, { a = { "x", "\n" } },
        { a = {} , [1] = "x" }, { "x" }, { a = true }, { a = { true } },
        { a = { { "x" } } }, "x", 1, true,
    }
    local answers = {}
    for i, headers in ipairs(wrong) do
        local ok, err = n:publish("s", "x", nil, headers)
        if ok ~= false or err ~= "invalid header" then
            ngx.say(i, " ", tostring(ok), " ", err)
        end
        ok, err = n:publish("s", "x", { headers = headers })
        if ok ~= false or err ~= "invalid header" then
            ngx.say(i, " ", tostring(ok), " ", err)
        end
        ok, err = n:request("s", "x", function() end, { headers = headers })
        if ok ~= false or err ~= "invalid header" then
            ngx.say(i, " ", tostring(ok), " ", err)
        end
        ok, err = n:request_sync("s", "x", { headers = headers })
        if ok ~= nil or err ~= "invalid header" then
            ngx.say(i, " ", tostring(ok), " ", err)
        end
    end
    test.show(n:publish("end"))
    n:close()
}
--- request
--- response
true ''
--- no_error_log
[error]


=== headers: count for the longest payload
--- peers: nats_limits
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    repeat until n:connect("127.0.0.1", $TEST_NATS_LIMITS_PORT)
    n:subscribe("s", function(msg) ngx.say(msg.len) end)
    -- NATS/1.0, A: 1 and an empty line are 18 bytes.
    test.show(n:publish("s", ("x"):rep(1006), nil, { A = "1" }))
    test.show(n:publish("s", ("x"):rep(1007), nil, { A = "1" }))
    test.show(n:publish("s", "", nil, { A = ("x"):rep(1024) }))
    test.show(n:wait(1))
    test.show(n:flush())
    n:close()
}
--- response
true ''
false maximum payload exceeded
false maximum payload exceeded
1006
true ''
true ''
--- no_error_log
[error]


=== headers: the server has none, or was told that we have none
--- peer nats
A: serve "headers":false
A: expect "PUB end 0\r\n\r\n"
A: expect_eof
B: serve
B: expect "PUB end 0\r\n\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _, opts in ipairs { {}, { headers = false } } do
        local n = test.client($TEST_PEER_PORT, opts)
        test.show(n:publish("s", "x", nil, { A = "1" }))
        test.show(n:request("s", "x", function() end, { headers = { A = "1" } }))
        test.show(n:request_sync("s", "x", { headers = { A = "1" } }))
        test.show(n:publish("end"))
        n:close()
    end
}
--- request
--- response
false headers not supported by the server
false headers not supported by the server
nil headers not supported by the server
true ''
false headers not supported by the server
false headers not supported by the server
nil headers not supported by the server
true ''
--- no_error_log
[error]


=== headers: of a server that writes them its own way
--- peer eval
my @blocks = (
    ["NATS/1.0\r\n\r\n",                            ''],
    ["NATS/1.0\r\nA:1\r\nB:   2  \r\nC:\r\n\r\n",   'body'],
    ["NATS/1.0 503\r\n\r\n",                        ''],
    ["NATS/1.0 404 No Messages\r\n\r\n",            ''],
    ["NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\n\r\n", ''],
    ["NATS/1.0   408   Request Timeout  \r\nX: y\r\n\r\n", 'z'],
    ["NATS/1.0\r\nno colon\r\nA: 1\r\n\r\n",        'x'],
    ["NATS/1.0\r\n: no key\r\nA: 1\r\n\r\n",        'x'],
    ["NATS/1.0\r\nA: 1\r\n",                        'x'],
    ["NATS/1.0",                                    'x'],
    ["nonsense\r\nA: 1\r\n\r\n",                    'x'],
    ["\0\0\0",                                      "\r\n"],
);
my $send = CORE::join '', map {
    my ($head, $body) = @$_;
    sprintf "HMSG s \${sid} %d %d\r\n%s%s\r\n", length $head,
            length($head) + length $body, $head, $body;
} @blocks;
$send =~ s/(["\\])/\\$1/g;
$send =~ s/\r/\\r/g;
$send =~ s/\n/\\n/g;
$send =~ s/\0/\\0/g;
main::nats(<<"STEPS");
A: serve
A: expect_like /^SUB s (?<sid>\\S+)\\r\\n/
A: send "$send"
A: expect_eof
STEPS
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:subscribe("s", function(msg)
        local keys = {}
        for key, value in pairs(msg.headers) do
            keys[#keys + 1] = key .. "=<" .. value .. ">"
        end
        table.sort(keys)
        test.show(msg.len, msg.status, msg.description, table.concat(keys, " "))
    end)
    test.show(n:wait(12))
    n:close()
}
--- request
--- response
0 nil nil ''
4 nil nil A=<1> B=<2> C=<>
0 503 nil ''
0 404 No Messages ''
0 100 Idle Heartbeat Nats-Last-Consumer=<1>
1 408 Request Timeout X=<y>
1 nil nil A=<1>
1 nil nil A=<1>
1 nil nil A=<1>
1 nil nil ''
1 nil nil A=<1>
2 nil nil ''
true ''
--- no_error_log
[error]


=== respond: with headers
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function(msg)
        test.show(msg:respond("x", { ["bad key"] = "x" }))
        test.show(msg:respond("answer", { Kind = msg.headers and msg.headers.Kind }))
    end)
    n:request("s", "", function(msg)
        ngx.say(msg.payload, " ", msg.headers.Kind)
    end, { headers = { Kind = "strange" } })
    test.show(n:wait(2))
    n:close()
}
--- response
false invalid header
true ''
answer strange
true ''
--- no_error_log
[error]
