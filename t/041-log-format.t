# log_format: its variables and escapes, and what it refuses.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== log_format: each variable
--- tcp_config
log_format all "addr=$remote_addr port=$remote_port "
    "server=$server_addr:$server_port local=[$time_local] iso=$time_iso8601 "
    "msec=$msec request=$request_time session=$session_time c=$connection "
    "n=$connection_requests sent=$bytes_sent received=$bytes_received "
    "protocol=$protocol pid=$pid host=$hostname nginx=$nginx_version "
    "binary=$binary_remote_addr";
--- tcp_server_config
access_log logs/all.log all;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request
hello
--- response
hello
--- file_like
>>> logs/all.log
\Aaddr=127\.0\.0\.1 port=\d+ server=127\.0\.0\.1:$TEST_PORT local=\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] iso=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d msec=\d{10}\.\d{3} request=\d+\.\d{3} session=\d+\.\d{3} c=\d+ n=1 sent=6 received=6 protocol=tcp_lua pid=\d+ host=\S+ nginx=1\.\d+\.\d+ binary=\\x7F\\x00\\x00\\x01\n\z
--- no_error_log
[error]


=== log_format: the built-in combined
--- tcp_server_config
access_log logs/a.log;
access_log logs/b.log combined;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request
hello
--- response
hello
--- file_like
>>> logs/a.log
\A127\.0\.0\.1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \d{10}\.\d{3} \d+\.\d{3} \d+ 1 tcp_lua\n\z
>>> logs/b.log
\A127\.0\.0\.1 \d{4}-\S+ \d{10}\.\d{3} \d+\.\d{3} \d+ 1 tcp_lua\n\z
--- no_error_log
[error]


=== log_format: $name and ${name}, strings without a separator
--- tcp_config
log_format x "<${connection_requests}" "$protocol>" '${protocol}s'
    "{$bytes_sent}$Protocol";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.print("abc") }
--- response chomp
abc
--- file_is
>>> logs/x.log
<1tcp_lua>tcp_luas{3}tcp_lua
--- no_error_log
[error]


=== log_format: an empty string
--- tcp_config
log_format x "";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.print("abc") }
--- response chomp
abc
--- file_is eval
">>> logs/x.log\n\n"
--- no_error_log
[error]


=== log_format: a connection's numbers and bytes over its requests
--- tcp_config
log_format x "$connection_requests $bytes_received $bytes_sent";
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
send "bcd\n"
expect "bcd\n"
send "\n"
expect "\n"
half_close
expect_eof
--- file_is
>>> logs/x.log
1 2 2
2 6 6
3 7 7
--- no_error_log
[error]


=== log_format: the time of a request does not count that it was waited for
--- tcp_config
log_format x "$request_time";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    ngx.say(ngx.receive())
    local parked = ngx.now()
    ngx.wait_next_request()
    parked = ngx.now() - parked
    ngx.receive()
    local others = ngx.var.session_time - ngx.var.request_time
    ngx.say(parked > 0.5 and others > parked - 0.1)
}
--- request_parts
send "a\n"
expect "a\n"
wait_file logs/x.log 0.
pause 1
send "b\n"
expect "true\n"
expect_eof
--- file_like
>>> logs/x.log
\A\d+\.\d{3}\n\d+\.\d{3}\n\z
--- no_error_log
[error]
--- skip_mode: slow valgrind: the second request may take longer there


=== log_format: the clock is read anew for a line
--- tcp_config
log_format x "$request_time";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block {
    ngx.receive()
    local f = io.popen("sleep 1")
    f:read("*a")
    f:close()
    ngx.say("done")
}
--- request
x
--- response
done
--- file_like
>>> logs/x.log
\A[1-9]\d*\.\d{3}\n\z
--- no_error_log
[error]


=== log_format: a unix socket
--- tcp_config
log_format x "$remote_addr|$remote_port|$server_addr|$server_port|"
    "$binary_remote_addr";
--- tcp_server_config
listen unix:$TEST_DIR/s;
access_log logs/x.log x;
process_by_lua_block { ngx.say(ngx.receive()) }
--- connect: unix:$TEST_DIR/s
--- request
x
--- response
x
--- file_is
>>> logs/x.log
unix:|-|unix:$TEST_DIR/s|-|-
--- no_error_log
[error]


=== log_format: IPv6, and the address behind a wildcard
--- tcp_config
log_format x "$remote_addr $server_addr $server_port";
--- tcp_server_config
listen $TEST_PORT;
listen [::]:$TEST_PORT2;
access_log logs/x.log x;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: send "x\n"
A: expect "x\n"
A: expect_eof
B: connect [::1]:$TEST_PORT2
B: send "x\n"
B: expect "x\n"
B: expect_eof
--- file_is
>>> logs/x.log
127.0.0.1 127.0.0.1 $TEST_PORT
::1 ::1 $TEST_PORT2
--- no_error_log
[error]


=== log_format: escapes
--- tcp_config
log_format d "$binary_remote_addr";
log_format d2 escape=default "$binary_remote_addr";
log_format j escape=json '{"a":"$binary_remote_addr","b":"$protocol"}';
log_format n escape=none "$binary_remote_addr";
--- tcp_server_config
listen 127.34.92.10:$TEST_PORT;
access_log logs/d.log d;
access_log logs/d2.log d2;
access_log logs/j.log j;
access_log logs/n.log n;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request_parts
A: connect 127.34.92.10:$TEST_PORT
A: send "x\n"
A: expect "x\n"
A: expect_eof
--- file_is eval
my $addr = "\x7f\0\0\x01";
">>> logs/d.log\n\\x7F\\x00\\x00\\x01\n"
. ">>> logs/d2.log\n\\x7F\\x00\\x00\\x01\n"
. ">>> logs/j.log\n{\"a\":\"\x7f\\u0000\\u0000\\u0001\",\"b\":\"tcp_lua\"}\n"
. ">>> logs/n.log\n$addr\n"
--- no_error_log
[error]


=== log_format: what has no value is nothing with json and none, as in nginx
--- tcp_config
log_format d "$protocol,$ssl_protocol";
log_format j escape=json '{"a":"$protocol","b":"$ssl_protocol"}';
log_format n escape=none "$protocol,$ssl_protocol";
--- tcp_server_config
access_log logs/d.log d;
access_log logs/j.log j;
access_log logs/n.log n;
process_by_lua_block { ngx.say(ngx.receive()) }
--- request
x
--- response
x
--- file_is
>>> logs/d.log
tcp_lua,-
>>> logs/j.log
{"a":"tcp_lua","b":""}
>>> logs/n.log
tcp_lua,
--- no_error_log
[error]


=== log_format: an escape of another name
--- tcp_config
log_format x escape=html "$protocol";
--- conf_error
unknown log format escaping "html" in $TEST_DIR/conf/nginx.conf:


=== log_format: escape is no part of the format, only as its first string
--- tcp_config
log_format x "a" "escape=json" "$protocol";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.print("abc") }
--- response chomp
abc
--- file_is
>>> logs/x.log
aescape=jsontcp_lua
--- no_error_log
[error]


=== log_format: in a server, with a warning
--- tcp_server_config
log_format x "$protocol";
access_log logs/x.log x;
process_by_lua ' ';
--- conf_ok
~ \[warn\] .*the "log_format" directive may be used only on "tcp" level in $TEST_DIR/conf/nginx.conf:


=== log_format: twice
--- tcp_config
log_format x "$protocol";
log_format x "$protocol";
--- conf_error
duplicate "log_format" name "x" in $TEST_DIR/conf/nginx.conf:


=== log_format: combined is there already
--- tcp_config
log_format combined "$protocol";
--- conf_error
duplicate "log_format" name "combined" in $TEST_DIR/conf/nginx.conf:


=== log_format: names that differ in case; the exact one is taken
--- tcp_config
log_format Main "1";
log_format main "2";
--- tcp_server_config
access_log logs/x.log main;
access_log logs/y.log MAIN;
process_by_lua_block { ngx.print("abc") }
--- response chomp
abc
--- file_is
>>> logs/x.log
2
>>> logs/y.log
1
--- no_error_log
[error]


=== log_format: an unknown variable
--- tcp_config
log_format x "$protocol $status";
--- conf_error
invalid variable "status" in $TEST_DIR/conf/nginx.conf:


=== log_format: a bracket that is not closed
--- tcp_config
log_format x "a ${protocol b";
--- conf_error
the closing bracket in "protocol" variable is missing in $TEST_DIR/conf/nginx.conf:


=== log_format: a lone $
--- tcp_config
log_format x "100 $";
--- conf_error
invalid parameter "$" in $TEST_DIR/conf/nginx.conf:


=== log_format: $ before something else
--- tcp_config
log_format x "a $ b";
--- conf_error
invalid parameter "$ b" in $TEST_DIR/conf/nginx.conf:


=== log_format: without a format
--- tcp_config
log_format x;
--- conf_error
invalid number of arguments in "log_format" directive in $TEST_DIR/conf/nginx.conf:


=== log_format: outside of tcp
--- main_config
log_format x "$protocol";
--- conf_error
"log_format" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== log_format: what is known of a client's TLS
--- tcp_config
log_format x "$ssl_protocol $SSL_server_name ${ssl_client_verify} $ssl_client_s_dn";
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
access_log logs/x.log x;
process_by_lua_block {
    ngx.say(ngx.var.ssl_protocol, " ", ngx.var.ssl_server_name, " ",
            ngx.var.ssl_alpn_protocol, " ", ngx.var.ssl_none)
}
--- request_parts
start_tls TLSv1.2 name=test.example
expect "TLSv1.2 test.example nil nil\n"
expect_eof
--- file_is
>>> logs/x.log
TLSv1.2 test.example NONE -
--- no_error_log
[error]


=== log_format: TLS of a client without
--- tcp_config
log_format x "$ssl_protocol-$ssl_client_cert";
--- tcp_server_config
access_log logs/x.log x;
process_by_lua_block { ngx.say(ngx.var.ssl_protocol) }
--- request
--- response
nil
--- file_is
>>> logs/x.log
---
--- no_error_log
[error]
