# TLS of clients: what ends a handshake, and the life of a connection after it.

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

=== handshake: HTTP, garbage, nothing, a part of it
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: send "GET / HTTP/1.0\r\n\r\n"
A: wait_log /\[info\] .*SSL_do_handshake\(\) failed \(SSL: error:.*http request\) while SSL handshaking, client: 127.0.0.1, server: 127.0.0.1:$TEST_PORT/
A: read_all
B: connect
B: send "hello, is there anybody?"
B: wait_log /\[info\] .*SSL_do_handshake\(\) failed \(SSL: error:.*wrong version number\) while SSL handshaking/
B: read_all
C: connect
C: half_close
C: wait_log /\[info\] .*peer closed connection in SSL handshake while SSL handshaking/ 1
C: expect_eof
D: connect
D: send "\x16\x03\x01\x02\x00\x01\x00"
D: half_close
D: wait_log /\[info\] .*peer closed connection in SSL handshake while SSL handshaking/ 2
D: expect_eof
E: connect
E: send "\x16\x03\x01"
E: sync
E: reset
E: wait_log /\[info\] .*SSL_do_handshake\(\) failed \(104: Connection reset by peer\) while SSL handshaking/
F: connect
F: send "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
F: wait_log /\[info\] .*SSL_do_handshake\(\) failed \(SSL: error:.*(length mismatch|length too short|decode)/
F: read_all
--- no_error_log
[error]


=== handshake: why it failed is read by who goes on to send
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: send "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
A: wait_log /\[info\] .*SSL_do_handshake\(\) failed/
A: send "x" x 5000
A: sync
A: send "x" x 5000
A: sync
A: send "x"
A: expect_like /^\x15\x03.\x00\x02\x02\x32/s
A: expect_eof
--- no_error_log
[error]


=== handshake: who stays when it has failed is closed in time
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_handshake_timeout 300ms;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: send "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
A: wait_log /\[info\] .*SSL_do_handshake\(\) failed/
signal QUIT
wait_exit
A: expect_like /^\x15\x03.\x00\x02\x02\x32/s
A: expect_eof
--- no_error_log
[error]


=== handshake: what OpenSSL said of one that failed is not left to nginx's own TLS
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /with-http_ssl_module/ ? "" : "nginx has no http_ssl_module"
--- http_config
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2 ssl;
        ssl_certificate $TEST_CERT_DIR/ecdsa.pem;
        ssl_certificate_key $TEST_CERT_DIR/ecdsa.key;
        location / { return 200 "http"; }
    }
}
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_verify_client on;
ssl_client_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { ngx.say(1) }
--- request_parts
A: start_tls TLSv1.3 cert=client-other
A: wait_log "client SSL certificate verify error"
B: connect $TEST_PORT2
B: start_tls
B: send "GET / HTTP/1.0\r\n\r\n"
B: expect_like /\r\n\r\nhttp/
A: close
--- no_error_log
[error]
[alert]


=== handshake: ssl_handshake_timeout
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_handshake_timeout 100ms;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: wait_log /\[info\] .*client timed out \(110: Connection timed out\) while SSL handshaking, client: 127.0.0.1/
A: expect_eof
B: connect
B: drip "\x16\x03\x01\x02\x00" 0.05
B: wait_log /client timed out/ 2
B: expect_close
--- no_error_log
[error]


=== handshake: read_timeout by default; it is over with the handshake
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
read_timeout 300ms;
process_by_lua_block {
    ngx.sleep(0.5)
    ngx.say("x")
}
--- request_parts
A: start_tls
A: expect "x\n"
A: expect_eof
B: connect
B: wait_log /client timed out .*while SSL handshaking/
B: expect_eof
--- skip_mode: slow valgrind: a handshake takes longer
--- no_error_log
[error]


=== handshake: others are served meanwhile
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
listen 127.0.0.1:$TEST_PORT2;
process_by_lua_block { ngx.say("x") }
--- request_parts
A: connect
A: sync
B: connect $TEST_PORT2
B: expect "x\n"
C: start_tls
C: expect "x\n"
A: start_tls
A: expect "x\n"
--- no_error_log
[error]


=== handshake: who says nothing takes no memory
--- tcp_config eval
main::conf() . 'lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";'
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("x") }
--- tcp_server_config2
process_by_lua_block {
    local worker = require "worker"
    local before = worker.resident()
    ngx.say("now")
    ngx.receive()
    local used = worker.resident() - before
    ngx.say(used < 2000000 and "little" or used)
}
--- repeat: 1
--- request_parts eval
[
    ['A:', 'start_tls'], ['A:', expect => "x\n"],
    ['M:', 'connect', '$TEST_PORT2'], ['M:', expect => "now\n"],
    (map { ["C$_:", 'connect'] } 1 .. 200), ['sync'],
    ['M:', send => "\n"], ['M:', expect => "little\n"],
    ['C200:', 'start_tls'], ['C200:', expect => "x\n"],
]
--- no_error_log
[error]
--- skip_mode: valgrind: has memory of its own


=== handshake: a reload meanwhile
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("old") }
--- request_parts
A: connect
A: sync
edit_file conf/nginx.conf "\"old\"" => "\"new\""
reload
B: start_tls
B: expect "new\n"
B: expect_eof
A: start_tls
A: expect "old\n"
A: expect_eof
wait_workers
--- repeat: 1
--- no_reload: it reloads itself
--- no_error_log
[error]


=== handshake: nginx quits meanwhile
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("late") }
--- request_parts
A: connect
A: sync
signal QUIT
A: start_tls
A: expect "late\n"
A: expect_eof
wait_exit
--- no_error_log
[error]


=== handshake: nginx ends meanwhile
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.receive() }
--- request_parts
A: connect
B: start_tls
sync
signal TERM
A: expect_close
B: expect_close
wait_exit
--- no_error_log
[error]


=== a reload takes new certificates
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_cipher"))) }
--- request_parts
A: start_tls TLSv1.2 ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256
A: expect "ECDHE-RSA-AES128-GCM-SHA256\n"
edit_file conf/nginx.conf good.pem => ecdsa.pem
edit_file conf/nginx.conf good.key => ecdsa.key
reload
B: start_tls TLSv1.2 ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256
B: expect "ECDHE-ECDSA-AES128-GCM-SHA256\n"
--- repeat: 1
--- no_reload: it reloads itself
--- no_error_log
[error]


=== a single process
--- master_process: off
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_cache shared:single:1m;
process_by_lua_block { ngx.say(ngx.receive()) }
--- tls
--- request
hello
--- response
hello
--- no_error_log
[error]


=== parked: the next request, and the client's end
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
A: start_tls
A: send "one\n"
A: expect "one\n"
A: send "two\nthree\n"
A: expect "two\nthree\n"
A: notify
A: expect_eof
A: wait_log /\[info\] .*client prematurely closed connection while lua_req_keepalive/ 1
B: start_tls
B: send "one\n"
B: expect "one\n"
B: truncate
B: expect_eof
B: wait_log /\[info\] .*client prematurely closed connection while lua_req_keepalive/ 2
C: start_tls
C: send "one\n"
C: expect "one\n"
C: reset
C: wait_log /\[info\] .*client prematurely closed connection \(104: Connection reset by peer\) while lua_req_keepalive/
D: start_tls
D: send "one\n"
D: expect "one\n"
D: drip "two\n"
D: expect "two\n"
--- no_error_log
[error]
No data available


=== parked: keepalive_timeout
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
keepalive_timeout 100ms;
process_by_lua_block {
    ngx.say("hello")
    ngx.wait_next_request()
}
--- request_parts
A: start_tls
A: expect "hello\n"
A: expect_eof
--- error_log
~ client timed out \(110: Connection timed out\) while lua_req_keepalive


=== parked: nginx is short of connections, and takes the oldest
--- events
worker_connections 24;
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts eval
[
    map {
        my $name = "C$_";
        (["$name:", 'start_tls'], ["$name:", send => "x\n"],
         ["$name:", expect => "x\n"])
    } 1 .. 60
],
--- no_error_log
[error]
[alert]
--- repeat: 1


=== parked: a reload and a graceful exit close it by close_notify
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.say("hello")
    ngx.wait_next_request()
}
--- request_parts
A: start_tls TLSv1.2
A: expect "hello\n"
sync
reload
A: expect_notify
B: start_tls
B: expect "hello\n"
sync
signal QUIT
B: expect_notify
wait_exit
--- no_error_log
[error]
--- skip_mode: slow: what is parked is closed at once


=== ngx.clients.send: to a client that is parked, receives, or reads slowly
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    local id = ngx.receive()
    ngx.clients.set(id)
    ngx.say("I am ", id)
    if id == "parked" then
        ngx.wait_next_request()
    end
    ngx.say(ngx.receive())
}
--- tcp_server_config2
process_by_lua_block {
    local id, n = ngx.receive():match("(%S+) (%d+)")
    ngx.say(ngx.clients.send(id, ("m"):rep(tonumber(n))))
}
--- request_parts
A: start_tls
A: send "parked\n"
A: expect "I am parked\n"
B: start_tls
B: send "busy\n"
B: expect "I am busy\n"
C: connect rcvbuf=16384
C: start_tls
C: send "slow\n"
C: expect "I am slow\n"
C: stop_reading
X: connect $TEST_PORT2
X: send "parked 10\n"
X: expect_like /\A10nil\n/
A: expect "mmmmmmmmmm"
X: connect $TEST_PORT2
X: send "busy 20000\n"
X: expect_like /\A20000nil\n/
B: expect_bytes 20000
X: connect $TEST_PORT2
X: send "slow 200000\n"
X: expect_like /\A200000nil\n/
C: start_reading
C: expect_bytes 200000
A: send "end A\n"
A: expect "end A\n"
B: send "end B\n"
B: expect "end B\n"
C: send "end C\n"
C: expect "end C\n"
--- no_error_log
[error]


=== lua_check_client_abort: close_notify, FIN, RST; bytes hide it
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
lua_check_client_abort on;
process_by_lua_block {
    local line = ngx.receive()
    ngx.say(line)
    if line == "hide" then
        ngx.sleep(0.2)
        return ngx.say(ngx.receive("*a"))
    end
    ngx.sleep(30)
    ngx.log(ngx.ERR, "still here")
}
--- request_parts
A: start_tls TLSv1.3
A: send "x\n"
A: expect "x\n"
A: notify
A: wait_log /\[info\] .*client prematurely closed connection while running Lua/ 1
A: expect_eof
B: start_tls TLSv1.2
B: send "x\n"
B: expect "x\n"
B: truncate
B: wait_log /\[info\] .*client prematurely closed connection while running Lua/ 2
B: expect_eof
C: start_tls
C: send "x\n"
C: expect "x\n"
C: reset
C: wait_log /\[info\] .*client prematurely closed connection \(104: Connection reset by peer\) while running Lua/
D: start_tls
D: send "hide\nrest"
D: half_close
D: expect "hide\nrest\n"
D: expect_eof
--- no_error_log
[error]
No data available


=== without it the script goes on
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.say("hello")
    ngx.flush(true)
    ngx.sleep(0.1)
    ngx.log(ngx.INFO, "went on: ", ngx.receive())
}
--- request_parts
A: start_tls
A: expect "hello\n"
A: close
A: wait_log "went on: nilclosed"
--- no_error_log
[error]


=== the end: what nobody read does not destroy what was sent
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.receive(5)
    ngx.print(("x"):rep(1000000))
}
--- request_parts
A: start_tls
A: send "y" x 300000
A: expect_bytes 1000000
A: expect_eof
B: connect
B: start_tls
B: stop_reading
B: send "y" x 10
B: pause 0.1
B: send "y" x 10
B: start_reading
B: expect_bytes 1000000
B: expect_eof
--- no_error_log
[error]


=== the end: with much on its way
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=4k;
process_by_lua_block {
    ngx.receive("*a")
    for _ = 1, 100 do
        ngx.print(("x"):rep(1000))
        ngx.flush()
    end
}
--- request_parts
A: connect rcvbuf=4096
A: start_tls
A: notify
A: stop_reading
A: pause 0.2
A: start_reading
A: expect_bytes 100000
A: expect_notify
B: connect rcvbuf=4096
B: start_tls
B: half_close
B: stop_reading
B: pause 0.2
B: start_reading
B: expect_bytes 100000
B: expect_notify
--- no_error_log
[error]


=== the end: close_notify is the first that the kernel has no room for
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=4k;
process_by_lua_block {
    for _ = 1, ngx.receive() do
        ngx.print(("x"):rep(1000))
        ngx.flush()
    end
    ngx.eof()
    ngx.receive("*a")
}
--- request_parts eval
[
    map {
        (['A:', 'connect', '$TEST_PORT', 'rcvbuf=4096'], ['A:', 'start_tls'],
         ['A:', 'stop_reading'], ['A:', send => "$_\n"], ['sync'],
         ['A:', 'start_reading'], ['A:', expect_bytes => $_ * 1000],
         ['A:', 'expect_notify'], ['A:', 'close'])
    } 1 .. 10
]
--- no_error_log
[error]


=== the end: ngx.exit, an error, a light thread that waits
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local line = ngx.receive()
    ngx.print(line)
    ngx.thread.spawn(function() ngx.sleep(100) end)
    if line == "exit" then
        ngx.exit()
    end
    error("boom")
}
--- request_parts
A: start_tls
A: send "exit\n"
A: expect "exit"
A: expect_eof
B: start_tls
B: send "error\n"
B: expect "error"
B: expect_eof
--- error_log
boom


=== what is no TLS any more: info, and the script is told
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local line = ngx.receive()
    ngx.say(line)
    if line == "park" then
        ngx.wait_next_request()
    end
    local _, err = ngx.receive()
    ngx.log(ngx.INFO, "receive: ", err, ", print: ", select(2, ngx.say("x")))
}
--- request_parts
A: start_tls
A: send "read\n"
A: expect "read\n"
A: plain "this is no record of TLS\n"
A: wait_log /\[info\] .*SSL_read\(\) failed \(SSL: error:/ 1
A: wait_log "receive: protocol error, print: closed"
B: start_tls
B: send "park\n"
B: expect "park\n"
B: plain "this is no record of TLS\n"
B: wait_log /\[info\] .*SSL_read\(\) failed \(SSL: error:.*while lua_req_keepalive/
--- no_error_log
[crit]
[alert]


=== renegotiation is refused
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request_parts
s_client "-tls1_2" => "R\n" => /no renegotiation/
--- no_error_log
[crit]
[alert]
--- skip_mode: slow: the refusal waits for room


=== TLS 1.3: new keys while the script receives
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    local sock = ngx.req.socket()
    sock:settimeout(300)
    ngx.say(sock:receive())
    ngx.say("still here")
}
--- request_parts
s_client "-tls1_3" => "K\n" => /KEYUPDATE.*niltimeout\nstill here/s
--- error_log
lua tcp socket read timed out


=== TLS 1.3: new keys again and again do not keep the others waiting
--- tcp_config eval
main::conf() . 'lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";'
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl rcvbuf=4m;
process_by_lua_block {
    ngx.say("hello")
    require("new_keys").sent():wait(10)
    local turns, line = 0
    ngx.thread.spawn(function()
        while not line do
            turns = turns + 1
            ngx.sleep(0.001)
        end
    end)
    line = ngx.receive()
    ngx.log(ngx.INFO, line, turns > 2 and " in many turns" or " in few turns " .. turns)
}
--- tcp_server_config2
process_by_lua_block {
    local new_keys = require "new_keys"
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT))
    new_keys.send(sock, 10000, "the line\n")
    new_keys.sent():post()
    ngx.say(sock:receive("*a") and "end")
}
--- connect: $TEST_PORT2
--- response
end
--- error_log
the line in many turns
--- no_error_log
[error]


=== no busy loop: a half-closed client, a parked one, one in a handshake
--- tcp_config eval
main::conf() . 'lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";'
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl sndbuf=16k;
process_by_lua_block {
    local line = ngx.receive()
    ngx.say("in")
    if line == "park" then
        ngx.wait_next_request()
    elseif line == "print" then
        ngx.print(("x"):rep(10000000))
    end
    ngx.sleep(30)
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
A: start_tls
A: send "sleep\n"
A: expect "in\n"
A: half_close
B: start_tls
B: send "park\n"
B: expect "in\n"
C: connect
C: send "\x16\x03\x01\x02"
D: connect rcvbuf=4096
D: start_tls
D: send "print\n"
D: expect "in\n"
D: stop_reading
E: start_tls
E: send "sleep\n"
E: expect "in\n"
E: send "more that nobody reads"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
A: close
B: close
C: close
D: close
E: close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself


=== many at once
--- workers: 2
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    for _ = 1, 20 do
        ngx.say(#ngx.receive())
        ngx.wait_next_request()
    end
}
--- clients: 10
--- request_parts eval
[ ['start_tls'],
  map { ([send => "x" x ($_ * 999) . "\n"], [expect => $_ * 999 . "\n"]) } 1 .. 20 ],
--- no_error_log
[error]


=== stub_status: who shakes hands, who has failed to, who is parked
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
A: start_tls
A: send "a\n"
A: expect "a\n"
B: connect
B: send "no TLS\r\n\r\n"
B: wait_log "while SSL handshaking"
B: close
C: connect
D: start_tls
D: send "not all"
sync
H1: connect 127.0.0.1:$TEST_PORT9
H1: send "GET / HTTP/1.0\r\n\r\n"
H1: expect_like /Active connections: 4 \nserver accepts handled requests\n 5 5 3 \nReading: 1 Writing: 1 Waiting: 1/
H1: read_all
H1: close
A: close
C: close
D: close
wait_log "peer closed connection in SSL handshake"
wait_log "client prematurely closed connection"
sync
pause 0.1
H2: connect 127.0.0.1:$TEST_PORT9
H2: send "GET / HTTP/1.0\r\n\r\n"
H2: expect_like /Active connections: 1 \nserver accepts handled requests\n 6 6 4 \nReading: 0 Writing: 1 Waiting: 0/
H2: read_all
--- no_error_log
[alert]
--- skip_mode: slow: a handshake takes longer


=== connections that are begun and left, again and again: nothing stays
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block {
    ngx.thread.spawn(function() ngx.sleep(100) end)
    ngx.timer.at(0, function() end)
    ngx.say(ngx.receive())
    ngx.exit()
}
--- request_parts eval
[
    map {
        (['A:', 'connect'], ['A:', send => "\x16\x03\x01\x01"], ['A:', 'close'],
         ['A:', 'connect'], ['A:', 'start_tls'], ['A:', 'reset'],
         ['A:', 'connect'], ['A:', 'start_tls'], ['A:', send => "x\n"],
         ['A:', expect => "x\n"], ['A:', 'close'])
    } 1 .. 10
]
--- no_error_log
[alert]
