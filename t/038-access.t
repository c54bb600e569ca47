# allow and deny: who may connect, by which rule, and what the others see.

use lib 't/lib';
use Test::Nginx::TCP;

# A server that connects from 127.0.0.1 to 127.0.0.4 to $TEST_PORT2, and tells
# what it was answered: nothing where it was refused.
our $ASK = <<'_EOC_';
process_by_lua_block {
    for i = 1, 4 do
        local from = "127.0.0." .. i
        local sock = ngx.socket.tcp()
        sock:bind(from)
        local ok, err = sock:connect("127.0.0.1", $TEST_PORT2)
        ngx.say(from, ": ", ok and sock:receive("*a") or err)
        sock:close()
    end
}
_EOC_

run_tests();

__DATA__

=== deny: the client is closed before a script runs
--- tcp_server_config
deny 127.0.0.1;
process_by_lua_block { ngx.log(ngx.WARN, "started") }
--- request_parts
connect
expect_eof
--- error_log
~ \[info\] \d+#\d+: \*\d+ client 127\.0\.0\.1 connected to 127\.0\.0\.1:$TEST_PORT$
~ \[error\] \d+#\d+: \*\d+ access forbidden by rule while initializing session, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$
--- no_error_log
started
[warn]


=== deny: a client that has sent is closed at once, too
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print(ngx.receive("*a")) }
--- request_parts
connect
send "hello"
expect_close
--- error_log
access forbidden by rule


=== deny: the line goes to the server's own log
--- tcp_server_config
error_log logs/own.log;
deny all;
process_by_lua_block { ngx.print("x") }
--- request_parts
connect
expect_eof
--- file_like
>>> logs/own.log
^\S+ \S+ \[error\] \d+#\d+: \*\d+ access forbidden by rule while [^\n]*\n$
--- no_error_log
forbidden


=== deny: with deferred, reuseport, and several workers
--- workers: 2
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT5 deferred;
    listen 127.0.0.1:$TEST_PORT6 reuseport;
    deny all;
    process_by_lua_block { ngx.log(ngx.WARN, "started") }
}
--- request_parts
A: connect $TEST_PORT5
A: send "x"
A: expect_close
B: connect $TEST_PORT6
B: expect_eof
C: connect $TEST_PORT6
C: expect_eof
--- grep_error_log eval: qr/access forbidden by rule|started/
--- grep_error_log_out
access forbidden by rule
access forbidden by rule
access forbidden by rule


=== deny: without a master process
--- master_process: off
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print("x") }
--- tcp_server_config2
allow all;
process_by_lua_block { ngx.print("y") }
--- request_parts
A: connect
A: expect_eof
B: connect $TEST_PORT2
B: expect "y"
B: expect_eof
--- error_log
access forbidden by rule


=== order: the first rule that is for the client decides
--- tcp_server_config eval: $main::ASK
--- tcp_server_config2
allow 127.0.0.2;
deny 127.0.0.2;
deny 127.0.0.3;
allow 127.0.0.0/8;
deny all;
process_by_lua_block { ngx.print("hello") }
--- response
127.0.0.1: hello
127.0.0.2: hello
127.0.0.3: 
127.0.0.4: hello
--- grep_error_log eval: qr/forbidden.*client: [\d.]+/
--- grep_error_log_out
forbidden by rule while initializing session, client: 127.0.0.3


=== order: who is in no rule may connect
--- tcp_server_config eval: $main::ASK
--- tcp_server_config2
deny 127.0.0.2/31;
process_by_lua_block { ngx.print("hello") }
--- response
127.0.0.1: hello
127.0.0.2: 
127.0.0.3: 
127.0.0.4: hello


=== order: a rule behind "all" has no effect
--- tcp_server_config eval: $main::ASK
--- tcp_server_config2
allow 127.0.0.4;
deny all;
allow 127.0.0.1;
process_by_lua_block { ngx.print("hello") }
--- response
127.0.0.1: 
127.0.0.2: 
127.0.0.3: 
127.0.0.4: hello


=== a network of length 0
--- tcp_server_config eval: $main::ASK
--- tcp_server_config2
allow 127.0.0.1;
deny 0.0.0.0/0;
process_by_lua_block { ngx.print("hello") }
--- response
127.0.0.1: hello
127.0.0.2: 
127.0.0.3: 
127.0.0.4: 


=== low bits that the mask leaves out do not count
--- tcp_server_config eval: $main::ASK
--- tcp_server_config2
deny 127.0.0.3/31;
process_by_lua_block { ngx.print("hello") }
--- start_log
~ \[warn\] .*low address bits of 127\.0\.0\.3/31 are meaningless in $TEST_DIR/conf/nginx\.conf:\d+$
--- response
127.0.0.1: hello
127.0.0.2: 
127.0.0.3: 
127.0.0.4: hello


=== inheritance: rules of tcp {} hold for a server that has none
--- tcp_config
deny 127.0.0.1;
--- tcp_server_config
process_by_lua_block { ngx.print("one") }
--- tcp_server_config2
allow all;
process_by_lua_block { ngx.print("two") }
--- tcp_server_config3
deny unix:;
process_by_lua_block { ngx.print("three") }
--- request_parts
A: connect
A: expect_eof
B: connect $TEST_PORT2
B: expect "two"
B: expect_eof
C: connect $TEST_PORT3
C: expect "three"
C: expect_eof


=== inheritance: rules of tcp {} may stand behind the servers
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT;
    process_by_lua_block { ngx.print("one") }
}
server {
    listen 127.0.0.1:$TEST_PORT2;
    allow 127.0.0.1;
    process_by_lua_block { ngx.print("two") }
}
deny all;
--- request_parts
A: connect
A: expect_eof
B: connect $TEST_PORT2
B: expect "two"
B: expect_eof


=== inheritance: rules of one server are not another's
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print("one") }
--- tcp_server_config2
process_by_lua_block { ngx.print("two") }
--- request_parts
A: connect
A: expect_eof
B: connect $TEST_PORT2
B: expect "two"
B: expect_eof


=== servers on one port: each has its rules
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT5;
    deny all;
    process_by_lua_block { ngx.print("one") }
}
server {
    listen $TEST_PORT5;
    allow 127.0.0.0/8;
    deny all;
    process_by_lua_block { ngx.print("all") }
}
--- request_parts
A: connect 127.0.0.1:$TEST_PORT5
A: expect_eof
B: connect 127.0.0.2:$TEST_PORT5
B: expect "all"
B: expect_eof
--- error_log
access forbidden by rule


=== IPv6: addresses and networks
--- tcp_config
server {
    listen [::1]:$TEST_PORT5;
    deny ::1;
    process_by_lua_block { ngx.print("five") }
}
server {
    listen [::1]:$TEST_PORT6;
    allow ::/64;
    deny all;
    process_by_lua_block { ngx.print("six") }
}
server {
    listen [::1]:$TEST_PORT7;
    allow 2001:db8::/32;
    allow 127.0.0.1;
    deny ::/0;
    process_by_lua_block { ngx.print("seven") }
}
server {
    listen [::1]:$TEST_PORT8;
    deny 0.0.0.0/0;
    deny unix:;
    process_by_lua_block { ngx.print("eight") }
}
--- skip_if: `cat /proc/net/if_inet6 2>/dev/null` ? '' : 'no IPv6'
--- request_parts
A: connect [::1]:$TEST_PORT5
A: expect_eof
B: connect [::1]:$TEST_PORT6
B: expect "six"
B: expect_eof
C: connect [::1]:$TEST_PORT7
C: expect_eof
D: connect [::1]:$TEST_PORT8
D: expect "eight"
D: expect_eof
--- error_log
~ \[error\] .* access forbidden by rule while initializing session, client: ::1, server: \[::1\]:$TEST_PORT5$
~ \[error\] .* access forbidden by rule while initializing session, client: ::1, server: \[::1\]:$TEST_PORT7$


=== IPv6: a client of IPv4 has IPv4's rules
--- tcp_config
server {
    listen [::]:$TEST_PORT5 ipv6only=off;
    deny 127.0.0.0/8;
    process_by_lua_block { ngx.print("five") }
}
server {
    listen [::]:$TEST_PORT6 ipv6only=off;
    allow 127.0.0.1;
    deny all;
    process_by_lua_block { ngx.print("six") }
}
server {
    listen [::]:$TEST_PORT7 ipv6only=off;
    allow 10.0.0.0/8;
    deny ::/0;
    process_by_lua_block { ngx.print("seven") }
}
--- skip_if: `cat /proc/net/if_inet6 2>/dev/null` ? '' : 'no IPv6'
--- request_parts
A: connect 127.0.0.1:$TEST_PORT5
A: expect_eof
B: connect [::1]:$TEST_PORT5
B: expect "five"
B: expect_eof
C: connect 127.0.0.1:$TEST_PORT6
C: expect "six"
C: expect_eof
D: connect [::1]:$TEST_PORT6
D: expect_eof
E: connect 127.0.0.1:$TEST_PORT7
E: expect "seven"
E: expect_eof
F: connect [::1]:$TEST_PORT7
F: expect_eof
--- error_log
~ access forbidden by rule while initializing session, client: ::ffff:127\.0\.0\.1, server: \[::\]:$TEST_PORT5$


=== IPv6: without rules of IPv4 its clients are those of ::ffff:0:0/96
--- tcp_config
server {
    listen [::]:$TEST_PORT5 ipv6only=off;
    deny ::ffff:127.0.0.0/104;
    process_by_lua_block { ngx.print("five") }
}
server {
    listen [::]:$TEST_PORT6 ipv6only=off;
    allow ::1;
    deny ::/0;
    process_by_lua_block { ngx.print("six") }
}
--- skip_if: `cat /proc/net/if_inet6 2>/dev/null` ? '' : 'no IPv6'
--- request_parts
A: connect 127.0.0.1:$TEST_PORT5
A: expect_eof
B: connect [::1]:$TEST_PORT5
B: expect "five"
B: expect_eof
C: connect 127.0.0.1:$TEST_PORT6
C: expect_eof
D: connect [::1]:$TEST_PORT6
D: expect "six"
D: expect_eof


=== unix: clients of unix sockets
--- tcp_config
server {
    listen unix:$TEST_DIR/denied.sock;
    listen 127.0.0.1:$TEST_PORT;
    deny unix:;
    process_by_lua_block { ngx.print("one") }
}
server {
    listen unix:$TEST_DIR/allowed.sock;
    listen 127.0.0.1:$TEST_PORT2;
    allow unix:;
    deny all;
    process_by_lua_block { ngx.print("two") }
}
server {
    listen unix:$TEST_DIR/all.sock;
    deny all;
    process_by_lua_block { ngx.print("three") }
}
server {
    listen unix:$TEST_DIR/others.sock;
    deny 0.0.0.0/0;
    deny ::/0;
    process_by_lua_block { ngx.print("four") }
}
--- request_parts
A: connect unix:$TEST_DIR/denied.sock
A: expect_eof
B: connect $TEST_PORT
B: expect "one"
B: expect_eof
C: connect unix:$TEST_DIR/allowed.sock
C: expect "two"
C: expect_eof
D: connect $TEST_PORT2
D: expect_eof
E: connect unix:$TEST_DIR/all.sock
E: expect_eof
F: connect unix:$TEST_DIR/others.sock
F: expect "four"
F: expect_eof
--- error_log
~ access forbidden by rule while initializing session, client: unix:, server: unix:\S+/denied\.sock$


=== reload: new clients have the new rules, the old ones stay
--- tcp_server_config
allow 127.0.0.1;
process_by_lua_block {
    ngx.print("hello")
    ngx.print(ngx.receive(1))
}
--- repeat: 1
--- no_reload: its configuration changes
--- request_parts
A: expect "hello"
edit_file conf/nginx.conf "allow 127" => "deny 127"
reload
B: connect
B: expect_eof
A: send "a"
A: expect "a"
A: expect_eof
wait_workers
edit_file conf/nginx.conf "deny 127.0.0.1;" => ""
reload
wait_workers
C: expect "hello"
C: send "c"
C: expect "c"
C: expect_eof


=== refused clients take no connection of the worker's
--- events: worker_connections 16;
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print("x") }
--- request_parts eval
[ map { (["C$_:", 'connect'], ["C$_:", 'expect_eof'], ["C$_:", 'close']) } 1 .. 40 ]
--- grep_error_log eval: qr/access forbidden by rule/
--- grep_error_log_out eval: "access forbidden by rule\n" x 40
--- no_error_log
worker_connections


=== stub_status: a refused client was accepted, is active no more and no request
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_server_config
deny all;
process_by_lua_block { ngx.print("x") }
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
A: connect
A: expect_eof
B: connect
B: send "x"
B: expect_close
H: connect 127.0.0.1:$TEST_PORT9
H: send "GET / HTTP/1.0\r\n\r\n"
H: expect_like /Active connections: 1 \nserver accepts handled requests\n 3 3 1 \nReading: 0 Writing: 1 Waiting: 0/
H: read_all


=== allow and deny: all that they take
--- tcp_config
allow all;
allow unix:;
allow 192.0.2.1;
allow 192.0.2.0/24;
allow 192.0.2.1/32;
allow 0.0.0.0/0;
allow ::;
allow ::1/128;
allow 2001:db8::/32;
allow ::ffff:192.0.2.1;
deny all;
deny unix:;
deny 192.0.2.1;
deny 2001:db8::1;
--- conf_ok


=== allow: low address bits are warned about
--- tcp_config
allow 192.0.2.1/24;
deny 2001:db8::1/32;
--- conf_ok
~ \[warn\] .*low address bits of 192\.0\.2\.1/24 are meaningless in $TEST_DIR/conf/nginx\.conf:\d+$
~ \[warn\] .*low address bits of 2001:db8::1/32 are meaningless in $TEST_DIR/conf/nginx\.conf:\d+$


=== allow: no argument
--- tcp_config
allow;
--- conf_error
invalid number of arguments in "allow" directive in $TEST_DIR/conf/nginx.conf:


=== deny: two arguments
--- tcp_server_config
deny 127.0.0.1 127.0.0.2;
--- conf_error
invalid number of arguments in "deny" directive in $TEST_DIR/conf/nginx.conf:


=== allow: outside of tcp
--- main_config
allow all;
--- tcp_config
--- conf_error
"allow" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== deny: a name
--- tcp_server_config
deny localhost;
--- conf_error
invalid parameter "localhost" in $TEST_DIR/conf/nginx.conf:


=== deny: an empty string
--- tcp_server_config
deny "";
--- conf_error
invalid parameter "" in $TEST_DIR/conf/nginx.conf:


=== deny: a mask that is too long
--- tcp_server_config
deny 127.0.0.0/33;
--- conf_error
invalid parameter "127.0.0.0/33" in $TEST_DIR/conf/nginx.conf:


=== deny: a mask of IPv6 that is too long
--- tcp_server_config
deny ::/129;
--- conf_error
invalid parameter "::/129" in $TEST_DIR/conf/nginx.conf:


=== deny: a mask without a number
--- tcp_server_config
deny 127.0.0.0/;
--- conf_error
invalid parameter "127.0.0.0/" in $TEST_DIR/conf/nginx.conf:


=== deny: a mask in words
--- tcp_server_config
deny 127.0.0.0/255.0.0.0;
--- conf_error
invalid parameter "127.0.0.0/255.0.0.0" in $TEST_DIR/conf/nginx.conf:


=== deny: an address with a port
--- tcp_server_config
deny 127.0.0.1:80;
--- conf_error
invalid parameter "127.0.0.1:80" in $TEST_DIR/conf/nginx.conf:


=== deny: the path of a unix socket
--- tcp_server_config
deny unix:/tmp/s.sock;
--- conf_error
invalid parameter "unix:/tmp/s.sock" in $TEST_DIR/conf/nginx.conf:


=== allow: ALL in capitals
--- tcp_server_config
allow ALL;
--- conf_error
invalid parameter "ALL" in $TEST_DIR/conf/nginx.conf:
