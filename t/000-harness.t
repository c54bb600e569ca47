# What the blocks and steps of t/lib can say, tried on the stream module that
# comes with nginx.  That the checks fail when they should is the business of
# 000-harness-fails.t.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== request and response: the server speaks first
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello\n"; } }
--- response
hello
--- error_log
~ client 127\.0\.0\.1:\d+ connected to 127\.0\.0\.1:$TEST_PORT
--- no_error_log
[error]
[warn]
--- start_log
start worker process
--- stop_log
gracefully shutting down


=== variables stand for what they are also in ${} and in the reply
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:${TEST_PORT}; return "$server_port $TEST_DIR"; } }
--- response: $TEST_PORT $TEST_DIR


=== response_like matches over line feeds
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "a\nb\n"; } }
--- response_like
^a.b$


=== request: an upstream played by steps gets the bytes and answers
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
send "a\x00b\r\n" x 2 "end"
Up: accept
Up: expect "a\x00b\r\na\x00b\r\nend"
Up: send "x" x 300000
expect "x" x 300000
half_close
Up: expect_eof
Up: close
expect_eof


=== steps by eval
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts eval
[
    ['Up:', listen => '$TEST_PORT2'],
    [send => '1,2' . ',3' x 2],
    ['Up:', 'accept'],
    ['Up:', expect => '1,2,3,3'],
    ['Up:', send => "ok\n"],
    ['Up:', 'close'],
]
--- response
ok


=== several clients, one after the other and interleaved
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
A: send "from A"
Up: accept
Up: expect "from A"
B: connect
B: send "from B"
Up: send "to A"
A: expect_like /to \w/
A: close
Up: expect_eof
Up: accept
Up: expect_bytes 6
Up: expect_nothing 0.05
Up: drip "to B"
B: expect "to "
B: expect "B"
Up: reset
B: expect_close


=== peer: plays its steps beside the request
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PEER_PORT; } }
--- peer
expect "question"
drip "answer"
close
--- request: question
--- response: answer


=== peer: several connections, two peers, and what is left open
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PEER_PORT; }
    server { listen 127.0.0.1:$TEST_PORT2; proxy_pass 127.0.0.1:$TEST_PEER2_PORT; }
}
--- peer
First: accept
First: expect "1"
Second: accept
Second: expect "2"
First: send "to 1"
Second: send "to 2"
unlisten
--- peer2
expect "3"
send "to 3"
expect_eof
--- request_parts
A: send "1"
B: send "2"
C: connect $TEST_PORT2
C: send "3"
A: expect "to 1"
B: expect "to 2"
C: expect "to 3"
C: half_close


=== peer: the ways to end, and nobody
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    proxy_connect_timeout 1s;
    server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PEER_PORT; }
    server { listen 127.0.0.1:$TEST_PORT2; proxy_pass unix:$TEST_DIR/peer; }
    server { listen 127.0.0.1:$TEST_PORT3; proxy_pass [::1]:$TEST_PEER3_PORT; }
}
--- peer
A: expect "a"
A: send "b"
A: half_close
A: expect_eof
B: expect "a"
B: reset
C: expect "a"
C: send_fin "last"
C: expect_eof
unlisten
--- peer2
listen unix:$TEST_DIR/peer
expect "a"
expect_nothing 0.01
close
--- peer3
listen [::1]:$TEST_PEER3_PORT
expect "a"
expect_no_connection 0.01
--- request_parts
A: send "a"
A: expect "b"
A: expect_eof
B: send "a"
B: expect_close
C: send "a"
C: expect "last"
C: expect_eof
C: close
D: connect $TEST_PORT2
D: send "a"
D: expect_eof
E: connect $TEST_PORT3
E: send "a"


=== peer: a full backlog keeps everybody out
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    proxy_connect_timeout 500ms;
    server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PEER_PORT; }
}
--- peer
listen $TEST_PEER_PORT backlog=0
fill_backlog
wait_log "upstream timed out"
--- request_parts
expect_close
--- error_log
upstream timed out (110: Connection timed out) while connecting to upstream


=== start_tls: versions, names, certificates, sessions, ends
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /with-stream_ssl_module/ ? "" : "nginx has no stream_ssl_module"
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    ssl_certificate $TEST_CERT_DIR/good.pem;
    ssl_certificate_key $TEST_CERT_DIR/good.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {
        listen 127.0.0.1:$TEST_PORT ssl;
        return "$ssl_protocol $ssl_server_name $ssl_session_reused";
    }
    server {
        listen 127.0.0.1:$TEST_PORT2 ssl;
        ssl_verify_client on;
        ssl_client_certificate $TEST_CERT_DIR/ca.pem;
        return $ssl_client_s_dn;
    }
    server {
        listen 127.0.0.1:$TEST_PORT3 ssl;
        ssl_protocols TLSv1.3;
        proxy_pass 127.0.0.1:$TEST_PEER_PORT;
    }
}
--- peer
A: expect "question"
A: send "answer"
A: expect_eof
A: close
--- request_parts
A: start_tls TLSv1.2 name=one.example session=harness
A: expect "TLSv1.2 one.example ."
A: expect_notify
A: connect
A: start_tls TLSv1.2 name=one.example session=harness
A: expect "TLSv1.2 one.example r"
B: connect $TEST_PORT2
B: start_tls TLSv1.3 cert=client
B: expect "CN=Test Client"
C: connect $TEST_PORT3
C: start_tls
C: send "question"
C: expect "answer"
C: half_close
C: expect_eof
s_client "-tls1_2 -servername two.example" => "" => /TLSv1.2 two.example \./
D: connect $TEST_PORT3
D: plain "no TLS at all\r\n"
D: expect_close
--- repeat: 1
--- no_error_log
[alert]


=== expect_alert: why a handshake failed
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /with-stream_ssl_module/ ? "" : "nginx has no stream_ssl_module"
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    server {
        listen 127.0.0.1:$TEST_PORT ssl;
        ssl_certificate $TEST_CERT_DIR/good.pem;
        ssl_certificate_key $TEST_CERT_DIR/good.key;
        ssl_protocols TLSv1.3;
        return "x";
    }
}
--- request_parts
A: expect_alert TLSv1.2 /protocol version/
--- no_error_log
[alert]
--- skip_mode: slow: nginx closes before there is room for it


=== peer: TLS, both versions, with and without a client certificate
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    proxy_ssl on;
    proxy_ssl_session_reuse off;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
    proxy_ssl_name test.example;
    server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PEER_PORT; }
    server {
        listen 127.0.0.1:$TEST_PORT2;
        proxy_pass 127.0.0.1:$TEST_PEER_PORT;
        proxy_ssl_certificate $TEST_CERT_DIR/client.pem;
        proxy_ssl_certificate_key $TEST_CERT_DIR/client.key;
    }
}
--- peer
A: tls good TLSv1.2
A: expect "question" x 10000
A: send "answer" x 10000
A: half_close
A: expect_eof
B: tls chain TLSv1.3 verify
B: expect "question"
B: send "answer"
B: close
C: expect_tls_failure good TLSv1.2 verify
D: tls self-signed TLSv1.2
D: expect_close
--- request_parts
A: send "question" x 10000
A: expect "answer" x 10000
A: expect_eof
A: close
B: connect $TEST_PORT2
B: send "question"
B: expect "answer"
B: expect_eof
C: connect
C: expect_close
D: connect
D: expect_close
--- error_log
upstream SSL certificate verify error: (18:self-signed certificate)


=== udp_peer: answers datagrams
--- config
events {}
--- udp_peer
expect "one"
send "two"
expect_like /^thr/
send "four"
expect_bytes 4
--- request_parts
connect udp:$TEST_UDP_PEER_PORT
send "one"
expect "two"
send "three"
expect "four"
send "five"


=== expect_like: what a named group matched
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
send "SUB a 17\r\nmore"
Up: accept
Up: expect_like /^SUB (?<subject>\S+) (?<sid>\d+)\r\n/
Up: expect "more"
Up: send "MSG ${subject} ${sid} ${none}"
expect "MSG a 17 ${none}"


=== peers: the one of the age that runs is the one that is stopped
--- config
events {}
--- peers: nats
--- connect: $TEST_NATS_PORT
--- request_parts
A: connect
A: expect_like /^INFO .*\r\n/
stop_peer nats
A: expect_close
start_peer nats
B: connect
B: expect_like /^INFO .*\r\n/


=== stop_peer, start_peer: a peer that goes and comes back
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_REDIS_PORT; } }
--- peers: redis
--- request_parts
A: send "PING\r\n"
A: expect "+PONG\r\n"
stop_peer redis
A: expect_close
B: connect
B: expect_close
start_peer redis
C: send "PING\r\n"
C: expect "+PONG\r\n"
--- error_log
connect() failed (111: Connection refused) while connecting to upstream


=== reset by the client reaches the server
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
send "x"
Up: accept
Up: expect "x"
reset
wait_log "recv() failed (104: Connection reset by peer)"
Up: expect_close


=== stop_reading holds the server up, start_reading gets the rest
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT sndbuf=8k; proxy_buffer_size 4k; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
connect rcvbuf=4096
stop_reading
send "go"
Up: accept
Up: expect "go"
Up: send "y" x 100000
Up: close
sync
start_reading
expect "y" x 100000
expect_eof


=== clients: many at once, each with its own number
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
events {}
http {
    access_log off;
    lua_package_path "/usr/share/lua/5.1/?.lua;;";
    server { listen 127.0.0.1:$TEST_PORT; location / { return 200 "I am $request_uri\n"; } }
}
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no lua module'
--- clients: 10
--- request eval
"GET /\$TEST_CLIENT HTTP/1.0\r\n\r\n"
--- response_like: \r\n\r\nI am /\d+$


=== grep_error_log compares all matches
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    log_format l "<$server_port>";
    server { listen 127.0.0.1:$TEST_PORT; return "1"; access_log logs/a.log l; }
    server { listen 127.0.0.1:$TEST_PORT2; return "2"; access_log logs/a.log l; }
}
--- request_parts
A: expect "1"
A: expect_eof
B: connect $TEST_PORT2
B: expect "2"
B: expect_eof
--- grep_error_log
~ connected to \S+
--- grep_error_log_out
connected to 127.0.0.1:$TEST_PORT
connected to 127.0.0.1:$TEST_PORT2
--- file_is
>>> logs/a.log
<$TEST_PORT>
<$TEST_PORT2>


=== user_files are there before nginx starts; connect goes elsewhere
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
include more.conf;
--- user_files
>>> conf/more.conf
stream { include sub/server.conf; }
>>> conf/sub/server.conf
server { listen unix:$TEST_DIR/s.sock; return "unix"; }
--- connect: unix:$TEST_DIR/s.sock
--- response: unix


=== edit_file and reload: new clients get the new answer
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "old"; } }
--- repeat: 1
--- request_parts
A: expect "old"
A: expect_eof
edit_file conf/nginx.conf "old" => "new"
reload
wait_workers
B: expect "new"
B: expect_eof


=== signal HUP between the runs
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello"; } }
--- response: hello
--- signal: HUP


=== signal TERM ends nginx between the runs
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello"; } }
--- response: hello
--- signal: TERM
--- stop_log
exiting


=== signal QUIT as a step: a client in mid-exchange is served
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass 127.0.0.1:$TEST_PORT2; } }
--- request_parts
Up: listen $TEST_PORT2
send "question"
Up: accept
Up: expect "question"
signal QUIT
wait_log "gracefully shutting down"
Up: send "answer"
Up: close
expect "answer"
expect_eof
wait_exit


=== a worker that is killed is expected if error_log says so
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello"; } }
--- request_parts
signal_worker KILL
wait_log /worker process \d+ exited on signal 9/
wait_log "start worker process"
sync
connect
expect "hello"
expect_eof
--- error_log
exited on signal 9


=== two workers
--- config
worker_processes 2;
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello"; } }
--- response: hello


=== without a master
--- config
master_process off;
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; return "hello"; } }
--- response: hello


=== conf_error: nginx -t names the mistake
--- config
events { }
nonesuch on;
--- conf_error
[emerg]
unknown directive "nonesuch" in $TEST_DIR/conf/nginx.conf:2


=== conf_ok: nginx -t accepts it without warnings
--- config
events { }
--- conf_ok


=== must_die: nginx itself gives up
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server { listen 127.0.0.1:$TEST_PORT; proxy_pass nonesuch.invalid:1; } }
--- must_die
~ host not found in upstream "nonesuch\.invalid"


=== skip_if: not run, and said so
--- config
--- skip_if: 'the reason'
--- response: nothing of it is true


=== SKIP: dropped
--- SKIP
--- nonesuch: 1
