# protocol demo: framing, timeouts, the client's ends, what is refused.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== demo: a request is answered by itself, with its length counted
--- tcp_server_config
protocol demo;
--- request_parts
send "\x00\x00\x00\x05abcde"
expect "\x00\x00\x00\x09abcde"
send "\x00\x00\x00\x04wxyz"
expect "\x00\x00\x00\x08wxyz"
half_close
expect_eof
--- no_error_log
[error]


=== demo: demo_echo in place of the request
--- tcp_server_config
protocol demo;
demo_echo "a b";
--- request_parts
send "\x00\x00\x00\x05abcde"
expect "\x00\x00\x00\x07a b"
send "\x00\x00\x00\x04wxyz\x00\x00\x00\x04wxyz"
expect "\x00\x00\x00\x07a b\x00\x00\x00\x07a b"
half_close
expect_eof
--- no_error_log
[error]


=== demo: demo_echo may be empty
--- tcp_server_config
protocol demo;
demo_echo "";
--- request_parts
send "\x00\x00\x00\x05abcde"
expect "\x00\x00\x00\x04"
half_close
expect_eof
--- no_error_log
[error]


=== demo: byte by byte
--- tcp_server_config
protocol demo;
--- request_parts
drip "\x00\x00\x00\x05abcde\x00\x00\x00\x04wxyz"
expect "\x00\x00\x00\x09abcde\x00\x00\x00\x08wxyz"
half_close
expect_eof
--- no_error_log
[error]


=== demo: pipelined requests are answered in order, behind a half-close, too
--- tcp_server_config
protocol demo;
--- request_parts eval
my ($in, $out) = ('', '');
for my $n (1 .. 500) {
    my $body = sprintf 'request %d', $n;
    $in .= pack('N', length $body) . $body;
    $out .= pack('N', 4 + length $body) . $body;
}
[send_fin => $in], [expect => $out], ['expect_eof']
--- no_error_log
[error]
[alert]


=== demo: a long body, a slow reader
--- tcp_server_config
protocol demo;
client_max_body_size 10m;
--- request_parts eval
my $body = 'x' x 5_000_000;
['connect', 'rcvbuf=4096'], ['stop_reading'],
[send => pack('N', length $body) . $body], ['sync'],
['start_reading'], [expect => pack('N', 4 + length $body) . $body],
[send => pack('N', 4) . 'abcd'], [expect => pack('N', 8) . 'abcd'],
['half_close'], ['expect_eof']
--- skip_mode: slow valgrind: ten million turns
--- no_error_log
[error]


=== demo: many clients at once
--- clients: 50
--- tcp_server_config
protocol demo;
--- request_parts
send "\x00\x00\x00\x05abcde\x00\x00\x00\x06abcdef"
expect "\x00\x00\x00\x09abcde\x00\x00\x00\x0aabcdef"
half_close
expect_eof
--- no_error_log
[error]


=== demo: too short a length
--- tcp_server_config
protocol demo;
--- request_parts
send "\x00\x00\x00\x03abc"
expect_close
--- error_log
~ \[info\] .*body_len 3 while reading client request, client: 127\.0\.0\.1


=== demo: too great a length; what was answered before is not lost
--- tcp_server_config
protocol demo;
--- request_parts
A: send "\x00\x00\x04\x01x"
A: expect_close
B: send "\xff\xff\xff\xffabc"
B: expect_close
C: send "\x00\x00\x00\x04abcd\x00\x00\x00\x00"
C: expect "\x00\x00\x00\x08abcd"
C: expect_eof
--- error_log
body_len 1025 while
body_len 4294967295 while
body_len 0 while


=== demo: the greatest length there may be; it is inherited
--- tcp_config
client_max_body_size 10;
--- tcp_server_config
protocol demo;
--- tcp_server_config2
protocol demo;
client_max_body_size 11;
--- request_parts
A: send "\x00\x00\x00\x0a0123456789"
A: expect "\x00\x00\x00\x0e0123456789"
A: send "\x00\x00\x00\x0b0123456789a"
A: expect_close
B: connect $TEST_PORT2
B: send "\x00\x00\x00\x0b0123456789a"
B: expect "\x00\x00\x00\x0f0123456789a"
B: half_close
B: expect_eof
--- error_log
body_len 11 while


=== demo: read_timeout, before a request
--- tcp_server_config
protocol demo;
read_timeout 300ms;
--- request_parts
connect
expect_close
--- error_log
client timed out (110: Connection timed out) while waiting for request


=== demo: read_timeout, in the length
--- tcp_server_config
protocol demo;
read_timeout 300ms;
--- request_parts
send "\x00\x00"
expect_close
--- error_log
client timed out (110: Connection timed out) while reading client request


=== demo: read_timeout, in the body of a second request
--- tcp_server_config
protocol demo;
read_timeout 500ms;
--- request_parts
send "\x00\x00\x00\x04abcd\x00\x00\x00\x05abcd"
expect "\x00\x00\x00\x08abcd"
expect_eof
--- error_log
client timed out (110: Connection timed out) while reading client request


=== demo: keepalive_timeout, between requests
--- tcp_server_config
protocol demo;
keepalive_timeout 500ms;
--- request_parts
send "\x00\x00\x00\x04abcd"
expect "\x00\x00\x00\x08abcd"
expect_eof
--- error_log
client timed out (110: Connection timed out) while keepalive


=== demo: without keepalive_timeout read_timeout does not count between requests
--- tcp_server_config
protocol demo;
read_timeout 300ms;
--- request_parts
send "\x00\x00\x00\x04abcd"
expect "\x00\x00\x00\x08abcd"
expect_nothing 1
send "\x00\x00\x00\x04abcd"
expect "\x00\x00\x00\x08abcd"
half_close
expect_eof
--- skip_mode: slow valgrind: 300 ms may pass in a request
--- no_error_log
client timed out


=== demo: keepalive_timeout 0 ends the connection with its answers
--- tcp_server_config
protocol demo;
keepalive_timeout 0;
--- request_parts
send "\x00\x00\x00\x04abcd\x00\x00\x00\x04efgh"
expect "\x00\x00\x00\x08abcd\x00\x00\x00\x08efgh"
expect_eof
--- skip_mode: slow: the second request has not been read there
--- no_error_log
[error]


=== demo: send_timeout
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT sndbuf=16k;
protocol demo;
client_max_body_size 10m;
send_timeout 500ms;
--- request_parts eval
my $body = 'x' x 8_000_000;
['connect', 'rcvbuf=4096'], ['stop_reading'],
[send => pack('N', length $body) . $body],
['wait_log', 'client timed out'], ['close']
--- error_log
client timed out (110: Connection timed out) while sending to client
--- skip_mode: slow: eight million turns


=== demo: a reset in a request, and while the answer goes out
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT sndbuf=16k;
protocol demo;
client_max_body_size 10m;
--- request_parts eval
my $body = 'x' x 8_000_000;
['A:', send => "\0\0\0\5ab"], ['sync'], ['A:', 'reset'],
['B:', connect => 'rcvbuf=4096'], ['B:', 'stop_reading'],
['B:', send => pack('N', length $body) . $body], ['sync'], ['B:', 'reset'],
['C:', send => "\0\0\0\4abcd"], ['C:', expect => "\0\0\0\10abcd"],
['C:', 'half_close'], ['C:', 'expect_eof'],
--- no_error_log
[error]
--- skip_mode: slow: eight million turns


=== demo: a half-close in a request, and between two
--- tcp_server_config
protocol demo;
--- request_parts
A: send_fin "\x00\x00\x00\x05abcd"
A: expect_eof
B: send "\x00\x00\x00\x04abcd"
B: expect "\x00\x00\x00\x08abcd"
B: half_close
B: expect_eof
--- error_log
client prematurely closed connection while reading client request
client prematurely closed connection while keepalive


=== demo: access lines, one for each answer
--- tcp_config
log_format x "$connection_requests $bytes_received $bytes_sent $protocol";
--- tcp_server_config
protocol demo;
access_log logs/x.log x;
--- request_parts
send "\x00\x00\x00\x04abcd"
expect "\x00\x00\x00\x08abcd"
send "\x00\x00\x00\x05abcde"
expect "\x00\x00\x00\x09abcde"
send "\x00\x00\x00\x01"
expect_eof
--- file_is
>>> logs/x.log
1 8 8 demo
2 17 17 demo
--- error_log
body_len 1 while


=== demo: rules of allow and deny
--- tcp_server_config
protocol demo;
deny all;
--- request_parts
connect
expect_close
--- error_log
access forbidden by rule


=== demo: beside scripts, deferred, on a unix socket
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT deferred;
listen unix:$TEST_DIR/demo;
protocol demo;
--- tcp_server_config2
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("unix:$TEST_DIR/demo"))
    sock:send("\0\0\0\4abcd")
    ngx.print((sock:receive(8)))
}
--- request_parts
A: send "\x00\x00\x00\x05abcde"
A: expect "\x00\x00\x00\x09abcde"
A: half_close
A: expect_eof
B: connect $TEST_PORT2
B: expect "\x00\x00\x00\x08abcd"
B: expect_eof
--- no_error_log
[error]


=== demo: graceful exit: a parked client goes, a busy one is served
--- tcp_server_config
protocol demo;
--- repeat: 1
--- request_parts
A: send "\x00\x00\x00\x04abcd"
A: expect "\x00\x00\x00\x08abcd"
B: send "\x00\x00\x00\x04ab"
C: connect
sync
reload
A: expect_eof
C: expect_eof
D: send "\x00\x00\x00\x04abcd"
D: expect "\x00\x00\x00\x08abcd"
B: send "cd"
B: expect "\x00\x00\x00\x08abcd"
B: expect_eof
wait_workers
D: send "\x00\x00\x00\x04abcd"
D: expect "\x00\x00\x00\x08abcd"
signal QUIT
D: expect_eof
wait_exit
--- no_error_log
[error]


=== demo: at once: a worker is told to exit
--- tcp_server_config
protocol demo;
--- repeat: 1
--- request_parts
A: send "\x00\x00\x00\x04abcd"
A: expect "\x00\x00\x00\x08abcd"
B: send "\x00\x00\x00\x04ab"
sync
signal TERM
A: expect_close
B: expect_close
wait_exit
--- no_error_log
[error]


=== demo: nginx runs short of connections, and the oldest that is parked goes
--- events
worker_connections 16;
--- tcp_server_config
protocol demo;
--- repeat: 1
--- request_parts eval
my @steps;
for my $n (1 .. 16) {
    push @steps, ["C$n:", send => "\0\0\0\4abcd"],
                 ["C$n:", expect => "\0\0\0\10abcd"];
}
@steps, ['C1:', 'expect_eof'],
['C16:', send => "\0\0\0\4efgh"], ['C16:', expect => "\0\0\0\10efgh"]
--- error_log
worker_connections are not enough


=== demo: with a level-triggered event method
--- events: use select;
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"
--- tcp_server_config
protocol demo;
client_max_body_size 1m;
--- request_parts eval
my $body = 'x' x 300_000;
['connect', 'rcvbuf=4096'], ['stop_reading'],
[send => pack('N', length $body) . $body], ['sync'],
['start_reading'], [expect => pack('N', 4 + length $body) . $body],
[send => pack('N', 4) . 'abcd'], [expect => pack('N', 8) . 'abcd'],
['half_close'], ['expect_eof']
--- skip_mode: slow: 600,000 turns
--- no_error_log
[error]


=== demo: with accept_mutex, and several workers
--- workers: 2
--- events
accept_mutex on;
--- clients: 10
--- tcp_server_config
protocol demo;
--- request_parts
send "\x00\x00\x00\x04abcd"
expect "\x00\x00\x00\x08abcd"
half_close
expect_eof
--- no_error_log
[error]


=== demo_echo: twice
--- tcp_server_config
protocol demo;
demo_echo a;
demo_echo b;
--- conf_error
"demo_echo" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== demo_echo: is for servers
--- tcp_config
demo_echo a;
--- conf_error
"demo_echo" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== demo_echo: two arguments
--- tcp_server_config
protocol demo;
demo_echo a b;
--- conf_error
invalid number of arguments in "demo_echo" directive in $TEST_DIR/conf/nginx.conf:


=== demo: by TLS
--- tcp_config
log_format x "$connection_requests $bytes_sent $ssl_protocol";
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
protocol demo;
client_max_body_size 1m;
access_log logs/x.log x;
--- request_parts
A: start_tls TLSv1.3
A: send "\x00\x00\x00\x05abcde\x00\x00\x00\x04wxyz"
A: expect "\x00\x00\x00\x09abcde\x00\x00\x00\x08wxyz"
A: send "\x00\x01\x00\x00"
A: send "x" x 65536
A: expect "\x00\x01\x00\x04"
A: expect "x" x 65536
A: half_close
A: expect_eof
B: start_tls TLSv1.2
B: send "\x00\x00\x00\x03abc"
B: expect_eof
--- file_is
>>> logs/x.log
1 9 TLSv1.3
2 17 TLSv1.3
3 65557 TLSv1.3
--- error_log
body_len 3
--- no_error_log
[error]
