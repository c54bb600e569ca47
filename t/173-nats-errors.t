# resty.nats: connects that fail, and what the server says by -ERR: to whom it
# is told, what ends by it and what goes on.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

# What a server says before it closes the connection, and what the client takes
# for such a word; and what does not end it.
our @CLOSING = (
    'Authorization Violation', 'User Authentication Expired',
    'Account Authentication Expired', 'User Authentication Revoked',
    'maximum account active connections exceeded',
    'Maximum Payload Violation', 'maximum control line exceeded',
    'Unknown Protocol Operation', 'Stale Connection',
    'Connection throttling is active. Please try again later',
    'something that nobody knows', '',
);
our @HARMLESS = (
    'Permissions Violation for Publish to "x"',
    'permissions violation for publish to "x"',
    'Invalid Publish Subject',
);

# A connection for each text, which comes while the client waits.
sub said {
    my ($end, @texts) = @_;
    my $i = 0;
    return nats(CORE::join '', map {
        my $text = s/"/\\"/gr;
        my $c = 'C' . $i++;
        ("$c: serve\n", "$c: expect_like /^SUB s (?<sid>\\S+)\\r\\nPING\\r\\n/\n",
         "$c: send \"PONG\\r\\n-ERR '$text'\\r\\n\"\n",
         map { "$c: $_\n" } @$end);
    } @texts);
}

run_tests();

__DATA__

=== connect: users and passwords
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function try(opts)
        test.show(n:connect("127.0.0.1", $TEST_NATS_AUTH_PORT, opts))
        n:close()
    end
    try { user = "tcp", pass = "secret" }
    try { user = "tcp", pass = "wrong" }
    try { user = "nobody", pass = "secret" }
    try { user = "tcp" }
    try { token = "secret" }
    try()
    test.show(n.connected, n:get_reused_times())
    n = nats:new { user = "tcp", pass = "secret" }
    try()
    try { pass = "wrong" }
    n = nats:new()
    test.show(n:connect("nats://tcp:secret@127.0.0.1:$TEST_NATS_AUTH_PORT"))
    n:close()
    test.show(n:connect("nats://tcp:s%65cret@127.0.0.1:$TEST_NATS_AUTH_PORT/"))
    n:close()
    test.show(n:connect("nats://tcp:wrong@127.0.0.1:$TEST_NATS_AUTH_PORT"))
}
--- response
true ''
false Authorization Violation
false Authorization Violation
false Authorization Violation
false Authorization Violation
false Authorization Violation
false nil closed
true ''
false Authorization Violation
true ''
true ''
false Authorization Violation
--- no_error_log
[error]


=== connect: tokens
--- peers: nats_token
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function try(...)
        test.show(n:connect(...))
        n:close()
    end
    try("127.0.0.1", $TEST_NATS_TOKEN_PORT, { token = "sesame" })
    try("127.0.0.1", $TEST_NATS_TOKEN_PORT, { token = "wrong" })
    try("127.0.0.1", $TEST_NATS_TOKEN_PORT)
    try("nats://sesame@127.0.0.1:$TEST_NATS_TOKEN_PORT")
    try("nats://wrong@127.0.0.1:$TEST_NATS_TOKEN_PORT")
}
--- response
true ''
false Authorization Violation
false Authorization Violation
true ''
false Authorization Violation
--- no_error_log
[error]


=== connect: too many connections
--- peers: nats_limits
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    -- Those of the run before are gone.
    repeat
        local z = test.monitor($TEST_NATS_LIMITS_MONITOR_PORT, "/connz")
    until z.num_connections == 0
    local clients = {}
    for i = 1, 4 do clients[i] = test.client($TEST_NATS_LIMITS_PORT) end
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_NATS_LIMITS_PORT))
    ngx.say(n.connected)
    for i = 1, 4 do clients[i]:close() end
}
--- response
false maximum connections exceeded
false
--- no_error_log
[error]


=== connect: nobody listens
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_CLOSED_PORT))
    test.show(n:connect("unix:$TEST_DIR/nonesuch"))
    test.show(n:connect("nats://127.0.0.1:$TEST_CLOSED_PORT"))
    test.show(n.connected, n:publish("s", "x"))
}
--- response
false connection refused
false no such file or directory
false connection refused
false false not connected
--- no_error_log
[alert]


=== connect: nobody answers
--- peer nats
listen $TEST_PEER_PORT backlog=0
fill_backlog
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_PEER_PORT, { connect_timeout = 200 }))
    n:set_timeout(100)
    test.show(n:connect("127.0.0.1", $TEST_PEER_PORT))
}
--- request
--- response
false timeout
false timeout
--- no_error_log
[alert]


=== connect: the server says nothing, or not enough, or nonsense, or goes
--- peer nats
A: accept
A: expect_close
B: accept
B: send "INFO {\"server"
B: expect_close
C: accept
C: send "INFO {}\r\n"
C: expect_like /^CONNECT .*\r\nPING\r\n/
C: expect_close
D: accept
D: close
E: accept
E: send "INFO {}\r\n"
E: expect_like /^CONNECT .*\r\nPING\r\n/
E: close
F: accept
F: send "HTTP/1.1 200 OK\r\n"
F: expect_close
G: accept
G: send "INFO [1\r\n"
G: expect_close
H: accept
H: send "PONG\r\n"
H: expect_close
I: accept
I: send "-ERR 'maximum connections exceeded'\r\n"
I: expect_close
J: accept
J: send "INFO {}\r\n-ERR 'Authentication Timeout'\r\n"
J: expect_like /^(?:CONNECT .*\r\nPING\r\n)?/
J: half_close
J: read_all
K: accept
K: send "INFO {}\r\n"
K: expect_like /^CONNECT .*\r\nPING\r\n/
K: send "INFO {}\r\nPING\r\n+OK\r\nPONG\r\n"
K: expect "PONG\r\n"
K: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function try(ms)
        local ok, err = n:connect("127.0.0.1", $TEST_PEER_PORT, { connect_timeout = ms })
        test.show(ok, err:match("^protocol error: ") or err, n.connected)
    end
    try(300)
    try(300)
    try(300)
    for _ = 4, 11 do try(60000) end
    n:close()
}
--- request
--- response
false timeout false
false timeout false
false timeout false
false closed false
false closed false
false protocol error:  false
false protocol error:  false
false protocol error:  false
false maximum connections exceeded false
false Authentication Timeout false
true '' true
--- no_error_log
[error]


=== connect: mistakes in its arguments
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function try(f, ...)
        local ok, err = pcall(f, ...)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+: ", "", 1)))
    end
    try(n.connect, n)
    try(n.connect, n, {})
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, true)
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, { user = 1 })
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, { echo = "yes" })
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, { tls = "yes" })
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, { tls = { verify = 1 } })
    try(n.connect, n, "127.0.0.1", $TEST_CLOSED_PORT, { on_error = 1 })
    try(nats.new, nats, 1)
    try(nats.new, nats, { ping_interval = "1" })
    test.show(n:connect("http://127.0.0.1:80"))
    test.show(n:connect("nats://"))
}
--- response
false bad argument #1 to 'connect' (string expected, got nil)
false bad argument #1 to 'connect' (string expected, got table)
false bad argument #3 to 'connect' (table expected, got boolean)
false bad argument #3 to 'connect' (bad option "user" (string expected, got number))
false bad argument #3 to 'connect' (bad option "echo" (boolean expected, got string))
false bad argument #3 to 'connect' (bad option "tls" (table expected, got string))
false bad argument #3 to 'connect' (bad option "tls.verify" (boolean expected, got number))
false bad argument #3 to 'connect' (bad option "on_error" (function expected, got number))
false bad argument #1 to 'new' (table expected, got number)
false bad argument #1 to 'new' (bad option "ping_interval" (number expected, got string))
false invalid URL
false invalid URL
--- no_error_log
[error]


=== -ERR: the words before the end are what all calls return
--- peer eval: main::said(['expect_close'], @main::CLOSING)
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for i = 1, tonumber(ngx.receive("*l")) do
        local told
        local n = test.client($TEST_PEER_PORT, { on_error = function(text) told = text end })
        n:subscribe("s", function() end)
        test.show(n:flush())
        local ok, text = n:wait(1)
        ngx.say(text)
        local same = 0
        local function check(ok, err)
            if not ok and err == text then same = same + 1 end
        end
        check(n:wait(1))
        check(n:publish("s", "x"))
        check(n:subscribe("s", function() end))
        check(n:request("s", "x", function() end))
        check(n:request_sync("s", "x"))
        check(n:flush())
        check(n:set_keepalive(0, 10))
        ngx.say(ok, " ", same, " ", n.last_error == text, " ", told == text, " ",
                n.connected, " ", n.subscribed)
        n:close()
    end
}
--- request eval
scalar(@main::CLOSING) . "\n"
--- response eval
CORE::join '', map { "true ''\n$_\nfalse 7 true true false false\n" } @main::CLOSING
--- no_error_log
[error]


=== -ERR: what does not end the connection is told, and all goes on
--- peer eval: main::said(['send "MSG s ${sid} 2\r\nhi\r\n"', 'expect "PUB s 1\r\nx\r\n"', 'expect_eof'], @main::HARMLESS)
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for i = 1, tonumber(ngx.receive("*l")) do
        local told
        local n = test.client($TEST_PEER_PORT)
        n:subscribe("s", function(msg) ngx.say(msg.payload) end)
        test.show(n:flush())
        test.show(n:wait(1))
        ngx.say(n.last_error)
        n:publish("s", "x")
        n:close()
    end
}
--- request eval
scalar(@main::HARMLESS) . "\n"
--- response eval
CORE::join '', map { "true ''\nhi\ntrue ''\n$_\n" } @main::HARMLESS
--- no_error_log
[error]


=== -ERR: the end without a word is "closed"
--- peer nats
A: serve
A: expect_like /^SUB s \S+\r\n/
A: half_close
A: expect_close
B: serve
B: expect_like /^SUB s \S+\r\n/
B: reset
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for _ = 1, 2 do
        local n = test.client($TEST_PEER_PORT)
        n:subscribe("s", function() end)
        test.show(n:wait(1))
        test.show(n:wait(1))
        test.show(n:publish("s", "x"))
        test.show(n:set_keepalive(0, 10))
        test.show(n.connected, n.subscribed, n:close())
    end
}
--- request
--- response_like
^false closed
false closed
false closed
nil closed
false false 1
false (?:closed|connection reset by peer)
false .*
false .*
nil .*
false false 1
$
--- no_error_log
[alert]


=== -ERR: the words are found although the write failed first
--- peer nats
A: serve
A: send_fin "-ERR 'Stale Connection'\r\n"
A: wait_log "gone"
A: close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    ngx.sleep(0.3)
    local ok, err = true
    for _ = 1, 1000 do
        ok, err = n:publish("s", "x")
        if not ok then break end
        ngx.sleep(0.01)
        ok, err = n:flush(10000)
        if not ok then break end
    end
    test.show(ok, err)
    test.show(n.last_error)
    ngx.log(ngx.WARN, "gone")
    n:close()
}
--- request_parts
expect "false Stale Connection\nStale Connection\n"
expect_eof
--- skip_mode: slow: what comes byte by byte may be cut by a reset
--- no_error_log
[alert]


=== permissions: to publish: told, and the connection goes on
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local told = {}
    local n = test.client($TEST_NATS_AUTH_PORT, { user = "limited", pass = "secret",
        on_error = function(text) told[#told + 1] = text end })
    n:subscribe("open.x", function(msg) ngx.say(msg.payload) end)
    test.show(n:publish("closed.x", "x"))
    n:publish("open.x", "fine")
    test.show(n:wait(1))
    ngx.say(n.last_error)
    ngx.say(#told, " ", told[1] == n.last_error)
    test.show(n:flush())
    n:close()
}
--- response
true ''
fine
true ''
Permissions Violation for Publish to "closed.x"
1 true
true ''
--- no_error_log
[error]


=== permissions: to ask: the request ends at once
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT, { user = "limited", pass = "secret" })
    test.show(n:request_sync("closed.x", "x"))
    test.show(n:request("closed.y", "x", function() ngx.say("no") end))
    test.show(n:wait(1))
    ngx.say(n.subscribed)
    n:subscribe("open.x", function(msg) msg:respond("fine") end)
    n:request("open.x", "x", function(msg) ngx.say(msg.payload) end)
    test.show(n:wait(2))
    n:close()
}
--- response
nil Permissions Violation for Publish to "closed.x"
true ''
false Permissions Violation for Publish to "closed.y"
false
fine
true ''
--- no_error_log
[error]


=== permissions: no inbox
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT,
        { user = "limited", pass = "secret", inbox_prefix = "closed.inbox" })
    for _ = 1, 2 do
        local msg, err = n:request_sync("open.x", "x", { timeout = 10000 })
        test.show(msg, (err:gsub('"closed%.inbox%..-"', "INBOX")))
    end
    n:close()
    n = test.client($TEST_NATS_AUTH_PORT,
        { user = "limited", pass = "secret", inbox_prefix = "open.inbox" })
    n:subscribe("open.x", function(msg)
        ngx.say(msg.reply_to:match("^open%.inbox%.") ~= nil)
        msg:respond("fine")
    end)
    n:request("open.x", "x", function(msg) ngx.say(msg.payload) end)
    test.show(n:wait(2))
    n:close()
}
--- response
nil Permissions Violation for Subscription to INBOX
nil Permissions Violation for Subscription to INBOX
true
fine
true ''
--- no_error_log
[error]


=== permissions: to subscribe: that subscription ends, and the others do not
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT, { user = "deny", pass = "secret" })
    n:subscribe("closed.x", function() end)
    test.show(n.subscribed, n:wait(1))
    test.show(n.subscribed)
    n:subscribe("open", function(msg) ngx.say(msg.payload) end)
    n:subscribe("closed.y", function() end, { queue = "q" })
    n:publish("open", "fine")
    test.show(n:wait(1))
    test.show(n:wait(1))
    n:publish("open", "still")
    test.show(n:wait(1))
    test.show(n.subscribed, n:set_keepalive(0, 10))
    n:close()
}
--- response
true false Permissions Violation for Subscription to "closed.x"
false
false Permissions Violation for Subscription to "closed.y" using queue "q"
fine
true ''
still
true ''
true nil subscribed state
--- no_error_log
[error]


=== limits: one subscription too many
--- peers: nats_limits
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    repeat until n:connect("127.0.0.1", $TEST_NATS_LIMITS_PORT)
    for i = 1, 3 do
        n:subscribe("s" .. i, function(msg) ngx.say(msg.payload) end)
    end
    n:subscribe("s4", function() ngx.say("no") end)
    test.show(n:wait(1))
    ngx.say(n.last_error)
    n:publish("s4", "nobody")
    n:publish("s3", "fine")
    test.show(n:wait(1))
    n:close()
}
--- response
false maximum subscriptions exceeded
maximum subscriptions exceeded
fine
true ''
--- no_error_log
[error]


=== on_error: its own error is logged, and hurts nobody
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT, { user = "limited", pass = "secret",
        on_error = function(text) error("no good") end })
    test.show(n:publish("closed.x", "x"))
    test.show(n:flush())
    ngx.say(n.last_error)
    n:close()
}
--- response
true ''
true ''
Permissions Violation for Publish to "closed.x"
--- error_log
no good


=== stale: two of our PINGs were not answered
--- peer nats
A: serve
A: expect_like /^SUB s \S+\r\nPING\r\n/
A: expect "PING\r\n"
A: expect_close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT, { ping_interval = 0.2 })
    n:subscribe("s", function() end)
    test.show(n:wait(1))
    ngx.say(n.connected)
    n:close()
}
--- request
--- response
false stale connection
false
--- no_error_log
[error]


=== stale: not while they are answered, or anything comes
--- peer nats
A: serve
A: expect_like /^SUB s (?<sid>\S+)\r\nPING\r\n/
A: send "PONG\r\n"
A: expect "PING\r\n"
A: send "PONG\r\n"
A: expect "PING\r\n"
A: expect "PING\r\n"
A: send "MSG s ${sid} 2\r\nhi\r\nPONG\r\n"
A: expect_close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT, { ping_interval = 0.3, max_pings_out = 20 })
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    test.show(n:wait(1))
    n:close()
}
--- request
--- response
hi
true ''
--- no_error_log
[error]


=== on_error: may close the connection, or publish by it
--- peers: nats_auth
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local opts = { user = "limited", pass = "secret" }
    local n
    opts.on_error = function() test.show(n:close()) end
    n = test.client($TEST_NATS_AUTH_PORT, opts)
    n:publish("closed.x", "x")
    test.show(n:flush())
    test.show(n:wait(1))

    opts.on_error = function(text)
        if text:find("closed.x", 1, true) then
            test.show(n:publish("open.x", "from on_error"))
            test.show(n:flush())
        end
    end
    n = test.client($TEST_NATS_AUTH_PORT, opts)
    n:subscribe("open.x", function(msg) ngx.say(msg.payload) end)
    n:publish("closed.x", "x")
    test.show(n:wait(1))
    n:close()
}
--- response
1
false closed
false closed
true ''
true ''
from on_error
true ''
--- no_error_log
[error]


=== connect: a deadline, and a thread that is killed in it
--- peer nats
A: accept
A: expect_close
B: accept
B: send "INFO {}\r\n"
B: expect_like /^CONNECT .*\r\nPING\r\n/
B: expect_close
C: serve
C: expect "PUB s 1\r\nx\r\n"
C: expect_eof
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(ngx.deadline(0.2, n.connect, n, "127.0.0.1", $TEST_PEER_PORT))
    ngx.say(n.connected)
    local thread = ngx.thread.spawn(n.connect, n, "127.0.0.1", $TEST_PEER_PORT)
    ngx.sleep(0.3)
    ngx.thread.kill(thread)
    ngx.say(n.connected)
    test.show(n:connect("127.0.0.1", $TEST_PEER_PORT))
    n:publish("s", "x")
    n:close()
}
--- request
--- response
false deadline
false
false
true ''
--- no_error_log
[error]


=== connect: by two threads at once
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local thread = ngx.thread.spawn(n.connect, n, "127.0.0.1", $TEST_NATS_PORT)
    local first = n:connect("127.0.0.1", $TEST_NATS_PORT)
    local _, second = ngx.thread.wait(thread)
    ngx.say(first or second)
    if not n.connected then
        test.show(n:connect("127.0.0.1", $TEST_NATS_PORT))
    else
        test.show(true, "")
    end
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "fine")
    test.show(n:wait(1))
    test.show(n:close())
}
--- response
true
true ''
fine
true ''
1
--- no_error_log
[alert]
