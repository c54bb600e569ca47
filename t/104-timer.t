# ngx.timer.at, every, running_count and pending_count: code that runs later,
# without a connection.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== at: returns 1 at once, calls back later, with premature and the arguments
--- tcp_server_config
process_by_lua_block {
    local got
    local function callback(...) got = { n = select("#", ...), ... } end
    local function show(...) ngx.say(select("#", ...), " ", ...) end
    show(ngx.timer.at(0, callback, "a", nil, 3, false, nil))
    ngx.say(got)
    repeat ngx.sleep(0.005) until got
    for i = 1, got.n do ngx.say(got[i]) end
}
--- response
1 1
nil
false
a
nil
3
false
nil
--- no_error_log
[error]


=== at: without arguments of its own the callback gets premature alone
--- tcp_server_config
process_by_lua_block {
    local got
    ngx.timer.at(0.001, function(...) got = { n = select("#", ...), ... } end)
    repeat ngx.sleep(0.005) until got
    ngx.say(got.n, " ", got[1])
}
--- response
1 false
--- no_error_log
[error]


=== at: arguments of every type, as they are
--- tcp_server_config
process_by_lua_block {
    local ffi = require "ffi"
    local values = { {}, function() end, coroutine.create(print), true, 1.5,
                     "text", ngx.null, ffi.new("int[1]"), newproxy(true) }
    local same
    ngx.timer.at(0, function(_, ...)
        same = select("#", ...) == #values
        for i, value in ipairs { ... } do
            same = same and rawequal(value, values[i])
        end
    end, unpack(values))
    repeat ngx.sleep(0.005) until same ~= nil
    ngx.say(same)
}
--- response
true
--- no_error_log
[error]


=== at: 5,000 arguments
--- tcp_server_config
process_by_lua_block {
    local values = {}
    for i = 1, 5000 do values[i] = i end
    local n, last
    local ok = ngx.timer.at(0, function(_, ...)
        n, last = select("#", ...), (select(-1, ...))
    end, unpack(values))
    repeat ngx.sleep(0.005) until n
    ngx.say(ok, " ", n, " ", last)
}
--- response
1 5000 5000
--- no_error_log
[error]


=== at: what the callback returns is dropped
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function callback(_, ...)
        n = n + 1
        return n, ...
    end
    ngx.timer.at(0, callback)
    ngx.timer.at(0, callback, "a", "b")
    ngx.timer.at(0, function() n = n + 1 end)
    repeat ngx.sleep(0.005) until n == 3
    ngx.say("three")
}
--- response
three
--- no_error_log
[error]


=== at: not before its time
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local start, took = ngx.now(), nil
    ngx.timer.at(0.25, function()
        ngx.update_time()
        took = ngx.now() - start
    end)
    repeat ngx.sleep(0.005) until took
    -- One is nginx's clock of timers, the other the wall clock.
    ngx.say(took >= 0.24 or took)
}
--- response
true
--- no_error_log
[error]


=== at: 0 is as soon as the caller waits, not earlier, and in order
--- tcp_server_config
process_by_lua_block {
    local order = {}
    for i = 1, 10 do
        ngx.timer.at(0, function() order[#order + 1] = i end)
    end
    ngx.say(#order)
    repeat ngx.sleep(0.005) until #order == 10
    ngx.say(table.concat(order, " "))
}
--- response
0
1 2 3 4 5 6 7 8 9 10
--- no_error_log
[error]


=== at: by time, whatever order they were made in
--- tcp_server_config
process_by_lua_block {
    local order = {}
    for _, ms in ipairs { 300, 20, 200, 1, 100, 50, 250 } do
        ngx.timer.at(ms / 1000, function() order[#order + 1] = ms end)
    end
    repeat ngx.sleep(0.02) until #order == 7
    ngx.say(table.concat(order, " "))
}
--- response
1 20 50 100 200 250 300
--- no_error_log
[error]


=== at: the same time, in the order they were made in
--- tcp_server_config
process_by_lua_block {
    local order, sorted = {}, true
    for i = 1, 500 do
        ngx.timer.at(0.01, function() order[#order + 1] = i end)
    end
    repeat ngx.sleep(0.02) until #order == 500
    for i = 1, 500 do sorted = sorted and order[i] == i end
    ngx.say(sorted)
}
--- response
true
--- no_error_log
[error]


=== at: a delay that is a string, and one of less than a millisecond
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function callback() n = n + 1 end
    ngx.say(ngx.timer.at("0.001", callback))
    ngx.say(ngx.timer.at(" 1e-3 ", callback))
    ngx.say(ngx.timer.at(0.0005, callback))
    ngx.say(ngx.timer.at("0", callback))
    ngx.say(ngx.timer.at(-0, callback))
    repeat ngx.sleep(0.005) until n == 5
    ngx.say("all")
}
--- response
1
1
1
1
1
all
--- no_error_log
[error]


=== at: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local function f() ngx.log(ngx.ERR, "called") end
    ngx.say(err(function() ngx.timer.at() end))
    ngx.say(err(function() ngx.timer.at(1) end))
    ngx.say(err(function() ngx.timer.at(f) end))
    ngx.say(err(function() ngx.timer.at("x", f) end))
    ngx.say(err(function() ngx.timer.at(nil, f) end))
    ngx.say(err(function() ngx.timer.at({}, f) end))
    ngx.say(err(function() ngx.timer.at(f, 1) end))
    ngx.say(err(function() ngx.timer.at(1, nil) end))
    ngx.say(err(function() ngx.timer.at(1, 2) end))
    ngx.say(err(function() ngx.timer.at(1, "f") end))
    ngx.say(err(function() ngx.timer.at(1, {}) end))
    ngx.say(err(function() ngx.timer.at(1, ngx.say) end))
    ngx.say(err(function() ngx.timer.at(1, string.rep, "x") end))
    ngx.say(err(function() ngx.timer.at(1, setmetatable({}, { __call = f })) end))
    ngx.say(err(function() ngx.timer.at(1, coroutine.create(f)) end))
    ngx.say(pcall(ngx.timer.at, 1, 2))
    ngx.say(ngx.timer.pending_count())
}
--- response
4: expecting at least 2 arguments but got 0
5: expecting at least 2 arguments but got 1
6: expecting at least 2 arguments but got 1
7: bad argument #1 to 'at' (number expected, got string)
8: bad argument #1 to 'at' (number expected, got nil)
9: bad argument #1 to 'at' (number expected, got table)
10: bad argument #1 to 'at' (number expected, got function)
11: bad argument #2 to 'at' (Lua function expected)
12: bad argument #2 to 'at' (Lua function expected)
13: bad argument #2 to 'at' (Lua function expected)
14: bad argument #2 to 'at' (Lua function expected)
15: bad argument #2 to 'at' (Lua function expected)
16: bad argument #2 to 'at' (Lua function expected)
17: bad argument #2 to 'at' (Lua function expected)
18: bad argument #2 to 'at' (Lua function expected)
falsebad argument #2 to 'at' (Lua function expected)
0
--- no_error_log
[error]


=== at, every: a delay that is negative, or none
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local function f() ngx.log(ngx.ERR, "called") end
    ngx.say(err(function() ngx.timer.at(-1, f) end))
    ngx.say(err(function() ngx.timer.at(-0.001, f) end))
    ngx.say(err(function() ngx.timer.at(0/0, f) end))
    ngx.say(err(function() ngx.timer.at(-math.huge, f) end))
    ngx.say(err(function() ngx.timer.at("-1", f) end))
    ngx.say(err(function() ngx.timer.every(-1, f) end))
    ngx.say(err(function() ngx.timer.every(0/0, f) end))
    ngx.say(ngx.timer.pending_count())
}
--- response
4: bad argument #1 to 'at' (delay must not be negative)
5: bad argument #1 to 'at' (delay must not be negative)
6: bad argument #1 to 'at' (delay must not be negative)
7: bad argument #1 to 'at' (delay must not be negative)
8: bad argument #1 to 'at' (delay must not be negative)
9: bad argument #1 to 'every' (delay must not be negative)
10: bad argument #1 to 'every' (delay must not be negative)
0
--- no_error_log
[error]


=== every: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local function f() ngx.log(ngx.ERR, "called") end
    ngx.say(err(function() ngx.timer.every() end))
    ngx.say(err(function() ngx.timer.every(1) end))
    ngx.say(err(function() ngx.timer.every("x", f) end))
    ngx.say(err(function() ngx.timer.every(1, 2) end))
    ngx.say(err(function() ngx.timer.every(1, ngx.say) end))
    ngx.say(err(function() ngx.timer.every(0, f) end))
    ngx.say(err(function() ngx.timer.every("0", f) end))
    ngx.say(err(function() ngx.timer.every(0.0005, f) end))
    ngx.say(ngx.timer.pending_count())
}
--- response
4: expecting at least 2 arguments but got 0
5: expecting at least 2 arguments but got 1
6: bad argument #1 to 'every' (number expected, got string)
7: bad argument #2 to 'every' (Lua function expected)
8: bad argument #2 to 'every' (Lua function expected)
9: delay cannot be zero
10: delay cannot be zero
11: delay cannot be zero
0
--- no_error_log
[error]


=== at: an endless delay is one of 24 days
--- tcp_server_config
process_by_lua_block {
    local function f() ngx.log(ngx.WARN, "called") end
    ngx.say(ngx.timer.at(math.huge, f))
    ngx.say(ngx.timer.at(1e300, f))
    ngx.say(ngx.timer.at(2 ^ 31, f))
    ngx.sleep(0.05)
    ngx.say(ngx.timer.pending_count())
}
--- repeat: 1
--- response
1
1
1
3
--- no_error_log
called
[error]


=== every: again and again, with the same arguments, not before its time
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local start, took = ngx.now(), nil
    local n, same, arg = 0, true, {}
    ngx.say(ngx.timer.every(0.05, function(premature, a, b, c, ...)
        if took then return end
        n = n + 1
        same = same and premature == false and a == arg and b == nil
               and c == "c" and select("#", ...) == 0
        if n == 5 then
            ngx.update_time()
            took = ngx.now() - start
        end
    end, arg, nil, "c"))
    repeat ngx.sleep(0.02) until took
    ngx.say(n, " ", same, " ", took >= 0.24 or took)
}
--- response
1
5 true true
--- no_error_log
[error]


=== every: one that takes longer than its delay runs beside itself
--- tcp_server_config
process_by_lua_block {
    local now, most, stop = 0, 0, false
    ngx.timer.every(0.01, function(premature)
        if stop or premature then return end
        now = now + 1
        most = math.max(most, ngx.timer.running_count())
        if now >= 3 then stop = true end
        repeat ngx.sleep(0.01) until stop
        now = now - 1
    end)
    repeat ngx.sleep(0.005) until stop and now == 0
    ngx.say(most >= 3)
}
--- response
true
--- no_error_log
[error]


=== every: goes on after an error and after ngx.exit
--- tcp_server_config
process_by_lua_block {
    local n = 0
    ngx.timer.every(0.02, function()
        n = n + 1
        if n == 1 then error("first") end
        if n == 2 then ngx.exit() end
        if n == 3 then ngx.exit(ngx.ERROR) end
        if n == 4 then error() end
    end)
    repeat ngx.sleep(0.01) until n >= 6
    ngx.say("on")
}
--- repeat: 1
--- response
on
--- grep_error_log
~ :5: first$|unknown reason$
--- grep_error_log_out
:5: first
unknown reason


=== counts: pending until due, running until the end
--- tcp_server_config
process_by_lua_block {
    local timer = ngx.timer
    local go, within
    local function counts()
        return timer.pending_count() .. " " .. timer.running_count()
    end
    ngx.say(counts())
    timer.at(0, function()
        within = counts()
        repeat ngx.sleep(0.005) until go
    end)
    ngx.say(counts())
    repeat ngx.sleep(0.005) until within
    ngx.say(within, ", ", counts())
    timer.at(3, function() go = 2 end)
    timer.at(0.01, function() go = 1 end)
    ngx.say(counts())
    repeat ngx.sleep(0.005) until go == 1 and timer.running_count() == 0
    ngx.say(counts())
    repeat ngx.sleep(0.01) until go == 2 and timer.running_count() == 0
    ngx.say(counts())
}
--- response
0 0
1 0
0 1, 0 1
2 1
1 0
0 0
--- no_error_log
[error]


=== counts: in every(), which waits for its next turn while it runs
--- tcp_server_config
process_by_lua_block {
    local seen
    ngx.timer.every(0.05, function(premature)
        seen = seen or ngx.timer.pending_count() .. " "
                       .. ngx.timer.running_count()
    end)
    ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
    repeat ngx.sleep(0.01) until seen
    ngx.say(seen)
}
--- repeat: 1
--- response
1 0
1 1
--- no_error_log
[error]


=== counts: after errors, exits and dropped threads nothing runs
--- tcp_server_config
process_by_lua_block {
    local timer, ended = ngx.timer, 0
    local function e() ended = ended + 1 end
    timer.at(0, function() e() error("one") end)
    timer.at(0, function() e() error({}) end)
    timer.at(0, function() ngx.sleep(0.01) e() error("two") end)
    timer.at(0, function() e() ngx.exit() end)
    timer.at(0, function() ngx.sleep(0.01) e() ngx.exit() end)
    timer.at(0, function()
        ngx.thread.spawn(function() ngx.sleep(3600) end)
        e()
        error("three")
    end)
    timer.at(0, function()
        ngx.thread.spawn(function() ngx.sleep(3600) end)
        ngx.thread.spawn(function() ngx.sleep(0.01) e() ngx.exit() end)
        ngx.sleep(3600)
    end)
    repeat ngx.sleep(0.01) until ended == 7 and timer.running_count() == 0
    ngx.say(timer.pending_count(), " ", timer.running_count())
}
--- response
0 0
--- grep_error_log
~ one$|two$|three$|unknown reason
--- grep_error_log_out
one
unknown reason
three
two


=== counts: each worker has its own
--- workers: 2
--- tcp_config
init_worker_by_lua_block {
    for i = 1, 3 + 2 * ngx.worker.id() do
        ngx.timer.at(3600, function() end)
    end
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.timer.pending_count() - 2 * ngx.worker.id())
}
--- clients: 10
--- response
3
--- no_error_log
[error]


=== counts: arguments are ignored
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.timer.pending_count(1, "x"), " ",
            ngx.timer.running_count({}))
}
--- response
0 0
--- no_error_log
[error]


=== lua_max_pending_timers: one more is refused until one runs
--- tcp_config
lua_max_pending_timers 2;
--- tcp_server_config
process_by_lua_block {
    local timer, n = ngx.timer, 0
    local function callback() n = n + 1 end
    local function show(...) ngx.say(select("#", ...), " ", ...) end
    show(timer.at(0.05, callback))
    show(timer.at(0.05, callback))
    show(timer.at(0.05, callback))
    show(timer.at(0, callback))
    show(timer.every(0.05, callback))
    ngx.say(timer.pending_count())
    repeat ngx.sleep(0.01) until n == 2
    show(timer.at(0, callback))
    repeat ngx.sleep(0.01) until n == 3
    ngx.say(timer.pending_count())
}
--- response
1 1
1 1
2 niltoo many pending timers
2 niltoo many pending timers
2 niltoo many pending timers
2
1 1
0
--- no_error_log
[error]


=== lua_max_pending_timers: 1024 without it
--- tcp_server_config
process_by_lua_block {
    local n, ok, err = 0, nil, nil
    repeat
        ok, err = ngx.timer.at(3600, function() end)
        n = n + 1
    until not ok
    ngx.say(n, " ", err, " ", ngx.timer.pending_count())
}
--- repeat: 1
--- response
1025 too many pending timers 1024
--- no_error_log
[error]


=== lua_max_pending_timers: 0 allows none
--- tcp_config
lua_max_pending_timers 0;
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.timer.at(0, function() ngx.log(ngx.ERR, "called") end))
}
--- response
niltoo many pending timers
--- no_error_log
[error]


=== lua_max_pending_timers: a running one that makes the next needs only one
--- tcp_config
lua_max_pending_timers 1;
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function again()
        n = n + 1
        if n < 20 then assert(ngx.timer.at(0.001, again)) end
    end
    again()
    repeat ngx.sleep(0.01) until n == 20
    ngx.say("done")
}
--- response
done
--- no_error_log
[error]


=== at, every: the first one needs a connection of nginx's, none is left
--- events
worker_connections 3;
--- tcp_server_config
process_by_lua_block {
    local function f() ngx.log(ngx.ERR, "called") end
    ngx.say(ngx.timer.at(1, f))
    ngx.say(ngx.timer.every(1, f))
    ngx.say(ngx.timer.at(0, f))
    ngx.say(ngx.timer.pending_count())
}
--- response
nilworker_connections are not enough
nilworker_connections are not enough
nilworker_connections are not enough
0
--- error_log
~ \[alert\] .*3 worker_connections are not enough
--- no_error_log
[error]


=== at, every: all need one connection, which is not given back
--- events
worker_connections 4;
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i = 1, 100 do
        assert(ngx.timer.at(0.001, function() n = n + 1 end))
    end
    repeat ngx.sleep(0.005) until n == 100
    ngx.say(n)
}
--- request_parts
expect "100\n"
expect_eof
close
sync
--- no_error_log
[error]


=== lua_max_running_timers: one more does not run, and is gone
--- tcp_config
lua_max_running_timers 1;
--- tcp_server_config
process_by_lua_block {
    local timer, go, n = ngx.timer, false, 0
    timer.at(0, function()
        n = n + 1
        repeat ngx.sleep(0.005) until go
    end)
    repeat ngx.sleep(0.005) until n == 1
    ngx.say(timer.at(0.01, function() ngx.log(ngx.ERR, "called") end))
    repeat ngx.sleep(0.005) until timer.pending_count() == 0
    ngx.say(timer.running_count())
    go = true
    repeat ngx.sleep(0.005) until timer.running_count() == 0
    timer.at(0, function() n = n + 1 end)
    repeat ngx.sleep(0.005) until n == 2
    ngx.say("next")
}
--- response
1
1
next
--- error_log
~ \[alert\] .*: 1 lua_max_running_timers are not enough
--- no_error_log
called


=== lua_max_running_timers: 256 without it
--- tcp_server_config
process_by_lua_block {
    local go, n = false, 0
    for i = 1, 257 do
        ngx.timer.at(0, function()
            n = n + 1
            repeat ngx.sleep(0.02) until go
        end)
    end
    repeat ngx.sleep(0.005) until ngx.timer.pending_count() == 0
    ngx.say(n, " ", ngx.timer.running_count())
    go = true
    repeat ngx.sleep(0.01) until ngx.timer.running_count() == 0
}
--- response
256 256
--- grep_error_log
~ \[alert\]|\d+ lua_max_running_timers are not enough
--- grep_error_log_out
[alert]
256 lua_max_running_timers are not enough
--- error_log
lua_max_running_timers are not enough


=== lua_max_running_timers: every() misses a turn, not all
--- tcp_config
lua_max_running_timers 1;
--- tcp_server_config
process_by_lua_block {
    local go, n = false, 0
    ngx.timer.at(0, function()
        repeat ngx.sleep(0.005) until go
    end)
    ngx.timer.every(0.05, function() n = n + 1 end)
    ngx.sleep(0.2)
    ngx.say(n, " ", ngx.timer.pending_count())
    go = true
    repeat ngx.sleep(0.01) until n >= 2
    ngx.say("runs")
}
--- repeat: 1
--- response
0 1
runs
--- error_log
~ \[alert\] .*: 1 lua_max_running_timers are not enough


=== lua_max_running_timers: those that do not wait run one after the other
--- tcp_config
lua_max_running_timers 1;
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i = 1, 500 do
        ngx.timer.at(i % 2 / 100, function() n = n + 1 end)
    end
    repeat ngx.sleep(0.01) until n == 500
    ngx.say("all")
}
--- response
all
--- no_error_log
[error]


=== quit: pending ones run at once, premature, with their arguments
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(3600, function(premature, a, b)
        ngx.log(ngx.WARN, "at ", premature, " ", a, b, " ",
                ngx.worker.exiting())
    end, "x", "y")
    ngx.timer.every(3600, function(premature, a)
        ngx.log(ngx.WARN, "every ", premature, " ", a)
    end, "z")
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ (?:at|every) true [^,\n]*
--- grep_error_log_out
at true xy true
every true z
--- no_error_log
[error]


=== quit: in the order of their times
--- tcp_server_config
process_by_lua_block {
    for _, hours in ipairs { 3, 1, 2, 1, 5, 4 } do
        ngx.timer.at(hours * 3600, function(premature)
            ngx.log(ngx.WARN, "after ", hours, " hours")
        end)
    end
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ after \d
--- grep_error_log_out
after 1
after 1
after 2
after 3
after 4
after 5
--- no_error_log
[error]


=== quit: every() that has run before ends with one premature call
--- tcp_server_config
process_by_lua_block {
    local n = 0
    ngx.timer.every(0.01, function(premature)
        n = n + 1
        if premature then ngx.log(ngx.WARN, "premature") end
    end)
    repeat ngx.sleep(0.01) until n >= 3
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ premature
--- grep_error_log_out
premature
--- no_error_log
[error]


=== quit: every() that is due in the turn in which the worker is told
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local start = ngx.now()
    local function busy_until(seconds)
        repeat ngx.update_time() until ngx.now() - start > seconds
    end
    ngx.timer.at(0.05, function()
        ngx.log(ngx.WARN, "busy")
        busy_until(1.5)
    end)
    ngx.timer.every(2, function(premature)
        ngx.log(ngx.WARN, "called: ", premature)
    end)
    ngx.say("set")
    ngx.receive(1)
    -- nginx's message to quit is one of the events of this turn.
    busy_until(2.2)
}
--- request_parts
expect "set\n"
wait_log "busy"
send "x"
signal QUIT
expect_eof
wait_exit
--- error_log
called: false
called: true
--- no_error_log
[error]


=== quit: pending ones run though a client is being served
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(3600, function(premature)
        ngx.log(ngx.WARN, "premature ", premature)
    end)
    ngx.say("set")
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "set\n"
signal QUIT
wait_log "premature true"
send "x"
expect "x\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== quit: from then on only at(0) is taken
--- tcp_server_config
process_by_lua_block {
    local function callback(premature, name)
        ngx.log(ngx.WARN, "called: ", name)
    end
    local function try(from)
        ngx.log(ngx.WARN, from, " at(1): ", (select(2,
                ngx.timer.at(1, callback, "wrong"))))
        ngx.log(ngx.WARN, from, " at(0.001): ", (select(2,
                ngx.timer.at(0.001, callback, "wrong"))))
        ngx.log(ngx.WARN, from, " every(1): ", (select(2,
                ngx.timer.every(1, callback, "wrong"))))
        ngx.log(ngx.WARN, from, " at(0): ",
                (ngx.timer.at(0, callback, "by " .. from)))
    end
    ngx.timer.at(3600, function() try("timer") end)
    ngx.say("set")
    ngx.receive(1)
    try("client")
}
--- request_parts
expect "set\n"
signal QUIT
wait_log "called: by timer"
send "x"
expect_eof
wait_exit
--- grep_error_log
~ (?:timer|client) (?:at|every)\(.*?(?=,|$| while)|called: .*?(?=,|$)
--- grep_error_log_out
timer at(1): process exiting
timer at(0.001): process exiting
timer every(1): process exiting
timer at(0): 1
called: by timer
client at(1): process exiting
client at(0.001): process exiting
client every(1): process exiting
client at(0): 1
called: by client
--- no_error_log
[error]


=== quit: a timer that sleeps is waited for
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "begins")
        ngx.sleep(0.5)
        ngx.log(ngx.WARN, "ends")
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "begins"
signal QUIT
wait_exit
--- error_log
ends
--- no_error_log
[error]


=== quit: a premature one that waits is waited for, and so are its threads
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(3600, function(premature)
        ngx.thread.spawn(function()
            ngx.sleep(0.3)
            ngx.log(ngx.WARN, "thread ends")
        end)
        ngx.sleep(0.1)
        ngx.log(ngx.WARN, "entry ends, ", premature)
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ entry ends, true|thread ends
--- grep_error_log_out
entry ends, true
thread ends
--- no_error_log
[error]


=== quit: one that waits for what nobody could send it any more
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "waits")
        ngx.channel.new(1):receive()
        ngx.log(ngx.ERR, "went on")
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "waits"
signal QUIT
wait_exit
--- no_error_log
[error]


=== quit: one that waits for ever, and had much time for what it waited for before
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        local ch, never = ngx.channel.new(1), ngx.channel.new(1)
        ngx.thread.spawn(function()
            ch:receive(3600)
            ngx.log(ngx.WARN, "waits")
            never:receive()
            ngx.log(ngx.ERR, "went on")
        end)
        ch:send("it")
        never:receive()
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "waits"
signal QUIT
wait_exit
--- no_error_log
[error]


=== quit: one that waits in a channel for another that sleeps
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "got ", ch:receive())
    end)
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "sleeps")
        ngx.sleep(0.5)
        ch:send("it")
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "sleeps"
signal QUIT
wait_exit
--- error_log
got it
--- no_error_log
[error]


=== quit: a chain of at(0) is run to its end
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function next_one(premature)
        n = n + 1
        ngx.sleep(0.001)
        if n < 50 then
            assert(ngx.timer.at(0, next_one))
        else
            ngx.log(ngx.WARN, "fifty")
        end
    end
    ngx.timer.at(3600, next_one)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- error_log
fifty
--- no_error_log
[error]


=== quit: errors in premature ones are logged, the others run
--- tcp_server_config
process_by_lua_block {
    for i = 1, 3 do
        ngx.timer.at(3600 + i, function() error("number " .. i, 0) end)
    end
    ngx.timer.at(3700, function() ngx.log(ngx.WARN, "last") end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ aborted: runtime error: number \d|last
--- grep_error_log_out
aborted: runtime error: number 1
aborted: runtime error: number 2
aborted: runtime error: number 3
last


=== quit: more premature ones than may run at once
--- tcp_config
lua_max_running_timers 2;
--- tcp_server_config
process_by_lua_block {
    for i = 1, 10 do
        ngx.timer.at(3600, function() ngx.log(ngx.WARN, "ran ", i) end)
    end
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ ran \d+
--- grep_error_log_out eval
CORE::join '', map { "ran $_\n" } 1 .. 10
--- no_error_log
[error]


=== quit: without a master nginx exits at once, and no callback runs
--- master_process: off
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(3600, function(premature)
        ngx.log(ngx.ERR, "premature ", premature)
    end)
    ngx.timer.at(0, function()
        ngx.sleep(0.3)
        ngx.log(ngx.ERR, "slept")
    end)
    ngx.sleep(0.001)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- no_error_log
[error]


=== quit: running timers end before exit_worker_by_lua runs
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving, ", ngx.timer.pending_count(), " pending, ",
            ngx.timer.running_count(), " running")
}
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.sleep(0.3)
        ngx.log(ngx.WARN, "slept")
    end)
    ngx.timer.at(3600, function() ngx.log(ngx.WARN, "premature") end)
    ngx.sleep(0.01)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ slept|premature|leaving.*running
--- grep_error_log_out
premature
slept
leaving, 0 pending, 0 running
--- no_error_log
[error]


=== terminate: no callback runs, neither pending nor waiting
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(3600, function() ngx.log(ngx.ERR, "pending called") end)
    ngx.timer.every(3600, function() ngx.log(ngx.ERR, "every called") end)
    ngx.timer.at(0, function()
        ngx.thread.spawn(function()
            ngx.sleep(3600)
            ngx.log(ngx.ERR, "thread went on")
        end)
        ngx.log(ngx.WARN, "begins")
        ngx.sleep(3600)
        ngx.log(ngx.ERR, "went on")
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "begins"
signal TERM
wait_exit
--- no_error_log
[error]


=== terminate: exit_worker_by_lua runs, the timers do not
--- stop: TERM
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving, ", called == nil)
}
init_worker_by_lua_block {
    ngx.timer.at(3600, function() called = true end)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
leaving, true


=== reload: the old worker's timers are premature, the new one has its own
--- tcp_config
init_worker_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block {
    ngx.say(which, " ", ngx.timer.pending_count())
}
--- user_files
>>> init.lua
which = "old"
local function callback(premature)
    ngx.log(ngx.WARN, which, " premature ", premature)
end
ngx.timer.at(3600, callback)
ngx.timer.every(3600, callback)
--- repeat: 1
--- request_parts
A: expect "old 2\n"
A: expect_eof
write_file init.lua "which = 'new' ngx.timer.at(3600, function() end)"
reload
wait_log "old premature true" 2
wait_workers
B: expect "new 1\n"
B: expect_eof
--- no_error_log
[error]


=== reload: an old worker that still has a client takes at(0) only
--- tcp_server_config
process_by_lua_block {
    local done
    local function callback(premature, name) done = name end
    ngx.say("ready")
    ngx.receive(1)
    ngx.say(ngx.timer.at(0.1, callback))
    ngx.say(ngx.timer.every(0.1, callback))
    ngx.say(ngx.timer.at(0, callback, "done"))
    repeat ngx.sleep(0.005) until done
    ngx.say(done)
}
--- request_parts
expect "ready\n"
reload
send "x"
expect "nilprocess exiting\nnilprocess exiting\n1\ndone\n"
expect_eof
wait_workers
--- no_error_log
[error]


=== reload: a sleeping timer keeps the old worker, then it goes
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "begins")
        ngx.sleep(0.5)
        ngx.log(ngx.WARN, "ends")
    end)
    ngx.say("set")
}
--- request_parts
expect "set\n"
expect_eof
wait_log "begins"
reload
wait_workers
--- error_log
ends
--- no_error_log
[error]


=== API: what needs a connection raises
--- tcp_server_config
process_by_lua_block {
    local lines
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.timer.at(0, function()
        ngx.sleep(0.001)
        lines = table.concat({
            err(function() ngx.print("x") end),
            err(function() ngx.say("x") end),
            err(function() ngx.flush() end),
            err(function() ngx.flush(true) end),
            err(function() ngx.eof() end),
            err(function() ngx.receive(1) end),
            err(function() ngx.receive() end),
            err(function() ngx.wait_next_request() end),
            err(function() ngx.start_time() end),
        }, "\n")
    end)
    repeat ngx.sleep(0.005) until lines
    ngx.say(lines)
}
--- response
7: API disabled in the context of ngx.timer
8: API disabled in the context of ngx.timer
9: API disabled in the context of ngx.timer
10: API disabled in the context of ngx.timer
11: API disabled in the context of ngx.timer
12: API disabled in the context of ngx.timer
13: API disabled in the context of ngx.timer
14: API disabled in the context of ngx.timer
15: API disabled in the context of ngx.timer
--- no_error_log
[error]


=== API: what needs a connection raises in threads and coroutines, too
--- tcp_server_config
process_by_lua_block {
    local lines = {}
    local function try()
        local ok, err = pcall(function() ngx.say("x") end)
        lines[#lines + 1] = err:gsub("^.-%):", "")
    end
    ngx.timer.at(0, function()
        ngx.thread.wait(ngx.thread.spawn(try))
        coroutine.wrap(try)()
        coroutine.wrap(function()
            ngx.sleep(0.001)
            ngx.thread.spawn(coroutine.wrap(function()
                ngx.sleep(0.001)
                try()
            end))
        end)()
    end)
    repeat ngx.sleep(0.005) until #lines == 3
    ngx.say(table.concat(lines, "\n"))
}
--- response
4: API disabled in the context of ngx.timer
4: API disabled in the context of ngx.timer
4: API disabled in the context of ngx.timer
--- no_error_log
[error]


=== API: what needs none works
--- tcp_server_config
process_by_lua_block {
    local lines
    ngx.timer.at(0, function()
        local semaphore = require "ngx.semaphore"
        local sem, ch = semaphore.new(), ngx.channel.new(1)
        local got = {}
        local function add(...)
            for i = 1, select("#", ...) do
                got[#got + 1] = tostring((select(i, ...)))
            end
            got[#got] = got[#got] .. "\n"
        end
        add(ngx.get_phase())
        add(select("#", ngx.sleep(0.001)))
        add(ngx.md5("") == "d41d8cd98f00b204e9800998ecf8427e")
        add(ngx.worker.pid() > 0, ngx.worker.id(), ngx.worker.exiting())
        add(ngx.time() > 0, ngx.now() > 0, ngx.escape_uri(" "))
        add(coroutine.isyieldable(), type(coroutine.running()))
        add(coroutine.wrap(function()
            coroutine.yield(1)
        end)())
        add(select("#", coroutine.yield()))
        local t = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            sem:post()
            return ch:send("value")
        end)
        add(sem:wait(5))
        add(ch:receive(5))
        add(ngx.thread.wait(t))
        add(sem:wait(0))
        add(ch:receive(0.001))
        add(ngx.select { sem, ch, timeout = 0.001 })
        add(ngx.deadline(0.01, ngx.sleep, 3600))
        add(ngx.timer.at(0, function() lines = table.concat(got) end))
    end)
    repeat ngx.sleep(0.005) until lines
    ngx.print(lines)
}
--- response
timer
0
true
true0false
truetrue%20
truethread
1
0
true
value
truetrue
niltimeout
niltimeout
niltimeout
nildeadline
1
--- no_error_log
[error]


=== API: ngx.get_phase is "timer" after waits, in threads and in coroutines
--- tcp_server_config
process_by_lua_block {
    local phases = {}
    local function add() phases[#phases + 1] = ngx.get_phase() end
    ngx.timer.at(0, function()
        add()
        ngx.sleep(0.01)
        add()
        ngx.thread.wait(ngx.thread.spawn(add))
        ngx.thread.wait(ngx.thread.spawn(function() ngx.sleep(0.01) add() end))
        coroutine.wrap(function() ngx.sleep(0.01) add() end)()
        phases.ended = true
    end)
    repeat ngx.sleep(0.002) add() until phases.ended
    local n = {}
    for _, phase in ipairs(phases) do n[phase] = (n[phase] or 0) + 1 end
    ngx.say(n.timer, " ", n.content == #phases - 5)
}
--- response
5 true
--- no_error_log
[error]


=== API: waits in coroutines, iterators, pcall and metamethods
--- tcp_server_config
process_by_lua_block {
    local result
    ngx.timer.at(0, function()
        local t = setmetatable({}, { __index = function(_, k)
            ngx.sleep(0.001)
            return k
        end })
        local parts = { t.a }
        for v in coroutine.wrap(function()
            ngx.sleep(0.001)
            coroutine.yield("b")
            coroutine.wrap(function() ngx.sleep(0.001) end)()
            coroutine.yield("c")
        end) do
            parts[#parts + 1] = v
        end
        parts[#parts + 1] = select(2, pcall(function()
            ngx.sleep(0.001)
            error("d", 0)
        end))
        result = table.concat(parts)
    end)
    repeat ngx.sleep(0.005) until result
    ngx.say(result)
}
--- response
abcd
--- no_error_log
[error]


=== API: a wait in a C function's callback raises, and the timer goes on
--- tcp_server_config
process_by_lua_block {
    local message, after
    ngx.timer.at(0, function()
        message = select(2, pcall(table.sort, { 2, 1 }, function(a, b)
            ngx.sleep(0.001)
            return a < b
        end)):gsub("^.-%):", "")
        ngx.sleep(0.001)
        after = true
    end)
    repeat ngx.sleep(0.005) until after
    ngx.say(message)
}
--- response
5: attempt to yield across C-call boundary
--- no_error_log
[error]


=== API: ngx.log says that it comes from a timer
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "before")
        ngx.sleep(0.001)
        ngx.log(ngx.WARN, "after")
        ngx.thread.spawn(function() print("in a thread") end)
    end)
    ngx.say("set")
}
--- response
set
--- error_log
~ \[warn\] .*\[lua\] process_by_lua_block\(nginx\.conf:\d+\):3: before, context: ngx\.timer$
~ \[warn\] .*\[lua\] process_by_lua_block\(nginx\.conf:\d+\):5: after, context: ngx\.timer$
~ \[notice\] .*: in a thread, context: ngx\.timer$
--- no_error_log
client: 127.0.0.1, server: 127.0.0.1:$TEST_PORT, context
[error]


=== ctx: a timer has its own, empty at first
--- tcp_server_config
process_by_lua_block {
    local seen = {}
    ngx.ctx.name = "connection"
    for i = 1, 2 do
        ngx.timer.at(0, function()
            seen[#seen + 1] = tostring(ngx.ctx.name)
            ngx.ctx.name = "timer " .. i
            ngx.sleep(0.02)
            seen[#seen + 1] = ngx.ctx.name
            ngx.thread.wait(ngx.thread.spawn(function()
                ngx.ctx.name = ngx.ctx.name .. " thread"
            end))
            coroutine.wrap(function()
                ngx.sleep(0.02)
                seen[#seen + 1] = ngx.ctx.name
            end)()
        end)
    end
    repeat ngx.sleep(0.005) until #seen == 6
    table.sort(seen)
    ngx.say(table.concat(seen, "\n"), "\n", ngx.ctx.name)
}
--- response
nil
nil
timer 1
timer 1 thread
timer 2
timer 2 thread
connection
--- no_error_log
[error]


=== ctx: assigned as a whole, and each turn of every() has a new one
--- tcp_server_config
process_by_lua_block {
    local seen = {}
    ngx.timer.every(0.05, function()
        seen[#seen + 1] = tostring(ngx.ctx.n)
        ngx.ctx = { n = #seen }
        ngx.sleep(0.001)
        seen[#seen + 1] = tostring(ngx.ctx.n)
    end)
    repeat ngx.sleep(0.005) until #seen >= 4
    ngx.say(table.concat(seen, " ", 1, 4))
}
--- repeat: 1
--- response
nil 1 nil 3
--- no_error_log
[error]


=== exit: ends the timer where it is, also within pcall and coroutines
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function add(what) order[#order + 1] = what end
    ngx.timer.at(0, function()
        add("a")
        ngx.exit()
        add("wrong")
    end)
    ngx.timer.at(0, function()
        pcall(coroutine.wrap(function()
            ngx.sleep(0.001)
            add("b")
            pcall(ngx.exit, 0)
            add("wrong")
        end))
        add("wrong")
    end)
    ngx.timer.at(0, function()
        ngx.thread.spawn(function()
            ngx.sleep(0.001)
            add("c")
            ngx.exit(ngx.ERROR)
            add("wrong")
        end)
        ngx.sleep(0.5)
        add("wrong")
    end)
    repeat ngx.sleep(0.005) until #order >= 3
                                  and ngx.timer.running_count() == 0
    ngx.say(table.concat(order))
}
--- response_like
^a(?:bc|cb)$
--- no_error_log
aborted


=== error: logged once, with the traceback, and where it was
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            local function inner() error("boom") end
            ngx.timer.at(0, function()
                inner()
                return 1
            end)
            ngx.say("set")
        }
    }
}
--- request_parts
expect "set\n"
expect_eof
wait_log "context: ngx.timer"
--- grep_error_log
~ (?m)\[error\](?: \S+ \*\d+)?|lua entry thread aborted: .*|^stack traceback:|^coroutine \d+:|^\t.*
--- grep_error_log_out
[error]
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:6):2: boom
stack traceback:
coroutine 0:
	[C]: in function 'error'
	process_by_lua_block(nginx.conf:6):2: in function 'inner'
	process_by_lua_block(nginx.conf:6):4: in function <process_by_lua_block(nginx.conf:6):3>, context: ngx.timer


=== error: values of every type
--- tcp_server_config
process_by_lua_block {
    local values = {
        "text", 42, {}, true, print, coroutine.create(print), ngx.null,
        setmetatable({}, { __tostring = function() return "mine" end }),
        setmetatable({}, { __tostring = error }),
    }
    local n = 0
    for i = 1, 10 do
        ngx.timer.at(0, function()
            n = n + 1
            error(values[i], 0)
        end)
    end
    repeat ngx.sleep(0.005) until n == 10
    ngx.say("thrown")
}
--- response
thrown
--- grep_error_log
~ lua entry thread aborted: .*
--- grep_error_log_out
lua entry thread aborted: runtime error: text
lua entry thread aborted: runtime error: 42
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: mine
lua entry thread aborted: runtime error: unknown reason
lua entry thread aborted: runtime error: unknown reason


=== error: after waits, in coroutines, with the whole chain
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function level(depth)
        ngx.sleep(0.001)
        if depth == 3 then
            n = n + 1
            error("boom")
        end
        local x = coroutine.wrap(level)(depth + 1)
        return x
    end
    ngx.timer.at(0, function() level(1) end)
    repeat ngx.sleep(0.005) until n == 1
    ngx.say("thrown")
}
--- response
thrown
--- grep_error_log
~ lua entry thread aborted: runtime|\d+: boom|coroutine \d+:
--- grep_error_log_out
lua entry thread aborted: runtime
7: boom
coroutine 0:
coroutine 1:
coroutine 2:
--- error_log
~ , context: ngx\.timer$


=== error: endless recursion, and an error in the error's __tostring
--- tcp_server_config
process_by_lua_block {
    local function f(n) return 1 + f(n + 1) end
    ngx.timer.at(0, function() f(1) end)
    ngx.timer.at(0, function() coroutine.wrap(f)(1) end)
    ngx.timer.at(0, function()
        error(setmetatable({}, { __tostring = function() f(1) end }))
    end)
    local n
    ngx.timer.at(0.01, function() n = 1 end)
    repeat ngx.sleep(0.01) until n
    ngx.say("alive")
}
--- response
alive
--- grep_error_log
~ stack overflow$|unknown reason$
--- grep_error_log_out
stack overflow
stack overflow
unknown reason


=== error: of a light thread, the timer goes on
--- tcp_server_config
process_by_lua_block {
    local result
    ngx.timer.at(0, function()
        local t = ngx.thread.spawn(function() error("boom", 0) end)
        ngx.thread.spawn(function() ngx.sleep(0.001) error("bang", 0) end)
        ngx.sleep(0.05)
        result = table.concat({ tostring(ngx.thread.wait(t)),
                                select(2, ngx.thread.wait(t)) }, " ")
    end)
    repeat ngx.sleep(0.005) until result
    ngx.say(result)
}
--- response
false already waited or killed
--- grep_error_log
~ lua user thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: boom
lua user thread aborted: runtime error: bang
--- error_log
~ , context: ngx\.timer$
--- no_error_log
lua entry thread aborted


=== error: pcall within the callback sees it, nobody else does
--- tcp_server_config
process_by_lua_block {
    local seen
    ngx.timer.at(0, function()
        local ok, err = pcall(function()
            ngx.sleep(0.001)
            error({ code = 7 })
        end)
        seen = err.code
    end)
    repeat ngx.sleep(0.005) until seen
    ngx.say(seen)
}
--- response
7
--- no_error_log
[error]


=== threads: the timer runs until its last one has ended
--- tcp_server_config
process_by_lua_block {
    local go, order = false, {}
    local function add(what) order[#order + 1] = what end
    ngx.timer.at(0, function()
        ngx.thread.spawn(function()
            repeat ngx.sleep(0.005) until go
            add("thread")
        end)
        add("entry")
    end)
    repeat ngx.sleep(0.005) until order[1]
    ngx.sleep(0.02)
    ngx.say(order[1], " ", order[2], " ", ngx.timer.running_count())
    go = true
    repeat ngx.sleep(0.005) until ngx.timer.running_count() == 0
    ngx.say(order[2])
}
--- response
entry nil 1
thread
--- no_error_log
[error]


=== threads: spawn, wait and kill
--- tcp_server_config
process_by_lua_block {
    local lines
    ngx.timer.at(0, function()
        local got = {}
        local function add(...)
            local n = select("#", ...)
            local values = { ... }
            for i = 1, n do values[i] = tostring(values[i]) end
            got[#got + 1] = table.concat(values, " ")
        end
        local function sleeper(seconds, ...)
            ngx.sleep(seconds)
            return ...
        end
        local long = ngx.thread.spawn(sleeper, 3600)
        local short = ngx.thread.spawn(sleeper, 0.001, "a", nil, "b", nil)
        add(ngx.thread.wait(long, short))
        add(ngx.thread.kill(long))
        add(ngx.thread.kill(long))
        add(ngx.thread.wait(ngx.thread.spawn(error, "text", 0)))
        lines = table.concat(got, "\n")
    end)
    repeat ngx.sleep(0.005) until lines
    ngx.say(lines)
}
--- response
true a nil b nil
1
nil already waited or killed
false text


=== threads: of a timer are not those of the connection
--- tcp_server_config
process_by_lua_block {
    local seen = {}
    local mine = ngx.thread.spawn(function() ngx.sleep(0.05) return "mine" end)
    ngx.timer.at(0, function()
        seen[1] = select(2, pcall(ngx.thread.wait, mine))
        seen[2] = select(2, ngx.thread.kill(mine))
        seen[3] = ngx.thread.spawn(function() ngx.sleep(0.05) end)
        ngx.sleep(0.1)
    end)
    repeat ngx.sleep(0.005) until seen[3]
    ngx.say(seen[1])
    ngx.say(seen[2])
    ngx.say(select(2, pcall(ngx.thread.wait, seen[3])))
    ngx.say(ngx.thread.kill(seen[3]))
    ngx.say(ngx.thread.wait(mine))
}
--- response
only the parent coroutine can wait on the thread
killer not parent
only the parent coroutine can wait on the thread
nilkiller not parent
truemine
--- no_error_log
[error]


=== from: init_worker, in each worker
--- workers: 2
--- tcp_config
init_worker_by_lua_block {
    ngx.timer.at(0, function(premature, id)
        ngx.sleep(0.01)
        fired = id == ngx.worker.id() and not premature
    end, ngx.worker.id())
}
--- tcp_server_config
process_by_lua_block {
    repeat ngx.sleep(0.005) until fired ~= nil
    ngx.say(fired)
}
--- clients: 6
--- response
true
--- no_error_log
[error]


=== from: init_by_lua raises, and so does exit_worker_by_lua
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    at = err(function() ngx.timer.at(0, function() end) end)
    every = err(function() ngx.timer.every(1, function() end) end)
}
exit_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.log(ngx.WARN, err(function() ngx.timer.at(0, function() end) end))
    ngx.log(ngx.WARN, err(function() ngx.timer.every(1, function() end) end))
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(at)
    ngx.say(every)
}
--- response
3: API disabled in the context of init_by_lua*
4: API disabled in the context of init_by_lua*
--- stop_log
3: API disabled in the context of exit_worker_by_lua*
4: API disabled in the context of exit_worker_by_lua*


=== from: threads, coroutines, pcall, metamethods, C functions, modules
--- tcp_config
lua_package_path "$prefix/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local seen = {}
    local function make(name)
        assert(ngx.timer.at(0, function() seen[#seen + 1] = name end))
    end
    ngx.thread.spawn(make, "thread")
    ngx.thread.spawn(function() ngx.sleep(0.001) make("thread that slept") end)
    coroutine.wrap(make)("coroutine")
    coroutine.wrap(function() ngx.sleep(0.001) make("later coroutine") end)()
    pcall(make, "pcall")
    xpcall(function() error() end, function() make("handler") end)
    local _ = setmetatable({}, { __index = function() make("meta") end }).x
    table.sort({ 2, 1 }, function(a, b)
        if not seen.sort then make("sort") end
        seen.sort = true
        return a < b
    end)
    package.preload.makes = function() make("require") return true end
    require "makes"
    package.loaded.makes, package.preload.makes = nil, nil
    loadstring("local make = ... make('loadstring')")(make)
    repeat ngx.sleep(0.005) until #seen == 10
    table.sort(seen)
    ngx.say(table.concat(seen, "\n"))
}
--- response
coroutine
handler
later coroutine
loadstring
meta
pcall
require
sort
thread
thread that slept
--- no_error_log
[error]


=== from: timers, a chain of a thousand
--- tcp_server_config
process_by_lua_block {
    local n, most = 0, 0
    local function next_one()
        n = n + 1
        most = math.max(most, ngx.timer.pending_count(),
                        ngx.timer.running_count())
        if n < 1000 then ngx.timer.at(0, next_one) end
    end
    ngx.timer.at(0, next_one)
    repeat ngx.sleep(0.01) until n == 1000
    ngx.say(most)
}
--- response
1
--- no_error_log
[error]


=== from: timers that make two each
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function grow(_, depth)
        n = n + 1
        if depth == 0 then return end
        if depth % 2 == 0 then ngx.sleep(0.001) end
        ngx.timer.at(0, grow, depth - 1)
        ngx.timer.at(0.001, grow, depth - 1)
    end
    grow(nil, 7)
    repeat ngx.sleep(0.01) until n == 255
    ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
}
--- response
0 0
--- no_error_log
[error]


=== from: a timer that makes itself again with 0 for ever lets others work
--- tcp_server_config
process_by_lua_block {
    local n, stop = 0, false
    local function again()
        n = n + 1
        if not stop then ngx.timer.at(0, again) end
    end
    ngx.timer.at(0, again)
    for i = 1, 3 do
        ngx.say(ngx.receive(1))
        ngx.sleep(0.001)
    end
    local before = n
    ngx.sleep(0.05)
    ngx.say(n > before)
    stop = true
}
--- request_parts
send "a"
expect "a\n"
send "b"
expect "b\n"
sync
send "c"
expect "c\ntrue\n"
expect_eof
--- no_error_log
[error]


=== from: finalizers, while it runs and when the worker ends
--- tcp_server_config
process_by_lua_block {
    local called
    getmetatable(newproxy(true)).__gc = function()
        ngx.timer.at(0, function() called = true end)
    end
    for _ = 1, 4 do collectgarbage() end
    repeat ngx.sleep(0.005) until called
    local kept = newproxy(true)
    getmetatable(kept).__gc = function()
        pcall(ngx.timer.at, 0, function() end)
        pcall(ngx.timer.every, 1, function() end)
        pcall(ngx.timer.pending_count)
    end
    package.loaded.kept = kept
    ngx.say("called")
}
--- response
called
--- no_error_log
[error]


=== life: runs after its connection has ended
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive("*l")
    package.loaded.waits = true
    ngx.timer.at(0, function()
        repeat ngx.sleep(0.005) until not package.loaded.waits
        ngx.log(ngx.WARN, "after ", name)
    end)
    ngx.say("set")
}
--- tcp_server_config2
process_by_lua_block { package.loaded.waits = nil ngx.say("go") }
--- request_parts
A: send "Ada\n"
A: expect "set\n"
A: expect_eof
A: close
sync
B: connect $TEST_PORT2
B: expect "go\n"
B: expect_eof
wait_log "after Ada"
--- no_error_log
[error]


=== life: its connection ends by reset, an error, an abort
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local how = ngx.receive("*l")
    local over
    ngx.timer.at(0.3, function()
        collectgarbage()
        ngx.sleep(0.01)
        ngx.log(ngx.WARN, "after ", how)
    end)
    ngx.say("set")
    if how == "error" then error("boom") end
    if how == "exit" then ngx.exit() end
    ngx.sleep(3600)
}
--- request_parts
A: send "reset\n"
A: expect "set\n"
A: reset
B: send "error\n"
B: expect "set\n"
B: expect_eof
C: send "abort\n"
C: expect "set\n"
C: close
D: send "exit\n"
D: expect "set\n"
D: expect_eof
wait_log "after reset"
wait_log "after error"
wait_log "after abort"
wait_log "after exit"
--- error_log
boom


=== life: its connection's timeouts and aborts do not end a running one
--- tcp_server_config
lua_check_client_abort on;
read_timeout 50ms;
process_by_lua_block {
    ngx.timer.at(0, function()
        local before = ngx.get_phase()
        ngx.sleep(0.3)
        ngx.log(ngx.WARN, "ends ", before)
    end)
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "niltimeout\n"
expect_eof
close
wait_log "ends timer"
--- error_log
lua tcp socket read timed out


=== life: wakes its connection
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    ngx.timer.at(0.01, function() sem:post() end)
    ngx.say(sem:wait(10))
    ngx.timer.at(0.01, function() ch:send("sent") end)
    ngx.say((ch:receive(10)))
    ngx.timer.at(0.01, function() ngx.sleep(0.01) ch:close() end)
    ngx.say(ch:receive(10))
}
--- response
true
sent
nilclosed
--- no_error_log
[error]


=== life: a killed thread's timers stay
--- tcp_server_config
process_by_lua_block {
    local called
    local t = ngx.thread.spawn(function()
        ngx.timer.at(0.05, function() called = true end)
        ngx.sleep(3600)
    end)
    ngx.say(ngx.thread.kill(t))
    repeat ngx.sleep(0.01) until called
    ngx.say("called")
}
--- response
1
called
--- no_error_log
[error]


=== globals: those of the connection that made it, while it lives and after
--- tcp_server_config
process_by_lua_block {
    name = ngx.receive("*l")
    local steps = 0
    ngx.timer.at(0, function()
        name = name .. "+"
        ngx.sleep(0.001)
        fresh = "made in a timer"
        steps = 1
        repeat ngx.sleep(0.01) until package.loaded.gone
        collectgarbage()
        ngx.sleep(0.01)
        ngx.log(ngx.WARN, "name ", name, ", ", fresh, ", ", late)
    end)
    repeat ngx.sleep(0.005) until steps == 1
    late = "late"
    ngx.say(name, " ", fresh)
}
--- tcp_server_config2
process_by_lua_block {
    package.loaded.gone = ngx.receive(1) == "y" or nil
    ngx.say(name, " ", fresh)
}
--- request_parts
N: connect $TEST_PORT2
N: send "n"
N: expect "nil nil\n"
N: expect_eof
A: send "Ada\n"
B: send "Bob\n"
A: expect "Ada+ made in a timer\n"
B: expect "Bob+ made in a timer\n"
A: expect_eof
B: expect_eof
A: close
B: close
sync
Y: connect $TEST_PORT2
Y: send "y"
Y: expect "nil nil\n"
Y: expect_eof
wait_log "name Ada+, made in a timer, late"
wait_log "name Bob+, made in a timer, late"
--- no_error_log
[error]


=== globals: of a module's function are the module's, not the connection's
--- tcp_config
init_by_lua_block {
    counter = 0
    function count() counter = counter + 1 end
}
--- tcp_server_config
process_by_lua_block {
    counter = "mine"
    local done
    ngx.timer.at(0, count)
    ngx.timer.at(0, function() done = getfenv(count).counter end)
    repeat ngx.sleep(0.005) until done
    ngx.say(done > 0, " ", counter)
}
--- response
true mine
--- no_error_log
[error]


=== globals: code that a timer loads has those of its callback
--- tcp_server_config
process_by_lua_block {
    name = "connection's"
    local seen
    ngx.timer.at(0, function()
        ngx.sleep(0.001)
        loadstring("other = 'set by the timer'")()
        seen = loadstring("return name")()
    end)
    repeat ngx.sleep(0.005) until seen
    ngx.say(seen, " ", other)
}
--- response
connection's set by the timer
--- no_error_log
[error]


=== globals: those of a timer are not left for the worker's exit
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "left: ", loadstring("return tostring(name)")(), " ",
            getfenv(0) == getfenv(1))
}
--- tcp_server_config
process_by_lua_block {
    name = "connection's"
    local done
    ngx.timer.at(0, function() done = name end)
    repeat ngx.sleep(0.005) until done
    ngx.say(done)
}
--- response
connection's
--- stop_log
left: nil true


=== globals: what init_by_lua left can be read by code that a timer loads
--- tcp_config
init_by_lua_block { greeting = "hello" }
--- tcp_server_config
process_by_lua_block {
    local seen
    ngx.timer.at(0, function()
        ngx.sleep(0.001)
        seen = loadstring("return greeting .. ' ' .. type(ngx.timer.at)")()
    end)
    repeat ngx.sleep(0.005) until seen
    ngx.say(seen)
}
--- response
hello function
--- no_error_log
[error]


=== life: a deadline of the caller is not the timer's
--- tcp_server_config
process_by_lua_block {
    local results
    ngx.deadline(0.02, function()
        ngx.timer.at(0, function()
            results = select("#", ngx.sleep(0.1))
        end)
    end)
    repeat ngx.sleep(0.005) until results
    ngx.say(results)
}
--- response
0
--- no_error_log
[error]


=== life: a callback made by coroutine.wrap
--- tcp_server_config
process_by_lua_block {
    local got
    ngx.timer.at(0, coroutine.wrap(function(premature, arg)
        ngx.sleep(0.01)
        got = tostring(premature) .. " " .. arg
    end), "arg")
    repeat ngx.sleep(0.005) until got
    ngx.say(got)
}
--- response
false arg
--- no_error_log
[error]


=== log: a timer's lines are nginx's, whatever the server's error_log
--- tcp_server_config
error_log $TEST_DIR/logs/server.log notice;
process_by_lua_block {
    local done
    ngx.log(ngx.NOTICE, "by the connection")
    ngx.timer.at(0, function()
        ngx.log(ngx.NOTICE, "by the timer")
        done = true
        error("boom")
    end)
    repeat ngx.sleep(0.005) until done
    ngx.say("done")
}
--- response
done
--- error_log
by the timer
boom
--- no_error_log
by the connection
--- file_like
>>> logs/server.log
\A[^\n]*by the connection[^\n]*\n\z


=== idle: thousands of pending ones and some that run use no processor time
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
lua_max_pending_timers 20000;
--- tcp_server_config
process_by_lua_block {
    for i = 1, 10000 do ngx.timer.at(3600 + i, function() end) end
    ngx.timer.every(0.2, function() end)
    ngx.timer.at(0, function() ngx.sleep(2) end)
    ngx.sleep(0.01)
    ngx.say(require("worker").busy(1))
}
--- repeat: 1
--- response
idle
--- skip_mode: slow valgrind: measures processor time
--- no_error_log
[error]


=== memory: arguments and callback live until it has run, no longer
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "v" })
    local called
    local function make()
        local arg, value = { "arg" }, { "value" }
        weak[1], weak[2] = arg, value
        ngx.timer.at(0.05, function(_, a) called = a[1] .. value[1] end, arg)
    end
    make()
    for _ = 1, 3 do collectgarbage() end
    local before = weak[1] ~= nil and weak[2] ~= nil
    repeat ngx.sleep(0.01) until called
    for _ = 1, 3 do collectgarbage() end
    ngx.say(before, " ", called, " ", weak[1], " ", weak[2])
}
--- response
true argvalue nil nil
--- no_error_log
[error]


=== memory: those of refused timers are not kept
--- tcp_config
lua_max_pending_timers 1;
lua_max_running_timers 1;
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "k" })
    local go
    ngx.timer.at(0, function() repeat ngx.sleep(0.005) until go end)
    repeat ngx.sleep(0.005) until ngx.timer.running_count() == 1
    local function try(delay)
        local arg = {}
        weak[arg] = true
        return (select(2, ngx.timer.at(delay, function() end, arg)))
    end
    ngx.say(try(0.05))
    ngx.say(try(0.05))
    pcall(ngx.timer.at, -1, function() end, {})
    repeat ngx.sleep(0.01) until ngx.timer.pending_count() == 0
    for _ = 1, 3 do collectgarbage() end
    ngx.say(next(weak))
    go = true
    repeat ngx.sleep(0.005) until ngx.timer.running_count() == 0
}
--- response
nil
too many pending timers
nil
--- error_log
1 lua_max_running_timers are not enough


=== memory: nothing is left of thousands
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local function round()
        local n = 0
        for i = 1, 300 do
            ngx.timer.at(i % 3 / 1000, function(_, how)
                n = n + 1
                if how == 1 then ngx.sleep(0.001) end
                if how == 2 then
                    ngx.thread.spawn(function() ngx.sleep(0.001) end)
                end
                if how == 3 then ngx.exit() end
                ngx.ctx.x = ("x"):rep(100)
            end, i % 5)
            if i % 100 == 0 then
                repeat ngx.sleep(0.002) until n == i
            end
        end
        repeat ngx.sleep(0.005) until ngx.timer.running_count() == 0
    end
    for _ = 1, 3 do round() end
    local before = worker.memory()
    for _ = 1, 10 do round() end
    local more = worker.memory() - before
    ngx.say(more < 24 and "nothing left" or more .. " KiB more")
}
--- timeout: 20
--- response
nothing left
--- no_error_log
[error]


=== many: 100,000 pending with 64 worker_connections
--- events
worker_connections 64;
--- tcp_config
lua_max_pending_timers 200000;
--- tcp_server_config eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 100000;
qq{
    process_by_lua_block {
        local n, called = $n, 0
        local function callback() called = called + 1 end
        for i = 1, n do
            assert(ngx.timer.at(3 + i % 7 / 10, callback))
        end
        ngx.say(ngx.timer.pending_count() == n, " ", called)
        repeat ngx.sleep(0.05) until called == n
        ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
    }
}
--- timeout: 20
--- response
true 0
0 0
--- no_error_log
[error]


=== many: 100,000 due at once, and a client is served meanwhile
--- events
worker_connections 64;
--- tcp_config
lua_max_pending_timers 200000;
--- tcp_server_config eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 100000;
qq{
    process_by_lua_block {
        local n, called = $n, 0
        local function callback() called = called + 1 end
        for i = 1, n do assert(ngx.timer.at(0, callback)) end
        ngx.say(ngx.timer.pending_count() == n, " ", called)
        ngx.say(ngx.receive(1))
        repeat ngx.sleep(0.01) until called == n
        ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
    }
}
--- timeout: 20
--- request: x
--- response
true 0
x
0 0
--- no_error_log
[error]


=== many: 100,000 that are pending when nginx quits
--- events
worker_connections 64;
--- tcp_config eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 100000;
qq{
    lua_max_pending_timers 200000;
    init_worker_by_lua_block {
        premature, due = 0, 0
        for i = 1, $n do
            ngx.timer.at(3600 + i, function(early)
                if early then premature = premature + 1 else due = due + 1 end
            end)
        end
    }
    exit_worker_by_lua_block {
        ngx.log(ngx.WARN, premature == $n, " ", due)
    }
}
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.timer.pending_count() > 2000) }
--- timeout: 20
--- response
true
--- stop_log
true 0


=== many: 100,000 that are pending when nginx terminates
--- events
worker_connections 64;
--- stop: TERM
--- tcp_config eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 100000;
qq{
    lua_max_pending_timers 200000;
    init_worker_by_lua_block {
        called = 0
        for i = 1, $n do
            ngx.timer.at(3600, function() called = called + 1 end)
        end
    }
    exit_worker_by_lua_block { ngx.log(ngx.WARN, "called ", called) }
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- timeout: 20
--- response
up
--- stop_log
called 0


=== many: 5,000 that sleep with 64 worker_connections
--- events
worker_connections 64;
--- tcp_config
lua_max_pending_timers 5000;
lua_max_running_timers 5000;
--- tcp_server_config eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 5000;
qq{
    process_by_lua_block {
        local n, begun, ended = $n, 0, 0
        for i = 1, n do
            assert(ngx.timer.at(0, function()
                begun = begun + 1
                ngx.sleep(0.001 * (i % 50 + 1))
                repeat ngx.sleep(0.05) until begun == n
                ended = ended + 1
            end))
        end
        repeat ngx.sleep(0.02) until ended == n
        ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
    }
}
--- timeout: 20
--- response
0 0
--- no_error_log
[error]


=== code cache: off, a timer keeps the code it was made with
--- tcp_server_config
lua_code_cache off;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
local answer
ngx.timer.at(0.01, function() ngx.sleep(0.01) answer = "called" end)
repeat ngx.sleep(0.005) until answer
ngx.say(answer)
--- response
called
--- no_error_log
[error]


=== lua_max_pending_timers: twice
--- tcp_config
lua_max_pending_timers 1;
lua_max_pending_timers 2;
--- conf_error
"lua_max_pending_timers" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_max_pending_timers: no number
--- tcp_config
lua_max_pending_timers x;
--- conf_error
"lua_max_pending_timers" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_max_pending_timers: negative
--- tcp_config
lua_max_pending_timers -1;
--- conf_error
"lua_max_pending_timers" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_max_pending_timers: nothing, and too much
--- tcp_config
lua_max_pending_timers;
--- conf_error
invalid number of arguments in "lua_max_pending_timers" directive in $TEST_DIR/conf/nginx.conf:


=== lua_max_pending_timers: two numbers
--- tcp_config
lua_max_pending_timers 1 2;
--- conf_error
invalid number of arguments in "lua_max_pending_timers" directive in $TEST_DIR/conf/nginx.conf:


=== lua_max_pending_timers: not in a server
--- tcp_server_config
lua_max_pending_timers 1;
--- conf_error
"lua_max_pending_timers" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_max_running_timers: twice
--- tcp_config
lua_max_running_timers 1;
lua_max_running_timers 2;
--- conf_error
"lua_max_running_timers" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_max_running_timers: no number
--- tcp_config
lua_max_running_timers 1k;
--- conf_error
"lua_max_running_timers" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_max_running_timers: more than fits
--- tcp_config
lua_max_running_timers 99999999999999999999999;
--- conf_error
"lua_max_running_timers" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_max_running_timers: not in a server
--- tcp_server_config
lua_max_running_timers 1;
--- conf_error
"lua_max_running_timers" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_max_running_timers: 0 lets none run
--- tcp_config
lua_max_running_timers 0;
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.timer.at(0, function() ngx.log(ngx.ERR, "called") end))
    repeat ngx.sleep(0.005) until ngx.timer.pending_count() == 0
}
--- response
1
--- error_log
0 lua_max_running_timers are not enough
--- no_error_log
called
