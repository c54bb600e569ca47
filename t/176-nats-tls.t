# resty.nats by TLS: after INFO, before it, with certificates of both sides; and
# connections of pools that have it.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::NatsScript;

# Blocks trust ca.pem and have the suites' library.
sub conf {
    return <<'CONF';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
CONF
}

run_tests();

__DATA__

=== tls: the server wants it, and so do we, or leave it to the server
--- peers: nats_tls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local function talk(...)
        local n = nats:new()
        test.show(n:connect(...))
        n:subscribe("s", function(msg) ngx.say(msg.payload) end)
        n:publish("s", "secret")
        test.show(n:wait(1))
        local c = test.monitor($TEST_NATS_TLS_MONITOR_PORT,
            "/connz?cid=" .. n.info.client_id).connections[1]
        ngx.say(c.tls_version)
        n:close()
    end
    talk("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = true })
    talk("127.0.0.1", $TEST_NATS_TLS_PORT)
    talk("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = { server_name = "test.example" } })
    talk("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = { verify = true } })
    talk("tls://127.0.0.1:$TEST_NATS_TLS_PORT")
    talk("nats://127.0.0.1:$TEST_NATS_TLS_PORT")
}
--- response eval
"true ''\nsecret\ntrue ''\n1.3\n" x 6
--- no_error_log
[error]


=== tls: a certificate that is not to be trusted, or of somebody else
--- peers: nats_tls
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/other-ca.pem;
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = true }))
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT))
    test.show(n.connected, n:publish("s", "x"))
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = { verify = false } }))
    n:close()
}
--- tcp_server_config2
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT,
                        { tls = { server_name = "other.example" } }))
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT,
                        { tls = { server_name = "other.example", verify = false } }))
    n:close()
}
--- request_parts
A: expect "false 20: unable to get local issuer certificate\n"
A: expect "false 20: unable to get local issuer certificate\n"
A: expect "false false not connected\n"
A: expect "true ''\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "false certificate host mismatch\n"
B: expect "true ''\n"
B: expect_eof
--- error_log
lua ssl certificate verify error: (20: unable to get local issuer certificate)
lua ssl certificate does not match host "other.example"


=== tls: wanted by one side alone
--- peers: nats nats_tls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT, { tls = true }))
    test.show(n:connect("tls://127.0.0.1:$TEST_NATS_PORT"))
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = false }))
    test.show(n:connect("127.0.0.1", $TEST_NATS_PORT, { tls = false }))
    n:close()
}
--- response
false secure connection not available
false secure connection not available
false secure connection required
true ''
--- no_error_log
[error]


=== tls: before INFO
--- peers: nats_tls_first
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_FIRST_PORT,
                        { tls = { handshake_first = true } }))
    n:subscribe("s", function(msg) ngx.say(msg.payload) end)
    n:publish("s", "secret")
    test.show(n:wait(1))
    n:unsubscribe("1")
    n:close()
    -- The server waits for the handshake, and we for INFO.
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_FIRST_PORT,
                        { tls = true, connect_timeout = 300 }))
}
--- response
true ''
secret
true ''
false timeout
--- no_error_log
[alert]


=== tls: before INFO, where the server begins in the open
--- peers: nats_tls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local ok, err = n:connect("127.0.0.1", $TEST_NATS_TLS_PORT,
                              { tls = { handshake_first = true } })
    test.show(ok, err, n.connected)
}
--- response
false handshake failed false
--- error_log
SSL_do_handshake() failed


=== tls: a client certificate
--- peers: nats_mtls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local function pem(name)
        local f = assert(io.open("$TEST_CERT_DIR/" .. name))
        local text = f:read("*a")
        f:close()
        return text
    end
    local function talk(tls)
        local n = nats:new()
        local ok, err = n:connect("127.0.0.1", $TEST_NATS_MTLS_PORT, { tls = tls })
        if ok then
            n:subscribe("s", function(msg) ngx.say(msg.payload) end)
            n:publish("s", "secret")
            ok, err = n:wait(1)
        end
        n:close()
        return ok, err
    end
    test.show(talk { cert = pem "client.pem", key = pem "client.key" })
    test.show(talk { cert = pem "client-ec.pem", key = pem "client-ec.key" })
    -- With TLS 1.3 the server says what it thinks of it when we are through.
    test.show((talk { cert = pem "client-other.pem", key = pem "client-other.key" }))
    test.show((talk { cert = pem "client-expired.pem", key = pem "client-expired.key" }))
    test.show((talk()))
    test.show((talk { cert = pem "client.pem", key = pem "client-ec.key" }))
    test.show((talk { cert = "nonsense", key = "nonsense" }))
}
--- tcp_server_config2
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_MTLS_PORT)
    test.show(n:flush())
    n:close()
}
--- request_parts
A: expect "secret\ntrue ''\nsecret\ntrue ''\nfalse\nfalse\nfalse\nfalse\nfalse\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "true ''\n"
B: expect_eof
--- no_error_log
[alert]


=== tls: long messages, both ways
--- peers: nats_tls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_TLS_PORT, { tls = true })
    local right, size = 0, tonumber(ngx.receive("*l"))
    n:subscribe("s", function(msg)
        if msg.payload == msg.headers.Char:rep(msg.len) then right = right + 1 end
    end)
    for i = 1, 20 do
        local char = string.char(96 + i)
        n:publish("s", char:rep(size * i), nil, { Char = char })
    end
    test.show(n:wait(20))
    ngx.say(right)
    n:close()
}
--- request eval
$ENV{TEST_SLOW} ? "10\n" : "10000\n"
--- response
true ''
20
--- no_error_log
[error]


=== tls: parked, PINGs in pieces and others between, in records
--- peer
A: accept
A: send "INFO {\"tls_required\":true,\"server_name\":\"one\"}\r\n"
A: tls good
A: expect_like /^CONNECT .*\r\nPING\r\n/
A: send "PONG\r\n"
A: wait_log "parked"
A: drip "PING\r\nPI"
A: expect "PONG\r\n"
A: drip "NG\r\nINFO {\"server_name\":\"two\"}\r\nPING\r\n"
A: expect "PONG\r\nPONG\r\n"
A: wait_log "used"
A: expect "PUB s 2\r\nhi\r\n"
A: expect_eof
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_PEER_PORT)
    n:set_keepalive(0, 10)
    ngx.log(ngx.WARN, "parked")
    ngx.say("parked")
    ngx.receive("*l")
    ngx.log(ngx.WARN, "used")
    n = test.client($TEST_PEER_PORT)
    test.show(n:get_reused_times(), n.info.server_name)
    n:publish("s", "hi")
    n:close()
}
--- request_parts
expect "parked\n"
pause 1
send "\n"
expect "1 two\n"
expect_eof
--- no_error_log
[error]


=== tls: pools: who trusts less does not lend to who trusts more
--- peers: nats_tls
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local test = require "nats_test"
    local n = test.client($TEST_NATS_TLS_PORT, { tls = { verify = false } })
    n:set_keepalive(5000, 10)
    for _, tls in ipairs {
        true, { server_name = "localhost" }, { server_name = "test.example" },
        { verify = false },
    } do
        n = test.client($TEST_NATS_TLS_PORT, { tls = tls })
        ngx.say(n:get_reused_times())
        n:close()
    end
}
--- response
0
0
0
1
--- no_error_log
[error]


=== tls: bytes in the open that came with INFO are not taken for secret ones
--- peer
A: accept
A: send "INFO {\"tls_required\":true}\r\n-ERR 'injected'\r\n"
A: expect_close
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    -- Both are there before the client looks.
    n.sock.sslhandshake = function(sock, ...)
        ngx.sleep(0.2)
        sock.sslhandshake = nil
        return sock:sslhandshake(...)
    end
    local ok, err = n:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(ok, " ", err ~= "injected", " ", err)
}
--- request
--- response
false true connection in dubious state
--- no_error_log
[alert]


=== tls: the server goes in the handshake, and does not begin it
--- peer
A: accept
A: send "INFO {\"tls_required\":true}\r\n"
A: expect_bytes 5
A: reset
B: accept
B: send "INFO {\"tls_required\":true}\r\n"
B: expect_bytes 5
B: pause 0.5
B: read_all
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("127.0.0.1", $TEST_PEER_PORT))
    test.show(n:connect("127.0.0.1", $TEST_PEER_PORT, { connect_timeout = 200 }))
    ngx.say(n.connected)
}
--- request
--- response
false handshake failed
false timeout
false
--- no_error_log
[alert]


=== tls: the host's name is the one that is checked
--- peers: nats_tls dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    test.show(n:connect("test.example", $TEST_NATS_TLS_PORT, { tls = true }))
    n:close()
    test.show(n:connect("tls://test.example:$TEST_NATS_TLS_PORT"))
    n:close()
    test.show(n:connect("other.example", $TEST_NATS_TLS_PORT))
    test.show(n:connect("nx.test", $TEST_NATS_TLS_PORT))
}
--- response
true ''
true ''
false certificate host mismatch
false nx.test could not be resolved (3: Host not found)
--- no_error_log
[alert]


=== tls: a session that goes on, and a context of init
--- peers: nats_tls
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
init_by_lua_block {
    tls = { server_name = "test.example", reuse = true }
    ctx = ngx.new_ssl_ctx { ssl_trusted_certificate = "$TEST_CERT_DIR/ca.pem" }
    other = ngx.new_ssl_ctx { ssl_trusted_certificate = "$TEST_CERT_DIR/other-ca.pem" }
}
--- tcp_server_config
process_by_lua_block {
    local nats, test = require "resty.nats", require "nats_test"
    local n = nats:new()
    local function talk(tls)
        test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = tls }))
        test.show(n:flush())
        n:close()
    end
    for _ = 1, 3 do talk(tls) end
    ngx.say(type(tls.session))
    talk { ctx = ctx }
    talk { ctx = other, verify = false }
    test.show(n:connect("127.0.0.1", $TEST_NATS_TLS_PORT, { tls = { ctx = other } }))
}
--- response eval
"true ''\n" x 6 . "userdata\n" . "true ''\n" x 4
. "false 20: unable to get local issuer certificate\n"
--- no_error_log
[alert]
