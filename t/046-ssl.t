# TLS of clients: handshakes, and all that a plain client can do by TLS.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== echo: a line by TLS 1.3 and by 1.2
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
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


=== s_client: the certificate, and an answer
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
process_by_lua_block { ngx.say("you said ", ngx.receive()) }
--- request_parts
s_client "-CAfile $TEST_CERT_DIR/ca.pem -verify_return_error -servername test.example" => "hello\n" => /Verification: OK.*you said hello/s
--- no_error_log
[error]


=== the server speaks first, and closes
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
process_by_lua_block { ngx.say("welcome") }
--- tls
--- response
welcome
--- no_error_log
[error]
