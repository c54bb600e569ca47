# ngx.receive("*l"), and ngx.receive() which is the same: a line.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive *l: a line without its end
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive("*l"))
    show(ngx.receive("*l"))
}
--- request eval
"one\ntwo\r\n"
--- response
1:one
1:two
--- no_error_log
[error]


=== receive without an argument: a line
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive())
    show(ngx.receive(nil))
}
--- request
one
two
--- response
1:one
1:two
--- no_error_log
[error]


=== receive *l: empty lines
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 4 do ngx.print("[", ngx.receive("*l"), "]") end
}
--- request eval
"\n\r\n\r\r\nx\n"
--- response: [][][][x]
--- no_error_log
[error]


=== receive *l: CRs anywhere in the line are left out
--- tcp_server_config
process_by_lua_block { ngx.print("[", ngx.receive("*l"), "]") }
--- request eval
"\ra\r\rb\r\n"
--- response: [ab]
--- no_error_log
[error]


=== receive *l: NUL and bytes above 127 are bytes of the line
--- tcp_server_config
process_by_lua_block { ngx.print("[", ngx.receive("*l"), "]") }
--- request eval
"a\0\xff\x0b\n"
--- response eval
"[a\0\xff\x0b]"
--- no_error_log
[error]


=== receive *l: waits for the line's end
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive("*l")) }
--- request_parts
send "he"
expect_nothing 0.05
send "llo\r"
expect_nothing 0.05
send "\n"
expect "hello\n"
expect_eof
--- no_error_log
[error]


=== receive *l: byte by byte
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive("*l"), "|", ngx.receive("*l")) }
--- request_parts
drip "one\r\ntwo\n"
expect "one|two\n"
expect_eof
--- no_error_log
[error]


=== receive *l: longer than any buffer
--- tcp_server_config
process_by_lua_block {
    local line = ngx.receive("*l")
    ngx.say(#line, " ", line == ("0123456789"):rep(#line / 10))
    ngx.say(ngx.receive("*l"))
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 1_000_000;
[
    [send => '0123456789' x ($size / 10) . "\nnext\n"],
    [expect => "$size true\nnext\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== receive *l: hundreds of lines in one packet
--- tcp_server_config
process_by_lua_block {
    for i = 1, 300 do assert(tonumber(ngx.receive("*l")) == i) end
    ngx.print("all")
    ngx.receive("*l")
}
--- request_parts eval
[
    [send => CORE::join '', map { "$_\n" } 1 .. 300],
    [expect => 'all'],
    ['close'],
]
--- no_error_log
[error]


=== receive *l: mixed with counted bytes
--- tcp_server_config
process_by_lua_block {
    while true do
        local length = ngx.receive("*l")
        if length == "0" then break end
        ngx.print("[", ngx.receive(tonumber(length)), "]")
    end
}
--- request eval
"3\nabc5\nd\nef\n2\n\r\n0\n"
--- response eval
"[abc][d\nef\n][\r\n]"
--- no_error_log
[error]


=== receive *l: the client ends before the line does
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive("*l"))
    show(ngx.receive("*l"))
}
--- request_parts
send "one\ntw"
half_close
expect "1:one\n3:nilclosedtw\n"
expect_eof
--- no_error_log
[error]


=== receive *l: closed without a byte gives two values
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive("*l"))
    show(ngx.receive())
}
--- request_parts
half_close
expect "2:nilclosed\n2:nilclosed\n"
expect_eof
--- error_log
~ \[error\] .*attempt to receive data on a closed/invalid socket


=== receive *l: timeout gives what came of the line, the rest comes later
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive("*l"))
    show(ngx.receive("*l"))
}
--- request_parts
send "he"
expect "3:niltimeouthe\n"
send "llo\n"
expect "1:llo\n"
expect_eof
--- error_log
~ \[error\] .*lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== receive *l: the client resets while it waits
--- tcp_server_config
process_by_lua_block {
    local data, err, part = ngx.receive("*l")
    ngx.log(ngx.WARN, "line: ", data, " ", err, " ", part)
}
--- request_parts
send "abc"
sync
reset
wait_log "line: nil connection reset by peer abc"


=== receive *l: in a user coroutine
--- tcp_server_config
process_by_lua_block {
    local lines = coroutine.wrap(function()
        while true do coroutine.yield(ngx.receive("*l")) end
    end)
    for line in lines do
        if line == "." then break end
        ngx.say(#line)
    end
}
--- request_parts
send "abc\n"
expect "3\n"
send "\n"
expect "0\n"
send ".\n"
expect_eof
--- no_error_log
[error]


=== receive *l: a second argument does not matter
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive("*l", 3)) }
--- request
hello
--- response
hello
--- no_error_log
[error]
