# Certificates of clients: who is let in, and what scripts see of them.

use lib 't/lib';
use Test::Nginx::TCP;

# Servers have this certificate, and know the clients of ca.pem.
sub conf {
    return <<'CONF';
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_client_certificate $TEST_CERT_DIR/ca.pem;
CONF
}

# A record of the handshake.
sub record {
    my ($type, $body) = @_;
    my $message = pack('C C n', $type, 0, length $body) . $body;
    return pack('C n n', 22, 0x0303, length $message) . $message;
}

# A client's first words by TLS 1.2.
sub hello {
    my $extensions = pack('n*', 10, 4, 2, 23, 13, 4, 2, 0x0401);
    return record(1, pack('n a32 C n n C C n/a*', 0x0303, '', 0, 2, 0xc02f, 1, 0,
                          $extensions));
}

# Its certificate, whatever that is.
sub certificate {
    my $list = pack('C n', 0, length $_[0]) . $_[0];
    return record(11, pack('C n', 0, length $list) . $list);
}

run_tests();

__DATA__

=== ssl_verify_client on: a good certificate
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.say(ssl.var("ssl_client_verify"), " ", ssl.var("ssl_client_s_dn"))
}
--- request_parts
A: start_tls cert=client TLSv1.3
A: expect "SUCCESS CN=Test Client\n"
B: start_tls cert=client-ec TLSv1.2
B: expect "SUCCESS CN=Test Client EC\n"
--- no_error_log
[error]


=== ssl_verify_client on: none
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: expect_alert TLSv1.3 /certificate required/
A: wait_log /\[info\] .*client sent no required SSL certificate while SSL handshaking, client: 127.0.0.1/ 1
B: expect_alert TLSv1.2 /handshake failure/
B: wait_log /\[info\] .*client sent no required SSL certificate while SSL handshaking, client: 127.0.0.1/ 2
--- no_error_log
[error]


=== ssl_verify_client on: of somebody unknown, expired
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: expect_alert TLSv1.3 cert=client-other /unknown ca/
A: wait_log /\[info\] .*client SSL certificate verify error: \(20:unable to get local issuer certificate\) while SSL handshaking/
B: expect_alert TLSv1.2 cert=client-expired /certificate expired/
B: wait_log /\[info\] .*client SSL certificate verify error: \(10:certificate has expired\)/
--- no_error_log
[error]


=== ssl_verify_client: what is no certificate at all
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
process_by_lua_block { ngx.say("x") }
--- request_parts eval
[
    ['A:', 'connect'],
    ['A:', send => main::hello()],
    ['A:', send => main::certificate("no certificate")],
    [wait_log => qr/\[info\] .*SSL_do_handshake\(\) failed .*asn1 lib/i],
    ['A:', 'read_all'],
]
--- no_error_log
[error]
[crit]


=== ssl_verify_client optional: none, a good one, a bad one
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client optional;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.say(ssl.var("ssl_client_verify"), " ", (ssl.var("ssl_client_s_dn")))
}
--- request_parts
A: start_tls
A: expect "NONE nil\n"
B: start_tls cert=client
B: expect "SUCCESS CN=Test Client\n"
C: expect_alert cert=client-other /unknown ca/
C: wait_log "client SSL certificate verify error: (20:"
--- no_error_log
[error]


=== ssl_verify_client optional_no_ca: of somebody unknown, but not expired
--- tcp_config
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client optional_no_ca;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_client_verify"))) }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_verify_client optional_no_ca;
ssl_client_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_client_verify"))) }
--- request_parts
A: start_tls
A: expect "NONE\n"
B: start_tls cert=client-other
B: expect_like /FAILED:unable to (get local issuer certificate|verify the first certificate)\n/
C: connect $TEST_PORT2
C: start_tls cert=client
C: expect "SUCCESS\n"
D: connect $TEST_PORT2
D: expect_alert cert=client-expired /certificate expired/
--- no_error_log
[error]


=== ssl_verify_client off: nobody is asked
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_client_verify"))) }
--- tls: cert=client-other
--- response
NONE
--- no_error_log
[error]


=== ssl_trusted_certificate: clients are not told of it
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_client on;
ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_client_verify"))) }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_client optional;
ssl_client_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { ngx.say("x") }
--- request_parts
s_client "-tls1_2 -cert $TEST_CERT_DIR/client.pem -key $TEST_CERT_DIR/client.key" => "" => /No client certificate CA names sent.*SUCCESS/s
B: connect $TEST_PORT2
B: start_tls
B: expect "x\n"
--- no_error_log
[error]


=== ssl_trusted_certificate: it does not get into the server's chain
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { ngx.say("chain") }
--- request_parts
s_client "-showcerts" => "" => /Certificate chain(?!.*BEGIN.*BEGIN).*\nchain/s
--- no_error_log
[error]


=== ssl_client_certificate: clients are told of it
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client optional;
process_by_lua_block { ngx.say("done") }
--- request_parts
s_client "-tls1_2" => "" => /Acceptable client certificate CA names\s+CN ?= ?Test CA\n.*done/s
--- no_error_log
[error]


=== ssl_verify_depth
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
ssl_verify_depth 0;
process_by_lua_block { ngx.say("x") }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_verify_client on;
ssl_verify_depth 1;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: start_tls cert=client
A: expect "x\n"
B: expect_alert cert=client-chain /unknown ca|handshake failure|certificate/
B: wait_log "client SSL certificate verify error: (22:certificate chain too long)"
C: connect $TEST_PORT2
C: start_tls cert=client-chain
C: expect "x\n"
--- no_error_log
[error]


=== ssl_crl: revoked
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
ssl_crl $TEST_CERT_DIR/crl.pem;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: start_tls cert=client
A: expect "x\n"
B: expect_alert cert=client-revoked /certificate revoked/
B: wait_log "client SSL certificate verify error: (23:certificate revoked)"
--- no_error_log
[error]


=== ngx.ssl: all of a certificate
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    local function var(name)
        return (ssl.var("ssl_client_" .. name))
    end
    ngx.say(var("s_dn"))
    ngx.say(var("i_dn"))
    ngx.say(var("v_start"))
    ngx.say(var("v_end"))
    ngx.say(tonumber(var("v_remain")) > 365000)
    ngx.say(#var("fingerprint"), " ", var("fingerprint"):find("^%x+$"))
    ngx.say(var("serial"):find("^%x+$") ~= nil)
    local file = io.open("$TEST_CERT_DIR/client.pem")
    local pem = file:read("*a")
    file:close()
    ngx.say(var("raw_cert") == pem)
    ngx.say(var("cert") == pem:gsub("\n$", ""):gsub("\n", "\n\t"))
    local command = io.popen("openssl x509 -noout -serial -fingerprint -sha1 -in "
        .. "$TEST_CERT_DIR/client.pem")
    local text = command:read("*a"):gsub(":", "")
    command:close()
    ngx.say(text:match("serial=(%x+)") == var("serial"))
    ngx.say(text:match("int=(%x+)"):lower() == var("fingerprint"))
}
--- tls: cert=client
--- response
CN=Test Client
CN=Test CA
Jan  1 00:00:00 2020 GMT
Dec 31 23:59:59 9999 GMT
true
40 140
true
true
true
true
true
--- no_error_log
[error]


=== ngx.ssl: of a session that goes on
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
ssl_session_cache shared:verify:1m;
process_by_lua_block {
    local ssl = require "ngx.ssl"
    ngx.say(ssl.var("ssl_session_reused"), " ", ssl.var("ssl_client_verify"), " ",
        ssl.var("ssl_client_s_dn"))
}
--- request_parts
A: start_tls cert=client TLSv1.2 session=one
A: expect_like /. SUCCESS CN=Test Client\n/
A: expect_eof
B: start_tls cert=client TLSv1.2 session=one
B: expect "r SUCCESS CN=Test Client\n"
--- no_error_log
[error]


=== a session of one server is no way into another, which asks for more
--- tcp_config eval: main::conf() . 'ssl_session_cache shared:both:1m;'
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client off;
process_by_lua_block { ngx.say("open") }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_verify_client on;
process_by_lua_block { ngx.say("closed") }
--- request_parts
A: start_tls TLSv1.2 session=way-in
A: expect "open\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect_alert TLSv1.2 session=way-in /handshake failure|context|internal/
B: wait_log /while SSL handshaking/
C: start_tls TLSv1.3 session=way-in-3
C: expect "open\n"
C: expect_eof
D: connect $TEST_PORT2
D: expect_alert TLSv1.3 session=way-in-3 /certificate required/
--- no_error_log
[error]
