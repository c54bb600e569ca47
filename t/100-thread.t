# Light threads: ngx.thread.spawn and wait, parents and children, zombies,
# coroutine.status, user coroutines in threads and threads in user coroutines,
# what a thread shares with its spawner, and errors that nobody catches.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== spawn: the thread runs at once, until it first waits
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local t = ngx.thread.spawn(function()
        order[#order + 1] = "child"
        ngx.sleep(0.001)
        order[#order + 1] = "child again"
    end)
    order[#order + 1] = "parent"
    ngx.thread.wait(t)
    order[#order + 1] = "waited"
    ngx.say(table.concat(order, ", "))
}
--- response
child, parent, child again, waited
--- no_error_log
[error]


=== spawn: the thread runs at once, to its end
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local t = ngx.thread.spawn(function() order[1] = "child" end)
    order[#order + 1] = coroutine.status(t)
    ngx.say(table.concat(order, ", "))
}
--- response
child, zombie
--- no_error_log
[error]


=== spawn: returns one thing, a Lua thread, the one that runs
--- tcp_server_config
process_by_lua_block {
    local running
    local function show(...)
        local t = ...
        ngx.say(select("#", ...), " ", type(t), " ",
                tostring(t):match("^thread: ") ~= nil, " ", running == t)
        ngx.thread.wait(t)
    end
    show(ngx.thread.spawn(function()
        running = coroutine.running()
        ngx.sleep(0.001)
        ngx.say(running == coroutine.running())
    end))
    show(ngx.thread.spawn(function()
        running = coroutine.running()
    end))
}
--- response
1 thread true true
true
1 thread true true
--- no_error_log
[error]


=== spawn: arguments, with nil among them and behind
--- tcp_server_config
process_by_lua_block {
    local t = {}
    ngx.thread.spawn(function(...)
        local a, b, c, d = ...
        ngx.say(select("#", ...), " ", a, " ", b, " ", c == t, " ", d)
    end, "a", nil, t, false, nil, nil)
    ngx.thread.spawn(function(...) ngx.say(select("#", ...)) end)
    ngx.thread.spawn(function(...) ngx.say(select("#", ...)) end, nil)
}
--- response
6 a nil true false
0
1
--- no_error_log
[error]


=== spawn: thousands of arguments and results
--- tcp_server_config
process_by_lua_block {
    local args = {}
    for i = 1, 5000 do args[i] = i end
    local t = ngx.thread.spawn(function(...)
        ngx.sleep(0.001)
        return ...
    end, unpack(args))
    local results = { ngx.thread.wait(t) }
    ngx.say(#results, " ", results[1], " ", results[2], " ", results[5001])
}
--- response
5001 true 1 5000
--- no_error_log
[error]


=== spawn: what is no function raises at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.thread.spawn(nil) end))
    ngx.say(err(function() ngx.thread.spawn("x") end))
    ngx.say(err(function() ngx.thread.spawn({}, print) end))
    ngx.say(err(function() ngx.thread.spawn(coroutine.create(print)) end))
    ngx.say(err(function()
        ngx.thread.spawn(setmetatable({}, { __call = print }))
    end))
    ngx.say((err(function() ngx.thread.spawn() end):gsub("no value", "nil")))
}
--- response
3: bad argument #1 to 'spawn' (function expected, got nil)
4: bad argument #1 to 'spawn' (function expected, got string)
5: bad argument #1 to 'spawn' (function expected, got table)
6: bad argument #1 to 'spawn' (function expected, got thread)
8: bad argument #1 to 'spawn' (function expected, got table)
10: bad argument #1 to 'spawn' (function expected, got nil)
--- no_error_log
[error]


=== spawn: functions of C, with and without waiting
--- tcp_server_config
process_by_lua_block {
    local spawn, wait = ngx.thread.spawn, ngx.thread.wait
    ngx.say(wait(spawn(string.rep, "x", 3)))
    ngx.say(wait(spawn(ngx.sleep, 0.001)))
    ngx.say(wait(spawn(ngx.receive, 2)))
    ngx.say(wait(spawn(pcall, error, "caught")))
    ngx.say(wait(spawn(pcall, ngx.sleep, 0.001)))
    ngx.say(wait(spawn(coroutine.yield, "y")))
    ngx.say(wait(spawn(ngx.print, "printed ")))
    ngx.say(wait(spawn(coroutine.wrap(function(a)
        ngx.sleep(0.001)
        return a, "wrapped"
    end), "a")))
    local ok, inner = wait(spawn(spawn, function() ngx.sleep(0.001) end))
    ngx.say(ok, " ", type(inner), " ", coroutine.status(inner))
}
--- request chomp
ab
--- response
truexxx
true
trueab
truefalsecaught
truetrue
true
printed true8nil
trueawrapped
true thread suspended
--- no_error_log
[error]


=== spawn: ngx.exit itself as the thread
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    ngx.thread.spawn(ngx.exit)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== spawn: in a C function's callback, where nobody can wait
--- tcp_server_config
process_by_lua_block {
    local t
    local order = {}
    string.gsub("x", "x", function()
        t = ngx.thread.spawn(function()
            order[#order + 1] = "child " .. tostring(coroutine.isyieldable())
            ngx.sleep(0.001)
            order[#order + 1] = "slept"
            return "done"
        end)
        order[#order + 1] = "callback " .. tostring(coroutine.isyieldable())
    end)
    order[#order + 1] = "parent"
    local _, result = ngx.thread.wait(t)
    order[#order + 1] = result
    ngx.say(table.concat(order, ", "))
}
--- response
child true, callback false, parent, slept, done
--- no_error_log
[error]


=== spawn: in the comparison of table.sort, once for each call
--- tcp_server_config
process_by_lua_block {
    local threads, n = {}, 0
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b)
        threads[#threads + 1] = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            n = n + 1
        end)
        return a < b
    end)
    for _, t in ipairs(threads) do assert(ngx.thread.wait(t)) end
    ngx.say(table.concat(list), " ", n == #threads, " ", n >= 2)
}
--- response
123 true true
--- no_error_log
[error]


=== spawn: at a module's top level
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    package.loaded.spawner = nil
    local m = require "spawner"
    ngx.say(coroutine.status(m.thread))
    ngx.say(ngx.thread.wait(m.thread))
}
--- user_files
>>> lua/spawner.lua
local m = {}
m.thread = ngx.thread.spawn(function()
    ngx.sleep(0.001)
    return "from the module"
end)
return m
--- response
suspended
truefrom the module
--- no_error_log
[error]


=== spawn: in metamethods, iterators and an error handler
--- tcp_server_config
process_by_lua_block {
    local list = {}
    local function spawn(name)
        list[#list + 1] = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return name
        end)
    end
    local x = setmetatable({}, {
        __index = function(_, k) spawn("index " .. k) end,
        __add = function() spawn("add") end,
        __concat = function() spawn("concat") end,
    })
    local _ = x.key
    _ = x + 1
    _ = x .. "y"
    for _ in function(_, n)
        if not n then spawn("iterator") return 1 end
    end do end
    xpcall(error, function() spawn("handler") end)
    for _, t in ipairs(list) do ngx.say(select(2, ngx.thread.wait(t))) end
}
--- response
index key
add
concat
iterator
handler
--- no_error_log
[error]


=== spawn: in a __gc, where the thread cannot wait at once
--- tcp_server_config
process_by_lua_block {
    local waited, thread
    getmetatable(newproxy(true)).__gc = function()
        local t = ngx.thread.spawn(pcall, ngx.sleep, 0.001)
        waited = { ngx.thread.wait(t) }
    end
    getmetatable(newproxy(true)).__gc = function()
        thread = ngx.thread.spawn(function()
            coroutine.yield()
            ngx.sleep(0.001)
            return "slept"
        end)
    end
    collectgarbage()
    collectgarbage()
    ngx.say(unpack(waited))
    ngx.say(coroutine.status(thread))
    while coroutine.status(thread) == "suspended" do ngx.sleep(0.001) end
    ngx.say(coroutine.status(thread))
    ngx.say(ngx.receive(1))
}
--- request chomp
x
--- response
truefalseattempt to yield across C-call boundary
suspended
zombie
x
--- no_error_log
[error]


=== spawn: threads go on in the order in which they were spawned
--- tcp_server_config
process_by_lua_block {
    local order, threads = {}, {}
    for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function()
            for round = 1, 3 do
                order[#order + 1] = i
                coroutine.yield()
            end
        end)
    end
    for i = 1, 5 do ngx.thread.wait(threads[i]) end
    ngx.say(table.concat(order))
}
--- response
123451234512345
--- no_error_log
[error]


=== spawn: a thread in a thread, depth first
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function step(name) order[#order + 1] = name end
    local a = ngx.thread.spawn(function()
        step("a1")
        local b = ngx.thread.spawn(function()
            step("b1")
            local c = ngx.thread.spawn(function()
                step("c1")
                coroutine.yield()
                step("c2")
            end)
            step("b2")
            ngx.thread.wait(c)
            step("b3")
        end)
        step("a2")
        ngx.thread.wait(b)
        step("a3")
    end)
    step("e1")
    ngx.thread.wait(a)
    step("e2")
    ngx.say(table.concat(order, " "))
}
--- response
a1 b1 c1 b2 a2 e1 c2 b3 a3 e2
--- no_error_log
[error]


=== yield: at the top of a thread gives the others a turn, and returns nothing
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function run(name)
        return ngx.thread.spawn(function()
            for i = 1, 3 do
                order[#order + 1] = name .. i
                local n = select("#", coroutine.yield("x", i))
                assert(n == 0, n)
            end
            return name
        end)
    end
    local a, b = run("a"), run("b")
    for i = 1, 3 do
        order[#order + 1] = "e" .. i
        coroutine.yield()
    end
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(table.concat(order, " "))
}
--- response
truea
trueb
a1 b1 e1 a2 b2 e2 a3 b3 e3
--- no_error_log
[error]


=== yield: one that does nothing else does not starve other connections
--- tcp_server_config
process_by_lua_block {
    local what = ngx.receive(1)
    if what == "x" then
        ngx.say("served")
        return
    end
    local stop
    for i = 1, 3 do
        ngx.thread.spawn(function()
            while not stop do coroutine.yield() end
        end)
    end
    ngx.say("spinning")
    ngx.receive(1)
    stop = true
    ngx.say("stopped")
}
--- request_parts
A: send "a"
A: expect "spinning\n"
B: send "x"
B: expect "served\n"
B: expect_eof
A: send "b"
A: expect "stopped\n"
A: expect_eof
--- no_error_log
[error]


=== wait: no result, nil results, many results
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        ngx.say(select("#", ...), ": ", ...)
    end
    local function run(f)
        show(ngx.thread.wait(ngx.thread.spawn(f)))
        show(ngx.thread.wait(ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return f()
        end)))
    end
    run(function() end)
    run(function() return nil end)
    run(function() return nil, nil, 3, nil end)
    run(function() return false, "b" end)
}
--- response
1: true
1: true
2: truenil
2: truenil
5: truenilnil3nil
5: truenilnil3nil
3: truefalseb
3: truefalseb
--- no_error_log
[error]


=== wait: results of every type are the same values
--- tcp_server_config
process_by_lua_block {
    local values = { {}, print, function() end, coroutine.create(print),
                     ngx.null, newproxy(), require("ffi").new("int[1]"), 1.5 }
    local t = ngx.thread.spawn(function()
        ngx.sleep(0.001)
        return unpack(values)
    end)
    collectgarbage()
    local results = { ngx.thread.wait(t) }
    for i = 1, 8 do assert(results[i + 1] == values[i], i) end
    ngx.say(#results)
}
--- response
9
--- no_error_log
[error]


=== wait: an error gives false and the error, as it was
--- tcp_server_config
process_by_lua_block {
    local values = { {}, print, coroutine.create(print), ngx.null, 42, false,
                     newproxy(), require("ffi").new("int[1]") }
    for i = 1, 8 do
        for _, pause in ipairs { false, true } do
            local function show(...)
                assert(select("#", ...) == 2)
                local ok, err = ...
                ngx.print(tostring(ok), err == values[i] and "=" or "!", " ")
            end
            show(ngx.thread.wait(ngx.thread.spawn(function()
                if pause then ngx.sleep(0.001) end
                error(values[i], 0)
            end)))
        end
    end
    local function count(...) return select("#", ...) end
    local t = ngx.thread.spawn(function() error() end)
    ngx.say(count(ngx.thread.wait(t)))
}
--- response
false= false= false= false= false= false= false= false= false= false= false= false= false= false= false= false= 2
--- grep_error_log
~ lua user thread aborted: runtime error: .*
--- grep_error_log_out
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: 42
lua user thread aborted: runtime error: 42
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: unknown reason


=== wait: an error's text has its position
--- tcp_server_config
process_by_lua_block {
    local ok, err = ngx.thread.wait(ngx.thread.spawn(function()
        error("boom")
    end))
    ngx.say(ok, " ", (err:gsub("%b()", "()")))
    ok, err = ngx.thread.wait(ngx.thread.spawn(function()
        ngx.sleep(0.001)
        local x = nil + 1
    end))
    ngx.say(ok, " ", (err:gsub("%b()", "()")))
    ok, err = ngx.thread.wait(ngx.thread.spawn(function()
        return undefined_function()
    end))
    ngx.say(ok, " ", err:match("global 'undefined_function'"))
    ok, err = ngx.thread.wait(ngx.thread.spawn(function()
        local f
        function f() return 1 + f() end
        return f()
    end))
    ngx.say(ok, " ", err:match("stack overflow"))
}
--- response
false process_by_lua_block():3: boom
false process_by_lua_block():8: attempt to perform arithmetic on a nil value
false global 'undefined_function'
false stack overflow
--- error_log
~ lua user thread aborted: runtime error: \S+:3: boom
~ lua user thread aborted: runtime error: \S+:8: attempt to perform
stack overflow


=== wait: any of several, the first to end
--- tcp_server_config
process_by_lua_block {
    local function run(what)
        return ngx.thread.spawn(function()
            ngx.receive(what)
            return what
        end)
    end
    local gate = false
    local slow = ngx.thread.spawn(function()
        while not gate do coroutine.yield() end
        return "slow"
    end)
    local quick = ngx.thread.spawn(function()
        ngx.sleep(0.001)
        return "quick"
    end)
    ngx.say(ngx.thread.wait(slow, quick))
    ngx.say(coroutine.status(slow), " ", coroutine.status(quick))
    gate = true
    ngx.say(ngx.thread.wait(slow, quick))
    ngx.say(coroutine.status(slow), " ", coroutine.status(quick))
}
--- response
truequick
suspended dead
trueslow
dead dead
--- no_error_log
[error]


=== wait: several have ended already, the first argument comes first
--- tcp_server_config
process_by_lua_block {
    local t = {}
    for i = 1, 3 do
        t[i] = ngx.thread.spawn(function() return i end)
    end
    ngx.say(ngx.thread.wait(t[3], t[1], t[2]))
    ngx.say(ngx.thread.wait(t[2], t[3], t[1]))
    ngx.say(ngx.thread.wait(t[2], t[3], t[1]))
    ngx.say(ngx.thread.wait(t[2], t[3], t[1]))
}
--- response
true3
true2
true1
nilalready waited or killed
--- no_error_log
[error]


=== wait: one that has ended is taken before one that runs
--- tcp_server_config
process_by_lua_block {
    local sleeper = ngx.thread.spawn(function() return ngx.receive(1) end)
    local ended = ngx.thread.spawn(function() return "ended" end)
    ngx.say(ngx.thread.wait(sleeper, ended))
    ngx.say(ngx.thread.wait(sleeper, ended))
}
--- request_parts
expect "trueended\n"
send "x"
expect "truex\n"
expect_eof
--- no_error_log
[error]


=== wait: two that end in the same turn are both there
--- tcp_server_config
process_by_lua_block {
    local go
    local function run(name)
        return ngx.thread.spawn(function()
            while not go do coroutine.yield() end
            return name
        end)
    end
    local a, b = run("a"), run("b")
    go = true
    local _, first = ngx.thread.wait(a, b)
    local _, second = ngx.thread.wait(a, b)
    ngx.say(first, second)
    ngx.say(ngx.thread.wait(a, b))
}
--- response
ab
nilalready waited or killed
--- no_error_log
[error]


=== wait: one dies of an error while another runs on
--- tcp_server_config
process_by_lua_block {
    local a = ngx.thread.spawn(function() return ngx.receive(1) end)
    local b = ngx.thread.spawn(function()
        ngx.sleep(0.001)
        error("b died", 0)
    end)
    ngx.say(ngx.thread.wait(a, b))
    ngx.say(coroutine.status(a), " ", coroutine.status(b))
    ngx.say(ngx.thread.wait(b, a))
}
--- request_parts
expect "falseb died\nsuspended dead\n"
send "x"
expect "truex\n"
expect_eof
--- error_log
lua user thread aborted: runtime error: b died


=== wait: twice for one thread
--- tcp_server_config
process_by_lua_block {
    local a = ngx.thread.spawn(function() return "a" end)
    local b = ngx.thread.spawn(function() ngx.sleep(0.001) return "b" end)
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ngx.thread.wait(b, a))
    ngx.say(ngx.thread.wait(a, a, b))
}
--- response
truea
nilalready waited or killed
trueb
nilalready waited or killed
nilalready waited or killed
nilalready waited or killed
--- no_error_log
[error]


=== wait: what was waited for is ignored beside another
--- tcp_server_config
process_by_lua_block {
    local old = ngx.thread.spawn(function() return "old" end)
    ngx.thread.wait(old)
    local killed = ngx.thread.spawn(function() ngx.sleep(100) end)
    ngx.thread.kill(killed)
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "new" end)
    ngx.say(ngx.thread.wait(old, killed, t))
    t = ngx.thread.spawn(function() return "ended" end)
    ngx.say(ngx.thread.wait(t, old, killed))
    ngx.say(ngx.thread.wait(killed, old))
}
--- response
truenew
trueended
nilalready waited or killed
--- no_error_log
[error]


=== wait: the same thread several times in one call
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    local u = ngx.thread.spawn(function() ngx.sleep(0.005) return "u" end)
    ngx.say(ngx.thread.wait(t, u, t, u, t))
    ngx.say(ngx.thread.wait(t, u, t, u, t))
    ngx.say(ngx.thread.wait(t, u, t, u, t))
}
--- response
truet
trueu
nilalready waited or killed
--- no_error_log
[error]


=== wait: a thousand threads in one call, again and again
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            for _ = 1, (i * 7) % 13 do coroutine.yield() end
            return i
        end)
    end
    local sum, calls = 0, 0
    while true do
        local ok, i = ngx.thread.wait(unpack(threads))
        if not ok then
            ngx.say(calls, " ", sum == n * (n + 1) / 2, " ", i)
            break
        end
        calls = calls + 1
        sum = sum + i
    end
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 1000;
[
    [send => "$n\n"],
    [expect => "$n true already waited or killed\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== wait: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    ngx.say(err(function() ngx.thread.wait() end))
    ngx.say(err(function() ngx.thread.wait(nil) end))
    ngx.say(err(function() ngx.thread.wait(1) end))
    ngx.say(err(function() ngx.thread.wait({}) end))
    ngx.say(err(function() ngx.thread.wait(print) end))
    ngx.say(err(function() ngx.thread.wait(t, "x") end))
    ngx.say(err(function() ngx.thread.wait(t, t, nil) end))
    ngx.say(ngx.thread.wait(t))
}
--- response
4: at least one coroutine should be specified
5: bad argument #1 to 'wait' (lua thread expected)
6: bad argument #1 to 'wait' (lua thread expected)
7: bad argument #1 to 'wait' (lua thread expected)
8: bad argument #1 to 'wait' (lua thread expected)
9: bad argument #2 to 'wait' (lua thread expected)
10: bad argument #3 to 'wait' (lua thread expected)
truet
--- no_error_log
[error]


=== wait: after a wrong argument those that have ended are still there
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() return "t" end)
    local ok, err = pcall(ngx.thread.wait, 5, t)
    ngx.say(ok, " ", err:match("lua thread expected"))
    ngx.say(coroutine.status(t))
    ngx.say(ngx.thread.wait(t))
}
--- response
false lua thread expected
zombie
truet
--- no_error_log
[error]


=== wait: not for a user coroutine
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local text = "attempt to wait on a coroutine that is not a user thread"
    local function try(co)
        ngx.say(err(function() ngx.thread.wait(co) end) == "5: " .. text)
    end
    local co = coroutine.create(function() coroutine.yield() end)
    try(co)
    coroutine.resume(co)
    try(co)
    coroutine.resume(co)
    try(co)
    coroutine.wrap(function() try(coroutine.running()) end)()
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    ngx.say(err(function() ngx.thread.wait(t, co) end))
    ngx.say(ngx.thread.wait(t))
}
--- response
true
true
true
true
15: attempt to wait on a coroutine that is not a user thread
truet
--- no_error_log
[error]


=== wait: not for the script itself
--- tcp_server_config
process_by_lua_block {
    local entry = coroutine.running()
    local ok, err = pcall(ngx.thread.wait, entry)
    ngx.say(ok, " ", err)
    ngx.thread.wait(ngx.thread.spawn(function()
        local ok, err = pcall(ngx.thread.wait, entry)
        ngx.say(ok, " ", err)
    end))
}
--- response
false attempt to wait on a coroutine that is not a user thread
false attempt to wait on a coroutine that is not a user thread
--- no_error_log
[error]


=== wait: only the parent may, neither oneself, brother nor grandparent
--- tcp_server_config
process_by_lua_block {
    local function try(who, ...)
        local ok, err = pcall(ngx.thread.wait, ...)
        ngx.say(who, ": ", ok, " ", err)
    end
    local grandchild
    local child = ngx.thread.spawn(function()
        grandchild = ngx.thread.spawn(function()
            try("oneself", coroutine.running())
            ngx.sleep(0.001)
            return "grandchild"
        end)
        ngx.sleep(0.01)
        return ngx.thread.wait(grandchild)
    end)
    try("grandparent", grandchild)
    local brother = ngx.thread.spawn(function()
        try("brother", child)
        try("uncle", grandchild)
    end)
    try("grandparent, beside its own", child, grandchild)
    ngx.say(ngx.thread.wait(child))
}
--- response
oneself: false only the parent coroutine can wait on the thread
grandparent: false only the parent coroutine can wait on the thread
brother: false only the parent coroutine can wait on the thread
uncle: false only the parent coroutine can wait on the thread
grandparent, beside its own: false only the parent coroutine can wait on the thread
truetruegrandchild
--- no_error_log
[error]


=== wait: not for another connection's thread
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        shared.thread = ngx.thread.spawn(function() return ngx.receive(1) end)
        ngx.say("spawned")
        ngx.say(ngx.thread.wait(shared.thread))
    else
        ngx.say(coroutine.status(shared.thread))
        ngx.say(pcall(ngx.thread.wait, shared.thread))
        ngx.say(ngx.thread.kill(shared.thread))
    end
}
--- request_parts
A: send "A"
A: expect "spawned\n"
B: send "B"
B: expect "suspended\n"
B: expect "falseonly the parent coroutine can wait on the thread\n"
B: expect "nilkiller not parent\n"
B: expect_eof
A: send "x"
A: expect "truex\n"
A: expect_eof
--- no_error_log
[error]


=== wait: a thread of a connection that is gone
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    local what = ngx.receive(1)
    if what == "A" then
        shared.thread = ngx.thread.spawn(function() ngx.sleep(100) end)
        shared.ended = ngx.thread.spawn(function() end)
        ngx.exit()
    else
        for _, t in ipairs { shared.thread, shared.ended } do
            ngx.say(coroutine.status(t))
            ngx.say(ngx.thread.wait(t))
            ngx.say(ngx.thread.kill(t))
            ngx.say((coroutine.resume(t)))
        end
    end
}
--- request_parts
A: send "A"
A: expect_eof
B: send "B"
B: expect "dead\nnilalready waited or killed\nnilalready waited or killed\nfalse\n"
B: expect "dead\nnilalready waited or killed\nnilalready waited or killed\nfalse\n"
B: expect_eof
--- no_error_log
[error]


=== wait: a user coroutine of the parent may
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    local co = coroutine.create(function()
        coroutine.yield("yielded")
        return coroutine.wrap(function() return ngx.thread.wait(t) end)()
    end)
    ngx.say(coroutine.resume(co))
    ngx.say(coroutine.resume(co))
    ngx.say(coroutine.status(t), " ", coroutine.status(co))
}
--- response
trueyielded
truetruet
dead dead
--- no_error_log
[error]


=== wait: a thread that a user coroutine spawned belongs to the thread it runs in
--- tcp_server_config
process_by_lua_block {
    local t
    coroutine.wrap(function()
        t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    end)()
    collectgarbage()
    ngx.say(ngx.thread.wait(t))
}
--- response
truet
--- no_error_log
[error]


=== wait: a user coroutine acts for the thread that resumes it
--- tcp_server_config
process_by_lua_block {
    local function try(t)
        local ok, a, b = pcall(ngx.thread.wait, t)
        return tostring(ok) .. " " .. tostring(a) .. " " .. tostring(b)
    end
    local mine = ngx.thread.spawn(function() ngx.sleep(0.001) return "mine" end)
    local co = coroutine.wrap(function(t)
        while true do t = coroutine.yield(try(t)) end
    end)
    ngx.thread.wait(ngx.thread.spawn(function()
        local its = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return "its"
        end)
        ngx.say(co(mine))
        ngx.say(co(its))
    end))
    ngx.say(co(mine))
}
--- response
false only the parent coroutine can wait on the thread nil
true true its
true true mine
--- no_error_log
[error]


=== wait: below pcall and xpcall
--- tcp_server_config
process_by_lua_block {
    local function run(...)
        local args = { ... }
        return ngx.thread.spawn(function()
            ngx.sleep(0.001)
            if args[1] == "fail" then error("failed", 0) end
            return unpack(args)
        end)
    end
    ngx.say(pcall(ngx.thread.wait, run("a", "b")))
    ngx.say(pcall(ngx.thread.wait, run("fail")))
    ngx.say(xpcall(function() return ngx.thread.wait(run("c")) end,
                   debug.traceback))
    ngx.say(pcall(function() error(select(2, ngx.thread.wait(run("d"))), 0) end))
}
--- response
truetrueab
truefalsefailed
truetruec
falsed
--- error_log
lua user thread aborted: runtime error: failed


=== wait: in metamethods and iterators
--- tcp_server_config
process_by_lua_block {
    local function run(value)
        return ngx.thread.spawn(function() ngx.sleep(0.001) return value end)
    end
    local t = setmetatable({}, {
        __index = function(_, k) return select(2, ngx.thread.wait(run(k))) end,
        __lt = function() return select(2, ngx.thread.wait(run(true))) end,
    })
    ngx.say(t.key, " ", t < t)
    local list = { run(1), run(2), run(3) }
    for _, n in function(_, last)
        local t = table.remove(list, 1)
        if t then return ngx.thread.wait(t) end
    end do
        ngx.say(n)
    end
}
--- response
key true
1
2
3
--- no_error_log
[error]


=== wait: not in a C function's callback, but the thread is there afterwards
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) return "t" end)
    ngx.say(err(function()
        string.gsub("x", "x", function() ngx.thread.wait(t) end)
    end))
    ngx.say(coroutine.status(t))
    ngx.say(ngx.thread.wait(t))
}
--- response
5: attempt to yield across C-call boundary
suspended
truet
--- no_error_log
[error]


=== wait: for one that has ended, in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() return "t" end)
    ngx.say((string.gsub("x", "x", function()
        return select(2, ngx.thread.wait(t))
    end)))
    ngx.say(ngx.thread.wait(t))
}
--- response
t
nilalready waited or killed
--- no_error_log
[error]


=== wait: others are served meanwhile
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "B" then
        ngx.say("served")
        return
    end
    local t = ngx.thread.spawn(function() return ngx.receive(1) end)
    ngx.say("waits")
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
A: send "A"
A: expect "waits\n"
B: send "B"
B: expect "served\n"
A: send "x"
A: expect "truex\n"
A: expect_eof
--- no_error_log
[error]


=== status: of oneself, of those on the stack, of one that waits, of the ended
--- tcp_server_config
process_by_lua_block {
    local status = coroutine.status
    local outer, inner
    outer = ngx.thread.spawn(function()
        outer = coroutine.running()
        ngx.say("itself: ", status(outer))
        inner = ngx.thread.spawn(function()
            ngx.say("on the stack: ", status(outer), ", itself: ",
                    status(coroutine.running()))
            ngx.sleep(0.001)
            ngx.say("waits for it: ", status(outer))
        end)
        ngx.say("sleeps: ", status(inner))
        ngx.thread.wait(inner)
        ngx.say("waited for: ", status(inner))
        coroutine.wrap(function()
            ngx.say("in its coroutine: ", status(outer))
        end)()
    end)
    ngx.say("waits: ", status(outer))
    ngx.sleep(0.05)
    ngx.say("ended: ", status(outer))
    ngx.thread.wait(outer)
    ngx.say("waited for: ", status(outer))
    local failed = ngx.thread.spawn(function() error("x") end)
    ngx.say("died: ", status(failed))
    ngx.thread.wait(failed)
    ngx.say("waited for: ", status(failed))
    local yielded = ngx.thread.spawn(coroutine.yield)
    ngx.say("yielded: ", status(yielded))
    local killed = ngx.thread.spawn(ngx.sleep, 100)
    ngx.thread.kill(killed)
    ngx.say("killed: ", status(killed))
    ngx.sleep(0.001)
}
--- response
itself: running
on the stack: running, itself: running
sleeps: suspended
waits: suspended
waits for it: suspended
waited for: dead
in its coroutine: running
ended: zombie
waited for: dead
died: zombie
waited for: dead
yielded: suspended
killed: dead
--- error_log
lua user thread aborted: runtime error


=== status: in every wait it is suspended
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem, ch, full = semaphore.new(), ngx.channel.new(1), ngx.channel.new(1)
    full:try_send("x")
    local waits = {
        { "sleep", ngx.sleep, 100 },
        { "receive", ngx.receive, 1 },
        { "yield", coroutine.yield },
        { "semaphore", sem.wait, sem, 100 },
        { "channel receive", ch.receive, ch },
        { "channel send", full.send, full, "y" },
        { "select", ngx.select, { sem, ch } },
        { "deadline", ngx.deadline, 100, ngx.sleep, 100 },
        { "thread", function()
            ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 100))
        end },
        { "coroutine", coroutine.wrap(function() ngx.sleep(100) end) },
        { "pcall", pcall, ngx.sleep, 100 },
    }
    for _, w in ipairs(waits) do
        local t = ngx.thread.spawn(unpack(w, 2))
        ngx.say(w[1], ": ", coroutine.status(t))
    end
    ngx.exit()
}
--- response
sleep: suspended
receive: suspended
yield: suspended
semaphore: suspended
channel receive: suspended
channel send: suspended
select: suspended
deadline: suspended
thread: suspended
coroutine: suspended
pcall: suspended
--- no_error_log
[error]


=== resume: never resumes a light thread
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local t = ngx.thread.spawn(function()
        local ok, err = coroutine.resume(coroutine.running())
        ngx.say("itself: ", ok, " ", err)
        n = n + 1
        ngx.sleep(0.01)
        n = n + 1
        coroutine.yield()
        n = n + 1
    end)
    ngx.say("waits: ", (coroutine.resume(t)), " ", n)
    ngx.sleep(0.001)
    ngx.say("still waits: ", (coroutine.resume(t, "x")), " ", n)
    ngx.say(ngx.thread.wait(t))
    ngx.say("dead: ", (coroutine.resume(t)), " ", n)
    local zombie = ngx.thread.spawn(function() return "z" end)
    ngx.say("zombie: ", (coroutine.resume(zombie)))
    ngx.say(ngx.thread.wait(zombie))
    local yielded = ngx.thread.spawn(function() coroutine.yield() return "y" end)
    ngx.say("yielded: ", (coroutine.resume(yielded)))
    ngx.say(ngx.thread.wait(yielded))
}
--- response
itself: false cannot resume running coroutine
waits: false 1
still waits: false 1
true
dead: false 3
zombie: false
truez
yielded: false
truey
--- no_error_log
[error]


=== resume: of a thread that waits says that it runs
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) end)
    ngx.say(coroutine.resume(t))
    ngx.thread.wait(t)
    ngx.say(coroutine.resume(t))
}
--- response
falsecannot resume running coroutine
falsecannot resume dead coroutine
--- no_error_log
[error]


=== resume: nobody resumes the script from one of its threads
--- tcp_server_config
process_by_lua_block {
    local entry = coroutine.running()
    local t = ngx.thread.spawn(function()
        ngx.say(coroutine.resume(entry))
        ngx.sleep(0.001)
        ngx.say(coroutine.resume(entry))
    end)
    ngx.sleep(0.05)
    ngx.say(ngx.thread.wait(t))
}
--- response
falsecannot resume running coroutine
falsecannot resume running coroutine
true
--- no_error_log
[error]


=== a thread's object is nobody else's, as long as somebody has it
--- tcp_server_config
process_by_lua_block {
    local first = ngx.thread.spawn(function() return "first" end)
    ngx.thread.wait(first)
    local killed = ngx.thread.spawn(ngx.sleep, 100)
    ngx.thread.kill(killed)
    local seen = { [first] = true, [killed] = true }
    local live = {}
    for i = 1, 1000 do
        local t = ngx.thread.spawn(function()
            if i % 3 == 0 then ngx.sleep(0.001) end
            return i
        end)
        assert(not seen[t], "object used again")
        seen[t] = true
        if i % 2 == 0 then ngx.thread.wait(t) else live[#live + 1] = t end
        local co = coroutine.create(function() end)
        assert(not seen[co], "object used again for a coroutine")
        coroutine.resume(co)
    end
    ngx.say(coroutine.status(first), " ", coroutine.status(killed))
    ngx.say(ngx.thread.wait(first))
    ngx.say(ngx.thread.wait(killed))
    ngx.say(ngx.thread.kill(first))
    local sum = 0
    for _, t in ipairs(live) do
        sum = sum + select(2, ngx.thread.wait(t))
    end
    ngx.say(sum)
}
--- response
dead dead
nilalready waited or killed
nilalready waited or killed
nilalready waited or killed
250000
--- no_error_log
[error]


=== a forgotten thread is not mistaken for a coroutine in its place
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    collectgarbage("setpause", 10)
    for i = 1, n do
        ngx.thread.spawn(function() return {} end)
        local co = coroutine.create(function() coroutine.yield(1) return 2 end)
        assert(coroutine.status(co) == "suspended")
        local ok, value = coroutine.resume(co)
        assert(ok and value == 1)
        local killed, err = ngx.thread.kill(co)
        assert(not killed and err == "not user thread", err)
        ok, err = pcall(ngx.thread.wait, co)
        assert(not ok and err:find("not a user thread"), err)
        ok, value = coroutine.resume(co)
        assert(ok and value == 2)
        assert(coroutine.status(co) == "dead")
        if i % 100 == 0 then coroutine.yield() end
    end
    collectgarbage("setpause", 200)
    ngx.say("done")
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 20_000;
[[send => "$n\n"], [expect => "done\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== a thread that nobody holds runs on through collections
--- tcp_server_config
process_by_lua_block {
    local done = 0
    for i = 1, 50 do
        ngx.thread.spawn(function()
            for _ = 1, 3 do
                ngx.sleep(0.001)
                collectgarbage("step", 100)
            end
            done = done + 1
        end)
    end
    for _ = 1, 5 do collectgarbage() end
    while done < 50 do ngx.sleep(0.001) end
    ngx.say(done)
}
--- response
50
--- no_error_log
[error]


=== zombies keep their results, and go with the connection
--- tcp_server_config
process_by_lua_block {
    local threads = {}
    for i = 1, 20 do
        threads[i] = ngx.thread.spawn(function() return { i } end)
    end
    collectgarbage()
    ngx.sleep(0.001)
    for i = 20, 11, -1 do
        ngx.print(select(2, ngx.thread.wait(threads[i]))[1], " ")
    end
    ngx.say(coroutine.status(threads[1]))
}
--- response
20 19 18 17 16 15 14 13 12 11 zombie
--- no_error_log
[error]


=== zombies do not keep the connection open
--- tcp_server_config
process_by_lua_block {
    for i = 1, 20 do
        ngx.thread.spawn(function() ngx.sleep(0.001) return i end)
    end
    ngx.print("end")
}
--- response chomp
end
--- no_error_log
[error]


=== children of a thread that ended go on, and are nobody's
--- tcp_server_config
process_by_lua_block {
    local child
    local t = ngx.thread.spawn(function()
        child = ngx.thread.spawn(function()
            ngx.sleep(0.02)
            ngx.say("the child goes on")
        end)
        return "parent ended"
    end)
    ngx.say(ngx.thread.wait(t))
    ngx.say(coroutine.status(child))
    ngx.say(pcall(ngx.thread.wait, child))
    ngx.say(ngx.thread.kill(child))
}
--- response
trueparent ended
suspended
falseonly the parent coroutine can wait on the thread
nilkiller not parent
the child goes on
--- no_error_log
[error]


=== children of a thread that died of an error go on
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.thread.spawn(function()
            ngx.sleep(0.02)
            ngx.say("the child goes on")
        end)
        error("parent died", 0)
    end)
    ngx.say(ngx.thread.wait(t))
}
--- response
falseparent died
the child goes on
--- error_log
lua user thread aborted: runtime error: parent died


=== user coroutines in a thread: yield goes to the one who resumed
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function run(name)
        return ngx.thread.spawn(function()
            local f = coroutine.wrap(function()
                for i = 1, 3 do
                    ngx.sleep(0.001)
                    coroutine.yield(name .. i)
                end
            end)
            local got = {}
            for v in f do got[#got + 1] = v end
            return table.concat(got, " ")
        end)
    end
    local a, b = run("a"), run("b")
    ngx.say(ngx.thread.wait(b))
    ngx.say(ngx.thread.wait(a))
}
--- response
trueb1 b2 b3
truea1 a2 a3
--- no_error_log
[error]


=== user coroutines: one that waits in a thread cannot be resumed in another
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        ngx.sleep(0.01)
        return "slept"
    end)
    local t = ngx.thread.spawn(function() return coroutine.resume(co) end)
    ngx.say(coroutine.status(co))
    ngx.say(coroutine.resume(co))
    ngx.say(ngx.thread.wait(t))
    ngx.say(coroutine.status(co))
}
--- response
running
falsecannot resume running coroutine
truetrueslept
dead
--- no_error_log
[error]


=== user coroutines: handed from thread to thread
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function(...)
        local n = 0
        while true do
            ngx.sleep(0.001)
            n = n + 1
            coroutine.yield(n)
        end
    end)
    for i = 1, 3 do
        ngx.thread.wait(ngx.thread.spawn(function()
            ngx.say(i, " ", co())
            ngx.sleep(0.001)
            ngx.say(i, " ", co())
        end))
    end
    ngx.say("entry ", co())
}
--- response
1 1
1 2
2 3
2 4
3 5
3 6
entry 7
--- no_error_log
[error]


=== user coroutines: a thread spawned in one, and one in that, and so on
--- tcp_server_config
process_by_lua_block {
    local function level(n)
        if n == 0 then
            ngx.sleep(0.001)
            return "deep"
        end
        return coroutine.wrap(function()
            local t = ngx.thread.spawn(level, n - 1)
            ngx.sleep(0.001)
            return select(2, ngx.thread.wait(t))
        end)()
    end
    ngx.say(level(20))
}
--- response
deep
--- no_error_log
[error]


=== user coroutines: running and isyieldable in a thread's coroutine
--- tcp_server_config
process_by_lua_block {
    local t
    t = ngx.thread.spawn(function()
        local me = coroutine.running()
        ngx.say(coroutine.isyieldable())
        local co
        co = coroutine.create(function()
            ngx.sleep(0.001)
            ngx.say(coroutine.running() == co, " ", coroutine.isyieldable(),
                    " ", coroutine.status(me))
        end)
        coroutine.resume(co)
        ngx.say(coroutine.running() == me)
    end)
    ngx.thread.wait(t)
}
--- response
true
true true running
true
--- no_error_log
[error]


=== ctx and globals are those of the connection
--- tcp_server_config
process_by_lua_block {
    ngx.ctx.a = "entry"
    x = "global"
    local t = ngx.thread.spawn(function()
        ngx.say(ngx.ctx.a, " ", x)
        ngx.ctx.b, y = "thread", "its global"
        ngx.sleep(0.001)
        ngx.thread.wait(ngx.thread.spawn(function()
            ngx.sleep(0.001)
            ngx.say(ngx.ctx.a, " ", ngx.ctx.b, " ", x, " ", y)
            coroutine.wrap(function()
                ngx.sleep(0.001)
                ngx.ctx.c, z = "inner", "inner global"
            end)()
        end))
        assert(loadstring("w = 'loaded'"))()
        ngx.say(getfenv(0) == getfenv(1))
    end)
    ngx.thread.wait(t)
    ngx.say(ngx.ctx.b, " ", ngx.ctx.c, " ", y, " ", z, " ", w)
}
--- response
entry global
entry thread global its global
true
thread inner its global inner global loaded
--- no_error_log
[error]


=== ctx and globals are not another connection's
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive(1)
    ngx.ctx.name, global = name, name
    local threads = {}
    for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function()
            for _ = 1, 10 do
                ngx.sleep(0.001)
                assert(ngx.ctx.name == name and global == name)
                coroutine.wrap(function()
                    coroutine.yield()
                end)()
            end
        end)
    end
    for i = 1, 5 do assert(ngx.thread.wait(threads[i])) end
    ngx.say(ngx.ctx.name, global)
}
--- request_parts
A: send "a"
B: send "b"
C: send "c"
A: expect "aa\n"
B: expect "bb\n"
C: expect "cc\n"
--- no_error_log
[error]


=== ctx: replaced in a thread
--- tcp_server_config
process_by_lua_block {
    local old = ngx.ctx
    old.a = 1
    local new = { a = 2 }
    ngx.thread.wait(ngx.thread.spawn(function()
        ngx.sleep(0.001)
        ngx.ctx = new
    end))
    ngx.say(ngx.ctx == new, " ", ngx.ctx.a)
}
--- response
true 2
--- no_error_log
[error]


=== a function's own environment stays its own
--- tcp_server_config
process_by_lua_block {
    local env = { out = {} }
    local f = setfenv(function() out.x = 1 y = 2 end, env)
    ngx.thread.wait(ngx.thread.spawn(f))
    ngx.say(env.out.x, " ", env.y, " ", rawget(_G, "y"))
}
--- response
1 2 nil
--- no_error_log
[error]


=== phase, start time and log in a thread are the connection's
--- tcp_server_config
process_by_lua_block {
    local start = ngx.start_time()
    ngx.thread.wait(ngx.thread.spawn(function()
        ngx.sleep(0.001)
        ngx.say(ngx.get_phase(), " ", ngx.start_time() == start)
        ngx.log(ngx.WARN, "logged in a thread")
    end))
}
--- response
content true
--- error_log
~ \[warn\] .*:6: logged in a thread.*, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$
--- no_error_log
[error]


=== content_by_lua, and a script in a file
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT;
    protocol tcp_lua;
    content_by_lua_block {
        ngx.print(ngx.thread.wait(ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return ngx.get_phase()
        end)))
    }
}
--- tcp_server_config2
process_by_lua_file threads.lua;
--- user_files
>>> threads.lua
ngx.print(ngx.thread.wait(ngx.thread.spawn(function()
    ngx.sleep(0.001)
    return ngx.get_phase()
end)))
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: expect "truecontent"
A: expect_eof
B: connect 127.0.0.1:$TEST_PORT2
B: expect "truecontent"
B: expect_eof
--- no_error_log
[error]


=== init_by_lua: there are no threads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local co = coroutine.create(print)
    in_init = table.concat({
        err(function() ngx.thread.spawn(print) end),
        err(function() ngx.thread.wait(co) end),
        err(function() ngx.thread.kill(co) end),
        coroutine.status(co),
    }, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
5: API disabled in the context of init_by_lua*
6: API disabled in the context of init_by_lua*
7: API disabled in the context of init_by_lua*
suspended
--- no_error_log
[error]


=== init_worker_by_lua: threads run, wait and are waited for
--- tcp_config
init_worker_by_lua_block {
    local order = {}
    local a = ngx.thread.spawn(function()
        order[#order + 1] = ngx.get_phase()
        ngx.sleep(0.002)
        order[#order + 1] = "a"
        return "first"
    end)
    ngx.thread.spawn(function()
        ngx.sleep(0.05)
        order[#order + 1] = "outlives the script"
        in_worker = table.concat(order, ", ")
    end)
    local _, result = ngx.thread.wait(a)
    order[#order + 1] = result
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
init_worker, a, first, outlives the script
--- no_error_log
[error]


=== init_worker_by_lua: an error in a thread is logged, the others go on
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function() ngx.sleep(0.001) error("in a thread") end)
    ngx.thread.spawn(function() ngx.sleep(0.01) survived = "survived" end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(survived) }
--- response
survived
--- start_log
~ \[error\] .*lua user thread aborted: runtime error: init_worker_by_lua_block\(nginx\.conf:\d+\):2: in a thread


=== exit_worker_by_lua: threads run, and their end is waited for
--- tcp_config
exit_worker_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.sleep(0.002)
        return "thread in " .. ngx.get_phase()
    end)
    ngx.thread.spawn(function()
        ngx.sleep(0.05)
        ngx.log(ngx.WARN, "the last one")
    end)
    ngx.log(ngx.WARN, select(2, ngx.thread.wait(t)))
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
thread in exit_worker
the last one


=== timer: threads in its callback
--- tcp_server_config
process_by_lua_block {
    ngx.ctx.name = "connection"
    local sem = require("ngx.semaphore").new()
    local results
    ngx.timer.at(0, function()
        ngx.ctx.name = "timer"
        local t = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return ngx.get_phase(), ngx.ctx.name
        end)
        results = { ngx.thread.wait(t) }
        sem:post()
    end)
    sem:wait(100)
    ngx.say(unpack(results))
    ngx.say(ngx.ctx.name)
}
--- response
truetimertimer
connection
--- no_error_log
[error]


=== error: one line in the log, with position and traceback
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            local function inner(x)
                ngx.sleep(0.001)
                error("boom " .. x)
            end
            local function thread(x)
                inner(x)
                return 1
            end
            local t = ngx.thread.spawn(thread, 2)
            ngx.sleep(0.05)
            ngx.say("the script goes on")
        }
    }
}
--- response
the script goes on
--- grep_error_log
~ (?m)lua (?:user|entry) thread aborted: .*|^stack traceback:|^coroutine 0:|^\t.*?(?=$| while running)
--- grep_error_log_out
lua user thread aborted: runtime error: process_by_lua_block(nginx.conf:6):4: boom 2
stack traceback:
coroutine 0:
	[C]: in function 'error'
	process_by_lua_block(nginx.conf:6):4: in function 'inner'
	process_by_lua_block(nginx.conf:6):7: in function <process_by_lua_block(nginx.conf:6):6>


=== error: the level is error, and the line tells the client
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(error, "boom")
    ngx.say("goes on")
}
--- response
goes on
--- error_log
~ \[error\] \S+ \*\d+ lua user thread aborted: runtime error: boom$
~ while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$


=== error: in a thread's user coroutines, all of the chain is shown
--- tcp_server_config
process_by_lua_block {
    local function deepest()
        ngx.sleep(0.001)
        error("boom")
    end
    local function middle()
        local x = coroutine.wrap(deepest)()
        return x
    end
    local function top()
        local x = coroutine.wrap(middle)()
        return x
    end
    ngx.thread.wait(ngx.thread.spawn(top))
    ngx.say("goes on")
}
--- response
goes on
--- grep_error_log
~ (?m)4: boom$|coroutine \d+:|(?<=\)):\d+>
--- grep_error_log_out
4: boom
coroutine 0:
:2>
coroutine 1:
:6>
coroutine 2:
:10>


=== error: one that nobody waits for is logged all the same
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) error("late", 0) end)
    local u = ngx.thread.spawn(function() error("early", 0) end)
    ngx.say("the script ends")
}
--- response
the script ends
--- error_log
lua user thread aborted: runtime error: late
lua user thread aborted: runtime error: early


=== error: is logged once, however often it is asked for
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() error("once", 0) end)
    ngx.say(ngx.thread.wait(t))
    ngx.say(ngx.thread.wait(t))
    ngx.say(ngx.thread.kill(t))
}
--- response
falseonce
nilalready waited or killed
nilalready waited or killed
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: once


=== error: a __tostring is asked, a number is text
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(error, setmetatable({}, {
        __tostring = function() return "from tostring" end,
    }))
    ngx.thread.spawn(error, 42)
    ngx.thread.spawn(error, setmetatable({}, { __tostring = error }))
    ngx.say("goes on")
}
--- response
goes on
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: from tostring
lua user thread aborted: runtime error: 42
lua user thread aborted: runtime error: unknown reason


=== error: a __tostring that kills the thread that dies, and spawns others
--- tcp_server_config
process_by_lua_block {
    local dying, killed
    local e = setmetatable({}, { __tostring = function()
        killed = ngx.thread.kill(dying)
        for i = 1, 10 do ngx.thread.spawn(ngx.sleep, 0.001) end
        ngx.thread.spawn(error, "nested")
        return "dying"
    end })
    ngx.thread.spawn(function()
        dying = coroutine.running()
        error(e)
    end)
    ngx.thread.spawn(function() ngx.sleep(0.05) ngx.say("others go on") end)
    ngx.say(killed, " ", coroutine.status(dying))
    ngx.say(ngx.thread.wait(dying))
}
--- response
1 dead
nilalready waited or killed
others go on
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: nested
lua user thread aborted: runtime error: dying


=== error: a __tostring that waits, or exits
--- tcp_server_config
process_by_lua_block {
    local other = ngx.thread.spawn(ngx.sleep, 0.05)
    local ok, err
    local e = setmetatable({}, { __tostring = function()
        ok, err = pcall(ngx.thread.wait, other)
        return "dying"
    end })
    ngx.thread.wait(ngx.thread.spawn(error, e))
    ngx.say(ok, " ", err)
    ngx.thread.wait(ngx.thread.spawn(error, setmetatable({}, {
        __tostring = function() ngx.exit() end,
    })))
    ngx.say("goes on")
}
--- response
false attempt to yield across C-call boundary
goes on
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: dying
lua user thread aborted: runtime error: unknown reason


=== error: caught in the thread is nobody's business
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        return pcall(function() ngx.sleep(0.001) error("caught", 0) end)
    end)
    ngx.say(ngx.thread.wait(t))
}
--- response
truefalsecaught
--- no_error_log
[error]


=== error: raised again by the parent ends the script
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(0.001) error("boom", 0) end)
    local ok, err = ngx.thread.wait(t)
    if not ok then error(err, 0) end
    ngx.say("not reached")
}
--- request_parts
expect_eof
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: boom
lua entry thread aborted: runtime error: boom


=== error: while the thread is spawned, spawn still returns it
--- tcp_server_config
process_by_lua_block {
    local function count(...) return select("#", ...), ... end
    local n, t = count(ngx.thread.spawn(error, "at once"))
    ngx.say(n, " ", type(t), " ", coroutine.status(t))
    ngx.say(ngx.thread.wait(t))
}
--- response
1 thread zombie
falseat once
--- error_log
lua user thread aborted: runtime error: at once


=== error: a hundred threads die, the connection goes on
--- tcp_server_config
process_by_lua_block {
    local threads = {}
    for i = 1, 100 do
        threads[i] = ngx.thread.spawn(function()
            if i % 2 == 0 then ngx.sleep(0.001) end
            error(i, 0)
        end)
    end
    local sum = 0
    for i = 1, 100 do
        local ok, err = ngx.thread.wait(threads[i])
        if not ok then sum = sum + err end
    end
    ngx.say(sum, " ", ngx.receive(1))
}
--- request chomp
x
--- response
5050 x
--- error_log
lua user thread aborted: runtime error: 100


=== memory: threads that have ended and were waited for leave none
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local function rounds(count)
        for i = 1, count do
            local t = ngx.thread.spawn(function(...)
                if i % 2 == 0 then coroutine.yield() end
                if i % 3 == 0 then
                    coroutine.wrap(function() coroutine.yield() end)()
                end
                return ...
            end, i, {}, "x")
            ngx.thread.wait(t)
        end
        return worker.memory()
    end
    -- A table may double its size in one round, but not in each.
    rounds(n)
    local before, more = rounds(n), math.huge
    for _ = 1, 3 do
        local now = rounds(n)
        before, more = now, math.min(more, now - before)
    end
    ngx.say(more < 16 and "none" or more)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 10000;
[[send => "$n\n"], [expect => "none\n"], ['expect_eof']]
--- timeout: 30
--- no_error_log
[error]


=== memory: nor those that nobody waited for, once nobody holds them
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local function rounds(count)
        for i = 1, count do
            ngx.thread.spawn(function() return { i, ("x"):rep(100) .. i } end)
        end
        return worker.memory()
    end
    -- They go now and then, many at once: sooner or later less is left after a
    -- round than before it.
    local before, more = rounds(n), math.huge
    for _ = 1, 20 do
        local now = rounds(n)
        before, more = now, math.min(more, now - before)
        if more < 16 then break end
    end
    ngx.say(more < 16 and "none" or more)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 10000;
[[send => "$n\n"], [expect => "none\n"], ['expect_eof']]
--- timeout: 30
--- no_error_log
[error]


=== memory: a connection that spawns for ever and never waits stays small
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local peak = 0
    for i = 1, n do
        ngx.thread.spawn(function()
            if i % 2 == 0 then coroutine.yield() end
        end)
        if i % 100 == 0 then
            ngx.sleep(0.001)
            peak = math.max(peak, collectgarbage("count"))
        end
    end
    ngx.say(peak < 16384 and "small" or peak)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2_000 : 300_000;
[[send => "$n\n"], [expect => "small\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]
