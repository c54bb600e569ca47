# What the system knows of names: /etc/hosts, and the name servers of
# /etc/resolv.conf where no resolver is set.

use lib 't/lib';

BEGIN { $ENV{TEST_NGINX_PRELOAD} = 'system_files' }

use Test::Nginx::TCP;

run_tests();

__DATA__

=== hosts: names, in any case, with all their addresses
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- user_files
>>> etc/hosts
# 127.0.0.1 commented
127.0.0.9 several
::1       localhost six several
127.0.0.1	localhost  one One.Example	two # three
127.0.0.300 wrong
127.0.0.1 several
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for name in ("localhost one ONE.example. two three commented wrong"):gmatch("%S+") do
        ngx.say(name, ": ", ask(name, $TEST_PORT2))
    end
    ngx.say(ask("localhost", $TEST_PORT3), " ", ask("six", $TEST_PORT3))
    -- The first of them listens to nobody.
    ngx.say(ask("several", $TEST_PORT2), " ", ask("several", $TEST_PORT3))
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- tcp_server_config3
listen [::1]:$TEST_PORT3;
process_by_lua 'ngx.print("six")';
--- response
localhost: four
one: four
ONE.example.: four
two: four
three: no resolver defined to resolve "three"
commented: no resolver defined to resolve "commented"
wrong: no resolver defined to resolve "wrong"
six six
four six
--- no_error_log
[alert]


=== hosts: wins over a resolver, with the families that it has
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- user_files
>>> etc/hosts
127.0.0.1 six.test
::1       one.test both
127.0.0.1 both
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT;
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT3), " ", ask("six.test", $TEST_PORT3))
}
--- tcp_server_config2
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
process_by_lua_block {
    local ask = require("names").ask
    -- hosts has no such address of it.
    ngx.say(ask("one.test", $TEST_PORT3), " ", ask("six.test", $TEST_PORT3))
    ngx.say(ask("both", $TEST_PORT3))
}
--- tcp_server_config3
listen 127.0.0.1:$TEST_PORT3;
listen [::1]:$TEST_PORT3;
process_by_lua_block {
    ngx.print("there")
}
--- request_parts
expect "there there\n"
expect_eof
A: connect $TEST_PORT2
A: expect "there there\nthere\n"
A: expect_eof
--- no_error_log
[error]


=== hosts: a file that is not there
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("localhost", $TEST_PORT2), " ", ask("other", $TEST_PORT2))
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- user_files
>>> etc/nothing
--- no_reload: the files of other blocks stay
--- response
four no resolver defined to resolve "other"
--- no_error_log
[error]


=== hosts: is read anew on reload
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.print(require("names").ask("name", $TEST_PORT2))
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- user_files
>>> etc/hosts
--- repeat: 1
--- no_reload: begins with its own files
--- request_parts
expect "no resolver defined to resolve \"name\""
expect_eof
write_file etc/hosts "127.0.0.1 name"
A: expect "no resolver defined to resolve \"name\""
A: expect_eof
reload
B: expect "four"
B: expect_eof
--- no_error_log
[error]


=== hosts: a huge file
--- tcp_config
--- user_files eval
">>> etc/hosts\n127.0.0.1 first\n" . "127.0.0.1 name\n" x 100_000 . "127.0.0.1 last\n"
--- conf_ok
/etc/hosts is too large: only its first 1048576 bytes count in $TEST_DIR/conf/nginx.conf


=== hosts: the part of a huge file that counts
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- user_files eval
">>> etc/hosts\n127.0.0.1 first\n" . "127.0.0.1 name\n" x 100_000 . "127.0.0.1 last\n"
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "first", "name", "last" } do
        ngx.say(ask(name, $TEST_PORT2))
    end
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- response
four
four
no resolver defined to resolve "last"
--- no_error_log
[error]


=== hosts: nonsense
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- user_files eval
">>> etc/hosts\n" . CORE::join('', map { chr($_ % 256) } 1 .. 5000) . "\0\n" . "x" x 100_000
. "\n127.0.0.1\n127.0.0.1 " . "long" x 10_000 . "\n\n \t\r\n127.0.0.1 name"
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("name", $TEST_PORT2), " ", ask("localhost", $TEST_PORT2))
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- response
four four
--- no_error_log
[error]


=== resolv.conf: its name servers are asked where no resolver is set
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver_timeout 300ms;
--- user_files
>>> etc/hosts
>>> etc/resolv.conf
search test
options ndots:2
# nameserver 127.0.0.3
nameserver fe80::1%lo
nameserver dns.test
nameserver 127.0.0.1 # all of it
>>> etc/dns_port
$TEST_DNS_PORT
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for name in ("one.test six.test nx.test silent.test one localhost"):gmatch("%S+") do
        ngx.say(ask(name, $TEST_PORT2))
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
listen [::1]:$TEST_PORT2;
process_by_lua 'ngx.print("there")';
--- response
there
there
nx.test could not be resolved (3: Host not found)
silent.test could not be resolved (110: Operation timed out)
one could not be resolved (5: Operation refused)
there
--- no_error_log
[error]


=== resolv.conf: all servers have one cache
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver_timeout 300ms;
--- user_files
>>> etc/hosts
>>> etc/resolv.conf
nameserver 127.0.0.1
>>> etc/dns_port
$TEST_DNS_PORT
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT3))
}
--- tcp_server_config2
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT3), " ", ask("two.test", $TEST_PORT3))
}
--- tcp_server_config3
process_by_lua 'ngx.print("four")';
--- repeat: 1
--- request_parts
expect "four\n"
expect_eof
stop_peer dns
A: connect $TEST_PORT2
A: expect "four two.test could not be resolved (110: Operation timed out)\n"
A: expect_eof
start_peer dns


=== resolv.conf: is not for servers that have a resolver, or want none
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver_timeout 300ms;
server {
    listen 127.0.0.1:$TEST_PORT2;
    resolver 127.0.0.1:$TEST_CLOSED_PORT;
    process_by_lua 'ngx.print(require("names").ask("one.test", 1))';
}
server {
    listen 127.0.0.1:$TEST_PORT3;
    resolver off;
    process_by_lua 'ngx.print(require("names").ask("one.test", 1))';
}
server {
    listen 127.0.0.1:$TEST_PORT4;
    lua_resolver_default off;
    process_by_lua 'ngx.print(require("names").ask("name", 1))';
}
server {
    listen 127.0.0.1:$TEST_PORT5;
    process_by_lua 'ngx.print("there")';
}
--- user_files
>>> etc/hosts
127.0.0.1 name
>>> etc/resolv.conf
nameserver 127.0.0.1
>>> etc/dns_port
$TEST_DNS_PORT
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("one.test", $TEST_PORT3))
    ngx.say(ask("one.test", $TEST_PORT4))
    ngx.say(ask("name", $TEST_PORT5))
}
--- response
one.test could not be resolved (110: Operation timed out)
no resolver defined to resolve "one.test"
no resolver defined to resolve "name"
there


=== resolv.conf: nothing in it
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- user_files
>>> etc/hosts
>>> etc/resolv.conf
# Generated by nobody
search test
>>> etc/dns_port
$TEST_CLOSED_PORT
--- tcp_server_config
process_by_lua_block {
    ngx.print(require("names").ask("one.test", $TEST_PORT2))
}
--- response chomp
no resolver defined to resolve "one.test"
--- no_error_log
[error]


=== resolv.conf: a name server that is not there
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver_timeout 300ms;
--- user_files
>>> etc/hosts
>>> etc/resolv.conf
nameserver ::1
nameserver 127.0.0.1
nameserver 127.0.0.2
nameserver 127.0.0.3
>>> etc/dns_port
$TEST_CLOSED_PORT
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 6 do
        ngx.say(require("names").ask("one.test", $TEST_PORT2))
    end
}
--- response eval
"one.test could not be resolved (110: Operation timed out)\n" x 6
--- error_log
resolver: [::1]:53
resolver: 127.0.0.1:53
resolver: 127.0.0.2:53
--- no_error_log
resolver: 127.0.0.3:53


=== resolv.conf: is read under nginx -t, too, and no name server is looked up
--- tcp_config
--- user_files
>>> etc/resolv.conf
nameserver no.such.name.test
nameserver 127.0.0.1
nameserver ::1
--- conf_ok
