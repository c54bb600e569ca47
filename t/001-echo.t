# The main job: a script reads from its client, answers, and waits for the next
# request.  ngx.receive, ngx.print, ngx.say, ngx.wait_next_request, ngx.exit.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive: a number of bytes is echoed
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(5)) }
--- request chomp
hello
--- response chomp
hello
--- no_error_log
[error]
[warn]


=== receive: binary bytes come through
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(256)) }
--- request eval
CORE::join '', map { chr } 0 .. 255
--- response eval
CORE::join '', map { chr } 0 .. 255
--- no_error_log
[error]


=== receive: a request that comes byte by byte
--- tcp_server_config
process_by_lua_block { ngx.print("[", ngx.receive(5), "]") }
--- request_parts
drip "hello"
expect "[hello]"
expect_eof
--- no_error_log
[error]


=== receive: what is left serves the next call
--- tcp_server_config
process_by_lua_block {
    local a = ngx.receive(3)
    local b = ngx.receive(1)
    local c = ngx.receive(6)
    ngx.print(a, "|", b, "|", c)
}
--- request chomp
0123456789
--- response chomp
012|3|456789
--- no_error_log
[error]


=== receive: at least so many, at most so many
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(10, 3))
    ngx.say(ngx.receive(10, 3))
    ngx.wait_next_request()
    ngx.say(ngx.receive(10, 3))
}
--- request_parts
send "abc"
expect "abc\n"
send "0123456789ABC"
expect "0123456789\nABC\n"
expect_eof
--- skip_mode: slow: a read gives one byte there, so the first has three
--- no_error_log
[error]


=== receive: at least so many, when fewer come at first
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive(4, 3)) }
--- request_parts
send "ab"
expect_nothing 0.05
send "cd"
expect_like /^abcd?\n/
expect_eof
--- no_error_log
[error]


=== receive: numeric strings, fractions, and what is no number as second
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive("3", {}))
    ngx.say(ngx.receive(2.9))
    ngx.say(ngx.receive(1, "x"))
    ngx.say(ngx.receive(1, nil))
}
--- request chomp
abcdefg
--- response
abc
de
f
g
--- no_error_log
[error]


=== receive: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function try(...)
        local n, args = select("#", ...), {...}
        local ok, err = pcall(function() ngx.receive(unpack(args, 1, n)) end)
        ngx.say(type(err), " ", (tostring(err):gsub("^.-:%d+: ", "")))
    end
    try(0)
    try(-1)
    try(5, 6)
    try(5, 0)
    try({})
    try(1, 2, 3)
}
--- response
string bad argument #1 to 'receive' (bad argument <= 0)
string bad argument #1 to 'receive' (bad argument <= 0)
string bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
string bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
string bad argument #1 to 'receive' (expecting number parameter!)
string expecting 1 or 2 arguments 
--- no_error_log
[error]


=== receive: a line, without its end
--- tcp_server_config
process_by_lua_block {
    ngx.say("1:", ngx.receive())
    ngx.say("2:", ngx.receive("*l"))
    ngx.say("3:", ngx.receive("*l"))
    ngx.say("4:", ngx.receive(2))
}
--- request eval
"one\r\ntwo\n\nxy"
--- response
1:one
2:two
3:
4:xy
--- no_error_log
[error]


=== receive: all up to the client's end
--- tcp_server_config
process_by_lua_block { ngx.print("<", ngx.receive("*a"), ">") }
--- request_parts
send "one "
send "two"
half_close
expect "<one two>"
expect_eof
--- no_error_log
[error]


=== receive: closed without a byte gives two values
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.receive(1))
}
--- request_parts
half_close
expect "2nilclosed\n"
expect_eof


=== receive: closed after some bytes gives them as the third value
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.receive(10))
}
--- request_parts
send "abc"
half_close
expect "3nilclosedabc\n"
expect_eof


=== receive: again after closed is logged and gives closed
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.receive(1))
}
--- request_parts
half_close
expect "2nilclosed\n"
expect_eof
--- error_log
~ \[error\] .*attempt to receive data on a closed


=== receive: timeout gives what came, and the session goes on
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.receive(4))
    show(ngx.receive(4))
}
--- request_parts
send "ab"
expect "3niltimeoutab\n"
send "cdef"
expect "1cdef\n"
expect_eof
--- error_log
~ \[error\] .*lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== print: each type as Lua writes it
--- tcp_server_config
process_by_lua_block {
    local n, err = ngx.print("a", 1, 1.5, 1e20, nil, true, false,
                             {"x", 1, {"y", nil, true}}, ngx.null)
    ngx.print("\n", n, " ", err)
}
--- response chomp
a11.51e+20niltruefalsex1yniltruenull
36 nil
--- no_error_log
[error]


=== print: nothing to send
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.print())
    show(ngx.print(""))
    show(ngx.print({}))
    show(ngx.say())
}
--- response
2nilwill send nothing
2nilwill send nothing
2nilwill send nothing

21nil
--- no_error_log
[error]


=== print: types that cannot be sent raise
--- tcp_server_config
process_by_lua_block {
    local function try(v)
        local ok, err = pcall(function() ngx.print(v) end)
        ngx.say(type(err), " ", (tostring(err):gsub("^.-:%d+: ", "")))
    end
    try({a = 1})
    try(print)
    try({print})
    try(coroutine.create(print))
}
--- response
string bad argument #1 to 'print' (non-array table found)
string bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got function)
string bad argument #1 to 'print' (bad data type function found)
string bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got thread)
--- no_error_log
[error]


=== print: more than the kernel takes, to a slow reader
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local n, err = ngx.print(("0123456789"):rep(size / 10))
    ngx.print(n, err)
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    ['sync'],
    ['start_reading'],
    [expect => '0123456789' x ($size / 10)],
    [expect => "${size}nil"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== say: adds a line feed
--- tcp_server_config
process_by_lua_block {
    ngx.say("a", 1, {2, "b"})
    ngx.say()
    ngx.say("")
    ngx.print("end")
}
--- response eval
"a12b\n\n\nend"
--- no_error_log
[error]


=== the server speaks first
--- tcp_server_config
process_by_lua_block {
    ngx.say("220 ready")
    ngx.say("250 ", ngx.receive("*l"))
}
--- request_parts
expect "220 ready\n"
send "HELO\r\n"
expect "250 HELO\n"
expect_eof
--- no_error_log
[error]


=== all is sent although the client's last bytes were not read
--- tcp_server_config
process_by_lua_block {
    -- Or the script may be over before the first of them has come.
    ngx.receive(1)
    ngx.print(("x"):rep(10000))
}
--- request eval
"never read " x 1000
--- response eval
'x' x 10000
--- no_error_log
[error]


=== wait_next_request: requests of one connection, one after the other
--- tcp_server_config
process_by_lua_block {
    local n = 0
    while true do
        n = n + 1
        ngx.say(n, " ", ngx.receive("*l"))
        ngx.wait_next_request()
    end
}
--- request_parts
send "one\n"
expect "1 one\n"
send "two\n"
expect "2 two\n"
send "three\n"
expect "3 three\n"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== wait_next_request: pipelined requests
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive(3), "|")
        ngx.wait_next_request()
    end
}
--- request eval
CORE::join '', map { sprintf '%03d', $_ } 1 .. 200
--- response eval
CORE::join '', map { sprintf '%03d|', $_ } 1 .. 200
--- no_error_log
[error]


=== wait_next_request: takes no argument, returns nothing
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(function() ngx.wait_next_request(1) end)
    ngx.say((tostring(err):gsub("^.-:%d+: ", "")))
    ngx.receive(1)
    ngx.say(select("#", ngx.wait_next_request()))
}
--- request chomp
ab
--- response
expecting 0 arguments
0
--- no_error_log
[error]


=== wait_next_request: after closed the script ends there
--- tcp_server_config
process_by_lua_block {
    ngx.print(select(2, ngx.receive(1)))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
half_close
expect "closed"
expect_eof
--- no_error_log
still running


=== wait_next_request: the client resets while parked
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
send "a"
expect "a\n"
sync
reset
wait_log "client prematurely closed connection"
--- no_error_log
still running
[error]


=== globals: kept over requests, not seen by the next connection
--- tcp_server_config
process_by_lua_block {
    count = (count or 0) + 1
    ngx.say(count, " ", _G.count, " ", ngx.receive(1))
    ngx.wait_next_request()
    count = count + 1
    ngx.say(count, " ", _G.count, " ", ngx.receive(1))
}
--- request_parts
A: send "a"
A: expect "1 1 a\n"
B: send "b"
B: expect "1 1 b\n"
A: send "c"
A: expect "2 2 c\n"
A: expect_eof
B: send "d"
B: expect "2 2 d\n"
B: expect_eof
--- no_error_log
[error]


=== exit: from a nested function inside pcall ends the session
--- tcp_server_config
process_by_lua_block {
    local function leave() ngx.exit() end
    ngx.say("before")
    pcall(function() pcall(leave) end)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== exit: takes a status that means nothing
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    ngx.exit(0)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== an error in the script: logged once, the client gets what was printed
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    error("boom")
}
--- response
before
--- grep_error_log
~ lua entry thread aborted: runtime error: \S+\(nginx\.conf:(?=\d+\):3: boom)
--- grep_error_log_out
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:


=== clients: many at once, each served by its own coroutine
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive("*l")
    ngx.wait_next_request()
    ngx.say(name, " ", ngx.receive("*l"))
}
--- clients: 20
--- request_parts
send "client $TEST_CLIENT\n"
pause 0.01
send "asks\n"
--- response
client $TEST_CLIENT asks
--- no_error_log
[error]


=== workers: two, and reuse of finished coroutines
--- workers: 2
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(2)) }
--- clients: 10
--- request: ab
--- response: ab
--- no_error_log
[error]


=== without a master
--- master_process: off
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(5)) }
--- request: hello
--- response: hello
--- no_error_log
[error]


=== reload: parked clients are let go, new ones get the new script
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
while true do
    ngx.say("old ", ngx.receive("*l"))
    ngx.wait_next_request()
end
--- repeat: 1
--- request_parts
A: send "a\n"
A: expect "old a\n"
sync
write_file app.lua "ngx.say('new ', ngx.receive('*l'))"
reload
A: expect_eof
B: send "b\n"
B: expect "new b\n"
B: expect_eof
wait_workers
--- no_error_log
[error]


=== quit: a client in mid-request is served, then nginx ends
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.say(ngx.receive("*l"))
        ngx.wait_next_request()
    end
}
--- request_parts
send "he"
sync
signal QUIT
wait_log "gracefully shutting down"
send "llo\n"
expect "hello\n"
expect_eof
wait_exit
--- no_error_log
[error]
