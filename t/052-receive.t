# ngx.receive(total [, at_least]): a number of bytes.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive: exactly so many bytes
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(5))
    show(ngx.receive(1))
}
--- request: helloX
--- response
1:hello
1:X
--- no_error_log
[error]


=== receive: waits for the last byte and is woken by it
--- tcp_server_config
process_by_lua_block { ngx.print("<", ngx.receive(6), ">") }
--- request_parts
send "ab"
expect_nothing 0.05
send "cde"
expect_nothing 0.05
send "f"
expect "<abcdef>"
expect_eof
--- no_error_log
[error]


=== receive: byte by byte in different sizes
--- tcp_server_config
process_by_lua_block {
    for i = 1, 20 do ngx.print(ngx.receive(i), "|") end
}
--- request eval
CORE::join '', map { chr(96 + $_) x $_ } 1 .. 20
--- response eval
CORE::join '', map { chr(96 + $_) x $_ . '|' } 1 .. 20
--- no_error_log
[error]


=== receive: hundreds of calls answered from one packet
--- tcp_server_config
process_by_lua_block {
    for i = 1, 400 do
        local a, b = ngx.receive(3), ngx.receive(1)
        assert(tonumber(a) == i and b == ";")
    end
    ngx.print("all")
    ngx.receive(1)
}
--- request_parts eval
[
    [send => CORE::join '', map { sprintf '%03d;', $_ } 1 .. 400],
    [expect => 'all'],
    ['close'],
]
--- no_error_log
[error]


=== receive: megabytes in one string
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local data = ngx.receive(size)
    ngx.say(#data, " ", ngx.md5(data))
}
--- request_parts eval
use Digest::MD5;
my $size = $ENV{TEST_SLOW} ? 20000 : 3_000_000;
my $data = pack 'N*', map { $_ * 2654435761 % 2**32 } 1 .. $size / 4;
[
    [send => "$size\n$data"],
    [expect => "$size " . Digest::MD5::md5_hex($data) . "\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== receive: more than will ever come takes no memory for it
--- tcp_server_config
process_by_lua_block {
    local data, err, partial = ngx.receive(2^40)
    ngx.say(data, " ", err, " ", partial)
    ngx.say(ngx.receive(1e300))
}
--- request_parts
send "abc"
half_close
expect "nil closed abc\nnilclosed\n"
expect_eof


=== receive: what one call leaves is there for the next
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(2))
    ngx.sleep(0.001)
    ngx.say(ngx.receive("*l"))
    ngx.wait_next_request()
    ngx.say(ngx.receive(1))
    ngx.say(ngx.receive(2, 1) ~= nil)
}
--- request chomp
aabbb
cdd
--- response
aa
bbb
c
true
--- no_error_log
[error]


=== receive: total is a number, or a string that reads as one
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(3))
    ngx.say(ngx.receive("3"))
    ngx.say(ngx.receive(" 0x3 "))
    ngx.say(ngx.receive(3.99))
}
--- request: aaabbbcccddd
--- response
aaa
bbb
ccc
ddd
--- no_error_log
[error]


=== receive: total below 1 raises
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.receive(0) end))
    ngx.say(err(function() ngx.receive(-1) end))
    ngx.say(err(function() ngx.receive(0.5) end))
    ngx.say(err(function() ngx.receive("0") end))
    ngx.say(err(function() ngx.receive(0/0) end))
    ngx.say(err(function() ngx.receive(-1/0, 3) end))
}
--- response
3: bad argument #1 to 'receive' (bad argument <= 0)
4: bad argument #1 to 'receive' (bad argument <= 0)
5: bad argument #1 to 'receive' (bad argument <= 0)
6: bad argument #1 to 'receive' (bad argument <= 0)
7: bad argument #1 to 'receive' (bad argument <= 0)
8: bad argument #1 to 'receive' (bad argument <= 0)
--- no_error_log
[error]


=== receive: total of another type, or an unknown pattern, raises
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.receive("x") end))
    ngx.say(err(function() ngx.receive("") end))
    ngx.say(err(function() ngx.receive("*n") end))
    ngx.say(err(function() ngx.receive({}) end))
    ngx.say(err(function() ngx.receive(true) end))
    ngx.say(err(function() ngx.receive(nil, 3) end))
}
--- response
3: bad argument #1 to 'receive' (expecting number parameter!)
4: bad argument #1 to 'receive' (expecting number parameter!)
5: bad argument #1 to 'receive' (expecting number parameter!)
6: bad argument #1 to 'receive' (expecting number parameter!)
7: bad argument #1 to 'receive' (expecting number parameter!)
8: bad argument #1 to 'receive' (expecting number parameter!)
--- no_error_log
[error]


=== receive: too many arguments raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.receive(1, 1, 1) end), "|")
    ngx.say(err(function() ngx.receive(1, nil, nil) end), "|")
}
--- response
3: expecting 1 or 2 arguments |
4: expecting 1 or 2 arguments |
--- no_error_log
[error]


=== receive: at_least, what one read brings up to total
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(10, 3))
    ngx.say(ngx.receive(10, 3))
    ngx.say(ngx.receive(10, 3))
}
--- request_parts
send "abc"
expect "abc\n"
send "0123456789ABC"
expect "0123456789\nABC\n"
expect_eof
--- skip_mode: slow: a read gives one byte there
--- no_error_log
[error]


=== receive: at_least, not before so many are there
--- tcp_server_config
process_by_lua_block { ngx.print(#ngx.receive(100, 4) >= 4) }
--- request_parts
send "ab"
expect_nothing 0.05
send "c"
expect_nothing 0.05
send "def"
expect "true"
expect_eof
--- no_error_log
[error]


=== receive: at_least equal to total
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive(3, 3), ngx.receive(1, 1)) }
--- request: abcd
--- response
abcd
--- no_error_log
[error]


=== receive: at_least beyond total, or below 1, raises
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.receive(5, 6) end))
    ngx.say(err(function() ngx.receive(5, 0) end))
    ngx.say(err(function() ngx.receive(5, -1) end))
    ngx.say(err(function() ngx.receive(5, 0/0) end))
    ngx.say(err(function() ngx.receive(5, "9") end))
}
--- response
3: bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
4: bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
5: bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
6: bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
7: bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
--- no_error_log
[error]


=== receive: at_least that is no number means total
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(3, nil))
    ngx.say(ngx.receive(3, {}))
    ngx.say(ngx.receive(3, "x"))
    ngx.say(ngx.receive(3, false))
}
--- request: aaabbbcccddd
--- response
aaa
bbb
ccc
ddd
--- no_error_log
[error]


=== receive: closed without a byte gives two values
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(3))
}
--- request_parts
half_close
expect "2:nilclosed\n"
expect_eof
--- no_error_log
[error]


=== receive: closed while it waits, with a part
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(10))
}
--- request_parts
send "abc"
sync
half_close
expect "3:nilclosedabc\n"
expect_eof
--- no_error_log
[error]


=== receive: at_least was not reached before the end
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(10, 4))
}
--- request_parts
send "abc"
half_close
expect "3:nilclosedabc\n"
expect_eof
--- no_error_log
[error]


=== receive: bytes before the end are still received
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    ngx.receive(1)
    show(ngx.receive(2))
    show(ngx.receive(2))
    show(ngx.receive(2))
}
--- request_parts
send "abcdef"
half_close
expect "1:bc\n1:de\n3:nilclosedf\n"
expect_eof
--- no_error_log
[error]


=== receive: after closed it is closed for ever, and logged
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    ngx.receive(1)
    show(ngx.receive(1))
    show(ngx.receive("*l"))
    show(ngx.receive("*a"))
}
--- request_parts
half_close
expect "2:nilclosed\n2:nilclosed\n2:nilclosed\n"
expect_eof
--- grep_error_log
attempt to receive data on a closed/invalid socket
--- grep_error_log_out
attempt to receive data on a closed/invalid socket
attempt to receive data on a closed/invalid socket
attempt to receive data on a closed/invalid socket


=== receive: the client resets while it waits
--- tcp_server_config
process_by_lua_block {
    local data, err, part = ngx.receive(10)
    ngx.log(ngx.WARN, "first: ", data, " ", err, " ", part)
    ngx.log(ngx.WARN, "then: ", ngx.receive(1))
}
--- request_parts
send "abc"
sync
reset
wait_log "first: nil connection reset by peer abc"
wait_log "then: nilclosed"
--- error_log
~ \[info\] .*recv\(\) failed \(104: Connection reset by peer\)
~ \[error\] .*attempt to receive data on a closed/invalid socket


=== receive: timeout with a part, and the session goes on
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(4))
    show(ngx.receive(4))
    ngx.wait_next_request()
    show(ngx.receive(1))
}
--- request_parts
send "ab"
expect "3:niltimeoutab\n"
send "cdefg"
expect "1:cdef\n1:g\n"
expect_eof
--- error_log
~ \[error\] .*lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== receive: timeout without a byte gives two values
--- tcp_server_config
read_timeout 50ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive(4))
    show(ngx.receive(4, 1))
}
--- response
2:niltimeout
2:niltimeout
--- grep_error_log: lua tcp socket read timed out
--- grep_error_log_out
lua tcp socket read timed out
lua tcp socket read timed out


=== receive: read_timeout is for the whole call
--- tcp_server_config
read_timeout 2s;
process_by_lua_block {
    local data, err, part = ngx.receive(1000)
    ngx.say(data, " ", err, " ", #part > 0 and #part < 10)
}
--- request_parts
drip "0123456789" 0.4
expect "nil timeout true\n"
--- error_log
lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== receive: each call has read_timeout for itself
--- tcp_server_config
read_timeout 2300ms;
process_by_lua_block {
    for i = 1, 5 do ngx.print(ngx.receive(1)) end
}
--- request_parts
send "a"
expect "a"
pause 0.6
send "b"
expect "b"
pause 0.6
send "c"
expect "c"
pause 0.6
send "d"
expect "d"
pause 0.6
send "e"
expect "e"
expect_eof
--- skip_mode: slow valgrind: too short a timeout for them
--- no_error_log
[error]


=== receive: through pcall
--- tcp_server_config
process_by_lua_block {
    ngx.say(pcall(ngx.receive, 3))
    ngx.say(pcall(ngx.receive, 0))
    ngx.say(pcall(pcall, ngx.receive, 2))
}
--- request_parts
send "a"
sync
send "bc"
expect "trueabc\nfalsebad argument #1 to '?' (bad argument <= 0)\n"
send "de"
expect "truetruede\n"
expect_eof
--- no_error_log
[error]


=== receive: in a user coroutine
--- tcp_server_config
process_by_lua_block {
    local next_line = coroutine.wrap(function()
        while true do coroutine.yield(ngx.receive(3)) end
    end)
    ngx.say("1 ", next_line())
    ngx.say("2 ", next_line())
    local co = coroutine.create(function()
        return coroutine.wrap(function() return ngx.receive(2) end)()
    end)
    ngx.say("3 ", coroutine.resume(co))
    ngx.say(coroutine.status(co))
}
--- request_parts
send "abc"
expect "1 abc\n"
send "d"
sync
send "ef"
expect "2 def\n"
send "gh"
expect "3 truegh\ndead\n"
expect_eof
--- no_error_log
[error]


=== receive: in a generic for and in metamethods
--- tcp_server_config
process_by_lua_block {
    for word in function() return ngx.receive(2) end do
        ngx.print(word, ",")
        if word == "zz" then break end
    end
    local t = setmetatable({}, { __index = function(_, k)
        return ngx.receive(k)
    end })
    ngx.print(t[1], t[2])
}
--- request_parts
send "aa"
expect "aa,"
send "zz"
expect "zz,"
send "b"
sync
send "cc"
expect "bcc"
expect_eof
--- no_error_log
[error]


=== receive: inside a C function's callback only what is there
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.print(ngx.receive(1))
    ngx.say(("x"):gsub(".", function() return ngx.receive(2) end))
    ngx.say(err(function()
        table.sort({ 2, 1 }, function(a, b)
            ngx.receive(1)
            return a < b
        end)
    end))
    ngx.say(ngx.receive(1))
}
--- request_parts
send "abc"
expect "abc1\n7: attempt to yield across C-call boundary\n"
send "d"
expect "d\n"
expect_eof
--- skip_mode: slow: a read gives one byte there
--- no_error_log
[error]


=== receive: many clients wait at the same time, each gets its own
--- tcp_server_config
process_by_lua_block {
    local id = ngx.receive(2)
    ngx.print(id, ngx.receive(2), ngx.receive(2))
}
--- clients: 9
--- request_parts
send "<$TEST_CLIENT"
pause 0.01
send "$TEST_CLIENT"
pause 0.01
send "$TEST_CLIENT$TEST_CLIENT>"
expect "<$TEST_CLIENT$TEST_CLIENT$TEST_CLIENT$TEST_CLIENT>"
expect_eof
--- no_error_log
[error]


=== receive: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.receive(1) end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
--- no_error_log
[error]


=== receive: not when a worker starts
--- tcp_config
init_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_worker = err(function() ngx.receive(1) end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
3: API disabled in the context of init_worker_by_lua*
--- no_error_log
[error]
