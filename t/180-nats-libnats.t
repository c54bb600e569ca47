# resty.nats and nats.c (libnats), an implementation that has nothing in common
# with ours: what the one sends the other one gets byte for byte, both ask and
# answer, share the messages of a queue group, and leave in good order.

use lib 't/lib';
use Test::Nginx::TCP;
use Compress::Zlib ();

# The CRC of so many bytes as libnats's peer makes them.
sub crc32 {
    my ($len) = @_;
    my $period = join '', map { chr } 0 .. 250;
    return sprintf '%08x', Compress::Zlib::crc32(
        substr $period x ($len / 251 + 1), 0, $len);
}

# Messages of many lengths that come from libnats and go back to it.
sub lengths {
    my @lengths = (1001, 4096, 32767, 65535, 65536, 65537);
    push @lengths, 262144, 1048576 unless $ENV{TEST_SLOW};
    my @messages = ((map { [$_, ''] } @lengths),
                    map { [$_ - 100, 'A=1'] } @lengths[0, 3, -1]);
    return join '', <<'BEGIN', map { there_and_back(@$_) } @messages;
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "subscribe to.them\n"
P: expect "subscribed\n"
A: expect "ready\n"
BEGIN
}

sub there_and_back {
    my ($len, $header) = @_;
    my $sent  = $header ? "$header -- #$len" : "#$len";
    my $shown = $header ? " {$header}" : '';
    my $value = $header ? 1 : 'nil';
    my $bytes = $len > 1000 ? "$len bytes, " . crc32($len) : '.*';
    return <<"STEPS";
P: send "publish to.us $sent\\n"
P: expect "published\\n"
A: send "\\n"
A: expect "$len true $value\\ntrue ''\\n"
P: expect_like /\\Agot to\\.them\Q$shown\E: $bytes\\n/
STEPS
}

run_tests();

__DATA__

=== from libnats: subjects, replies, headers and payloads
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local function show(msg)
        local words = {}
        for name, value in pairs(msg.headers or {}) do
            if type(value) == "table" then value = table.concat(value, "|") end
            words[#words + 1] = name .. "=<" .. value .. ">"
        end
        table.sort(words)
        local payload = msg.payload:gsub("[^ -~]", function(c) return ("<%02x>"):format(c:byte()) end)
        test.show(msg.subject, msg.reply_to, msg.len, payload, table.concat(words, " "))
    end
    n:subscribe("to.*", show)
    n:subscribe("deep.>", show)
    n:flush()
    ngx.say("ready")
    test.show(n:wait(10))
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
A: expect "ready\n"
P: send "publish to.us plain text\n"
P: expect "published\n"
A: expect "to.us nil 10 plain text ''\n"
P: send "publish to.us>back.to.them with reply\n"
P: expect "published\n"
A: expect "to.us back.to.them 10 with reply ''\n"
P: send "publish to.us \n"
P: expect "published\n"
A: expect "to.us nil 0 '' ''\n"
P: send "publish to.us>back \n"
P: expect "published\n"
A: expect "to.us back 0 '' ''\n"
P: send "publish to.us \\x00\\x0d\\x0a\\xff\\x80MSG to.us 1 5\\x0d\\x0ahello\\x0d\\x0a\n"
P: expect "published\n"
A: expect "to.us nil 27 <00><0d><0a><ff><80>MSG to.us 1 5<0d><0a>hello<0d><0a> ''\n"
P: send "publish to.us One=1 one=2 -- headers\n"
P: expect "published\n"
A: expect "to.us nil 7 headers One=<1> one=<2>\n"
P: send "publish to.us>r Many=a Other=o Many=b Many=c -- repeated\n"
P: expect "published\n"
A: expect "to.us r 8 repeated Many=<a|b|c> Other=<o>\n"
P: send "publish to.us Empty= Utf=s\\xc3\\xbc\\xc3\\x9f Colon=a:b:\\x20c -- \n"
P: expect "published\n"
A: expect "to.us nil 0 '' Colon=<a:b: c> Empty=<> Utf=<süß>\n"
P: send "publish deep.er.and.deeper X=\\x20blanks\\x20\\x20 -- \\x00\n"
P: expect "published\n"
A: expect "deep.er.and.deeper nil 1 <00> X=<blanks>\n"
P: send "publish nobody.has.subscribed x\n"
P: expect "published\n"
P: send "publish deep.est the end\n"
P: expect "published\n"
A: expect "deep.est nil 7 the end ''\n"
A: expect "true ''\n"
A: expect_eof
--- no_error_log
[error]


=== to libnats: subjects, replies, headers and payloads
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:publish("to.them", "plain text")
    n:publish("to.them", "with reply", "back.to.us")
    n:publish("to.them")
    n:publish("to.them", "", "back")
    n:publish("to.them", "\0\r\n\xff\x80\\MSG to.them 1 5\r\nhello\r\n")
    n:publish("to.them", 42)
    n:publish("to.them", "headers", nil, { One = "1", one = 2 })
    n:publish("to.them", "repeated", "r", { Many = { "a", "b", "c d", "e" }, Other = "o" })
    -- libnats takes the line behind an empty value for the value.
    n:publish("to.them", "", nil, { Utf = "süß", Colon = "a:b: c" })
    n:publish("to.them", "", { reply = "x", headers = { ["X-Y!#$%&'*+.^_`|~"] = "odd" } })
    n:publish("to.nobody", "x")
    n:publish("deep.er.and.deeper", "the end")
    test.show(n:flush())
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "subscribe to.them\n"
P: expect "subscribed\n"
A: send "\n"
A: expect "true ''\n"
A: expect_eof
P: expect "got to.them: plain text\n"
P: expect "got to.them [back.to.us]: with reply\n"
P: expect "got to.them: \n"
P: expect "got to.them [back]: \n"
P: expect "got to.them: \\x00\\x0d\\x0a\\xff\\x80\\x5cMSG to.them 1 5\\x0d\\x0ahello\\x0d\\x0a\n"
P: expect "got to.them: 42\n"
P: expect "got to.them {One=1 one=2}: headers\n"
P: expect "got to.them [r] {Many=a Many=b Many=c d Many=e Other=o}: repeated\n"
P: expect "got to.them {Colon=a:b: c Utf=s\\xc3\\xbc\\xc3\\x9f}: \n"
P: expect "got to.them [x] {X-Y!#$%&'*+.^_`|~=odd}: \n"
P: send "subscribe deep.>\n"
P: expect "subscribed\n"
P: send "publish deep.est to itself\n"
P: expect_like /\A(?:published\n|got deep\.est: to itself\n){2}/
--- no_error_log
[error]


=== payloads: each length around the buffers' ends, both ways
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local all = {}
    for i = 0, 250 do all[i + 1] = string.char(i) end
    all = table.concat(all)
    local function bytes(len)
        return all:rep(math.ceil(len / 251)):sub(1, len)
    end
    n:subscribe("to.us", function(msg)
        test.show(msg.len, msg.payload == bytes(msg.len), msg.headers and msg.headers.A)
        n:publish("to.them", msg.payload, nil, msg.headers)
    end)
    n:flush()
    ngx.say("ready")
    local command = ngx.receive("*l")
    while command do
        test.show(n:wait(1))
        command = ngx.receive("*l")
    end
    n:close()
}
--- request_parts eval: main::lengths()
--- timeout: 30
--- no_error_log
[error]


=== requests: libnats answers, also to many at once
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    for _, payload in ipairs { "one", "", "\0\r\n", ("long "):rep(400) } do
        local msg, err = n:request_sync("rpc", payload)
        test.show(msg and msg.payload == payload, msg and msg.reply_to, err)
    end
    local msg = n:request_sync("rpc", "x", { headers = { Way = { "there", "back" } } })
    ngx.say(msg.payload, " ", table.concat(msg.headers.Way, " and "))
    n:request("rpc", "by callback", function(msg) ngx.say(msg.payload) end)
    test.show(n:wait(1))

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
    ngx.receive("*l")
    test.show(n:request_sync("rpc", "x"))
    test.show(n:set_keepalive(0, 10))
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "respond rpc services\n"
P: expect "subscribed\n"
P: send "respond_late late\n"
P: expect "subscribed\n"
A: send "\n"
A: expect "true nil nil\ntrue nil nil\ntrue nil nil\ntrue nil nil\n"
A: expect "x there and back\n"
A: expect "by callback\ntrue ''\n"
A: expect "300\n"
P: send "unsubscribe rpc\n"
P: expect "unsubscribed\n"
A: send "\n"
A: expect "nil no responders\n1\n"
A: expect_eof
--- timeout: 20
--- no_error_log
[error]


=== requests: libnats asks, also from many threads at once
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local sid = n:subscribe("rpc", function(msg)
        ngx.thread.spawn(function()
            ngx.sleep(((tonumber(msg.payload) or 0) * 7 % 20 + 1) / 1000)
            msg:respond(msg.payload, msg.headers)
        end)
    end, { queue = "services" })
    n:flush()
    ngx.say("ready")
    test.show(n:wait(54))
    ngx.receive("*l")
    n:unsubscribe(sid)
    test.show(n:flush())
    ngx.receive("*l")
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
A: expect "ready\n"
P: send "request rpc hello\n"
P: expect "reply: hello\n"
P: send "request rpc \n"
P: expect "reply: \n"
P: send "request rpc \\x00\\x0d\\x0a\\xff\n"
P: expect "reply: \\x00\\x0d\\x0a\\xff\n"
P: send "request rpc Way=there Other=x Way=back -- x\n"
P: expect "reply {Other=x Way=there Way=back}: x\n"
P: send "requests rpc 50\n"
P: expect "50 answered\n"
A: expect "true ''\n"
A: send "\n"
A: expect "true ''\n"
P: send "request rpc hello\n"
P: expect_like /\Afailed: .*responders.*\n/
# The status as a message, to a subject of its own.
P: send "subscribe answers\n"
P: expect "subscribed\n"
P: send "publish rpc>answers hello\n"
P: expect_like /\A(?:published\n|got answers \{(?:Nats-Subject=rpc )?Status=503\} no responders\n){2}/
A: send "\n"
A: expect_eof
--- no_error_log
[error]


=== queue groups: of members by libnats, by nats-py and ours each message has one
--- peers: nats nats_c nats_py
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local function peer(port)
        local sock = assert(ngx.socket.connect("127.0.0.1", port))
        sock:settimeout(60000)
        local function tell(line)
            assert(sock:send(line .. "\n"))
            return assert(sock:receive())
        end
        tell("connect nats://127.0.0.1:$TEST_NATS_PORT")
        tell("count jobs workers")
        return tell
    end
    local peers = { peer($TEST_NATS_C_PORT), peer($TEST_NATS_PY_PORT), peer($TEST_NATS_C_PORT) }
    local seen, twice, got = {}, 0, { 0, 0, 0, 0, 0 }
    local members = {}
    for i = 4, 5 do
        local n = test.client($TEST_NATS_PORT)
        n:subscribe("jobs", function(msg)
            if seen[msg.payload] then twice = twice + 1 end
            seen[msg.payload] = true
            got[i] = got[i] + 1
        end, { queue = "workers" })
        assert(n:flush())
        members[i] = n
        ngx.thread.spawn(n.wait, n)
    end
    local publisher = test.client($TEST_NATS_PORT)
    for i = 1001, 2000 do publisher:publish("jobs", i) end
    ngx.say(peers[1]("many jobs 1000"))
    test.show(publisher:flush())
    local function total()
        local all = 0
        for i = 1, 5 do
            if peers[i] then
                local n, dup = peers[i]("counted"):match("^(%d+), (%d+) twice$")
                got[i] = tonumber(n)
            end
            all = all + got[i]
        end
        return all
    end
    while total() < 2000 do ngx.sleep(0.01) end
    ngx.sleep(0.2)
    ngx.say(total(), ", ", twice, " twice")
    for i = 1, 5 do
        if got[i] < 100 then ngx.say(i, " got but ", got[i]) end
    end
    for i = 4, 5 do members[i]:close() end
}
--- response
published
true ''
2000, 0 twice
--- timeout: 20
--- no_error_log
[error]


=== max: both sides' limits of messages hold
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    n:subscribe("to.us", function(msg) ngx.say(msg.payload) end, { max = 3 })
    local later = n:subscribe("to.us.later", function(msg) ngx.say("later ", msg.payload) end)
    n:flush()
    ngx.say("ready")
    ngx.receive("*l")
    test.show(n:wait(3))
    test.show(n:wait(1))
    test.show(n:unsubscribe(later, 2))
    test.show(n:flush())
    ngx.say(n.subscribed)
    ngx.receive("*l")
    test.show(n:wait(1))
    test.show(n:wait(1, 100))
    ngx.say(n.subscribed)
    for i = 1, 5 do n:publish("to.them", i) end
    test.show(n:flush())
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "subscribe to.them\n"
P: expect "subscribed\n"
P: send "max to.them 3\n"
P: expect "limited\n"
A: expect "ready\n"
P: send "many to.us 5\n"
P: expect "published\n"
P: send "many to.us.later 1\n"
P: expect "published\n"
A: send "\n"
A: expect "1\n2\n3\ntrue ''\nlater 1\ntrue ''\ntrue ''\ntrue ''\ntrue\n"
P: send "many to.us.later 3\n"
P: expect "published\n"
A: send "\n"
A: expect "later 1\ntrue ''\nfalse timeout\nfalse\n"
P: expect "got to.them: 1\ngot to.them: 2\ngot to.them: 3\n"
A: expect "true ''\n"
A: expect_eof
P: send "flush\n"
P: expect "flushed\n"
--- no_error_log
[error]


=== flush and drain: nothing is lost that was on its way, in either direction
--- peers: nats nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_PORT)
    local got = {}
    n:subscribe("to.us", function(msg) got[#got + 1] = tonumber(msg.payload) end)
    n:flush()
    ngx.say("ready")
    ngx.receive("*l")
    test.show(n:drain())
    local wrong = 0
    for i, number in ipairs(got) do
        if number ~= i then wrong = wrong + 1 end
    end
    ngx.say(#got, " ", wrong, " wrong")

    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT))
    for i = 1, 1000 do n:publish("to.them", i) end
    test.show(n:flush())
    ngx.receive("*l")
    for i = 1001, 2000 do n:publish("to.them", i) end
    -- It has no subscriptions, and yet sends what was published.
    test.show(n:drain())
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
P: expect "connected\n"
P: send "count to.them\n"
P: expect "subscribed\n"
A: expect "ready\n"
P: send "many to.us 3000\n"
P: expect "published\n"
A: send "\n"
A: expect "true ''\n3000 0 wrong\ntrue ''\ntrue ''\n"
# The server has all of them when our flush() has returned: so has libnats
# when it has drained.
P: send "drain\n"
P: expect "drained\n"
P: send "counted\n"
P: expect "1000, 0 twice\n"
Q: connect $TEST_NATS_C_PORT
Q: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
Q: expect "connected\n"
Q: send "count to.them\n"
Q: expect "subscribed\n"
A: send "\n"
A: expect "true ''\n"
A: expect_eof
Q: send "await 1000\n"
Q: expect "1000, 0 twice\n"
--- timeout: 15
--- no_error_log
[error]


=== users and passwords: both talk through a server that asks for them
--- peers: nats_auth nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_AUTH_PORT, { user = "tcp", pass = "secret" })
    n:subscribe("open.us", function(msg) ngx.say(msg.payload) end)
    n:publish("open.them", "hello")
    test.show(n:wait(1))
    ngx.say(n:request_sync("open.rpc", "question").payload)
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://limited:wrong@127.0.0.1:$TEST_NATS_AUTH_PORT\n"
P: expect_like /\Afailed: .*\n/
P: send "connect nats://limited:secret@127.0.0.1:$TEST_NATS_AUTH_PORT\n"
P: expect "connected\n"
P: send "subscribe open.them\n"
P: expect "subscribed\n"
P: send "respond open.rpc\n"
P: expect "subscribed\n"
A: send "\n"
P: expect "got open.them: hello\n"
P: send "publish open.us hello yourself\n"
P: expect "published\n"
A: expect "hello yourself\ntrue ''\nquestion\n"
A: expect_eof
--- no_error_log
[error]


=== tokens: both talk through a server that asks for one
--- peers: nats_token nats_c
--- tcp_config: lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_TOKEN_PORT, { token = "sesame" })
    n:subscribe("us", function(msg) ngx.say(msg.payload) end)
    n:publish("them", "hello")
    test.show(n:wait(1))
    ngx.say(n:request_sync("rpc", "question").payload)
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://wrong@127.0.0.1:$TEST_NATS_TOKEN_PORT\n"
P: expect_like /\Afailed: .*\n/
P: send "connect nats://sesame@127.0.0.1:$TEST_NATS_TOKEN_PORT\n"
P: expect "connected\n"
P: send "subscribe them\n"
P: expect "subscribed\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
A: send "\n"
P: expect "got them: hello\n"
P: send "publish us hello yourself\n"
P: expect "published\n"
A: expect "hello yourself\ntrue ''\nquestion\n"
A: expect_eof
--- no_error_log
[error]


=== tls: both talk through it, in long messages, too
--- peers: nats_tls nats_c
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_TLS_PORT, { tls = true })
    n:subscribe("us", function(msg) ngx.say(msg.len, " ", msg.headers and msg.headers.A) end)
    n:publish("them", "hello", nil, { A = { "1", "2" } })
    test.show(n:wait(2))
    for _, len in ipairs { 0, 1, 16383, 16384, 16385, 65536 } do
        local payload = ("0123456789abcdef"):rep(4096):sub(1, len)
        local msg, err = n:request_sync("rpc", payload)
        test.show(len, msg and msg.payload == payload, err)
    end
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_TLS_PORT tls=yes\n"
P: expect "connected\n"
P: send "subscribe them\n"
P: expect "subscribed\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
A: send "\n"
P: expect "got them {A=1 A=2}: hello\n"
P: send "publish us #40000\n"
P: expect "published\n"
P: send "publish us A=b -- #3\n"
P: expect "published\n"
A: expect "40000 nil\n3 b\ntrue ''\n"
A: expect "0 true nil\n1 true nil\n16383 true nil\n16384 true nil\n16385 true nil\n65536 true nil\n"
A: expect_eof
--- timeout: 20
--- no_error_log
[error]


=== tls: with certificates of both sides
--- peers: nats_mtls nats_c
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
--- tcp_server_config
process_by_lua_block {
    ngx.receive("*l")
    local test = require "nats_test"
    local n = test.client($TEST_NATS_MTLS_PORT)
    n:subscribe("us", function(msg) ngx.say(msg.payload) end)
    n:publish("them", "hello")
    test.show(n:wait(1))
    ngx.say(n:request_sync("rpc", "question").payload)
    n:close()
}
--- request_parts
P: connect $TEST_NATS_C_PORT
P: send "connect nats://127.0.0.1:$TEST_NATS_MTLS_PORT tls=yes\n"
P: expect_like /\Afailed: .*\n/
P: send "connect nats://127.0.0.1:$TEST_NATS_MTLS_PORT tls=yes cert=client-ec\n"
P: expect "connected\n"
P: send "subscribe them\n"
P: expect "subscribed\n"
P: send "respond rpc\n"
P: expect "subscribed\n"
A: send "\n"
P: expect "got them: hello\n"
P: send "publish us hello yourself\n"
P: expect "published\n"
A: expect "hello yourself\ntrue ''\nquestion\n"
A: expect_eof
--- no_error_log
[error]
