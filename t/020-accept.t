# A connection's start: when the script runs, and what the log says of whom.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== accept: the script starts without a byte from the client
--- tcp_server_config
process_by_lua_block { ngx.print("220 ready") }
--- response chomp
220 ready
--- no_error_log
[error]
[warn]


=== accept: the script starts for a client that has half-closed at once
--- tcp_server_config
process_by_lua_block {
    local data, err = ngx.receive(1)
    ngx.print(data, " ", err)
}
--- request_parts
half_close
expect "nil closed"
expect_eof
--- no_error_log
[error]


=== accept: the script starts for a client that has closed at once
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.WARN, "started: ", select(2, ngx.receive(1)))
}
--- request_parts
connect
close
wait_log "started: closed"
--- no_error_log
[error]


=== accept: a client that resets at once
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.WARN, "started: ", select(2, ngx.receive(1)))
}
--- request_parts
connect
reset
wait_log "started: connection reset by peer"
--- error_log
~ \[info\] .*recv\(\) failed \(104: Connection reset by peer\) while running Lua, client: 127\.0\.0\.1
--- no_error_log
[error]


=== accept: the INFO line names the client and the listening socket
--- tcp_server_config
process_by_lua_block { ngx.print("hello") }
--- request_parts
expect "hello"
expect_eof
A: expect "hello"
A: expect_eof
--- error_log
~ \[info\] \d+#\d+: \*\d+ client 127\.0\.0\.1 connected to 127\.0\.0\.1:$TEST_PORT$
--- grep_error_log eval: qr/connected to/
--- grep_error_log_out
connected to
connected to
--- no_error_log
[error]


=== accept: the INFO line of a wildcard socket
--- tcp_config
server {
    listen $TEST_PORT;
    process_by_lua_block { ngx.print("hello") }
}
--- response chomp
hello
--- no_reload: the block before it listens on 127.0.0.1 of that port
--- error_log
~ \[info\] \d+#\d+: \*\d+ client 127\.0\.0\.1 connected to 0\.0\.0\.0:$TEST_PORT$
--- no_error_log
[error]


=== accept: the INFO line of an IPv6 socket
--- tcp_config
server {
    listen [::1]:$TEST_PORT;
    process_by_lua_block { ngx.print("hello") }
}
--- connect: [::1]:$TEST_PORT
--- response chomp
hello
--- error_log
~ client ::1 connected to \[::1\]:$TEST_PORT$
--- no_error_log
[error]


=== accept: the INFO line of a unix socket
--- tcp_config
server {
    listen unix:$TEST_DIR/s.sock;
    process_by_lua_block { ngx.print(ngx.receive(2)) }
}
--- connect: unix:$TEST_DIR/s.sock
--- request: hi
--- response: hi
--- error_log
~ client unix: connected to unix:\S+/s\.sock$
--- no_error_log
[error]


=== log context: number, action, client and server while the script runs
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.WARN, "first")
    ngx.receive(1)
    ngx.log(ngx.WARN, "second")
    ngx.wait_next_request()
    ngx.log(ngx.WARN, "third")
    ngx.print("x")
}
--- request_parts
send "a"
sync
send "b"
expect "x"
expect_eof
--- error_log
~ \[warn\] \d+#\d+: \*\d+ .*first.* while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$
~ \[warn\] \d+#\d+: \*\d+ .*second.* while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$
~ \[warn\] \d+#\d+: \*\d+ .*third.* while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$


=== log context: parked
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.wait_next_request()
}
--- request_parts
send "a"
sync
half_close
expect_eof
--- error_log
~ \[info\] .* client prematurely closed connection while lua_req_keepalive, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$
--- no_error_log
[error]


=== deferred: the script starts at the first byte
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT deferred;
    process_by_lua_block {
        ngx.log(ngx.WARN, "started")
        ngx.print("got ", ngx.receive(1))
    }
}
--- request_parts
connect
sync
expect_nothing 0.2
send "a"
expect "got a"
expect_eof
--- grep_error_log eval: qr/started|connected to/
--- grep_error_log_out
connected to
started
--- no_error_log
[error]


=== deferred: a client that has half-closed without a byte
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT deferred;
    process_by_lua_block { ngx.print(select(2, ngx.receive(1))) }
}
--- request_parts
half_close
expect "closed"
expect_eof
--- no_error_log
[error]


=== servers: each has its script and its timeouts
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block { ngx.print("one ", select(2, ngx.receive(1))) }
--- tcp_server_config2
read_timeout 20s;
process_by_lua_block { ngx.print("two ", ngx.receive(1)) }
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
B: connect 127.0.0.1:$TEST_PORT2
A: expect "one timeout"
A: expect_eof
B: send "x"
B: expect "two x"
B: expect_eof


=== servers: each has its error_log and its level
--- tcp_config
error_log logs/tcp.log warn;
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.INFO, "one info")
    ngx.log(ngx.WARN, "one warn")
    ngx.print("a")
}
--- tcp_server_config2
error_log logs/two.log info;
process_by_lua_block {
    ngx.log(ngx.INFO, "two info")
    ngx.log(ngx.WARN, "two warn")
    ngx.print("b")
}
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: expect "a"
A: expect_eof
B: connect 127.0.0.1:$TEST_PORT2
B: expect "b"
B: expect_eof
--- file_like
>>> logs/tcp.log
\A\N*\[warn\] \N*one warn\N*, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT\n\z
>>> logs/two.log
\A\N*\[info\] \N*client 127\.0\.0\.1 connected to\N*\n\N*\[info\] \N*two info\N*\n\N*\[warn\] \N*two warn\N*, server: 127\.0\.0\.1:$TEST_PORT2\n\z
--- no_error_log
one warn
two info
two warn
