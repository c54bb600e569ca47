# read_timeout: the time that one whole receive may take.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== read_timeout: two of ten bytes, then silence
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local data, err, partial = ngx.receive(10)
    ngx.say(data, " ", err, " ", partial)
}
--- request_parts
send "ab"
expect "nil timeout ab\n"
expect_eof
--- error_log
~ \[error\] .*lua tcp socket read timed out while running Lua, client: 127\.0\.0\.1


=== read_timeout: nothing at all came
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), " ", ...) end
    show(ngx.receive(10))
}
--- request_parts
expect "2 niltimeout\n"
expect_eof
--- grep_error_log eval: qr/lua tcp socket read timed out/
--- grep_error_log_out
lua tcp socket read timed out


=== read_timeout: partial data does not begin it anew
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.update_time()
    local begin = ngx.now()
    local data, err, partial = ngx.receive(100)
    ngx.update_time()
    local took = ngx.now() - begin
    ngx.say(data, " ", err, " ", partial == ("x"):rep(#partial), " ",
            #partial >= 2 and #partial < 20, " ", took < 3.5 or took)
}
--- request_parts
drip "xxxxxxxxxxxxxxxxxxxx" 0.2
expect "nil timeout true true true\n"
--- error_log
lua tcp socket read timed out
--- skip_mode: valgrind: measures time


=== read_timeout: no error when the bytes come in time, whatever came before
--- tcp_server_config
read_timeout 3s;
process_by_lua_block {
    for i = 1, 4 do ngx.print(ngx.receive(2)) end
}
--- request_parts
drip "abcdefgh" 0.5
expect "abcdefgh"
expect_eof
--- no_error_log
[error]
--- skip_mode: valgrind: measures time


=== read_timeout: the session goes on, with data that come later
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.say(ngx.receive(4))
    ngx.say(ngx.receive(4))
    ngx.say(ngx.receive(4))
    ngx.wait_next_request()
    ngx.say(ngx.receive(4))
}
--- request_parts
send "ab"
expect "niltimeoutab\n"
expect "niltimeout\n"
send "cdef"
expect "cdef\n"
expect_nothing 1.7
send "ghij"
expect "ghij\n"
expect_eof
--- grep_error_log eval: qr/lua tcp socket read timed out/
--- grep_error_log_out
lua tcp socket read timed out
lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== read_timeout: does not run while the script sleeps
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.print("in ")
    ngx.print(ngx.receive(1))
    ngx.sleep(1.8)
    ngx.print(ngx.receive(1))
}
--- request_parts
expect "in "
send "ab"
expect "ab"
expect_eof
--- no_error_log
[error]


=== read_timeout: a line that has no end in time
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local line, err, partial = ngx.receive("*l")
    ngx.say(line, " ", err, " ", partial)
    ngx.say(ngx.receive("*l"))
}
--- request_parts
send "one"
expect "nil timeout one\n"
send "two\n"
expect "two\n"
expect_eof
--- error_log
lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== read_timeout: all up to the end, which does not come
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local data, err, partial = ngx.receive("*a")
    ngx.say(data, " ", err, " ", partial)
}
--- request_parts
send "some"
expect "nil timeout some\n"
expect_eof
--- error_log
lua tcp socket read timed out


=== read_timeout: a loop that retries does not spin
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local n = 0
    ngx.update_time()
    local begin = ngx.now()
    repeat
        local data, err = ngx.receive(1)
        n = n + 1
        ngx.update_time()
    until data or ngx.now() - begin > 2
    ngx.say(n >= 2 and n <= 11 or n)
}
--- request_parts
expect "true\n"
expect_eof
--- error_log
lua tcp socket read timed out


=== read_timeout: from tcp, and a server's own
--- tcp_config
read_timeout 200ms;
--- tcp_server_config
process_by_lua_block { ngx.say(select(2, ngx.receive(1))) }
--- tcp_server_config2
read_timeout 60s;
process_by_lua_block { ngx.say(ngx.receive(1)) }
--- request_parts
B: connect 127.0.0.1:$TEST_PORT2
A: connect 127.0.0.1:$TEST_PORT
A: expect "timeout\n"
A: expect_eof
B: expect_nothing 0.1
B: send "x"
B: expect "x\n"
B: expect_eof


=== read_timeout: FIN behind partial data does not wait for it
--- tcp_server_config
read_timeout 60s;
process_by_lua_block {
    local data, err, partial = ngx.receive(10)
    ngx.say(data, " ", err, " ", partial)
}
--- request_parts
send "abc"
half_close
expect "nil closed abc\n"
expect_eof
--- no_error_log
[error]


=== read_timeout: FIN some time after partial data
--- tcp_server_config
read_timeout 60s;
process_by_lua_block {
    local data, err, partial = ngx.receive(10)
    ngx.say(data, " ", err, " ", partial)
}
--- request_parts
send "abc"
sync
half_close
expect "nil closed abc\n"
expect_eof
--- no_error_log
[error]


=== read_timeout: after the timeout the client ends
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.say(ngx.receive(4))
    ngx.sleep(0.3)
    ngx.say(ngx.receive(4))
}
--- request_parts
send "ab"
expect "niltimeoutab\n"
send "c"
half_close
expect "nilclosedc\n"
expect_eof
--- skip_mode: slow valgrind: too short a timeout for them
