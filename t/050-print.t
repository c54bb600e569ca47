# ngx.print and ngx.say: what each type looks like, what is refused, what they
# return, and what happens when the client does not read or has gone.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== print: strings come out byte by byte as they are
--- tcp_server_config
process_by_lua_block { ngx.print("a\0b\r\n\255", "", "c") }
--- response eval
"a\0b\r\n\xffc"
--- no_error_log
[error]


=== print: numbers have up to 14 digits
--- tcp_server_config
process_by_lua_block {
    for _, n in ipairs({ 0, 7, -7, 1.5, 1/3, 2^31, 2^53, 1e14, 1e15, 1e100,
                         1e-5, 0.1, 1/0, -1/0, 100000000000000 }) do
        ngx.print(n, " ")
    end
}
--- response chomp
0 7 -7 1.5 0.33333333333333 2147483648 9.007199254741e+15 1e+14 1e+15 1e+100 1e-05 0.1 inf -inf 1e+14 
--- no_error_log
[error]


=== print: nil, booleans, ngx.null
--- tcp_server_config
process_by_lua_block { ngx.print(nil, " ", true, " ", false, " ", ngx.null) }
--- response chomp
nil true false null
--- no_error_log
[error]


=== print: nothing stands between the arguments
--- tcp_server_config
process_by_lua_block { ngx.print("a", 1, "b", 2) }
--- response: a1b2
--- no_error_log
[error]


=== print: an array table, element by element
--- tcp_server_config
process_by_lua_block {
    ngx.print({ "a", 1, true, false, ngx.null, { "b", { "c" }, {} }, "d" })
}
--- response: a1truefalsenullbcd
--- no_error_log
[error]


=== print: holes of an array are nil
--- tcp_server_config
process_by_lua_block {
    local t = {}
    t[1], t[4] = "a", "d"
    ngx.print(t)
}
--- response: anilnild
--- no_error_log
[error]


=== print: an array's metamethods are not looked at
--- tcp_server_config
process_by_lua_block {
    local mt = {
        __tostring = function() return "tostring" end,
        __index = function() return "index" end,
        __len = function() return 3 end,
    }
    ngx.print(setmetatable({ "a" }, mt), setmetatable({ "b" }, mt))
}
--- response: ab
--- no_error_log
[error]


=== print: returns the number of bytes, then nil
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.print("abc"))
    show(ngx.print(12, true, { "x" }))
}
--- response
abc23nil
12truex27nil
--- no_error_log
[error]


=== print: no byte to send gives nil and an error
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.print())
    show(ngx.print(""))
    show(ngx.print("", ""))
    show(ngx.print({}))
    show(ngx.print({ "", {} }))
}
--- response
2nilwill send nothing
2nilwill send nothing
2nilwill send nothing
2nilwill send nothing
2nilwill send nothing
--- no_error_log
[error]


=== say: adds one line feed, and counts it
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ...) end
    show(ngx.say("abc"))
    show(ngx.say())
    show(ngx.say(""))
    show(ngx.say({}))
    show(ngx.say("a", { "b" }, 1, nil))
}
--- response
abc
24nil

21nil

21nil

21nil
ab1nil
27nil
--- no_error_log
[error]


=== print: a table with other keys than 1, 2, 3... raises
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.print({ a = 1 }) end))
    ngx.say(err(function() ngx.print("x", { [0] = 1 }) end))
    ngx.say(err(function() ngx.print({ [1.5] = 1 }) end))
    ngx.say(err(function() ngx.print({ [-1] = 1 }) end))
    ngx.say(err(function() ngx.print({ 1, { 2, x = 3 } }) end))
    ngx.say(err(function() ngx.print({ [2^40] = 1 }) end))
}
--- response
3: bad argument #1 to 'print' (non-array table found)
4: bad argument #2 to 'print' (non-array table found)
5: bad argument #1 to 'print' (non-array table found)
6: bad argument #1 to 'print' (non-array table found)
7: bad argument #1 to 'print' (non-array table found)
8: bad argument #1 to 'print' (non-array table found)
--- no_error_log
[error]


=== print: an array with one huge index raises instead of printing nil for ever
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.print({ [2^30] = 1 }) end))
}
--- response
3: bad argument #1 to 'print' (non-array table found)
--- no_error_log
[error]


=== print: types that have no text raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.print(err) end))
    ngx.say(err(function() ngx.print(1, coroutine.create(err)) end))
    ngx.say(err(function() ngx.print(1, 2, io.stdout) end))
    ngx.say(err(function() ngx.print(1LL) end))
    ngx.say(err(function() ngx.print(debug.upvalueid(function()
        return err end, 1)) end))
}
--- response
3: bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got function)
4: bad argument #2 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got thread)
5: bad argument #3 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got userdata)
6: bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got cdata)
7: bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got userdata)
--- no_error_log
[error]


=== print: types that have no text raise inside tables, too
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.print({ err }) end))
    ngx.say(err(function() ngx.print({ { 1, io.stdout } }) end))
    ngx.say(err(function() ngx.print({ coroutine.create(err) }) end))
    ngx.say(err(function() ngx.say("a", { 1LL }) end))
}
--- response
3: bad argument #1 to 'print' (bad data type function found)
4: bad argument #1 to 'print' (bad data type userdata found)
5: bad argument #1 to 'print' (bad data type thread found)
6: bad argument #2 to 'say' (bad data type cdata found)
--- no_error_log
[error]


=== print: tables nested 100 deep are printed, deeper ones raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local function nested(depth)
        local t = { "x" }
        for _ = 2, depth do t = { t } end
        return t
    end
    ngx.say(nested(100))
    ngx.say(err(function() ngx.print(nested(101)) end))
    local own = {}
    own[1] = own
    ngx.say(err(function() ngx.print(own) end))
}
--- response
x
9: bad argument #1 to 'print' (table is nested too deep)
12: bad argument #1 to 'print' (table is nested too deep)
--- no_error_log
[error]


=== print: a call that raises prints nothing of its arguments
--- tcp_server_config
process_by_lua_block {
    ngx.print("a")
    pcall(ngx.print, "b", "c", print)
    pcall(ngx.say, "d", { "e", { "f", print } })
    ngx.print("g")
}
--- response: ag
--- no_error_log
[error]


=== print: called through pcall
--- tcp_server_config
process_by_lua_block {
    ngx.say(pcall(ngx.print, "ab"))
    ngx.say(pcall(ngx.print, print))
}
--- response
abtrue2nil
falsebad argument #1 to '?' (string, number, boolean, nil, ngx.null, or array table expected, but got function)
--- no_error_log
[error]


=== print: many small ones arrive in order
--- tcp_server_config
process_by_lua_block {
    for i = 1, 1000 do ngx.print(i, ",") end
}
--- response eval
CORE::join '', map { "$_," } 1 .. 1000
--- no_error_log
[error]


=== print: short and long ones arrive in order
--- tcp_server_config
process_by_lua_block {
    for i = 1, 40 do
        ngx.print(("a"):rep(i * 100), i)
        ngx.print(i % 2)
        ngx.print(("b"):rep(i * 300))
    end
}
--- response eval
CORE::join '', map { 'a' x ($_ * 100) . $_ . $_ % 2 . 'b' x ($_ * 300) } 1 .. 40
--- no_error_log
[error]


=== print: arrives before the coroutine waits
--- tcp_server_config
process_by_lua_block {
    ngx.print("name? ")
    local name = ngx.receive("*l")
    ngx.print("hello ", name)
    ngx.sleep(0.001)
    ngx.print(", ready? ")
    ngx.receive("*l")
    ngx.print("bye")
}
--- request_parts
expect "name? "
send "Joe\n"
expect "hello Joe, ready? "
send "yes\n"
expect "bye"
expect_eof
--- no_error_log
[error]


=== print: a large table of strings
--- tcp_server_config
process_by_lua_block {
    local t = {}
    for i = 1, 5000 do t[i] = i % 10 end
    ngx.say(ngx.print(t))
}
--- response eval
'1234567890' x 500 . "5000nil\n"
--- no_error_log
[error]


=== print: waits for a slow reader and is woken
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    ngx.log(ngx.WARN, "printing")
    local n, err = ngx.print(("x"):rep(size))
    ngx.log(ngx.WARN, "printed ", n, " ", err)
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'printing'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
    [wait_log => qr/printed $size nil/],
]
--- no_error_log
[error]


=== print: a table, to a slow reader
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local t = {}
    for i = 1, 10 do t[i] = ("0123456789"):rep(size / 100) end
    ngx.say(ngx.print(t))
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
    [expect => "${size}nil\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== print: the reader stalls for longer than send_timeout
--- tcp_server_config
send_timeout 200ms;
process_by_lua_block {
    local function show(...) ngx.log(ngx.WARN, select("#", ...), ": ", ...) end
    local size = 16000000
    local n, err, sent = ngx.print(("x"):rep(size))
    show(n, " ", err, " ", type(sent), " ", sent > 0, " ", sent < size)
    show(ngx.print("more"))
}
--- repeat: 1
--- request_parts
connect rcvbuf=8192
stop_reading
wait_log "9: nil timeout number true true"
wait_log "2: nilclosed"
close
--- error_log
~ \[error\] .*lua tcp socket write timed out
~ \[error\] .*attempt to send data on a closed/invalid socket
--- skip_mode: slow: the kernel takes one byte a call there


=== print: a reader that reads on resets send_timeout
--- tcp_server_config
send_timeout 2500ms;
process_by_lua_block {
    local size = 12000000
    ngx.say(ngx.print(("x"):rep(size)))
}
--- timeout: 20
--- request_parts
connect rcvbuf=65536
expect_bytes 3000000
pause 0.9
expect_bytes 3000000
pause 0.9
expect_bytes 3000000
pause 0.9
expect_bytes 3000000
expect "12000000nil\n"
expect_eof
--- skip_mode: slow valgrind: too long
--- no_error_log
[error]


=== print: the client resets while it waits
--- tcp_server_config
process_by_lua_block {
    local n, err = ngx.print(("x"):rep(16000000))
    ngx.log(ngx.WARN, "first: ", n, " ", err)
    ngx.log(ngx.WARN, "then: ", ngx.print("more"))
}
--- request_parts
connect rcvbuf=8192
stop_reading
sync
reset
wait_log /first: nil (?:connection reset by peer|broken pipe)/
wait_log "then: nilclosed"
--- skip_mode: slow: too long
--- error_log
~ \[error\] .*attempt to send data on a closed/invalid socket


=== print: after the client's FIN it goes on
--- tcp_server_config
process_by_lua_block {
    local data, err = ngx.receive(1)
    ngx.say(data, " ", err)
    ngx.sleep(0.01)
    ngx.say("half-closed only")
}
--- request_parts
half_close
expect "nil closed\nhalf-closed only\n"
expect_eof
--- no_error_log
[error]


=== print: in a user coroutine
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local co = coroutine.wrap(function()
        ngx.print("in ")
        coroutine.yield()
        ngx.print(("x"):rep(size))
        return "done"
    end)
    co()
    ngx.print("out ")
    ngx.say(co())
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    ['sync'],
    ['start_reading'],
    [expect => 'in out ' . 'x' x $size . "done\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== print: inside a C function's callback it does not wait
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local done = false
    table.sort({ 2, 1 }, function(a, b)
        if not done then
            done = true
            ngx.log(ngx.WARN, "printed ", ngx.print(("x"):rep(size)))
            ngx.log(ngx.WARN, "printed ", ngx.print("more"))
        end
        return a < b
    end)
    ngx.print("end")
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    [wait_log => qr/printed ${size}nil/],
    [wait_log => 'printed 4nil'],
    ['start_reading'],
    [expect => 'x' x $size . 'moreend'],
    ['expect_eof'],
]
--- no_error_log
[error]


=== print, say: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.print("x") end)
        .. "\n" .. err(function() ngx.say("x") end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
4: no session found
--- no_error_log
[error]


=== print, say: not when a worker starts
--- tcp_config
init_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_worker = err(function() ngx.print("x") end)
        .. "\n" .. err(function() ngx.say("x") end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
3: API disabled in the context of init_worker_by_lua*
4: API disabled in the context of init_worker_by_lua*
--- no_error_log
[error]
