# An nginx that was built without OpenSSL: sockets work, TLS says what is
# missing. `make test-configure` builds one and runs this.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== no OpenSSL: plain connections and pools work, sslhandshake leaves them as they are
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- peer
accept
expect "one\n"
send "two\n"
expect "three\n"
send "four\n"
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:sslhandshake())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:sslhandshake())
    show(sock:sslhandshake(nil, "test.example", true))
    show(sock:sslhandshake(false))
    sock:send("one\n")
    show(sock:receive())
    show(sock:setkeepalive())
    show(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    show(sock:getreusedtimes())
    show(sock:setclientcert("a", "b"))
    show(sock:setclientcert(nil, nil))
    show(pcall(sock.sslhandshake, sock, 1))
    sock:send("three\n")
    show(sock:receive())
    show(sock:close())
}
--- repeat: 1
--- request
--- response_like
^2: nilclosed
1: 1
2: nilno SSL support
2: nilno SSL support
2: nilno SSL support
1: two
1: 1
1: 1
1: 1
2: nilno SSL support
1: true
2: false.*bad argument #1 to 'sslhandshake' \(session or ssl_ctx expected, got number\)
1: four
1: 1
$
--- no_error_log
[error]


=== no OpenSSL: new_ssl_ctx
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_config
init_by_lua_block { _, why = pcall(ngx.new_ssl_ctx, {}) }
--- tcp_server_config
process_by_lua_block { ngx.say(why) }
--- request
--- response
no SSL support
--- no_error_log
[error]


=== no OpenSSL: a library that is to use TLS
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- peer
accept
expect_eof
--- tcp_server_config
process_by_lua_block {
    local client = require("http").new()
    ngx.say(client:init{ host = "127.0.0.1", port = $TEST_PEER_PORT, ssl = true })
}
--- request
--- response
nilno SSL support
--- no_error_log
[error]


=== no OpenSSL: directives of TLS
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_server_config
lua_ssl_protocols TLSv1.3;
process_by_lua_block { ngx.say("x") }
--- conf_error
~ \[emerg\].* "lua_ssl_protocols" directive requires OpenSSL, which nginx has not in .*:\d+


=== no OpenSSL: no TLS of clients
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("x") }
--- conf_error
the "ssl" parameter requires ngx_tcp_ssl_module


=== no OpenSSL: ssl on
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_server_config
ssl on;
process_by_lua_block { ngx.say("x") }
--- conf_error
"ssl" directive requires OpenSSL, which nginx has not


=== no OpenSSL: ssl_certificate
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_server_config
ssl_certificate some.pem;
process_by_lua_block { ngx.say("x") }
--- conf_error
"ssl_certificate" directive requires OpenSSL, which nginx has not


=== no OpenSSL: ssl off, and ngx.ssl
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /OpenSSL/ && "nginx has OpenSSL"
--- tcp_config
ssl off;
--- tcp_server_config
process_by_lua_block { ngx.say(require("ngx.ssl").var("ssl_cipher")) }
--- response
nilbad ssl conn
--- no_error_log
[error]
