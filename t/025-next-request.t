# Parked in ngx.wait_next_request(): bytes that are there already, the
# client's end, keepalive_timeout, and what goes on over the wait.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== pipelined bytes are not lost, whatever receive took
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print("<", ngx.receive(10, 3), ">")
        ngx.wait_next_request()
    end
}
--- request_parts
send "0123456789ABC"
expect "<0123456789><ABC>"
send "abcdefghijklmnopqrstuvwxyz"
expect "<abcdefghij><klmnopqrst><uvwxyz>"
half_close
expect_eof
--- skip_mode: slow: a read gives one byte there


=== leftover bytes of a line begin the next request at once
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print("<", ngx.receive("*l"), ">")
        ngx.wait_next_request()
    end
}
--- request_parts
send "one\ntwo\nthr"
expect "<one><two>"
sync
send "ee\nfo"
expect "<three>"
send "ur\n"
expect "<four>"
half_close
expect_eof
--- no_error_log
[error]


=== a client that parks stays without keepalive_timeout
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a"
expect "a"
expect_nothing 1
send "b"
expect "b"
half_close
expect_eof
--- no_error_log
client timed out


=== the read timer of the last receive does not end a parked client
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(2))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a"
sync
send "b"
expect "ab"
expect_nothing 1.8
send "cd"
expect "cd"
half_close
expect_eof
--- no_error_log
timed out
[error]
--- skip_mode: valgrind slow: measures time


=== keepalive_timeout: an idle client is closed then
--- tcp_server_config
keepalive_timeout 2s;
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a"
expect "a"
expect_nothing 0.5
expect_eof
--- error_log
~ \[info\] .*client timed out \(110: Connection timed out\) while lua_req_keepalive, client: 127\.0\.0\.1
--- no_error_log
[error]


=== keepalive_timeout: each request begins it anew
--- tcp_server_config
keepalive_timeout 2500ms;
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a"
expect "a"
expect_nothing 0.9
send "b"
expect "b"
expect_nothing 0.9
send "c"
expect "c"
expect_nothing 0.9
expect_eof
--- error_log
client timed out
--- no_error_log
[error]
--- skip_mode: valgrind slow: measures time


=== keepalive_timeout: does not run during a request
--- tcp_server_config
keepalive_timeout 1500ms;
process_by_lua_block {
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
    ngx.sleep(2)
    ngx.print(ngx.receive(1))
}
--- request_parts
send "a"
expect "a"
expect_nothing 0.3
send "b"
expect "b"
expect_eof
--- no_error_log
client timed out
[error]


=== keepalive_timeout longer than the read timer that is left over
--- tcp_server_config
read_timeout 1500ms;
keepalive_timeout 3500ms;
process_by_lua_block {
    ngx.receive(2)
    ngx.wait_next_request()
    ngx.print("never")
}
--- request_parts
send "a"
sync
send "b"
expect_nothing 1.7
expect_eof
--- error_log
client timed out
--- no_error_log
[error]
--- skip_mode: valgrind slow: measures time


=== keepalive_timeout 0: closed as soon as it parks
--- tcp_server_config
keepalive_timeout 0;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
send "a"
expect "a"
expect_eof
--- no_error_log
[error]


=== keepalive_timeout 0: requests that are there already are served
--- tcp_server_config
keepalive_timeout 0;
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(1), ";")
        ngx.wait_next_request()
    end
}
--- request_parts
send "abc"
expect "a;b;c;"
expect_eof
--- skip_mode: slow: reads one byte, and then there is nothing


=== keepalive_timeout 0: all that was printed arrives
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    keepalive_timeout 0;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(20000))
        ngx.print(("y"):rep(10000))
        ngx.wait_next_request()
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=4096'], ['stop_reading'], [send => 'a'], ['sync'],
    [pause => 0.1], ['start_reading'],
    [expect => 'x' x 20000 . 'y' x 10000], ['expect_eof'],
]
--- no_error_log
[error]


=== the client ends while parked
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
send "a"
expect "a"
sync
close
wait_log "client prematurely closed connection while lua_req_keepalive"
--- no_error_log
[error]


=== parked before the first byte
--- tcp_server_config
process_by_lua_block {
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
}
--- request_parts
connect
sync
send "a"
expect "a"
expect_eof
--- no_error_log
[error]


=== parked twice in a row: only bytes wake
--- tcp_server_config
process_by_lua_block {
    ngx.wait_next_request()
    ngx.print("one ")
    ngx.wait_next_request()
    ngx.print("two ", ngx.receive(1))
    ngx.wait_next_request()
    ngx.print("three ", ngx.receive(1))
}
--- request_parts
send "a"
expect "one two a"
expect_nothing 0.1
send "b"
expect "three b"
expect_eof
--- no_error_log
[error]


=== locals, globals and upvalues stay over the wait
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function count() n = n + 1 total = (total or 0) + n return n end
    while true do
        ngx.say(count(), " ", total, " ", ngx.receive(1))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a"
expect "1 1 a\n"
send "b"
expect "2 3 b\n"
send "c"
expect "3 6 c\n"
close
--- no_error_log
[error]


=== ngx.start_time() is that of the request
--- tcp_server_config
process_by_lua_block {
    local first = ngx.start_time()
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.receive(1)
    local second = ngx.start_time()
    ngx.update_time()
    ngx.print(second - first >= 0.2, " ", ngx.now() - second < 5)
}
--- request_parts
send "a"
expect "a"
pause 0.3
send "b"
expect "true true"
expect_eof
--- no_error_log
[error]


=== wait_next_request in a user coroutine
--- tcp_server_config
process_by_lua_block {
    local serve = coroutine.wrap(function()
        while true do
            coroutine.yield(ngx.receive(1))
            ngx.wait_next_request()
        end
    end)
    while true do ngx.print(serve(), ";") end
}
--- request_parts
send "a"
expect "a;"
sync
send "bc"
expect "b;c;"
sync
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== wait_next_request inside pcall, when the client goes
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(function()
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    end)
    ngx.log(ngx.ERR, "not reached: ", ok)
}
--- request_parts
send "a"
expect "a"
sync
half_close
expect_eof
--- no_error_log
[error]


=== a parked client that sends and resets
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.WARN, "woken: ", (ngx.receive(1)) or "error")
}
--- request_parts
send "a"
expect "a"
sync
send "b"
reset
wait_log /woken: (b|error)|client prematurely closed/
--- no_error_log
[error]


=== many parked clients, each woken by its own bytes
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive(2)
    ngx.wait_next_request()
    ngx.print(name, ngx.receive(2))
}
--- request_parts eval
[
    (map { (["C$_:", send => sprintf '%02d', $_]) } 10 .. 59), ['sync'],
    (map { (["C$_:", send => sprintf '%02d', 99 - $_]) } CORE::reverse 10 .. 59),
    (map { (["C$_:", expect => sprintf '%02d%02d', $_, 99 - $_],
            ["C$_:", 'expect_eof']) } 10 .. 59),
]
--- no_error_log
[error]
