# How names are found: what nginx -t says of resolver, resolver_timeout and
# lua_resolver_default.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== resolver: its forms
--- tcp_config
resolver 127.0.0.1;
resolver_timeout 0;
server {
    listen 127.0.0.1:$TEST_PORT;
    resolver 127.0.0.1:$TEST_CLOSED_PORT [::1]:$TEST_CLOSED_PORT [::1] valid=1m ipv6=off;
    resolver_timeout 100ms;
    lua_resolver_default off;
    process_by_lua ' ';
}
server {
    listen 127.0.0.1:$TEST_PORT2;
    resolver off;
    process_by_lua ' ';
}
server {
    listen 127.0.0.1:$TEST_PORT3;
    resolver 127.0.0.1 127.0.0.1 ipv6=on valid=0;
    lua_resolver_default on;
    process_by_lua ' ';
}
--- conf_ok


=== resolver: twice
--- tcp_config
resolver 127.0.0.1;
resolver 127.0.0.2;
--- conf_error
"resolver" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== resolver: twice, once off
--- tcp_server_config
resolver off;
resolver 127.0.0.1;
--- conf_error
"resolver" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== resolver: without arguments
--- tcp_config
resolver;
--- conf_error
invalid number of arguments in "resolver" directive in $TEST_DIR/conf/nginx.conf:


=== resolver: off and more
--- tcp_config
resolver off 127.0.0.1;
--- conf_error
invalid parameter "127.0.0.1" in $TEST_DIR/conf/nginx.conf:


=== resolver: only parameters
--- tcp_config
resolver valid=10s;
--- conf_error
no name servers defined in $TEST_DIR/conf/nginx.conf:


=== resolver: a time that is none
--- tcp_config
resolver 127.0.0.1 valid=x;
--- conf_error
invalid parameter: valid=x in $TEST_DIR/conf/nginx.conf:


=== resolver: ipv6 is neither on nor off
--- tcp_config
resolver 127.0.0.1 ipv6=x;
--- conf_error
invalid parameter: ipv6=x in $TEST_DIR/conf/nginx.conf:


=== resolver: an address that is none
--- tcp_config
resolver [::g];
--- conf_error
invalid IPv6 address in resolver "[::g]" in $TEST_DIR/conf/nginx.conf:


=== resolver: a port that is none
--- tcp_config
resolver 127.0.0.1:70000;
--- conf_error
invalid port in resolver "127.0.0.1:70000" in $TEST_DIR/conf/nginx.conf:


=== resolver_timeout: twice
--- tcp_config
resolver_timeout 1s;
resolver_timeout 2s;
--- conf_error
"resolver_timeout" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== resolver_timeout: no time
--- tcp_server_config
resolver_timeout x;
--- conf_error
"resolver_timeout" directive invalid value in $TEST_DIR/conf/nginx.conf:


=== lua_resolver_default: twice
--- tcp_server_config
lua_resolver_default on;
lua_resolver_default on;
--- conf_error
"lua_resolver_default" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_resolver_default: neither on nor off
--- tcp_config
lua_resolver_default x;
--- conf_error
invalid value "x" in "lua_resolver_default" directive, it must be "on" or "off" in $TEST_DIR/conf/nginx.conf:
