# resty.nats with a server that is at fault, or whose bytes come in pieces: what
# was begun is not lost, what is no protocol ends the connection, and nothing
# keeps the worker busy.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

use constant LONG => 'more than a line may have';

# What is no frame, where ${sid} is the subscription's.
our @BROKEN = (
    "\r\n", "\n", " \r\n", "NOPE\r\n", "MSGS s 1 1\r\n", "nonsense\r\n",
    "MSG\r\n", "MSG s\r\n", "MSG s 1\r\n", "MSG s 1 x\r\n", "MSG s 1 -1\r\n",
    "MSG s 1 1x\r\n", "MSG s 1 r 1 1\r\n", "MSG s 1 99999999999999999999\r\n",
    "MSG s 1 67108865\r\n", "MSG s \${sid} 2\r\nhixx\r\n",
    "MSG s \${sid} 2\r\nhi\rx", "MSG s \${sid} 2\r\nhello\r\n",
    "HMSG s 1 1\r\n", "HMSG s 1 12 4\r\n", "HMSG s 1 x 12\r\n",
    "HMSG s 1 12 x\r\n", "HMSG s 1 -12 12\r\n",
    "HMSG s \${sid} 12 12\r\nNATS/1.0\r\n\r\nxx",
    "CONNECT {}\r\n", "PUB s 1\r\nx\r\n", "SUB s 1\r\n",
    LONG,
);

# Text as the string of a step.
sub quoted {
    my ($text) = @_;
    return '"x" x 70000' if $text eq LONG;
    return '"' . ($text =~ s/(["\\])/\\$1/gr =~ s/\r/\\r/gr =~ s/\n/\\n/gr) . '"';
}

sub broken {
    my $i = 0;
    return nats(CORE::join '', map {
        my $c = 'C' . $i++;
        ("$c: serve\n", "$c: expect_like /^SUB s (?<sid>\\S+)\\r\\nPING\\r\\n/\n",
         "$c: send \"PONG\\r\\nMSG s \${sid} 2\\r\\nok\\r\\n\"\n",
         "$c: send " . quoted($_) . "\n", "$c: expect_close\n")
    } @BROKEN);
}

# A whole session, with whatever a server may send.
my $SESSION = <<'TEXT' =~ s/\n/\r\n/gr;
msg s ${sid} 5
hello
PING
MSG	s  ${sid}	reply.to   0

+OK
HMSG s ${sid} 18 23
NATS/1.0
A: 1

hello
INFO {"server_name":"late","connect_urls":["a:1","b:2"]}
hmsg s ${sid} reply.to 34 34
NATS/1.0 404 No Messages
A: 1


-ERR 'Invalid Publish Subject'
MSG s ${sid} 12
MSG s 1 1
x
PONG
MSG s ${sid} 1
.
TEXT

# By steps: how => send or drip.
sub session {
    my ($how) = @_;
    return nats(<<"STEPS");
A: serve
A: expect_like /^SUB s (?<sid>\\S+)\\r\\nPING\\r\\n/
A: $how @{[quoted($SESSION)]}
A: expect "PONG\\r\\n"
A: expect_eof
STEPS
}

our $READS = <<'LUA';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block {
    function reads(port)
        local test = require "nats_test"
        local n = test.client(port)
        n:subscribe("s", function(msg)
            test.show(msg.len, msg.reply_to, msg.status, msg.description,
                      msg.headers and msg.headers.A, (msg.payload:gsub("%s", "~")))
        end)
        local flusher = ngx.thread.spawn(n.flush, n)
        test.show(n:wait(6))
        test.show(ngx.thread.wait(flusher))
        test.show(n.info.server_name, n.info.connect_urls[2], n.last_error)
        n:close()
    end
}
LUA

our $READ = <<'TEXT';
5 nil nil nil nil hello
0 reply.to nil nil nil ''
5 nil nil nil 1 hello
0 reply.to 404 No Messages 1 ''
12 nil nil nil nil MSG~s~1~1~~x
1 nil nil nil nil .
true ''
true true ''
late b:2 Invalid Publish Subject
TEXT

run_tests();

__DATA__

=== pieces: a session in one
--- peer eval: main::session('send')
--- tcp_config eval: $main::READS
--- tcp_server_config
process_by_lua_block { reads($TEST_PEER_PORT) }
--- request
--- response eval: $main::READ
--- no_error_log
[error]


=== pieces: byte by byte
--- peer eval: main::session('drip')
--- tcp_config eval: $main::READS
--- tcp_server_config
process_by_lua_block { reads($TEST_PEER_PORT) }
--- request
--- response eval: $main::READ
--- timeout: 15
--- no_error_log
[error]


=== pieces: INFO and PONG byte by byte
--- peer
A: accept
A: drip "INFO {\"server_name\":\"slow\",\"headers\":true}\r\n"
A: expect_like /^CONNECT .*\r\nPING\r\n/
A: drip "+OK\r\nPONG\r\n"
A: expect "PUB s 1\r\nx\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_PEER_PORT)
    ngx.say(n.info.server_name)
    n:publish("s", "x")
    n:close()
}
--- request
--- response
slow
--- no_error_log
[error]


=== pieces: a timeout anywhere in a message loses nothing
--- peer nats
A: serve
A: expect_like /^SUB s (?<sid>\S+)\r\n/
A: send "MS"
A: wait_log "timeout 1;"
A: send "G s ${sid} 1"
A: wait_log "timeout 2;"
A: send "0\r"
A: wait_log "timeout 3;"
A: send "\n01234"
A: wait_log "timeout 4;"
A: send "56789"
A: wait_log "timeout 5;"
A: send "\r"
A: wait_log "timeout 6;"
A: send "\nHMSG s ${sid} 1"
A: wait_log "timeout 7;"
A: send "8 20\r\nNATS/1.0\r\nA:"
A: wait_log "timeout 8;"
A: send " 1\r\n\r\nh"
A: wait_log "timeout 9;"
A: send "i\r\n"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local got = 0
    n:subscribe("s", function(msg)
        got = got + 1
        test.show(msg.len, msg.payload, msg.headers and msg.headers.A)
    end)
    local timeouts = 0
    while got < 2 do
        local ok, err = n:wait(1, 80)
        if not ok and err == "timeout" then
            timeouts = timeouts + 1
            ngx.log(ngx.WARN, "timeout ", timeouts, ";")
        elseif not ok then
            ngx.say(err)
            break
        end
    end
    n:close()
}
--- request
--- response
10 0123456789 nil
2 hi 1
--- no_error_log
[error]


=== broken: what is no frame ends the connection, and what came before is there
--- peer eval: main::broken()
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    for i = 1, tonumber(ngx.receive("*l")) do
        local n = test.client($TEST_PEER_PORT)
        local got
        n:subscribe("s", function(msg) got = msg.payload end)
        n:flush()
        test.show(n:wait(1))
        local ok, err = n:wait(1)
        ngx.say(i, " ", got, " ", ok, " ", err:match("^protocol error: ") or err, " ",
                n.connected, " ", #err < 200)
        n:close()
    end
}
--- request eval
scalar(@main::BROKEN) . "\n"
--- response eval
CORE::join '', map { "true ''\n$_ ok false protocol error:  false true\n" } 1 .. @main::BROKEN
--- timeout: 20
--- skip_mode: slow: lines of 70 KB, a byte each time
--- no_error_log
[error]


=== INFO: of 60 KB
--- peer eval
my $urls = CORE::join ',', map { "\\\"node-$_.nats.example:4222\\\"" } 1 .. 2200;
<<"STEPS";
A: accept
A: send "INFO {\\"connect_urls\\":[$urls],\\"client_id\\":5}\\r\\n"
A: expect_like /^CONNECT .*\\r\\nPING\\r\\n/
A: send "PONG\\r\\n"
A: expect "PUB s 1\\r\\nx\\r\\n"
A: expect_eof
STEPS
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local n = require "nats_test".client($TEST_PEER_PORT)
    ngx.say(#n.info.connect_urls, " ", n.info.connect_urls[2200], " ", n.info.client_id)
    n:publish("s", "x")
    n:close()
}
--- request
--- response
2200 node-2200.nats.example:4222 5
--- no_error_log
[error]


=== INFO: of a megabyte and more, without an end
--- peer
A: accept
A: send "INFO {\"x\":\""
A: send "x" x 2000000
A: expect_close
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local ok, err = n:connect("127.0.0.1", $TEST_PEER_PORT)
    test.show(ok, err)
}
--- request_parts
expect_like /^false protocol error: .*\n$/
expect_eof
--- skip_mode: slow: a system call for each of a million bytes
--- no_error_log
[alert]


=== memory: a message that is announced takes none before it comes
--- peer nats
A: serve
A: expect_like /^SUB s (?<sid>\S+)\r\n/
A: send "MSG s ${sid} 67000000\r\nxx"
A: wait_log "looked"
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local function resident()
        for line in io.lines("/proc/self/status") do
            local kb = line:match("^VmRSS:%s+(%d+)")
            if kb then return tonumber(kb) end
        end
    end
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:subscribe("s", function() end)
    test.show(n:wait(1, 200))
    local before = resident()
    test.show(n:wait(1, 300))
    ngx.say(resident() - before < 10000)
    ngx.log(ngx.WARN, "looked")
    n:close()
}
--- request
--- response
false timeout
false timeout
true
--- no_error_log
[error]


=== memory: messages that nobody waits for are dropped beyond a limit
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT, { max_pending = 100 })
    local got = {}
    n:subscribe("s", function(msg) got[#got + 1] = msg.payload end)
    for i = 1, 150 do n:publish("s", i) end
    test.show(n:flush())
    ngx.say(n.last_error)
    test.show(n:wait(100))
    ngx.say(#got, " ", got[1], " ", got[100])
    test.show(n:wait(1))
    n:publish("s", "fine")
    test.show(n:wait(1))
    ngx.say(got[101])
    n:close()

    -- The same for bytes.
    n, got = test.client($TEST_NATS_PORT, { max_pending_bytes = 70000 }), {}
    n:subscribe("s", function(msg) got[#got + 1] = msg.payload:match("%d+") end)
    for i = 1, 10 do n:publish("s", i .. (" "):rep(9999)) end
    test.show(n:flush())
    test.show(n:wait(7))
    ngx.say(#got, " ", got[1], " ", got[7])
    test.show(n:wait(1))
    n:close()
}
--- response
true ''
slow consumer
true ''
100 1 100
false slow consumer
true ''
fine
true ''
true ''
7 1 7
false slow consumer
--- no_error_log
[error]


=== write: the server reads nothing for a while
--- peer nats
A: serve
A: stop_reading
A: wait_log "waits"
A: pause 0.5
A: start_reading
A: expect_bytes 15004170
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    local payload = ("x"):rep(100000)
    ngx.log(ngx.WARN, "waits")
    for _ = 1, 150 do
        assert(n:publish("some.subject", payload))
    end
    for _ = 1, 10 do n:publish("s", "x") end
    test.show(n:close())
}
--- request
--- response
1
--- skip_mode: slow: a system call for each of fifteen million bytes
--- timeout: 20
--- no_error_log
[error]


=== write: the server reads nothing any more
--- peer nats
A: serve
A: stop_reading
A: wait_log "over"
A: reset
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT, { send_timeout = 300 })
    n.sock:settimeouts(60000, 300, 60000)
    local payload = ("x"):rep(100000)
    local ok, err
    for _ = 1, 1000 do
        ok, err = n:publish("s", payload)
        if not ok then break end
    end
    test.show(ok, err)
    ok, err = n:publish("s", payload)
    test.show(ok, n.connected)
    ngx.log(ngx.WARN, "over")
    n:close()
}
--- request
--- response
false timeout
false false
--- timeout: 20
--- skip_mode: slow: a system call for each of some million bytes
--- no_error_log
[alert]


=== death: the server is killed while we wait, and while nobody waits
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local other = test.client($TEST_NATS_PORT)
    local parked = test.client($TEST_NATS_PORT)
    parked:set_keepalive(0, 10)
    n:subscribe("s", function() end)
    other:subscribe("s", function() end)
    n:flush()
    ngx.say("ready")
    test.show(n:wait(1))
    ngx.say(n.connected)
    ngx.receive("*l")
    test.show(other:request_sync("s", "x"))
    local again = test.client($TEST_NATS_PORT)
    ngx.say(again:get_reused_times())
    again:close()
    n:close()
    other:close()
}
--- request_parts
A: expect "ready\n"
stop_peer nats
A: expect_like /^false (?:closed|connection reset by peer)\nfalse\n/
start_peer nats
A: send "\n"
A: expect_like /^nil (?:closed|connection reset by peer)\n/
A: expect "0\n"
A: expect_eof
--- no_error_log
[alert]


=== death: who does not look at what wait() returns keeps nobody from work
--- peers: nats
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test, worker = require "nats_test", require "worker"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("s", function() end)
    n:flush()
    local thread = ngx.thread.spawn(function()
        while true do n:wait(999999) end
    end)
    ngx.say("ready")
    ngx.receive("*l")
    -- The pauses between its attempts grow.
    ngx.sleep(0.3)
    ngx.say(worker.busy(1))
    ngx.thread.kill(thread)
    n:close()
}
--- tcp_server_config2
process_by_lua_block { ngx.print(ngx.receive(2)) }
--- request_parts
A: expect "ready\n"
stop_peer nats
A: send "\n"
B: connect $TEST_PORT2
B: send "hi"
B: expect "hi"
B: expect_eof
A: expect "idle\n"
A: expect_eof
start_peer nats
--- skip_mode: valgrind: under it nothing takes no time
--- no_error_log
[alert]
