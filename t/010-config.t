# What nginx -t accepts and refuses of the tcp {} block, the server's required
# directives, listen, the pool sizes, error_log, and the scripts; and that each
# accepted form also works.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== tcp: an empty block
--- tcp_config
--- conf_ok


=== tcp: a second block
--- http_config
tcp { }
--- tcp_config
--- conf_error
"tcp" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== tcp: takes no argument
--- http_config
tcp x { }
--- conf_error
invalid number of arguments in "tcp" directive in $TEST_DIR/conf/nginx.conf:


=== server: is not allowed outside of tcp
--- http_config
server { }
--- conf_error
"server" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== server: without listen
--- tcp_config
server { protocol tcp_lua; process_by_lua ' '; }
--- conf_error
server { need command 'listen'


=== server: without protocol and script
--- tcp_config
server { listen 127.0.0.1:$TEST_PORT; }
--- conf_error
server { need command 'protocol'


=== protocol: may be left out where there is a script
--- tcp_config
server { listen 127.0.0.1:$TEST_PORT; process_by_lua 'ngx.print("x")'; }
--- response: x
--- no_error_log
[error]


=== protocol: unknown
--- tcp_server_config
protocol foo;
--- conf_error
unknown protocol "foo" in $TEST_DIR/conf/nginx.conf:


=== protocol: the begin of a name
--- tcp_server_config
protocol tcp;
--- conf_error
unknown protocol "tcp" in $TEST_DIR/conf/nginx.conf:


=== protocol: a name in capitals
--- tcp_server_config
protocol DEMO;
--- conf_error
unknown protocol "DEMO" in $TEST_DIR/conf/nginx.conf:


=== protocol: twice
--- tcp_server_config
protocol tcp_lua;
protocol tcp_lua;
process_by_lua ' ';
--- conf_error
duplicate protocol in $TEST_DIR/conf/nginx.conf:


=== tcp_lua without a script is refused
--- tcp_server_config
--- conf_error
~ \[emerg\] .*process_by_lua


=== listen: the same address and port in two servers
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
process_by_lua ' ';
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT;
process_by_lua ' ';
--- conf_error
duplicate "127.0.0.1:$TEST_PORT" address and port pair in $TEST_DIR/conf/nginx.conf:


=== listen: the same address and port twice in a server
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
listen 127.0.0.1:$TEST_PORT;
process_by_lua ' ';
--- conf_error
duplicate "127.0.0.1:$TEST_PORT" address and port pair in $TEST_DIR/conf/nginx.conf:


=== listen: the same port on two addresses
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
process_by_lua 'ngx.print("one")';
--- tcp_server_config2
listen 127.0.0.2:$TEST_PORT;
process_by_lua 'ngx.print("two")';
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: expect "one"
A: expect_eof
B: connect 127.0.0.2:$TEST_PORT
B: expect "two"
B: expect_eof
--- no_error_log
[error]


=== listen: the same port on one address and on all
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
process_by_lua 'ngx.print("one")';
--- tcp_server_config2
listen $TEST_PORT;
process_by_lua 'ngx.print("all")';
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: expect "one"
A: expect_eof
B: connect 127.0.0.2:$TEST_PORT
B: expect "all"
B: expect_eof
--- no_error_log
[error]


=== listen: several ports of a server
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("x")';
--- request_parts
A: expect "x"
A: expect_eof
B: connect $TEST_PORT2
B: expect "x"
B: expect_eof
--- no_error_log
[error]


=== listen: IPv6
--- tcp_server_config
listen [::1]:$TEST_PORT;
process_by_lua 'ngx.print("six")';
--- skip_if: `cat /proc/net/if_inet6 2>/dev/null` ? '' : 'no IPv6'
--- connect: [::1]:$TEST_PORT
--- response: six
--- no_error_log
[error]


=== listen: unix socket
--- tcp_server_config
listen unix:$TEST_DIR/tcp.sock;
process_by_lua 'ngx.print(ngx.receive(1))';
--- connect: unix:$TEST_DIR/tcp.sock
--- request: u
--- response: u
--- no_error_log
[error]


=== listen: any number of parameters
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT bind backlog=5 rcvbuf=8k sndbuf=8k so_keepalive=30s:10:3;
process_by_lua 'ngx.print(ngx.receive(5))';
--- request: hello
--- response: hello
--- no_error_log
[error]


=== listen: so_keepalive on and off, reuseport, deferred
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT so_keepalive=on reuseport;
listen 127.0.0.1:$TEST_PORT2 so_keepalive=off deferred;
process_by_lua 'ngx.print(ngx.receive(5))';
--- request_parts
A: send "hello"
A: expect "hello"
A: expect_eof
B: connect $TEST_PORT2
B: send "hello"
B: expect "hello"
B: expect_eof
--- no_error_log
[error]


=== listen: backlog=0
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT backlog=0;
--- conf_error
~ invalid backlog "(backlog=)?0" in .*nginx\.conf:


=== listen: backlog without a number
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT backlog=x;
--- conf_error
~ invalid backlog "(backlog=)?x" in .*nginx\.conf:


=== listen: rcvbuf=x
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT rcvbuf=x;
--- conf_error
~ invalid rcvbuf "(rcvbuf=)?x" in .*nginx\.conf:


=== listen: sndbuf=x
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT sndbuf=x;
--- conf_error
~ invalid sndbuf "(sndbuf=)?x" in .*nginx\.conf:


=== listen: so_keepalive=::
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT so_keepalive=::;
--- conf_error
invalid so_keepalive value: "::" in $TEST_DIR/conf/nginx.conf:


=== listen: so_keepalive=x
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT so_keepalive=x;
--- conf_error
invalid so_keepalive value: "x" in $TEST_DIR/conf/nginx.conf:


=== listen: unknown parameter
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT foo;
--- conf_error
the invalid "foo" parameter in $TEST_DIR/conf/nginx.conf:


=== listen: address without port
--- tcp_server_config
listen 127.0.0.1;
--- conf_error
~ \[emerg\] .*127\.0\.0\.1.* in .*nginx\.conf:


=== listen: no argument
--- tcp_config
server { listen; }
--- conf_error
invalid number of arguments in "listen" directive in $TEST_DIR/conf/nginx.conf:


=== session_pool_size: too small
--- tcp_config
session_pool_size 10;
--- conf_error
~ the pool size must be no less than \d+ in .*nginx\.conf:


=== session_pool_size: no multiple of 16
--- tcp_config
session_pool_size 1001;
--- conf_error
the pool size must be a multiple of 16 in $TEST_DIR/conf/nginx.conf:


=== connection_pool_size: too small
--- tcp_server_config
connection_pool_size 10;
--- conf_error
~ the pool size must be no less than \d+ in .*nginx\.conf:


=== connection_pool_size: no multiple of 16
--- tcp_server_config
connection_pool_size 1001;
--- conf_error
the pool size must be a multiple of 16 in $TEST_DIR/conf/nginx.conf:


=== the sizes and timeouts: set in tcp and in the server
--- tcp_config
connection_pool_size 512;
session_pool_size 2k;
client_max_body_size 2k;
read_timeout 10s;
send_timeout 10s;
keepalive_timeout 10s;
resolver 127.0.0.1;
resolver_timeout 5s;
--- tcp_server_config
connection_pool_size 1k;
session_pool_size 4k;
client_max_body_size 4k;
read_timeout 20s;
send_timeout 20s;
keepalive_timeout 20s;
resolver 127.0.0.1:$TEST_CLOSED_PORT valid=10s;
resolver_timeout 6s;
process_by_lua 'ngx.print("x")';
--- response: x
--- no_error_log
[error]


=== read_timeout: twice
--- tcp_config
read_timeout 1s;
read_timeout 2s;
--- conf_error
"read_timeout" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== read_timeout: no time
--- tcp_config
read_timeout x;
--- conf_error
"read_timeout" directive invalid value in $TEST_DIR/conf/nginx.conf:


=== read_timeout: inherited from tcp
--- tcp_config
read_timeout 50ms;
--- tcp_server_config
process_by_lua 'ngx.print(ngx.receive(1) or "none")';
--- response: none


=== error_log: the connection's lines go to the server's file
--- tcp_server_config
error_log $TEST_DIR/logs/server.log notice;
process_by_lua 'ngx.log(ngx.NOTICE, "to the file") ngx.print("x")';
--- response: x
--- file_like
>>> logs/server.log
(?s)\A[^\n]*to the file[^\n]*\n\z
--- no_error_log
to the file


=== error_log: inherited from tcp
--- tcp_config
error_log $TEST_DIR/logs/tcp.log notice;
--- tcp_server_config
process_by_lua 'ngx.log(ngx.NOTICE, "to the file") ngx.print("x")';
--- response: x
--- file_like
>>> logs/tcp.log
(?s)\A[^\n]*to the file[^\n]*\n\z
--- no_error_log
to the file


=== error_log: debug_tcp
--- tcp_server_config
error_log $TEST_DIR/logs/server.log debug_tcp;
process_by_lua 'ngx.log(ngx.NOTICE, "to the file") ngx.print("x")';
--- response: x
--- file_like
>>> logs/server.log
to the file
--- no_error_log
[error]


=== error_log: a plain level with debug_tcp
--- tcp_server_config
error_log logs/server.log info debug_tcp;
--- conf_error
invalid log level "debug_tcp" in $TEST_DIR/conf/nginx.conf:


=== error_log: unknown level
--- tcp_server_config
error_log logs/server.log loud;
--- conf_error
invalid log level "loud" in $TEST_DIR/conf/nginx.conf:


=== error_log: twice on a level
--- tcp_server_config
error_log logs/server.log;
error_log logs/other.log;
--- conf_error
"error_log" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== process_by_lua: inherited from tcp
--- tcp_config
process_by_lua 'ngx.print("from tcp")';
--- tcp_server_config
--- response: from tcp
--- no_error_log
[error]


=== process_by_lua: the server's own replaces that of tcp
--- tcp_config
process_by_lua 'ngx.print("from tcp")';
--- tcp_server_config
process_by_lua 'ngx.print("from server")';
--- response: from server


=== process_by_lua: empty
--- tcp_server_config
process_by_lua '';
--- conf_error
~ (?i)invalid location config: no runnable Lua code in .*nginx\.conf:


=== process_by_lua: a syntax error is found by nginx -t
--- tcp_server_config
process_by_lua_block {
    local a = 1
    local b = = 2
}
--- conf_error
~ \[emerg\] .*nginx\.conf:\d+\):3: unexpected symbol near '='.* in .*nginx\.conf:


=== process_by_lua_file: relative to the prefix, and absolute
--- tcp_server_config
process_by_lua_file app/a.lua;
--- tcp_server_config2
process_by_lua_file $TEST_DIR/app/b.lua;
--- user_files
>>> app/a.lua
#!/usr/bin/lua
ngx.print("a")
>>> app/b.lua
ngx.print("b") -- no line feed after this
--- request_parts
A: expect "a"
A: expect_eof
B: connect $TEST_PORT2
B: expect "b"
B: expect_eof
--- no_error_log
[error]


=== process_by_lua_file: twice
--- tcp_server_config
process_by_lua_file a.lua;
process_by_lua_file a.lua;
--- user_files
>>> a.lua
--- conf_error
"process_by_lua_file" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== process_by_lua_file: a syntax error is found by nginx -t
--- tcp_server_config
process_by_lua_file a.lua;
--- user_files
>>> a.lua
local a = 1
local b = = 2
--- conf_error
~ \[emerg\] .*a\.lua:2: unexpected symbol near '='


=== init_by_lua: runs under nginx -t, and its globals are there
--- tcp_config
init_by_lua_block { answer = 42 }
--- tcp_server_config
process_by_lua 'ngx.print(answer)';
--- response: 42
--- no_error_log
[error]


=== init_by_lua: an error stops nginx -t, with a traceback
--- tcp_config
init_by_lua_block {
    local function f() error("broken") end
    f()
}
--- tcp_server_config
process_by_lua ' ';
--- conf_error
~ \[\w+\] .*init_by_lua(_block)? error: .*nginx\.conf:\d+\):2: broken


=== init_by_lua: an error that is no string
--- tcp_config
init_by_lua_block { error({}) }
--- tcp_server_config
process_by_lua ' ';
--- conf_error
~ \[\w+\] .*init_by_lua(_block)? error: unknown error


=== init_by_lua: nginx itself does not start
--- tcp_config
init_by_lua 'error("broken")';
--- tcp_server_config
process_by_lua ' ';
--- must_die
~ init_by_lua error: .*broken


=== init_by_lua: twice
--- tcp_config
init_by_lua ' ';
init_by_lua ' ';
--- conf_error
"init_by_lua" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== init_by_lua and init_by_lua_file
--- tcp_config
init_by_lua ' ';
init_by_lua_file a.lua;
--- user_files
>>> a.lua
--- conf_error
"init_by_lua_file" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== init_by_lua: empty
--- tcp_config
init_by_lua '';
--- conf_error
~ (?i)invalid location config: no runnable Lua code in .*nginx\.conf:


=== init_by_lua_file: missing
--- tcp_config
init_by_lua_file nonesuch.lua;
--- tcp_server_config
process_by_lua ' ';
--- conf_error
~ init_by_lua_file error: cannot open .*nonesuch\.lua


=== init_by_lua: is not allowed in a server
--- tcp_server_config
init_by_lua ' ';
--- conf_error
"init_by_lua" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_code_cache: neither on nor off
--- tcp_config
lua_code_cache x;
--- conf_error
invalid value "x" in "lua_code_cache" directive, it must be "on" or "off" in $TEST_DIR/conf/nginx.conf:


=== lua_code_cache: off warns
--- tcp_server_config
lua_code_cache off;
process_by_lua ' ';
--- conf_ok
lua_code_cache is off; this will hurt performance


=== lua_package_path: with $prefix and the default path
--- tcp_config
lua_package_path "$prefix/lib/?.lua;;";
--- tcp_server_config
process_by_lua 'ngx.print(require("mod").x, " ", package.path:find("/usr/share/lua", 1, true) and "default")';
--- user_files
>>> lib/mod.lua
return { x = "found" }
--- response: found default
--- no_error_log
[error]


=== lua_package_path: twice
--- tcp_config
lua_package_path "a;;";
lua_package_path "b;;";
--- conf_error
"lua_package_path" directive is duplicate in $TEST_DIR/conf/nginx.conf:
