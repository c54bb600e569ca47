# The shim of t/preload under nginx's own modules: each read and write of a
# connection moves one byte or fails with EAGAIN, nothing is lost, and nothing
# waits for an edge that never comes.  nginx's debug log says what its system
# calls returned; the patterns want both results and no longer read or write.

use lib 't/lib';

BEGIN { $ENV{TEST_SLOW} = 1; delete $ENV{TEST_NGINX_USE_VALGRIND} }

use Test::Nginx::TCP;

run_tests();

__DATA__

=== stream proxy: recv and send on TCP
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
error_log logs/debug.log debug;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_half_close on; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
send "question " x 300
Up: accept
Up: expect "question " x 300
Up: send "answer " x 300
expect "answer " x 300
half_close
Up: expect_eof
Up: send "last words"
Up: close
expect "last words"
expect_eof
--- file_like
>>> logs/debug.log
(?s)\A(?!.* recv: fd:\d+ (?:[2-9]|\d\d+) of )(?!.* (?:writev|send): (?:fd:\d+ )?(?:[2-9]|\d\d+) of )(?=.* recv: fd:\d+ 1 of )(?=.* recv: fd:\d+ -1 of )(?=.* writev: 1 of )(?=.* writev\(\) not ready )


=== stream: a unix socket is cut too
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
error_log logs/debug.log debug;
events {}
stream { server { listen unix:$TEST_DIR/s.sock; return "0123456789\n"; } }
--- connect: unix:$TEST_DIR/s.sock
--- response
0123456789
--- file_like
>>> logs/debug.log
(?s)\A(?!.* (?:writev|send): (?:fd:\d+ )?(?:[2-9]|\d\d+) of )(?=.* writev: 1 of )(?=.* writev\(\) not ready )


=== stream: MSG_PEEK is not cut
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx'; `$nginx -v 2>&1` =~ m{/1\.22\.} ? '' : 'a later return answers again at each read event'
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; ssl_preread on; return $ssl_preread_protocol; } }
--- request_parts eval
my $hello = "\3\3" . "r" x 32 . "\0" . "\0\2\x13\1" . "\1\0";
$hello = "\1\0" . pack('n', length $hello) . $hello;
# What was only peeked at is unread at the end: nginx may reset then.
[
    ['connect'],
    [send => "\x16\3\1" . pack('n', length $hello) . $hello],
    [expect => 'TLSv1.2'],
    ['expect_close'],
]


=== http: kept connections, request bodies, a file by sendfile
--- config
worker_processes 2;
error_log logs/debug.log debug;
events { accept_mutex off; }
http {
    access_log off;
    client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4; scgi_temp_path tmp5;
    sendfile on;
    keepalive_requests 100;
    upstream up { server 127.0.0.1:$TEST_PORT2; keepalive 4; }
    server {
        listen 127.0.0.1:$TEST_PORT;
        location / {
            proxy_pass http://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_hide_header Date;
        }
    }
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / { root html; default_type text/plain; client_max_body_size 1m; error_page 405 =200 $uri; }
    }
}
--- user_files eval
">>> html/a\n" . "file " x 100
--- request_parts
send "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" "b" x 500
expect_like /\r\n\r\n(?:file ){100}/
send "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
expect_like /\r\n\r\n(?:file ){100}/
expect_like /\r\n\r\n(?:file ){100}/
expect_eof
--- file_like
>>> logs/debug.log
(?s)\A(?!.* recv: fd:\d+ (?:[2-9]|\d\d+) of )(?!.* (?:writev|send|sendfile): (?:fd:\d+ )?(?:[2-9]|\d\d+) of )(?=.* sendfile: 1 of )(?=.* sendfile\(\) is not ready )


=== clients: twenty at once
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; }
    server { listen 127.0.0.1:$TEST_PORT2; return "hello\n"; }
}
--- clients: 20
--- response
hello
