# access_log: when a line is written and where, inheritance, the default, what
# is refused; files that are reopened, and that cannot be written.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== access_log: a line at each end of a request
--- tcp_config
log_format x "$connection_requests $bytes_sent";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a\n"
wait_file logs/x.log "1 2\n"
send "b\n"
expect "b\n"
wait_file logs/x.log "2 4\n"
sync
half_close
expect_eof
--- file_is
>>> logs/x.log
1 2
2 4
--- no_error_log
[error]


=== access_log: pipelined requests
--- tcp_config
log_format x "$connection_requests $bytes_sent";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send_fin "a\nbb\nccc\n"
expect "a\nbb\nccc\n"
expect_eof
--- file_is
>>> logs/x.log
1 2
2 5
3 9
--- no_error_log
[error]


=== access_log: the last request's line is written when the script has ended
--- tcp_config
log_format x "$connection_requests $bytes_received $bytes_sent";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    ngx.say(ngx.receive())
    ngx.wait_next_request()
    ngx.say(ngx.receive())
    ngx.exit()
}
--- request_parts
send "a\nbc\n"
expect "a\nbc\n"
expect_eof
--- file_is
>>> logs/x.log
1 5 2
2 5 5
--- skip_mode: slow: the second line comes later there
--- no_error_log
[error]


=== access_log: a script that only sends, and one that only receives
--- tcp_config
log_format x "$bytes_received $bytes_sent";
access_log logs/x.log x;
--- tcp_server_config
process_by_lua_block { ngx.print("hello") }
--- tcp_server_config2
process_by_lua_block { ngx.receive(3) }
--- request_parts
A: expect "hello"
A: expect_eof
B: connect $TEST_PORT2
B: send "abc"
B: expect_close
--- file_is
>>> logs/x.log
0 5
3 0
--- no_error_log
[error]


=== access_log: no line for a connection on which nothing was said
--- tcp_config
log_format x "$bytes_received $bytes_sent";
access_log logs/x.log x;
--- tcp_server_config
process_by_lua_block { if ngx.receive(1) then ngx.print("x") end }
--- tcp_server_config2
process_by_lua_block {
    ngx.wait_next_request()
    ngx.print(ngx.receive(2))
}
--- request_parts
A: connect
A: close
B: send "a"
B: expect "x"
B: expect_eof
C: connect
C: half_close
C: expect_eof
D: connect $TEST_PORT2
D: sync
D: close
E: connect $TEST_PORT2
E: send "bc"
E: expect "bc"
E: expect_eof
--- file_is
>>> logs/x.log
1 1
2 2


=== access_log: a greeting that still waits to be sent is something said
--- tcp_config
log_format x "$connection_requests $bytes_received $bytes_sent";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    ngx.print("hello")
    ngx.wait_next_request()
}
--- request_parts
expect "hello"
half_close
expect_eof
--- file_is
>>> logs/x.log
1 0 5
--- no_error_log
[error]


=== access_log: no line for a parked connection that closes
--- tcp_config
log_format x "$connection_requests";
access_log logs/x.log x;
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.print("never")
}
--- request_parts
A: send "a"
A: expect "a"
B: send "b"
B: expect "b"
C: send "c"
C: expect "c"
sync
A: close
B: half_close
B: expect_eof
C: reset
sync
--- file_is
>>> logs/x.log
1
1
1


=== access_log: no line for a client that may not connect
--- tcp_config
log_format x "$connection_requests";
access_log logs/x.log x;
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print("never") }
--- tcp_server_config2
process_by_lua_block { ngx.print("x") }
--- request_parts
A: connect
A: expect_close
B: connect $TEST_PORT2
B: expect "x"
B: expect_eof
--- file_is
>>> logs/x.log
1
--- error_log
access forbidden by rule


=== access_log: a script that fails, and one that a client leaves
--- tcp_config
log_format x "$bytes_received $bytes_sent";
access_log logs/x.log x;
lua_check_client_abort on;
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(2)) error("broken") }
--- tcp_server_config2
process_by_lua_block { ngx.print(ngx.receive(1)) ngx.sleep(1000) }
--- request_parts
A: send "ab"
A: expect "ab"
A: expect_eof
B: connect $TEST_PORT2
B: send "c"
B: expect "c"
B: close
wait_log "client prematurely closed connection"
--- file_is
>>> logs/x.log
2 2
1 1
--- error_log
broken


=== access_log: what a slow reader got is in its line
--- tcp_config
log_format x "$bytes_sent";
access_log logs/x.log x;
--- tcp_server_config
process_by_lua_block { ngx.print(("x"):rep(3000000)) }
--- request_parts
connect rcvbuf=4096
stop_reading
sync
start_reading
expect_bytes 3000000
expect_eof
--- file_is
>>> logs/x.log
3000000
--- skip_mode: slow: three million turns
--- no_error_log
[error]


=== access_log: by default logs/access_tcp.log in the format combined
--- tcp_server_config
process_by_lua_block { ngx.print("x") }
--- response: x
--- file_like
>>> logs/access_tcp.log
\A127\.0\.0\.1 \S+ \S+ \S+ \d+ 1 tcp_lua\n\z
--- no_error_log
[error]


=== access_log: the default is not opened where all servers have their own
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT;
    access_log logs/x.log;
    process_by_lua_block {
        local f = io.open(ngx.config.prefix() .. "logs/access_tcp.log")
        ngx.print(f and "there" or "none")
    }
}
server { listen 127.0.0.1:$TEST_PORT2; access_log off; process_by_lua ' '; }
--- response: none
--- no_reload: the default may be left of another block
--- no_error_log
[error]


=== access_log: inherited, replaced, off
--- tcp_config
log_format x "$server_port";
access_log logs/x.log x;
server { listen 127.0.0.1:$TEST_PORT; process_by_lua 'ngx.print("x")'; }
server {
    listen 127.0.0.1:$TEST_PORT2;
    access_log logs/y.log x;
    process_by_lua 'ngx.print("x")';
}
server {
    listen 127.0.0.1:$TEST_PORT3;
    access_log off;
    process_by_lua 'ngx.print("x")';
}
--- request_parts
A: connect $TEST_PORT
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
$TEST_PORT
>>> logs/y.log
$TEST_PORT2
--- no_error_log
[error]


=== access_log: off in tcp is inherited, and a server may have one
--- tcp_config
log_format x "$server_port";
access_log off;
server { listen 127.0.0.1:$TEST_PORT; process_by_lua 'ngx.print("x")'; }
server {
    listen 127.0.0.1:$TEST_PORT2;
    access_log logs/y.log x;
    process_by_lua 'ngx.print("x")';
}
--- request_parts
A: connect $TEST_PORT
A: expect "x"
A: expect_eof
B: connect $TEST_PORT2
B: expect "x"
B: expect_eof
--- file_is
>>> logs/y.log
$TEST_PORT2
--- no_error_log
[error]


=== access_log: off is for its whole level
--- tcp_config
log_format x "$server_port";
--- tcp_server_config
access_log logs/x.log x;
access_log off;
access_log logs/y.log x;
process_by_lua 'ngx.print("x")';
--- response: x
--- file_is
>>> logs/x.log
>>> logs/y.log
--- no_error_log
[error]


=== access_log: several, also of one file
--- tcp_config
log_format x "x";
log_format y "y$connection_requests";
--- tcp_server_config
access_log logs/x.log x;
access_log logs/y.log y;
access_log logs/x.log y;
process_by_lua 'ngx.print("x")';
--- response: x
--- file_is
>>> logs/x.log
x
y1
>>> logs/y.log
y1
--- no_error_log
[error]


=== access_log: a format's name in another case
--- tcp_config
log_format Short "s";
--- tcp_server_config
access_log logs/x.log sHORT;
access_log logs/y.log Combined;
process_by_lua 'ngx.print("x")';
--- response: x
--- file_like
>>> logs/x.log
\As\n\z
>>> logs/y.log
\A127\.0\.0\.1 .* tcp_lua\n\z
--- no_error_log
[error]


=== access_log: a path from the root
--- tcp_config
log_format x "x";
--- tcp_server_config
access_log $TEST_DIR/logs/x.log x;
process_by_lua 'ngx.print("x")';
--- response: x
--- file_is
>>> logs/x.log
x
--- no_error_log
[error]


=== access_log: reopened by USR1
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/moved.log x;
process_by_lua_block {
    while true do
        local line = ngx.receive()
        if line == "move" then
            local prefix = ngx.config.prefix() .. "logs/"
            assert(os.rename(prefix .. "moved.log", prefix .. "old.log"))
        end
        ngx.say(line)
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a\n"
send "move\n"
expect "move\n"
sync
send "b\n"
expect "b\n"
wait_file logs/old.log /1\n2\n\z/
wait_file logs/moved.log /\A3\n\z/
--- repeat: 1
--- no_error_log
[error]


=== access_log: workers of another user write it, and reopen it
--- main_config
user www-data;
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a\n"
sync
send "b\n"
expect "b\n"
sync
--- file_is
>>> logs/x.log
1
2
--- skip_if: $> != 0 && "only root may change users"
--- no_error_log
[error]


=== access_log: over a reload, an old worker writes on
--- tcp_config
log_format x "$pid $connection_requests";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.print(ngx.receive(1)) ngx.print(ngx.receive(1)) }
--- repeat: 1
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
--- file_like
>>> logs/x.log
\A(\d+) 1\n(?!\1)\d+ 1\n\z
--- no_error_log
[error]


=== access_log: another file after a reload
--- tcp_config
log_format x "x";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.print(ngx.receive(1)) }
--- repeat: 1
--- request_parts
A: send "a"
A: expect "a"
A: expect_eof
edit_file conf/nginx.conf "x.log x" => "y.log x"
reload
B: send "b"
B: expect "b"
B: expect_eof
--- file_is
>>> logs/x.log
x
>>> logs/y.log
x
--- no_error_log
[error]


=== access_log: a worker that exits writes what is open
--- tcp_config
log_format x "$bytes_received";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.receive(5) ngx.sleep(1000) }
--- repeat: 1
--- request_parts
send "hello"
sync
signal TERM
expect_close
wait_exit
--- file_is
>>> logs/x.log
5
--- no_error_log
[error]


=== access_log: a worker that is killed has written its lines, the next goes on
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- request_parts
A: send "a\nb\n"
A: expect "a\nb\n"
signal_worker KILL
A: expect_close
wait_log "exited on signal 9"
B: send "c\n"
B: expect "c\n"
--- file_is
>>> logs/x.log
1
2
1
--- error_log
exited on signal 9
--- skip_mode: valgrind: a killed worker leaves errors there


=== access_log: lines of two workers stay whole
--- workers: 2
--- tcp_config
log_format x "<$connection_requests $protocol $protocol $protocol $protocol>";
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT reuseport;
access_log logs/x.log x;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- clients: 20
--- request_parts
send "a\nb\nc\n"
expect "a\nb\nc\n"
--- file_like
>>> logs/x.log
\A(?:<[123] tcp_lua tcp_lua tcp_lua tcp_lua>\n){60}\z
--- no_error_log
[error]


=== access_log: a buffer is written when it is full, when nginx is told, at exit
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/buffered.log x buffer=8;
process_by_lua_block {
    local function log()
        local f = io.open(ngx.config.prefix() .. "logs/buffered.log")
        local text = f:read("*a")
        f:close()
        return (text:gsub("%s", ","))
    end
    while true do
        local line = ngx.receive()
        if line == "truncate" then
            io.open(ngx.config.prefix() .. "logs/buffered.log", "w"):close()
        end
        ngx.say(log())
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- request_parts
send "truncate\n"
expect "\n"
send "b\n"
expect "\n"
send "c\n"
expect "\n"
send "d\n"
expect "\n"
send "e\n"
expect "\n"
send "f\n"
expect "1,2,3,4,\n"
sync
send "g\n"
expect "1,2,3,4,5,6,\n"
send "h\n"
expect "1,2,3,4,5,6,\n"
signal QUIT
expect_eof
wait_exit
wait_file logs/buffered.log /\A1\n2\n3\n4\n5\n6\n7\n8\n\z/
--- no_error_log
[error]


=== access_log: a buffer, a line that is longer
--- tcp_config
log_format x "$connection_requests";
log_format long "$connection_requests 0123456789";
--- tcp_server_config
access_log logs/x.log x buffer=8;
access_log logs/x.log long buffer=8;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\nb\n"
expect "a\nb\n"
sync
--- file_is
>>> logs/x.log
1
1 0123456789
2
2 0123456789
--- no_error_log
[error]


=== access_log: a buffer is written when its lines are so old
--- tcp_config
log_format x "$connection_requests";
--- tcp_server_config
access_log logs/x.log x buffer=64k flush=200ms;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a\n"
wait_file logs/x.log "1\n"
send "b\n"
expect "b\n"
wait_file logs/x.log "2\n"
send "c\n"
expect "c\n"
wait_file logs/x.log "3\n"
--- file_is
>>> logs/x.log
1
2
3
--- no_error_log
[error]


=== access_log: a buffer over reloads, and what an exiting worker logs last
--- tcp_config
log_format x "$connection_requests $bytes_received";
--- tcp_server_config
access_log logs/x.log x buffer=64k flush=1h;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
    ngx.sleep(1000)
}
--- repeat: 1
--- request_parts
A: send "a"
A: expect "a"
reload
A: expect_eof
wait_workers
wait_file logs/x.log "1 1\n"
B: send "b"
B: expect "b"
B: send "c"
B: expect "c"
signal TERM
B: expect_close
wait_exit
--- file_is
>>> logs/x.log
1 1
1 1
2 2
--- no_error_log
[error]


=== access_log: a buffer, and a full disk
--- tcp_server_config
access_log /dev/full combined buffer=1k;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- request_parts
send "a\nb\nc\n"
expect "a\nb\nc\n"
sync
--- error_log
~ \[alert\] \d+#\d+: write\(\) to "/dev/full" failed \(28: No space left on device\)


=== access_log: a buffer that is written often, and a full disk
--- tcp_server_config
access_log /dev/full combined buffer=64k flush=1ms;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
        ngx.sleep(0.05)
    end
}
--- repeat: 1
--- request_parts
send "a\nb\nc\n"
expect "a\nb\nc\n"
sync
--- grep_error_log
~ write\(\) to "/dev/full" failed \(.*?\)
--- grep_error_log_out
write() to "/dev/full" failed (28: No space left on device)
--- error_log
~ \[alert\] \d+#\d+: write\(\) to "/dev/full" failed


=== access_log: a buffer of another size for the same file
--- tcp_config
access_log logs/x.log combined buffer=1k;
--- tcp_server_config
access_log logs/x.log combined buffer=2k;
process_by_lua ' ';
--- conf_error
access_log "$TEST_DIR/logs/x.log" already defined with conflicting parameters in $TEST_DIR/conf/nginx.conf:


=== access_log: a buffer of http's for the same file
--- http_config
http { access_log logs/x.log combined buffer=1k; }
--- tcp_server_config
access_log logs/x.log combined buffer=1k;
process_by_lua ' ';
--- conf_error
access_log "$TEST_DIR/logs/x.log" already defined with conflicting parameters in $TEST_DIR/conf/nginx.conf:


=== access_log: a buffer of http's for the same file, the other way round
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        access_log logs/x.log combined buffer=1k;
        process_by_lua ' ';
    }
}
http { access_log logs/x.log combined buffer=1k; }
--- conf_error
access_log "logs/x.log" already defined with conflicting parameters in $TEST_DIR/conf/nginx.conf:


=== access_log: a file of http's
--- http_config
http { access_log logs/x.log; }
--- tcp_config
log_format x "x";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua 'ngx.print("x")';
--- response: x
--- file_is
>>> logs/x.log
x
--- no_error_log
[error]


=== access_log: bad sizes of a buffer
--- tcp_server_config
access_log logs/x.log combined buffer=1x;
process_by_lua ' ';
--- conf_error
invalid buffer size "1x" in $TEST_DIR/conf/nginx.conf:


=== access_log: a buffer without bytes
--- tcp_server_config
access_log logs/x.log combined buffer=0;
process_by_lua ' ';
--- conf_error
invalid buffer size "0" in $TEST_DIR/conf/nginx.conf:


=== access_log: a bad time of flushing
--- tcp_server_config
access_log logs/x.log combined buffer=1k flush=soon;
process_by_lua ' ';
--- conf_error
invalid flush time "soon" in $TEST_DIR/conf/nginx.conf:


=== access_log: a buffer that no memory is large enough for
--- tcp_server_config
access_log logs/x.log combined buffer=100000000m;
process_by_lua ' ';
--- conf_error
malloc(104857600000000) failed in $TEST_DIR/conf/nginx.conf:


=== access_log: a time of flushing without a buffer
--- tcp_server_config
access_log logs/x.log combined flush=1s;
process_by_lua ' ';
--- conf_error
no buffer is defined for access_log "logs/x.log" in $TEST_DIR/conf/nginx.conf:


=== access_log: a full disk is complained about once, and the answers go on
--- tcp_server_config
access_log /dev/full;
process_by_lua_block {
    while true do
        ngx.say(ngx.receive())
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- request_parts
send "a\nb\nc\n"
expect "a\nb\nc\n"
sync
--- grep_error_log
~ write\(\) to "/dev/full" failed \(.*?\)
--- grep_error_log_out
write() to "/dev/full" failed (28: No space left on device)
--- error_log
~ \[alert\] \d+#\d+: \*\d+ write\(\) to "/dev/full" failed .* while running Lua, client: 127\.0\.0\.1


=== access_log: a folder that is not there
--- tcp_server_config
access_log logs/none/x.log;
process_by_lua ' ';
--- conf_error
~ \[emerg\] open\(\) "$TEST_DIR/logs/none/x\.log" failed \(2: No such file or directory\)
test failed


=== access_log: off with more
--- tcp_server_config
access_log off combined;
process_by_lua ' ';
--- conf_error
invalid parameter "combined" in $TEST_DIR/conf/nginx.conf:


=== access_log: an unknown format
--- tcp_server_config
access_log logs/x.log none;
process_by_lua ' ';
--- conf_error
unknown log format "none" in $TEST_DIR/conf/nginx.conf:


=== access_log: a format that comes later
--- tcp_config
access_log logs/x.log x;
log_format x "x";
--- conf_error
unknown log format "x" in $TEST_DIR/conf/nginx.conf:


=== access_log: too many parameters
--- tcp_server_config
access_log logs/x.log combined more;
process_by_lua ' ';
--- conf_error
too many parameter , not more than 3 parameter in $TEST_DIR/conf/nginx.conf:


=== access_log: gzip is for http
--- tcp_server_config
access_log logs/x.log combined gzip=5;
process_by_lua ' ';
--- conf_error
invalid parameter "gzip=5" in $TEST_DIR/conf/nginx.conf:


=== access_log: if is for http
--- tcp_server_config
access_log logs/x.log combined if=$loggable;
process_by_lua ' ';
--- conf_error
invalid parameter "if=$loggable" in $TEST_DIR/conf/nginx.conf:


=== access_log: without arguments
--- tcp_server_config
access_log;
process_by_lua ' ';
--- conf_error
invalid number of arguments in "access_log" directive in $TEST_DIR/conf/nginx.conf:


=== access_log: outside of tcp
--- main_config
access_log logs/x.log;
--- conf_error
"access_log" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== access_log: to syslog
--- tcp_config
log_format x "$connection_requests $bytes_sent";
--- tcp_server_config
access_log syslog:server=127.0.0.1:$TEST_UDP_PEER_PORT,tag=tcp,severity=notice x;
process_by_lua_block { ngx.print("hello") }
--- udp_peer
expect_like /\A<189>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ tcp: 1 5\z/
--- response: hello
--- no_error_log
[error]


=== access_log: a syslog without server
--- tcp_server_config
access_log syslog:tag=x;
process_by_lua ' ';
--- conf_error
no syslog server specified in $TEST_DIR/conf/nginx.conf:


=== access_log: syslog has no buffer
--- tcp_server_config
access_log syslog:server=127.0.0.1 combined buffer=1k;
process_by_lua ' ';
--- conf_error
parameter "buffer=1k" is not supported by syslog in $TEST_DIR/conf/nginx.conf:
