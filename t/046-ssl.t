# TLS of clients: handshakes, and all that a plain client can do by TLS.

use lib 't/lib';
use Test::Nginx::TCP;

# Servers have this certificate.
sub conf {
    return <<'CONF';
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
CONF
}

run_tests();

__DATA__

=== echo: lines by TLS 1.3 and by 1.2
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    while true do
        local line = ngx.receive()
        if not line then
            return
        end
        ngx.say("echo: ", line)
        ngx.wait_next_request()
    end
}
--- request_parts
A: start_tls TLSv1.3 name=test.example
A: send "hello\n"
A: expect "echo: hello\n"
A: send "again\n"
A: expect "echo: again\n"
B: start_tls TLSv1.2
B: send "one\ntwo\n"
B: expect "echo: one\necho: two\n"
A: close
B: half_close
B: expect_eof
--- no_error_log
[error]


=== s_client: the certificate is good, and an answer comes
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("you said ", ngx.receive()) }
--- request_parts
s_client "-CAfile $TEST_CERT_DIR/ca.pem -verify_return_error -servername test.example" => "hello\n" => /Verif\w+: OK.*you said hello/s
--- no_error_log
[error]


=== a script's own socket as client, with a good look at the certificate
--- tcp_config eval
main::conf() . 'lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;'
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
process_by_lua_block {
    for _ = 1, 3 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_PORT2))
        assert(sock:sslhandshake(nil, "test.example", true))
        assert(sock:send(("x"):rep(100000) .. "\n"))
        ngx.say(#sock:receive("*a"))
        sock:close()
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
process_by_lua_block {
    ngx.print(ngx.receive("*l"), ("y"):rep(200000))
}
--- response
300000
300000
300000
--- no_error_log
[error]


=== the server speaks first, and closes with close_notify
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("welcome") }
--- request_parts
A: start_tls
A: expect "welcome\n"
A: expect_notify
--- no_error_log
[error]


=== ssl on: all addresses; listen ... ssl: that alone
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
listen 127.0.0.1:$TEST_PORT2;
ssl on;
process_by_lua_block { ngx.say("all") }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT3;
listen 127.0.0.1:$TEST_PORT4 ssl;
process_by_lua_block { ngx.say("some") }
--- request_parts
A: connect $TEST_PORT
A: start_tls
A: expect "all\n"
B: connect $TEST_PORT2
B: start_tls
B: expect "all\n"
C: connect $TEST_PORT3
C: expect "some\n"
D: connect $TEST_PORT4
D: start_tls
D: expect "some\n"
--- no_error_log
[error]


=== one address of a port with ssl, the others of it without
--- tcp_config eval: main::conf()
--- tcp_server_config
listen $TEST_PORT;
process_by_lua_block { ngx.say("plain") }
--- tcp_server_config2
listen 127.0.0.2:$TEST_PORT ssl;
process_by_lua_block { ngx.say("TLS") }
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: expect "plain\n"
A: expect_eof
B: connect 127.0.0.2:$TEST_PORT
B: start_tls
B: expect "TLS\n"
--- no_error_log
[error]


=== a unix socket, and IPv6
--- tcp_config eval: main::conf()
--- tcp_server_config
listen unix:$TEST_DIR/tls.sock ssl;
listen [::1]:$TEST_PORT ssl;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request_parts
A: connect unix:$TEST_DIR/tls.sock
A: start_tls
A: send "one\n"
A: expect "one\n"
B: connect [::1]:$TEST_PORT
B: start_tls
B: send "two\n"
B: expect "two\n"
--- no_error_log
[error]


=== two certificates: a client gets what it can use, each with its chain
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_certificate $TEST_CERT_DIR/chain.pem;
ssl_certificate_key $TEST_CERT_DIR/chain.key;
process_by_lua_block {
    ngx.say(ngx.receive(), ": ", (require("ngx.ssl").var("ssl_cipher")))
}
--- request_parts
A: start_tls TLSv1.2 ciphers=ECDHE-RSA-AES128-GCM-SHA256
A: send "rsa\n"
A: expect "rsa: ECDHE-RSA-AES128-GCM-SHA256\n"
B: start_tls TLSv1.2 ciphers=ECDHE-ECDSA-AES128-GCM-SHA256
B: send "ecdsa\n"
B: expect "ecdsa: ECDHE-ECDSA-AES128-GCM-SHA256\n"
s_client "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 -CAfile $TEST_CERT_DIR/ca.pem -verify_return_error" => "x\n" => /Test Intermediate CA.*Verif\w+: OK.*x: ECDHE-ECDSA/s
--- no_error_log
[error]


=== two certificates of a kind: the last counts, with its chain alone
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/chain.pem;
ssl_certificate_key $TEST_CERT_DIR/chain.key;
ssl_certificate $TEST_CERT_DIR/ecdsa.pem;
ssl_certificate_key $TEST_CERT_DIR/ecdsa.key;
process_by_lua_block { ngx.say("chain") }
--- request_parts
s_client "-showcerts" => "" => /Certificate chain(?!.*BEGIN.*BEGIN).*\nchain/s
--- no_error_log
[error]


=== the first request comes with the end of the handshake, several in one record
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    while true do
        ngx.say("got ", (ngx.receive(3)))
        ngx.wait_next_request()
    end
}
--- request_parts
A: start_tls
A: send "onetwosix"
A: expect "got one\ngot two\ngot six\n"
A: send "ten"
A: expect "got ten\n"
s_client "-quiet" => "abcdef" => /got abc\ngot def/
--- no_error_log
[error]


=== receive: all ways
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.say(ngx.receive())
    ngx.say(ngx.receive(5))
    ngx.say(ngx.receive(100, 2))
    ngx.say("next")
    ngx.say(#ngx.receive(300000))
    ngx.say(ngx.receive("*a"))
    ngx.say(ngx.receive())
}
--- request_parts
A: start_tls
A: send "a line\r\n12345"
A: expect "a line\n12345\n"
A: send "67"
A: expect "67\nnext\n"
A: send "z" x 300000
A: expect "300000\n"
A: drip "to the end"
A: half_close
A: expect "to the end\nnilclosed\n"
A: expect_eof
--- error_log
attempt to receive data on a closed/invalid socket


=== receive: a timeout, and then the rest
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
read_timeout 200ms;
ssl_handshake_timeout 10s;
process_by_lua_block {
    ngx.say(ngx.receive(5))
    ngx.say(ngx.receive(3))
}
--- request_parts
A: start_tls
A: send "ab"
A: expect "niltimeoutab\n"
A: send "cde"
A: expect "cde\n"
--- error_log
lua tcp socket read timed out


=== print: much to a slow reader
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    local line = ("x"):rep(999) .. "\n"
    for i = 1, 200 do
        assert(ngx.print(line))
    end
    ngx.log(ngx.INFO, "printed all")
    ngx.print(("y"):rep(100000))
}
--- request_parts
A: connect rcvbuf=16384
A: start_tls
A: stop_reading
A: pause 0.3
A: start_reading
A: expect_bytes 300000
A: expect_notify
--- error_log
printed all


=== print: a client that does not read at all
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
send_timeout 300ms;
process_by_lua_block {
    local n, err, sent = ngx.print(("y"):rep(10000000))
    ngx.log(ngx.INFO, "print: ", n, " ", err, " ", sent > 0 and sent < 10000000)
}
--- request_parts
A: connect rcvbuf=16384
A: start_tls
A: stop_reading
A: wait_log "print: nil timeout true"
A: close
--- error_log
lua tcp socket write timed out
--- skip_mode: slow: it takes ever more, byte by byte


=== receiving while output waits, and the other way round
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    local reader = ngx.thread.spawn(function()
        local n = 0
        while true do
            local data = ngx.receive(20000, 1)
            if not data then
                return n
            end
            n = n + #data
        end
    end)
    ngx.print(("y"):rep(300000))
    local _, n = ngx.thread.wait(reader)
    ngx.say("and ", n)
}
--- request_parts
A: connect rcvbuf=16384
A: start_tls
A: stop_reading
A: send "x" x 300000
A: start_reading
A: half_close
A: expect_bytes 300000
A: expect "and 300000\n"
A: expect_eof
--- no_error_log
[error]


=== ngx.req.socket: all methods
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local sock = ngx.req.socket()
    ngx.say(sock:receive())
    ngx.say(sock:peek(2), " ", sock:receive(4))
    ngx.say(sock:receiveany(100))
    ngx.flush(true)
    local read = sock:receiveuntil("--")
    ngx.say(read())
    sock:send({ "a", { "b", 1 } })
    ngx.say(sock:getpeername() ~= nil, sock:getfd() > 0, sock:getsockname())
    ngx.say(sock:getoption("tcp-nodelay"))
    sock:settimeout(100)
    ngx.say(sock:receive())
    ngx.flush(true)
    sock:settimeouts(100, 100, 5000)
    ngx.say(sock:receive())
    ngx.say(sock:shutdown("send"))
}
--- request_parts
A: start_tls
A: send "line\n12345"
A: expect "line\n12 1234\n5\n"
A: send "until--"
A: expect "until\nab1truetrue127.0.0.1$TEST_PORT\n1\nniltimeout\n"
A: send "more\n"
A: expect "more\n"
A: expect_eof
--- error_log
lua tcp socket read timed out


=== flush, eof: the rest goes on in the other direction
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.print("first ")
    assert(ngx.flush(true))
    ngx.print("last")
    ngx.say(ngx.eof())
    ngx.log(ngx.INFO, "and then: ", ngx.receive())
    ngx.log(ngx.INFO, "print: ", select(2, ngx.print("x")))
}
--- request_parts
A: start_tls
A: expect "first last"
A: expect_eof
A: send "bye\n"
A: wait_log "and then: bye"
A: wait_log "print: seen eof"
--- no_error_log
[error]


=== half-close: a client's close_notify is the end, what the server says comes through
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local all = ngx.receive("*a")
    ngx.sleep(0.01)
    ngx.say("all: ", all)
}
--- request_parts
A: start_tls TLSv1.3
A: send "one two"
A: notify
A: expect "all: one two\n"
A: expect_eof
B: start_tls TLSv1.2
B: send "three"
B: half_close
B: expect "all: three\n"
B: expect_eof
--- no_error_log
[error]


=== truncation: FIN without close_notify is no good end
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local all, err, partial = ngx.receive("*a")
    ngx.log(ngx.INFO, "receive: ", all, " ", err, " ", partial)
    ngx.log(ngx.INFO, "print: ", select(2, ngx.say("x")))
}
--- request_parts
A: start_tls
A: send "one two"
A: truncate
A: wait_log "receive: nil closed one two"
A: wait_log "print: closed"
A: read_all
--- no_error_log
[crit]
recv() failed


=== deferred, and several workers
--- workers: 2
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl deferred;
process_by_lua_block { ngx.say(ngx.receive()) }
--- clients: 5
--- tls
--- request
hello
--- response
hello
--- no_error_log
[error]


=== accept_mutex
--- workers: 2
--- events
accept_mutex on;
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say(ngx.receive()) }
--- clients: 5
--- tls
--- request
hello
--- response
hello
--- no_error_log
[error]


=== other event methods: poll
--- events
use poll;
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-poll_module/ && "nginx has no poll"
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    ngx.say(ngx.receive())
    ngx.wait_next_request()
    ngx.print(("x"):rep(1000000), ngx.receive())
}
--- request_parts
A: connect rcvbuf=16384
A: start_tls
A: send "one\n"
A: expect "one\n"
A: send "two\n"
A: pause 0.1
A: expect_bytes 1000000
A: expect "two"
A: expect_eof
--- no_error_log
[error]


=== other event methods: select
--- events
use select;
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    ngx.say(ngx.receive())
    ngx.wait_next_request()
    ngx.print(("x"):rep(1000000), ngx.receive())
}
--- request_parts
A: connect rcvbuf=16384
A: start_tls
A: send "one\n"
A: expect "one\n"
A: send "two\n"
A: pause 0.1
A: expect_bytes 1000000
A: expect "two"
A: expect_eof
--- no_error_log
[error]


=== allow and deny come before the handshake
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
deny all;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: expect_close
--- error_log
access forbidden by rule while initializing session, client: 127.0.0.1


=== ssl_protocols: only those
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_protocols TLSv1.3;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: start_tls TLSv1.3
A: expect "x\n"
B: expect_alert TLSv1.2 /protocol version/
B: wait_log /\[info\] .*SSL_do_handshake\(\) failed \(SSL: error:.*unsupported protocol\) while SSL handshaking, client: 127.0.0.1, server: 127.0.0.1:$TEST_PORT/
--- no_error_log
[error]


=== ssl_ciphers, ssl_prefer_server_ciphers
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256;
ssl_prefer_server_ciphers on;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_cipher"))) }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_cipher"))) }
--- request_parts
A: start_tls TLSv1.2 ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384
A: expect "ECDHE-RSA-AES256-GCM-SHA384\n"
B: connect $TEST_PORT2
B: start_tls TLSv1.2 ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384
B: expect "ECDHE-RSA-AES128-GCM-SHA256\n"
C: expect_alert TLSv1.2 ciphers=ECDHE-RSA-CHACHA20-POLY1305 /handshake failure/
C: wait_log /\[info\] .*SSL_do_handshake\(\) failed .*no shared cipher/
--- no_error_log
[error]


=== ssl_ciphers: a lower security level, for old versions and short keys
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_protocols TLSv1 TLSv1.1;
ssl_ciphers ALL:@SECLEVEL=0;
ssl_certificate $TEST_CERT_DIR/short.pem;
ssl_certificate_key $TEST_CERT_DIR/short.key;
process_by_lua_block { ngx.say((require("ngx.ssl").get_tls1_version_str())) }
--- request_parts
s_client "-tls1_1 -cipher ALL:@SECLEVEL=0" => "" => /TLSv1\.1\n/
--- no_error_log
[error]


=== ssl_ecdh_curve is applied
--- skip_if: `openssl version` =~ /OpenSSL 1/ ? "OpenSSL does not tell the curve" : ""
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_ecdh_curve secp384r1;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_curve"))) }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_ecdh_curve auto;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_curve"))) }
--- request_parts
A: start_tls
A: expect "secp384r1\n"
B: connect $TEST_PORT2
B: start_tls
B: expect "X25519\n"
--- no_error_log
[error]


=== ssl_alpn: what both have, nothing, and what one has not
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_alpn two one;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_alpn_protocol"))) }
--- request_parts
A: start_tls alpn=one,two
A: expect "two\n"
B: start_tls alpn=zero,one
B: expect "one\n"
C: start_tls
C: expect "nil\n"
D: expect_alert alpn=three /no application protocol/
D: wait_log /\[info\] .*SSL_do_handshake\(\) failed/
--- no_error_log
[error]


=== ssl_buffer_size: records are not longer
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_buffer_size 1k;
process_by_lua_block { ngx.print(("x"):rep(5000)) }
--- request_parts
s_client "-tls1_2 -msg" => "" => /RecordHeader \[length 0005\]\s+17 03 03 04 18(?!.*RecordHeader \[length 0005\]\s+17 03 03 1)/s
A: start_tls
A: expect_bytes 5000
--- no_error_log
[error]


=== ssl_conf_command
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_cipher"))) }
--- tls: TLSv1.3
--- response
TLS_CHACHA20_POLY1305_SHA256
--- no_error_log
[error]


=== ngx.ssl: name and version
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.say(ssl.server_name(), " ", ("%04x"):format(ssl.get_tls1_version()), " ",
        ssl.get_tls1_version_str(), " ", ssl.var("ssl_server_name"), " ",
        ssl.var("ssl_protocol"), " ", ssl.var("ssl_session_reused"), " ",
        ssl.var("ssl_client_verify"))
    for _, name in ipairs({ "s_dn", "i_dn", "serial", "fingerprint", "v_start",
        "v_end", "v_remain", "cert", "raw_cert" }) do
        assert(select("#", ssl.var("ssl_client_" .. name)) == 1)
        assert(ssl.var("ssl_client_" .. name) == nil, name)
    end
}
--- request_parts
A: start_tls TLSv1.3 name=one.example
A: expect "one.example 0304 TLSv1.3 one.example TLSv1.3 . NONE\n"
B: start_tls TLSv1.2
B: expect "nil 0303 TLSv1.2 nil TLSv1.2 . NONE\n"
--- no_error_log
[error]


=== ngx.ssl: a client without TLS, wrong arguments, and after the client's end
--- tcp_config eval: main::conf()
--- tcp_server_config
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.say(ssl.server_name())
    ngx.say(ssl.get_tls1_version())
    ngx.say(ssl.get_tls1_version_str())
    ngx.say(ssl.var("ssl_cipher"))
    ngx.say(pcall(ssl.var, "ssl_foo"))
    ngx.say(pcall(ssl.var))
    ngx.say(pcall(ssl.var, 1))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.receive("*a")
    ngx.log(ngx.INFO, "after the end: ", ssl.server_name(), ssl.var("ssl_protocol"))
}
--- request_parts
A: expect "nilbad ssl conn\nnilbad ssl conn\nnilbad ssl conn\nnilbad ssl conn\n"
A: expect "falsebad argument #1 to 'var' (unknown variable \"ssl_foo\")\n"
A: expect "falsebad argument #1 to 'var' (string expected, got nil)\n"
A: expect "falsebad argument #1 to 'var' (string expected, got number)\n"
B: connect $TEST_PORT2
B: start_tls TLSv1.2 name=two.example
B: close
B: wait_log "after the end: two.exampleTLSv1.2"
--- no_error_log
[error]


=== ngx.ssl: where there is no client
--- tcp_config
init_by_lua_block {
    local ok, err = pcall(require("ngx.ssl").server_name)
    assert(not ok and err:find("no session found", 1, true), err)
}
init_worker_by_lua_block {
    print("worker: ", pcall(require("ngx.ssl").var, "ssl_protocol"))
}
--- tcp_server_config
process_by_lua_block { ngx.say("x") }
--- response
x
--- start_log
worker: falseAPI disabled in the context of init_worker_by_lua*


=== ngx.ssl: in a light thread, and with lua_code_cache off
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
lua_code_cache off;
process_by_lua_block {
    local thread = ngx.thread.spawn(function()
        ngx.sleep(0.001)
        return require("ngx.ssl").server_name()
    end)
    ngx.say(select(2, ngx.thread.wait(thread)))
}
--- tls: name=x.example
--- response
x.example
--- no_error_log
[error]
