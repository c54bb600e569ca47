# nlog and access_nlog: lines of logs as datagrams, in place of their files.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== access_nlog: each line is a datagram, and the file stays empty
--- tcp_config
log_format x "$connection_requests $bytes_sent";
--- tcp_server_config
access_log logs/x.log x;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- udp_peer
expect "1 2\n"
expect "2 5\n"
--- request_parts
send "a\n"
expect "a\n"
send "bc\n"
expect "bc\n"
--- file_is
>>> logs/x.log
--- no_error_log
[error]


=== access_nlog: is for the first log of its level; servers inherit it
--- tcp_config
log_format x "$server_port";
log_format y "y$server_port";
access_log logs/x.log x;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
access_log logs/y.log y;
server { listen 127.0.0.1:$TEST_PORT; process_by_lua 'ngx.print("x")'; }
server {
    listen 127.0.0.1:$TEST_PORT2;
    access_log logs/x.log x;
    process_by_lua 'ngx.print("x")';
}
server { listen 127.0.0.1:$TEST_PORT3; process_by_lua 'ngx.print("x")'; }
--- udp_peer
expect "$TEST_PORT\n"
expect "$TEST_PORT3\n"
--- request_parts
A: expect "x"
A: expect_eof
B: connect $TEST_PORT2
B: expect "x"
B: expect_eof
C: connect $TEST_PORT3
C: expect "x"
C: expect_eof
--- file_is
>>> logs/x.log
$TEST_PORT2
>>> logs/y.log
y$TEST_PORT
y$TEST_PORT3
--- no_error_log
[error]


=== access_nlog: nobody listens, and the clients do not notice
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_CLOSED_PORT;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\nb\nc\n"
expect "a\nb\nc\n"
--- no_error_log
[error]


=== access_nlog: who begins to listen later gets the next line
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/x.log x;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_CLOSED_PORT;
error_log logs/server.log notice;
nlog 127.0.0.1:$TEST_PORT6 127.0.0.1:$TEST_CLOSED_PORT;
process_by_lua_block {
    local ffi = require "ffi"
    ffi.cdef [[
        int socket(int, int, int);
        int bind(int, const void *, unsigned);
        long recv(int, void *, size_t, int);
        int close(int);
    ]]
    local C, port = ffi.C, $TEST_CLOSED_PORT
    local address = string.char(2, 0, port / 256, port % 256, 127, 0, 0, 1)
    local fd = C.socket(2, 2 + 2048, 0) -- IPv4, UDP, non-blocking

    local function received()
        local buf = ffi.new("char[2048]")
        local n = tonumber(C.recv(fd, buf, 2048, 0))
        return n > 0 and ffi.string(buf, n) or "nothing\n"
    end

    ngx.log(ngx.NOTICE, "first")
    ngx.receive()
    ngx.wait_next_request()
    assert(C.bind(fd, address .. ("\0"):rep(8), 16) == 0)
    ngx.log(ngx.NOTICE, "second")
    ngx.receive()
    ngx.wait_next_request()
    ngx.say(received():match("second") or "nothing")
    ngx.print(received())
    C.close(fd)
}
--- request
a
b
c
--- response
second
2
--- no_error_log
[error]


=== access_nlog: over a reload
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/x.log x;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
process_by_lua_block { ngx.print(ngx.receive(1)) ngx.print(ngx.receive(1)) }
--- repeat: 1
--- udp_peer
expect "1\n"
expect "1\n"
expect "1\n"
--- request_parts
A: send "a"
sync
reload
B: send "cd"
B: expect "cd"
B: expect_eof
A: expect "a"
A: send "b"
A: expect "b"
A: expect_eof
wait_workers
reload
wait_workers
C: send "ef"
C: expect "ef"
C: expect_eof
--- no_error_log
[error]


=== access_nlog: without access_log
--- tcp_config
access_log logs/x.log;
--- tcp_server_config
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
"access_nlog" directive need set access_log first in $TEST_DIR/conf/nginx.conf:


=== access_nlog: twice
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
"access_nlog" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== access_nlog: after off it is not looked at
--- tcp_server_config
access_log off;
access_nlog none none;
process_by_lua ' ';
--- conf_ok


=== access_nlog: no port
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
no valid port or no valid ipv4 address in $TEST_DIR/conf/nginx.conf:


=== access_nlog: a host name
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5 localhost:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
no valid port or no valid ipv4 address in $TEST_DIR/conf/nginx.conf:


=== access_nlog: an IPv6 address
--- tcp_server_config
access_log logs/x.log;
access_nlog [::1]:$TEST_PORT5 [::1]:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
no valid port or no valid ipv4 address in $TEST_DIR/conf/nginx.conf:


=== access_nlog: a bad port
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:70000;
process_by_lua ' ';
--- conf_error
invalid port in "127.0.0.1:70000" of the "access_nlog" directive in $TEST_DIR/conf/nginx.conf:


=== access_nlog: an address that is not here
--- tcp_server_config
access_log logs/x.log;
access_nlog 192.0.2.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
bind() failed, 99 in $TEST_DIR/conf/nginx.conf:


=== access_nlog: a network that cannot be reached
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5 255.255.255.255:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
connect() failed, 13 in $TEST_DIR/conf/nginx.conf:


=== access_nlog: one argument
--- tcp_server_config
access_log logs/x.log;
access_nlog 127.0.0.1:$TEST_PORT5;
process_by_lua ' ';
--- conf_error
invalid number of arguments in "access_nlog" directive in $TEST_DIR/conf/nginx.conf:


=== nlog: each line of the server's error log is a datagram
--- tcp_server_config
error_log logs/server.log notice;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
process_by_lua_block {
    ngx.log(ngx.NOTICE, "the first")
    ngx.log(ngx.INFO, "not this")
    ngx.log(ngx.ERR, "the second")
    ngx.print("x")
}
--- udp_peer
expect_like /\A\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[notice\] \d+#\d+: \*\d+ [^\n]*the first while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+\n\z/
expect_like /\A\d{4}[^\n]* \[error\] [^\n]*the second while[^\n]*\n\z/
--- response: x
--- file_is
>>> logs/server.log


=== nlog: servers inherit it with the error_log
--- tcp_config
error_log logs/server.log notice;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
server {
    listen 127.0.0.1:$TEST_PORT;
    process_by_lua 'ngx.log(ngx.NOTICE, "one") ngx.print("x")';
}
server {
    listen 127.0.0.1:$TEST_PORT2;
    error_log logs/server.log notice;
    process_by_lua 'ngx.log(ngx.NOTICE, "two") ngx.print("x")';
}
--- udp_peer
expect_like /\A[^\n]*one while[^\n]*\n\z/
--- request_parts
A: expect "x"
A: expect_eof
B: connect $TEST_PORT2
B: expect "x"
B: expect_eof
--- file_like
>>> logs/server.log
\A[^\n]*two while[^\n]*\n\z


=== nlog: over reloads, and a worker that is told to exit
--- tcp_server_config
error_log logs/server.log notice;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
process_by_lua_block {
    ngx.log(ngx.NOTICE, ngx.receive(1))
    ngx.log(ngx.NOTICE, ngx.receive(1))
    ngx.print("x")
}
--- repeat: 1
--- udp_peer
expect_like /: a while/
expect_like /: c while/
expect_like /: d while/
expect_like /: b while/
--- request_parts
A: send "a"
sync
reload
B: send "cd"
B: expect "x"
B: expect_eof
A: send "b"
A: expect "x"
A: expect_eof
wait_workers
reload
wait_workers
signal TERM
wait_exit


=== nlog: without error_log
--- tcp_config
error_log logs/server.log;
--- tcp_server_config
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
"nlog" directive need set error_log first in $TEST_DIR/conf/nginx.conf:


=== nlog: twice
--- tcp_server_config
error_log logs/server.log;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
"nlog" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== nlog: no port
--- tcp_server_config
error_log logs/server.log;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1;
process_by_lua ' ';
--- conf_error
no valid port or no valid ipv4 address in $TEST_DIR/conf/nginx.conf:


=== nlog: a bad port
--- tcp_server_config
error_log logs/server.log;
nlog 127.0.0.1:x 127.0.0.1:$TEST_PORT6;
process_by_lua ' ';
--- conf_error
invalid port in "127.0.0.1:x" of the "nlog" directive in $TEST_DIR/conf/nginx.conf:


=== nlog: outside of all blocks, the log before it
--- main_config
error_log logs/main.log warn;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_UDP_PEER_PORT;
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.NOTICE, "not this")
    ngx.log(ngx.ERR, "this")
    ngx.print("x")
}
--- udp_peer
expect_like /\A\d{4}[^\n]* \[error\] [^\n]*: this while[^\n]*\n\z/
--- response: x
--- file_is
>>> logs/main.log
--- error_log
: not this
: this


=== nlog: outside of all blocks, a log that becomes the first by its level
--- main_config
error_log logs/main.log debug;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_CLOSED_PORT;
--- tcp_server_config
process_by_lua_block { ngx.print("x") }
--- repeat: 1
--- request_parts
A: expect "x"
A: expect_eof
reload
wait_workers
B: expect "x"
B: expect_eof
--- file_like
>>> logs/main.log
(?s)\A(?!.*connected to)


=== nlog: outside of all blocks, taken out by a reload
--- main_config
error_log logs/main.log notice;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_CLOSED_PORT;
--- tcp_server_config
process_by_lua_block { ngx.print("x") }
--- repeat: 1
--- request_parts
A: expect "x"
A: expect_eof
edit_file conf/nginx.conf "nlog 127" => "#nlog 127"
reload
wait_workers
B: expect "x"
B: expect_eof
--- file_like
>>> logs/main.log
(?s)\A(?!.*shutting down).*start worker process


=== nlog: outside of all blocks, the module itself goes by a reload
--- config
load_module $TEST_MODULE;
error_log logs/main.log notice;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_CLOSED_PORT;
error_log logs/other.log debug;
nlog 127.0.0.1:$TEST_PORT6 127.0.0.1:$TEST_CLOSED_PORT;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block { ngx.print("x") }
    }
}
--- repeat: 1
--- request_parts
expect "x"
expect_eof
write_file conf/nginx.conf "events {}"
reload
wait_workers
--- no_error_log
[alert]


=== nlog: outside of all blocks, twice
--- config
load_module $TEST_MODULE;
error_log logs/main.log;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
nlog 127.0.0.1:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
events {}
--- conf_error
"nlog" directive is duplicate in $TEST_DIR/conf/nginx.conf:4


=== nlog: outside of all blocks, a host name
--- main_config
nlog localhost:$TEST_PORT5 127.0.0.1:$TEST_PORT6;
--- conf_error
no valid port or no valid ipv4 address in $TEST_DIR/conf/nginx.conf:
