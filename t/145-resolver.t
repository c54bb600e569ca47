# How scripts' sockets find names by resolver, and what becomes of a lookup that
# nobody waits for any more. The directives resolver, resolver_timeout and
# lua_resolver_default; t/146-resolver-default.t has what the system knows.

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


=== resolver: A and AAAA
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for name in ("one.test ONE.Test. six.test four.test alias.test"):gmatch("%S+") do
        -- The second answer comes from the cache.
        ngx.say(name, ": ", ask(name, $TEST_PORT2), " ", ask(name, $TEST_PORT2))
    end
    local sock = ngx.socket.tcp()
    ngx.say(sock:connect("one.test:$TEST_PORT2", 1), " ", sock[2])
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- tcp_server_config3
listen [::1]:$TEST_PORT2;
process_by_lua 'ngx.print("six")';
--- response
one.test: four four
ONE.Test.: four four
six.test: six six
four.test: four four
alias.test: four four
1 one.test:$TEST_PORT2:1
--- no_error_log
[error]


=== resolver: ipv6=off asks for no AAAA
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _ = 1, 20 do
        assert(ask("both.test", $TEST_PORT2) == "four")
    end
    ngx.print(ask("six.test", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- tcp_server_config3
listen [::1]:$TEST_PORT2;
process_by_lua 'ngx.print("six")';
--- response chomp
six.test could not be resolved (3: Host not found)
--- no_error_log
[error]


=== resolver: ipv4=off asks for no A
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx'; `$nginx -v 2>&1` =~ m{/1\.22\.} ? 'nginx 1.23 was the first to have it' : ''
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT ipv4=off;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _ = 1, 20 do
        assert(ask("both.test", $TEST_PORT2) == "six")
    end
    ngx.say(ask("one.test", $TEST_PORT2))
    -- Whatever hosts says of it: it has 127.0.0.1 at least.
    ngx.say(ask("localhost", $TEST_PORT2) ~= "four")
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- tcp_server_config3
listen [::1]:$TEST_PORT2;
process_by_lua 'ngx.print("six")';
--- response
one.test could not be resolved (3: Host not found)
true


=== resolver: all addresses of a name are tried
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _ = 1, 10 do
        for name in ("two.test both.test many.test"):gmatch("%S+") do
            assert(ask(name, $TEST_PORT2) == "there")
        end
    end
    ngx.say(ask("many.test", $TEST_CLOSED_PORT))
}
--- tcp_server_config2
listen 127.0.0.2:$TEST_PORT2;
listen 127.0.1.20:$TEST_PORT2;
listen [::1]:$TEST_PORT2;
process_by_lua 'ngx.print("there")';
--- response
connection refused


=== resolver: answers from the cache rotate
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local addresses, n = {}, 0
    for _ = 1, 40 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("many.test", $TEST_PORT2))
        local address = sock:getpeername()
        assert(address:find("^127%.0%.1%.%d+$"))
        n = addresses[address] and n or n + 1
        addresses[address] = true
        sock:close()
    end
    ngx.print(n > 5)
}
--- tcp_server_config2
listen *:$TEST_PORT2;
process_by_lua ' ';
--- response: true
--- no_error_log
[error]


=== resolver: an answer that only TCP can carry
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("huge.test", $TEST_PORT2))
    ngx.print((sock:getpeername():gsub("%d+$", "x")))
}
--- tcp_server_config2
listen *:$TEST_PORT2;
process_by_lua ' ';
--- response chomp
127.0.2.x
--- no_error_log
[error]


=== resolver: what a name server may answer instead
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 400ms;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for name in ("nx.test text.test servfail.test other.name silent.test"):gmatch("%S+") do
        ngx.say(ask(name, $TEST_PORT2))
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
nx.test could not be resolved (3: Host not found)
text.test could not be resolved (3: Host not found)
servfail.test could not be resolved (2: Server failure)
other.name could not be resolved (5: Operation refused)
silent.test could not be resolved (110: Operation timed out)
--- no_error_log
[error]


=== resolver: names that cannot be
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    local longest = ("a"):rep(63)
    for _, name in ipairs {
        "a..test", ".test", ".", "a.test..",
        longest .. "a.test", ("a."):rep(126) .. "aa",
        -- These may be, but are not.
        longest .. ".test", ("a."):rep(124) .. "test", "*.test",
    } do
        local expected = name .. " could not be resolved (3: Host not found)"
        ngx.say(ask(name, $TEST_PORT2) == expected)
    end
}
--- response
true
true
true
true
true
true
true
true
true
--- no_error_log
[error]


=== resolver: a name server that is not there
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_CLOSED_PORT;
resolver_timeout 300ms;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("one.test", $TEST_PORT2))
}
--- response
one.test could not be resolved (110: Operation timed out)
one.test could not be resolved (110: Operation timed out)
--- error_log
while resolving, resolver: 127.0.0.1:$TEST_CLOSED_PORT


=== resolver: a name server that talks nonsense
--- udp_peer
expect_like /one/
send ""
send "\x00"
send "\xff" x 12
send "\x00\x00\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03one\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\x7f\x00\x00\x01"
send "x" x 4096
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_UDP_PEER_PORT ipv6=off;
resolver_timeout 500ms;
--- tcp_server_config
process_by_lua_block {
    ngx.print(require("names").ask("one.test", $TEST_PORT2))
}
--- response chomp
one.test could not be resolved (110: Operation timed out)
--- error_log
short DNS response


=== resolver: answers are kept
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT
    ipv6=off;
resolver_timeout 300ms;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("short.test", $TEST_PORT2))
    ngx.receive("*l")
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("two.test", $TEST_PORT2))
    ngx.sleep(2.5)
    ngx.say(ask("short.test", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- repeat: 1
--- request_parts
expect "four\nfour\n"
stop_peer dns
send "on\n"
expect "four\ntwo.test could not be resolved (110: Operation timed out)\n"
expect "short.test could not be resolved (110: Operation timed out)\n"
start_peer dns
expect_eof


=== resolver: valid says how long answers are kept
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off valid=1h;
resolver_timeout 300ms;
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("short.test", $TEST_PORT2))
    ngx.receive("*l")
    ngx.sleep(2.5)
    ngx.say(ask("short.test", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- tcp_server_config3
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off valid=1s;
resolver_timeout 300ms;
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.receive("*l")
    ngx.sleep(2.5)
    ngx.say(ask("one.test", $TEST_PORT2))
}
--- repeat: 1
--- request_parts
expect "four\n"
A: connect $TEST_PORT3
A: expect "four\n"
stop_peer dns
send "on\n"
A: send "on\n"
expect "four\n"
A: expect "one.test could not be resolved (110: Operation timed out)\n"
start_peer dns
expect_eof
A: expect_eof


=== resolver: off takes back what is inherited
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
resolver off;
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("localhost", $TEST_PORT2))
    ngx.say(ask("127.0.0.1", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
no resolver defined to resolve "one.test"
four
four
--- no_error_log
[error]


=== resolver: each server has its own
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_CLOSED_PORT;
resolver_timeout 300ms;
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT;
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("one.test", $TEST_PORT2))
}
--- tcp_server_config2
process_by_lua_block {
    ngx.print(require("names").ask("one.test", $TEST_PORT2))
}
--- response
one.test could not be resolved (110: Operation timed out)
one.test could not be resolved (110: Operation timed out)


=== resolver_timeout: is at least so long
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
resolver_timeout 700ms;
process_by_lua_block {
    ngx.update_time()
    local start = ngx.now()
    ngx.say(require("names").ask("silent.test", $TEST_PORT2))
    ngx.update_time()
    ngx.say(ngx.now() - start > 0.69)
}
--- response
silent.test could not be resolved (110: Operation timed out)
true
--- no_error_log
[error]


=== resolver_timeout: 0 is no time limit
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 0;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    local t = ngx.thread.spawn(ask, "silent.test", $TEST_PORT2)
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("nx.test", $TEST_PORT2))
    ngx.sleep(0.5)
    ngx.say(coroutine.status(t))
    ngx.thread.kill(t)
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
four
nx.test could not be resolved (3: Host not found)
suspended
--- no_error_log
[error]


=== a thread that looks a name up is killed
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "silent.test", "one.test", "a..b" } do
        local t = ngx.thread.spawn(ask, name, $TEST_PORT2)
        ngx.say(ngx.thread.kill(t), " ", coroutine.status(t))
    end
    -- Answers come for nobody.
    ngx.sleep(0.1)
    ngx.say(ask("one.test", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
1 dead
1 dead
1 dead
four
--- no_error_log
[error]


=== the first of many that wait for a name kills the others
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "one.test", "nx.test", "alias.test", "a..b", "six.test" } do
        local threads, told = {}, 0
        for i = 1, 20 do
            threads[i] = ngx.thread.spawn(function()
                ask(name, $TEST_CLOSED_PORT)
                told = told + 1
            end)
        end
        ngx.thread.wait(unpack(threads))
        for i = 1, 20 do
            ngx.thread.kill(threads[i])
        end
        ngx.sleep(0.2)
        ngx.say(name, ": ", told)
    end
}
--- repeat: 1
--- response
one.test: 1
nx.test: 1
alias.test: 1
a..b: 1
six.test: 1


=== many names at once
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    local names = { "one.test", "two.test", "nx.test", "servfail.test", "alias.test",
                    "many.test", "other.name", "a..b" }
    local threads, seen = {}, {}
    for i = 1, 200 do
        threads[i] = ngx.thread.spawn(ask, names[i % #names + 1], $TEST_PORT2)
    end
    for i = 1, #threads do
        local ok, text = ngx.thread.wait(threads[i])
        seen[tostring(ok) .. " " .. text] = (seen[tostring(ok) .. " " .. text] or 0) + 1
    end
    local lines = {}
    for text, n in pairs(seen) do
        lines[#lines + 1] = n .. " " .. text
    end
    table.sort(lines)
    ngx.say(table.concat(lines, "\n"))
}
--- tcp_server_config2
listen *:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
100 true four
25 true a..b could not be resolved (3: Host not found)
25 true nx.test could not be resolved (3: Host not found)
25 true other.name could not be resolved (5: Operation refused)
25 true servfail.test could not be resolved (2: Server failure)
--- no_error_log
[error]


=== a script exits while a thread of it looks a name up
# nginx itself may write an error: the answer to run 1 comes to the question of run 2.
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "silent.test", "one.test", "a..b" } do
        ngx.thread.spawn(ask, name, $TEST_PORT2)
    end
    ngx.say("exits")
    ngx.exit(0)
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
exits
--- no_error_log
aborted


=== the client goes while its script looks a name up
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local ask = require("names").ask
    ngx.print(ngx.receive(1))
    ngx.thread.spawn(ask, "one.test", $TEST_CLOSED_PORT)
    ask("silent.test", $TEST_PORT2)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
A: send "a"
A: expect "a"
B: send "b"
B: expect "b"
A: close
wait_log "client prematurely closed connection"
B: reset
wait_log "client prematurely closed connection" 2
--- wait: 0.2
--- no_error_log
still running
[alert]


=== a deadline in a lookup
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ngx.deadline(0.2, ask, "silent.test", $TEST_PORT2))
    ngx.say(ask("one.test", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
deadline
four
--- no_error_log
[error]


=== datagrams find names, too
--- peers: dns udp
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 400ms;
--- tcp_server_config
process_by_lua_block {
    local function try(name)
        local sock = ngx.socket.udp()
        local ok, err = sock:setpeername(name, $TEST_UDP_PORT)
        if not ok then
            return err
        end
        sock:send(name)
        return "answer to " .. sock:receive()
    end
    for name in ("one.test localhost nx.test a..b servfail.test silent.test"):gmatch("%S+") do
        ngx.say(try(name))
    end
    ngx.thread.kill(ngx.thread.spawn(try, "silent.test"))
    ngx.say(ngx.deadline(0.1, try, "silent.test"))
    ngx.thread.spawn(try, "silent.test")
    ngx.exit(0)
}
--- response
answer to one.test
answer to localhost
nx.test could not be resolved (3: Host not found)
a..b could not be resolved (3: Host not found)
servfail.test could not be resolved (2: Server failure)
silent.test could not be resolved (110: Operation timed out)
deadline
--- no_error_log
[error]


=== init_worker looks names up as tcp {} says, a timer as its server
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 300ms;
init_worker_by_lua_block {
    local ask = require("names").ask
    package.loaded.found = { ask("nx.test", 1), ask("silent.test", 1) }
}
--- tcp_server_config
resolver off;
process_by_lua_block {
    local found = package.loaded.found
    ngx.say(found[1], "\n", found[2])
    local done = require("ngx.semaphore").new()
    ngx.timer.at(0, function()
        found.timer = require("names").ask("one.test", $TEST_PORT2)
        done:post()
    end)
    ngx.say(done:wait(15), " ", found.timer)
}
--- response
nx.test could not be resolved (3: Host not found)
silent.test could not be resolved (110: Operation timed out)
true no resolver defined to resolve "one.test"
--- no_error_log
[error]


=== exit_worker looks names up as tcp {} says
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 300ms;
exit_worker_by_lua_block {
    local ask = require("names").ask
    for name in ("one.test nx.test silent.test a..b"):gmatch("%S+") do
        ngx.log(ngx.WARN, "exit: ", ask(name, $TEST_CLOSED_PORT))
    end
}
--- tcp_server_config
process_by_lua 'ngx.print("x")';
--- request_parts
expect "x"
expect_eof
signal QUIT
wait_exit
--- error_log
exit: connection refused
exit: nx.test could not be resolved (3: Host not found)
exit: silent.test could not be resolved (110: Operation timed out)
exit: a..b could not be resolved (3: Host not found)
--- no_error_log
[alert]
has not finished


=== reload: the old worker finishes a lookup
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 1500ms;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("silent.test", $TEST_PORT2))
    ngx.say(ask("one.test", $TEST_CLOSED_PORT))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- request_parts
expect "four\n"
reload
expect "silent.test could not be resolved (110: Operation timed out)\n"
expect "connection refused\n"
expect_eof
wait_workers
--- no_error_log
[alert]


=== quit: the worker waits for a lookup, of a timer too
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 1s;
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        local text = require("names").ask("silent.test", $TEST_PORT2)
        ngx.log(ngx.WARN, "timer: ", text)
    end)
    ngx.print(require("names").ask("silent.test", $TEST_PORT2))
}
--- request_parts
connect
sync
signal QUIT
expect "silent.test could not be resolved (110: Operation timed out)"
expect_eof
wait_exit
--- error_log
timer: silent.test could not be resolved (110: Operation timed out)
--- no_error_log
[alert]


=== quit: lookups that nobody waits for do not hold the worker
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    local t = ngx.thread.spawn(ask, "silent.test", $TEST_PORT2)
    ngx.thread.kill(t)
    ngx.print("x")
}
--- request_parts
expect "x"
expect_eof
signal QUIT
wait_exit
--- no_error_log
[alert]


=== terminate: in the middle of lookups
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "silent.test", "one.test", "a..b" } do
        ngx.thread.spawn(ask, name, $TEST_CLOSED_PORT)
    end
    ngx.timer.at(0, ask, "silent.test", 1)
    ngx.sleep(100)
}
--- request_parts
connect
sync
signal TERM
expect_close
wait_exit
--- no_error_log
[alert]


=== in a single process
--- peers: dns
--- master_process: off
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
resolver_timeout 300ms;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for name in ("one.test nx.test silent.test"):gmatch("%S+") do
        ngx.say(ask(name, $TEST_PORT2))
    end
}
--- tcp_server_config2
process_by_lua 'ngx.print("four")';
--- response
four
nx.test could not be resolved (3: Host not found)
silent.test could not be resolved (110: Operation timed out)
--- no_error_log
[error]


=== lookups leave nothing behind
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" require "names" }
--- tcp_server_config
resolver 127.0.0.1:$TEST_DNS_PORT;
process_by_lua_block {
    local ask, worker = require("names").ask, require("worker")
    local names = { "one.test", "nx.test", "silent.test", "alias.test", "a..b", "six.test" }
    local function round()
        for _ = 1, 5 do
            local threads = {}
            for i = 1, 60 do
                threads[i] = ngx.thread.spawn(ask, names[i % #names + 1], $TEST_CLOSED_PORT)
            end
            ngx.sleep(0.001)
            for i = 1, 60, 2 do
                ngx.thread.kill(threads[i])
            end
            ngx.sleep(0.05)
            for i = 1, 60 do
                if coroutine.status(threads[i]) == "suspended" then
                    ngx.thread.kill(threads[i])
                end
                ngx.thread.wait(threads[i])
            end
        end
        return worker.fds(), worker.memory()
    end
    round()
    local fds, memory = round()
    for _ = 1, 10 do
        round()
    end
    local fds2, memory2 = round()
    ngx.say(fds2 - fds, " descriptors more")
    ngx.say(memory2 <= memory + 24 or memory2 - memory .. " KiB more")
}
--- timeout: 20
--- response
0 descriptors more
true
--- no_error_log
[alert]


=== lua_resolver_default: on finds localhost, whatever the name server says
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("localhost", $TEST_PORT2))
    ngx.say(ask("LocalHost.", $TEST_PORT2))
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
four
four


=== lua_resolver_default: off, without a resolver
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_resolver_default off;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    for _, name in ipairs { "localhost", "one.test", "a..b", "127.0.0.1" } do
        ngx.say(ask(name, $TEST_PORT2))
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua 'ngx.print("four")';
--- response
no resolver defined to resolve "localhost"
no resolver defined to resolve "one.test"
no resolver defined to resolve "a..b"
four
--- no_error_log
[error]


=== lua_resolver_default: off, with a resolver
--- peers: dns
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
resolver 127.0.0.1:$TEST_DNS_PORT;
lua_resolver_default off;
--- tcp_server_config
process_by_lua_block {
    local ask = require("names").ask
    ngx.say(ask("one.test", $TEST_PORT2))
    ngx.say(ask("localhost", $TEST_PORT2))
}
--- tcp_server_config2
lua_resolver_default on;
process_by_lua_block {
    ngx.print(require("names").ask("localhost", $TEST_PORT3))
}
--- tcp_server_config3
process_by_lua 'ngx.print("third")';
--- response
third
localhost could not be resolved (5: Operation refused)
--- no_error_log
[error]
