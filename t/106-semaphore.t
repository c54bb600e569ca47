# ngx.semaphore: new, post, wait, count.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== semaphore.new: without resources, or with as many as are asked for
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    for _, sem in ipairs { semaphore.new(), semaphore.new(nil),
                           semaphore.new(0), semaphore.new(1),
                           semaphore.new(70000) } do
        ngx.say(sem:count())
    end
}
--- response
0
0
0
1
70000
--- no_error_log
[error]


=== semaphore.new: fractions are cut off, what is no number is 0
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    ngx.say(semaphore.new(2.9):count(), semaphore.new("3"):count(),
            semaphore.new("x"):count(), semaphore.new({}):count())
    local sem = semaphore.new()
    sem:post(1.9)
    sem:post("2")
    ngx.say(sem:count())
}
--- response
2300
3
--- no_error_log
[error]


=== semaphore.new: wrong numbers raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() semaphore.new(-1) end))
    ngx.say(err(function() semaphore.new(-1e300) end))
    ngx.say(err(function() semaphore.new(-1 / 0) end))
}
--- response
4: no negative number
5: no negative number
6: no negative number
--- no_error_log
[error]


=== semaphore: each has its own resources
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local a, b = semaphore.new(1), semaphore.new(1)
    a:wait(0)
    b:post(2)
    ngx.say(a:count(), " ", b:count(), " ", a ~= b)
}
--- response
0 3 true
--- no_error_log
[error]


=== semaphore: calls with another self raise
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem = semaphore.new(1)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() sem.post() end))
    ngx.say(err(function() sem.wait() end))
    ngx.say(err(function() sem.count() end))
    ngx.say(err(function() sem.post(1) end))
    ngx.say(err(function() sem.wait("x", 1) end))
    ngx.say(err(function() sem.count({}) end))
    ngx.say(err(function() sem.count(ngx.null) end))
    ngx.say(err(function() sem.wait(newproxy(), 0) end))
    ngx.say(err(function() sem.post(semaphore) end))
    ngx.say(err(function() sem.post(ngx.channel.new(1)) end))
    ngx.say(err(function() sem.count(coroutine.create(print)) end))
    ngx.say(err(function() sem.count(print) end))
    ngx.say(err(function() sem.count(false) end))
    ngx.say(sem:count())
}
--- response
5: not a semaphore instance
6: not a semaphore instance
7: not a semaphore instance
8: not a semaphore instance
9: not a semaphore instance
10: not a semaphore instance
11: not a semaphore instance
12: not a semaphore instance
13: not a semaphore instance
14: not a semaphore instance
15: not a semaphore instance
16: not a semaphore instance
17: not a semaphore instance
1
--- no_error_log
[error]


=== semaphore:post: adds one or so many, and returns true
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(sem:post())
    show(sem:count())
    show(sem:post(nil))
    show(sem:count())
    show(sem:post(1))
    show(sem:post(40))
    show(sem:count())
}
--- response
1:true
1:1
1:true
1:2
1:true
1:true
1:43
--- no_error_log
[error]


=== semaphore:post: less than one raises, and adds nothing
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(5)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() sem:post(0) end))
    ngx.say(err(function() sem:post(-1) end))
    ngx.say(err(function() sem:post(-1 / 0) end))
    ngx.say(err(function() sem:post(0.5) end))
    ngx.say(err(function() sem:post(0 / 0) end))
    ngx.say(err(function() sem:post("x") end))
    ngx.say(err(function() sem:post({}) end))
    ngx.say(sem:count())
}
--- response
4: positive number required
5: positive number required
6: positive number required
7: positive number required
8: positive number required
9: positive number required
10: positive number required
5
--- no_error_log
[error]


=== semaphore:wait: takes a resource that is there, and returns true
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(3)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(sem:wait(0))
    show(sem:wait(100))
    show(sem:count())
    show(sem:wait(0.001))
    show(sem:count())
}
--- response
1:true
1:true
1:1
1:true
1:0
--- no_error_log
[error]


=== semaphore:wait: 0 only tries
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(sem:wait(0))
    show(sem:count())
    sem:post()
    show(sem:wait(0))
    show(sem:wait(-0))
    show(sem:count())
}
--- response
2:niltimeout
1:0
1:true
2:niltimeout
1:0
--- no_error_log
[error]


=== semaphore:wait: nil, "timeout" when the time is over, not before
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    ngx.update_time()
    local start = ngx.now()
    local ok, err = sem:wait(0.1)
    ngx.update_time()
    ngx.say(ok, " ", err, " ", ngx.now() - start >= 0.095, " ", sem:count())
    -- What is posted later is there for the next.
    sem:post()
    ngx.say(sem:wait(100), " ", sem:count())
}
--- response
nil timeout true 0
true 0
--- no_error_log
[error]


=== semaphore:wait: the timeout of one wait is not that of the next
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)

    local function timed(f, ...)
        ngx.update_time()
        local start = ngx.now()
        local ok, err = f(...)
        ngx.update_time()
        local took = ngx.now() - start
        return tostring(ok) .. " " .. tostring(err), took
    end

    -- Waits for so many seconds at most, and is woken before.
    local function woken(seconds)
        ngx.thread.spawn(function()
            ngx.sleep(0.01)
            sem:post()
        end)
        assert(sem:wait(seconds))
    end

    ngx.thread.wait(ngx.thread.spawn(function()
        -- A shorter one after a long one.
        woken(100)
        local result, took = timed(sem.wait, sem, 0.1)
        ngx.say(result, " ", took >= 0.095 and took < 50)
        -- Longer ones after short ones.
        woken(2)
        result, took = timed(sem.wait, sem, 2.2)
        ngx.say(result, " ", took >= 2.195)
        woken(2)
        result, took = timed(ngx.sleep, 2.2)
        ngx.say(result, " ", took >= 2.195)
        -- And one for ever.
        woken(2)
        ngx.thread.spawn(function()
            ngx.sleep(2.2)
            ch:send("sent")
        end)
        result, took = timed(ch.receive, ch)
        ngx.say(result, " ", took >= 2.195)
    end))
}
--- response
nil timeout true
nil timeout true
nil nil true
sent nil true
--- timeout: 60
--- no_error_log
[error]


=== semaphore:wait: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(10)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() sem:wait(-1) end))
    ngx.say(err(function() sem:wait(-0.001) end))
    ngx.say(err(function() sem:wait(0 / 0) end))
    ngx.say(err(function() sem:wait() end))
    ngx.say(err(function() sem:wait(nil) end))
    ngx.say(err(function() sem:wait({}) end))
    ngx.say(err(function() sem:wait(true) end))
    ngx.say(err(function() sem:wait("x") end))
    ngx.say(err(function() sem:wait(print) end))
    ngx.say(err(function() sem:wait(ngx.null) end))
    ngx.say(sem:count())
}
--- response
4: no negative number
5: no negative number
6: no negative number
7: bad argument #1 to 'wait' (number expected, got nil)
8: bad argument #1 to 'wait' (number expected, got nil)
9: bad argument #1 to 'wait' (number expected, got table)
10: bad argument #1 to 'wait' (number expected, got boolean)
11: bad argument #1 to 'wait' (number expected, got string)
12: bad argument #1 to 'wait' (number expected, got function)
13: bad argument #1 to 'wait' (number expected, got userdata)
10
--- no_error_log
[error]


=== semaphore:wait: a thread waits until another posts
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local log = {}
    local thread = ngx.thread.spawn(function()
        log[#log + 1] = "waits"
        local ok, err = sem:wait(100)
        log[#log + 1] = "woken"
        return ok, err
    end)
    log[#log + 1] = "count " .. sem:count()
    sem:post()
    -- The poster goes on first.
    log[#log + 1] = "posted, count " .. sem:count()
    ngx.say(ngx.thread.wait(thread))
    ngx.say(table.concat(log, ", "), ", count ", sem:count())
}
--- response
truetruenil
waits, count -1, posted, count 0, woken, count 0
--- no_error_log
[error]


=== semaphore:count: minus the number of waiters
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(2)
    for _ = 1, 5 do
        ngx.thread.spawn(function() sem:wait(100) end)
        ngx.print(sem:count(), " ")
    end
    sem:post()
    ngx.print(sem:count(), " ")
    sem:post(5)
    ngx.say(sem:count())
}
--- response
1 0 -1 -2 -3 -2 3
--- no_error_log
[error]


=== semaphore:post: n wakes the first n waiters, the rest stays
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local order, threads = {}, {}
    for i = 1, 6 do
        threads[i] = ngx.thread.spawn(function()
            local ok, err = sem:wait(100)
            order[#order + 1] = i .. tostring(ok)
        end)
    end
    sem:post(2)
    ngx.thread.wait(threads[2])
    ngx.say(table.concat(order, " "), " | ", sem:count())
    sem:post()
    ngx.thread.wait(threads[3])
    ngx.say(table.concat(order, " "), " | ", sem:count())
    sem:post(10)
    for i = 4, 6 do ngx.thread.wait(threads[i]) end
    ngx.say(table.concat(order, " "), " | ", sem:count())
}
--- response
1true 2true | -4
1true 2true 3true | -3
1true 2true 3true 4true 5true 6true | 7
--- no_error_log
[error]


=== semaphore:post: one at a time, first come first served
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local order, threads = {}, {}
    for i = 1, 100 do
        threads[i] = ngx.thread.spawn(function()
            assert(sem:wait(100))
            order[#order + 1] = i
        end)
    end
    for i = 1, 100 do sem:post() end
    ngx.say(sem:count(), " ", #order)
    for i = 1, 100 do ngx.thread.wait(threads[i]) end
    local sorted = true
    for i = 1, 100 do sorted = sorted and order[i] == i end
    ngx.say(#order, " ", sorted, " ", sem:count())
}
--- response
0 0
100 true 0
--- no_error_log
[error]


=== semaphore: a newcomer does not take what a waiter was given
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local waiter = ngx.thread.spawn(function() return sem:wait(100) end)
    sem:post()
    ngx.say(sem:wait(0))
    ngx.say(ngx.thread.wait(waiter))
    ngx.say(sem:count())
}
--- response
niltimeout
truetrue
0
--- no_error_log
[error]


=== semaphore: a newcomer stands behind those who wait
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local order = {}
    local function take(name)
        assert(sem:wait(100))
        order[#order + 1] = name
    end
    local a = ngx.thread.spawn(take, "a")
    local b = ngx.thread.spawn(take, "b")
    sem:post()
    -- Handed to a; main has to wait for the third.
    local poster = ngx.thread.spawn(function()
        ngx.sleep(0.01)
        sem:post(2)
    end)
    take("main")
    ngx.say(table.concat(order, " "), " ", sem:count())
}
--- response
a b main 0
--- no_error_log
[error]


=== semaphore: who timed out is not served, the next is
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local first = ngx.thread.spawn(function() return sem:wait(0.01) end)
    local second = ngx.thread.spawn(function() return sem:wait(100) end)
    local third = ngx.thread.spawn(function() return sem:wait(0.02) end)
    ngx.say(sem:count())
    ngx.say(ngx.thread.wait(first))
    ngx.say(ngx.thread.wait(third))
    ngx.say(sem:count())
    sem:post()
    ngx.say(ngx.thread.wait(second))
    ngx.say(sem:count())
}
--- response
-3
trueniltimeout
trueniltimeout
-1
truetrue
0
--- no_error_log
[error]


=== semaphore: two threads play ping-pong
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local ping, pong = semaphore.new(), semaphore.new()
    local rallies = tonumber(ngx.receive("*l"))
    local thread = ngx.thread.spawn(function()
        for i = 1, rallies do
            assert(ping:wait(100))
            pong:post()
        end
        return "done"
    end)
    for i = 1, rallies do
        ping:post()
        assert(pong:wait(100))
    end
    ngx.say(ngx.thread.wait(thread))
    ngx.say(ping:count(), " ", pong:count())
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "100\n" : "5000\n"
--- response
truedone
0 0
--- no_error_log
[error]


=== semaphore: each who is woken wakes the next
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local n = 0
    local threads = {}
    for i = 1, 1000 do
        threads[i] = ngx.thread.spawn(function()
            assert(sem:wait(100))
            n = n + 1
            assert(n == i)
            sem:post()
        end)
    end
    sem:post()
    for i = 1, 1000 do assert(ngx.thread.wait(threads[i])) end
    ngx.say(n, " ", sem:count())
}
--- response
1000 1
--- no_error_log
[error]


=== semaphore: a lock between connections
--- tcp_config
init_by_lua_block {
    lock = require "ngx.semaphore".new(1)
    state = { inside = 0, most = 0, n = 0 }
}
--- tcp_server_config
process_by_lua_block {
    local lock, state = lock, state
    for _ = 1, 5 do
        assert(lock:wait(100))
        state.inside = state.inside + 1
        state.most = math.max(state.most, state.inside)
        ngx.sleep(0.001)
        state.inside = state.inside - 1
        state.n = state.n + 1
        lock:post()
    end
    ngx.say(state.most, " ", state.n >= 5, " ", lock:count() <= 1)
}
--- clients: 20
--- response
1 true true
--- no_error_log
[error]


=== semaphore: connections that wait are served in their order
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "w" then
        ngx.print("waiting ")
        ngx.flush()
        ngx.say(sem:wait(100))
        ngx.receive(1)
    else
        ngx.say(sem:count())
        sem:post(tonumber(ngx.receive(1)))
        ngx.say(sem:count())
    end
}
--- request_parts
A: send "w"
A: expect "waiting "
B: send "w"
B: expect "waiting "
C: send "w"
C: expect "waiting "
D: send "p1"
D: expect "-3\n-2\n"
D: expect_eof
A: expect "true\n"
B: expect_nothing 0.05
E: send "p2"
E: expect "-2\n0\n"
E: expect_eof
B: expect "true\n"
C: expect "true\n"
--- no_error_log
[error]


=== semaphore:wait: the client goes, with lua_check_client_abort the waiter is gone
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print("waiting")
    sem:wait(100)
    ngx.log(ngx.ERR, "still running")
}
--- tcp_server_config2
process_by_lua_block {
    local before = sem:count()
    sem:post()
    ngx.say(before, " ", sem:count(), " ", sem:wait(0), " ", sem:count())
}
--- request_parts
A: expect "waiting"
B: expect "waiting"
C: expect "waiting"
A: close
wait_log "client prematurely closed connection" 1
B: reset
wait_log "client prematurely closed connection" 2
C: half_close
wait_log "client prematurely closed connection" 3
C: expect_eof
D: connect $TEST_PORT2
D: expect "0 1 true 0\n"
D: expect_eof
--- no_error_log
[error]
still running


=== semaphore:wait: without lua_check_client_abort the waiter stays in its place
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    ngx.print("waiting")
    ngx.log(ngx.WARN, "waited: ", sem:wait(100), ", ", ngx.receive(1))
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(sem:count())
    sem:post()
    ngx.say(sem:count())
}
--- request_parts
expect "waiting"
half_close
sync
B: connect $TEST_PORT2
B: expect "-1\n0\n"
wait_log "waited: true, nilclosed"
expect_eof
--- no_error_log
[error]


=== semaphore:wait: a killed waiter is gone
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local function waiter() return sem:wait(100) end
    local a, b = ngx.thread.spawn(waiter), ngx.thread.spawn(waiter)
    ngx.say(sem:count(), " ", ngx.thread.kill(a), " ", sem:count())
    sem:post()
    ngx.say(ngx.thread.wait(b))
    ngx.say(sem:count())
    sem:post()
    ngx.say(sem:count(), " ", sem:wait(0))
}
--- response
-2 1 -1
truetrue
0
1 true
--- no_error_log
[error]


=== semaphore:wait: killed below pcall and in coroutines, which do not return
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local went_on = 0
    local function below(f, ...)
        f(...)
        went_on = went_on + 1
    end
    local threads = {
        ngx.thread.spawn(below, pcall, sem.wait, sem, 100),
        ngx.thread.spawn(below, xpcall, function() sem:wait(100) end, print),
        ngx.thread.spawn(below, coroutine.wrap(function() sem:wait(100) end)),
        ngx.thread.spawn(below, pcall, pcall, coroutine.wrap(function()
            pcall(sem.wait, sem, 100)
            went_on = went_on + 1
        end)),
    }
    ngx.say(sem:count())
    for i = 1, #threads do ngx.say(ngx.thread.kill(threads[i])) end
    ngx.say(sem:count())
    sem:post(4)
    ngx.sleep(0.001)
    ngx.say(sem:count(), " ", went_on)
}
--- response
-4
1
1
1
1
0
4 0
--- no_error_log
[error]


=== semaphore: killed after it was given a resource: the next has it
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local function waiter() return sem:wait(100) end
    local a, b = ngx.thread.spawn(waiter), ngx.thread.spawn(waiter)
    sem:post()
    ngx.say(sem:count(), " ", ngx.thread.kill(a), " ", sem:count())
    ngx.say(ngx.thread.wait(b))
    ngx.say(sem:count())
}
--- response
-1 1 0
truetrue
0
--- no_error_log
[error]


=== semaphore: killed after it was given a resource, and nobody else waits
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local a = ngx.thread.spawn(function() return sem:wait(100) end)
    sem:post()
    ngx.say(ngx.thread.kill(a), " ", sem:count())
    ngx.say(sem:wait(0), " ", sem:count())
}
--- response
1 1
true 0
--- no_error_log
[error]


=== semaphore: all of those who were given a resource are killed
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local threads, woken = {}, {}
    for i = 1, 10 do
        threads[i] = ngx.thread.spawn(function()
            local ok = sem:wait(100)
            woken[#woken + 1] = i .. tostring(ok)
        end)
    end
    sem:post(4)
    for i = 1, 4 do ngx.thread.kill(threads[i]) end
    for i = 5, 8 do assert(ngx.thread.wait(threads[i])) end
    ngx.say(table.concat(woken, " "), " ", sem:count())
    sem:post(1)
    -- Handed on twice.
    ngx.thread.kill(threads[9])
    ngx.thread.kill(threads[10])
    ngx.say(#woken, " ", sem:count())
}
--- response
5true 6true 7true 8true -2
4 1
--- no_error_log
[error]


=== semaphore: the handler exits after the post: the resource is not lost
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    if how == "?" then
        ngx.say(sem:count(), " ", sem:wait(0), " ", sem:count())
        return
    end
    ngx.thread.spawn(function()
        local ok = sem:wait(100)
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("waiting")
    sem:post()
    if how == "x" then
        ngx.exit(0)
    end
    error("dies")
}
--- request_parts
A: send "x"
A: expect "waiting\n"
A: expect_eof
B: send "?"
B: expect "1 true 0\n"
B: expect_eof
C: send "e"
C: expect "waiting\n"
C: expect_eof
D: send "?"
D: expect "1 true 0\n"
D: expect_eof
--- error_log
dies
--- no_error_log
still running


=== semaphore: the handler exits after the post: another connection has it
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        sem:wait(100)
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("waiting")
    ngx.receive(1)
    sem:post()
    ngx.exit()
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say("waiting")
    ngx.say(sem:wait(100), " ", sem:count())
}
--- request_parts
A: expect "waiting\n"
B: connect $TEST_PORT2
B: expect "waiting\n"
A: send "x"
A: expect_eof
B: expect "true 0\n"
B: expect_eof
--- no_error_log
[error]
still running


=== semaphore: exit in one thread while another waits
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 10 do
        ngx.thread.spawn(function()
            coroutine.wrap(function() sem:wait(100) end)()
        end)
    end
    ngx.thread.spawn(function()
        ngx.receive(1)
        while sem:count() > -11 do ngx.sleep(0.001) end
        ngx.say(sem:count())
        ngx.exit()
    end)
    sem:wait(100)
}
--- tcp_server_config2
process_by_lua_block { ngx.say(sem:count()) }
--- request_parts
A: send "x"
A: expect "-11\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "0\n"
B: expect_eof
--- no_error_log
[error]


=== semaphore: timeout and post in one turn: one of them, and nothing lost
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function busy(seconds)
        ngx.update_time()
        local till = ngx.now() + seconds
        repeat ngx.update_time() until ngx.now() > till
    end
    for _, post_after in ipairs { 0.001, 0.019, 0.020, 0.021, 0.040 } do
        local sem = semaphore.new()
        local waiter = ngx.thread.spawn(function() return sem:wait(0.02) end)
        local poster = ngx.thread.spawn(function()
            ngx.sleep(post_after)
            sem:post()
        end)
        -- Both timers are due when the event loop has its turn.
        busy(0.06)
        local _, ok, err = ngx.thread.wait(waiter)
        ngx.thread.wait(poster)
        local left = sem:count()
        if not (ok == true and err == nil and left == 0
                or ok == nil and err == "timeout" and left == 1) then
            ngx.say(post_after, ": ", ok, " ", err, " ", left)
        end
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== semaphore: given before the time was over, though it is over when it runs
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local waiter = ngx.thread.spawn(function() return sem:wait(0.01) end)
    sem:post()
    ngx.update_time()
    local till = ngx.now() + 0.05
    repeat ngx.update_time() until ngx.now() > till
    ngx.say(ngx.thread.wait(waiter))
    ngx.say(sem:count())
}
--- response
truetrue
0
--- no_error_log
[error]


=== semaphore: in user coroutines, which suspend the whole chain
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local thread = ngx.thread.spawn(function()
        local f = coroutine.wrap(function()
            for i = 1, 3 do
                local g = coroutine.wrap(function()
                    coroutine.yield(sem:wait(100))
                end)
                coroutine.yield(i, (g()))
            end
        end)
        local log = {}
        for i, ok in f do log[#log + 1] = i .. tostring(ok) end
        return table.concat(log, " ")
    end)
    for i = 1, 3 do
        while sem:count() ~= -1 do ngx.sleep(0.001) end
        sem:post()
    end
    ngx.say(ngx.thread.wait(thread))
    ngx.say(sem:count())
}
--- response
true1true 2true 3true
0
--- no_error_log
[error]


=== semaphore: posted from a coroutine that is resumed by the waiter's thread
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local co = coroutine.wrap(function()
        while true do
            sem:post()
            coroutine.yield()
        end
    end)
    for _ = 1, 3 do
        co()
        ngx.print(sem:wait(0), sem:count(), " ")
    end
}
--- response chomp
true0 true0 true0 
--- no_error_log
[error]


=== semaphore: below pcall, in iterators and metamethods
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    ngx.thread.spawn(function()
        for _ = 1, 5 do
            ngx.sleep(0.005)
            sem:post()
        end
    end)
    ngx.say(pcall(sem.wait, sem, 100))
    ngx.say(xpcall(function() return sem:wait(100) end, debug.traceback))
    for ok in function() return sem:wait(100) end do
        ngx.say("for ", ok)
        break
    end
    local t = setmetatable({}, {
        __index = function() return sem:wait(100) end,
        __add = function() return sem:wait(100) end,
    })
    ngx.say(t.x, " ", t + 1, " ", sem:count())
    ngx.say(pcall(sem.wait, sem, 0.001))
    ngx.say(pcall(sem.wait, sem, -1))
}
--- response
truetrue
truetrue
for true
true true 0
trueniltimeout
falseno negative number
--- no_error_log
[error]


=== semaphore: in a C function's callback post, count and wait(0) work
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(1)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local out = {}
    ("x"):gsub("x", function()
        out[#out + 1] = tostring(sem:wait(100))
        out[#out + 1] = tostring(select(2, sem:wait(0)))
        out[#out + 1] = err(function() sem:wait(100) end)
        out[#out + 1] = sem:count()
        out[#out + 1] = tostring(sem:post(2))
        out[#out + 1] = sem:count()
    end)
    ngx.say(table.concat(out, "\n"))
    ngx.say(sem:wait(0), " ", sem:wait(100), " ", sem:wait(0.001))
}
--- response
true
timeout
8: attempt to yield across C-call boundary
0
true
2
true true niltimeout
--- no_error_log
[error]


=== semaphore: post in a __gc
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local waiter = ngx.thread.spawn(function() return sem:wait(100) end)
    getmetatable(newproxy(true)).__gc = function() sem:post() end
    collectgarbage()
    ngx.say(ngx.thread.wait(waiter))
}
--- response
truetrue
--- no_error_log
[error]


=== semaphore: a timer posts for a connection
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    ngx.timer.at(0, function(_, n)
        ngx.sleep(0.001)
        sem:post(n)
    end, 2)
    ngx.say(sem:wait(100), " ", sem:wait(100), " ", sem:count())
}
--- response
true true 0
--- no_error_log
[error]


=== semaphore: a connection posts for a timer, which goes on without it
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "timer: ", sem:wait(100))
        ngx.log(ngx.WARN, "timer: ", sem:wait(0.01))
        ngx.log(ngx.WARN, "count: ", sem:count())
    end)
    while sem:count() == 0 do ngx.sleep(0.001) end
    sem:post()
}
--- request_parts
expect_eof
wait_log "timer: true"
wait_log "timer: niltimeout"
wait_log "count: 0"
--- no_error_log
[error]


=== semaphore: in init_by_lua
--- tcp_config
init_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    sem = semaphore.new(2)
    local out = {}
    out[#out + 1] = tostring(sem:wait(0))
    out[#out + 1] = tostring(sem:wait(100))
    out[#out + 1] = tostring(select(2, sem:wait(0)))
    out[#out + 1] = err(function() sem:wait(100) end)
    out[#out + 1] = tostring(sem:post(3))
    out[#out + 1] = sem:count()
    text = table.concat(out, "\n")
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(text)
    -- The worker goes on with what the master has made.
    ngx.say(sem:wait(0), " ", sem:count())
    sem:post()
}
--- response
true
true
timeout
9: API disabled in the context of init_by_lua*
true
3
true 2
--- no_error_log
[error]


=== semaphore: each worker has its own
--- workers: 2
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new(1) }
init_worker_by_lua_block {
    ngx.log(ngx.WARN, "worker ", ngx.worker.id(), " has ", sem:wait(0))
}
--- tcp_server_config
process_by_lua_block { ngx.say(sem:count()) }
--- response
0
--- start_log
worker 0 has true
worker 1 has true
--- no_error_log
[error]


=== semaphore: in init_worker_by_lua it may wait
--- tcp_config
init_worker_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local out = {}
    local thread = ngx.thread.spawn(function()
        ngx.sleep(0.01)
        sem:post()
    end)
    out[#out + 1] = tostring(sem:wait(100))
    out[#out + 1] = tostring(select(2, sem:wait(0.01)))
    ngx.timer.at(0, function() sem:post() end)
    out[#out + 1] = tostring(sem:wait(100))
    text = table.concat(out, " ")
}
--- tcp_server_config
process_by_lua_block { ngx.say(text) }
--- response
true timeout true
--- no_error_log
[error]


=== semaphore: in exit_worker_by_lua it may wait
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        sem:post()
    end)
    ngx.log(ngx.WARN, "exit: ", sem:wait(100))
    ngx.log(ngx.WARN, "exit: ", sem:wait(0.01))
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
exit: true
exit: niltimeout


=== semaphore: in a timer that runs before its time at the worker's exit
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(1000, function(premature)
        sem:post()
        ngx.log(ngx.WARN, "premature ", premature, " ", sem:wait(100), " ",
                sem:wait(0.01))
    end)
    ngx.say("up")
}
--- repeat: 1
--- no_reload: the timer must not be an old worker's
--- response
up
--- stop_log
premature true true niltimeout


=== semaphore: a connection that waits while the worker quits is served to its end
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    ngx.thread.spawn(function()
        ngx.receive(1)
        sem:post()
    end)
    ngx.say("waiting")
    ngx.say(sem:wait(100))
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal QUIT
wait_log "gracefully shutting down"
send "x"
expect "true\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== semaphore: a reload while connections wait
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "w" then
        ngx.say("waiting")
        ngx.thread.spawn(function()
            ngx.receive(1)
            sem:post()
        end)
        ngx.say(sem:wait(100))
    else
        ngx.say(sem:count())
    end
}
--- repeat: 1
--- request_parts
A: send "w"
A: expect "waiting\n"
reload
B: send "?"
B: expect "0\n"
B: expect_eof
A: send "x"
A: expect "true\n"
A: expect_eof
wait_workers
--- no_error_log
[error]


=== semaphore: a fast exit while threads, timers and connections wait
--- tcp_config
init_by_lua_block { sem = require "ngx.semaphore".new() }
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 10 do
        ngx.thread.spawn(function() sem:wait(100) end)
        ngx.timer.at(0, function() sem:wait(100) end)
    end
    while sem:count() > -20 do ngx.sleep(0.001) end
    ngx.say("waiting")
    sem:wait(100)
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal TERM
wait_exit
expect_close
--- no_error_log
[error]


=== semaphore:wait: for ever, and much too long
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    for _, seconds in ipairs { math.huge, 1e300, 2^53, 2^32, 2^31, 1e7 } do
        local waiter = ngx.thread.spawn(function() return sem:wait(seconds) end)
        ngx.sleep(0.02)
        ngx.print(sem:count(), " ")
        sem:post()
        ngx.say(ngx.thread.wait(waiter))
    end
}
--- response eval
"-1 truetrue\n" x 6
--- no_error_log
[error]


=== semaphore: what was not meant to be
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local values = { 0/0, 1/0, 1.5, 2^31, 2^32, 2^53, 1e300, "2", "x", "",
                     {}, true, print, ngx.null, newproxy(true),
                     coroutine.create(print), semaphore.new() }
    for _, value in ipairs(values) do
        local ok, sem = pcall(semaphore.new, value)
        if ok then
            assert(type(sem:count()) == "number" and sem:count() >= 0)
            sem:post()
            assert(sem:wait(0) == true)
        else
            assert(type(sem) == "string", type(sem))
        end
        sem = semaphore.new(3)
        local ok, err = pcall(sem.post, sem, value)
        if ok then
            assert(sem:count() > 3 and sem:count() == sem:count(), sem:count())
        else
            assert(type(err) == "string", type(err))
            assert(sem:count() == 3)
        end
        sem = semaphore.new()
        if value ~= 1/0 and not (type(value) == "number" and value > 1.5)
            and value ~= "2"
        then
            -- The others are long times, or raise.
            local ok, err, what = pcall(sem.wait, sem, value)
            assert(ok and err == nil and what == "timeout"
                   or not ok and type(err) == "string", err)
        end
        assert(sem:count() == 0)
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== semaphore: its fields cannot make it something else
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem = semaphore.new(1)
    local other = semaphore.new(1)
    pcall(function() for k in pairs(sem) do sem[k] = nil end end)
    pcall(function() sem[1] = 2 end)
    pcall(function() sem.sem = other end)
    pcall(function() setmetatable(sem, nil) end)
    pcall(function() getmetatable(sem).__gc() end)
    pcall(function() getmetatable(sem).__gc(sem) end)
    pcall(function() getmetatable(sem).__gc({}) end)
    pcall(function() getmetatable(sem).__index = nil end)
    pcall(semaphore.new(1).wait, sem, 0)
    sem = nil
    collectgarbage()
    collectgarbage()
    ngx.say(pcall(other.wait, other, 0))
}
--- response_like
^true
--- no_error_log
[error]


=== semaphore: many waiters
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local order, threads = {}, {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            local ok, err = sem:wait(1000)
            order[#order + 1] = ok and i or err
        end)
    end
    ngx.say(sem:count() == -n)
    -- From both ends and the middle of the queue.
    ngx.thread.kill(threads[1])
    ngx.thread.kill(threads[n])
    ngx.thread.kill(threads[n / 2])
    ngx.say(sem:count() == -(n - 3))
    sem:post(n)
    for i = 1, n do ngx.thread.wait(threads[i]) end
    local sorted = true
    for i = 2, #order do sorted = sorted and order[i - 1] < order[i] end
    ngx.say(#order == n - 3, " ", sorted, " ", sem:count())
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "300\n" : "20000\n"
--- response
true
true
true true 3
--- timeout: 30
--- no_error_log
[error]


=== semaphore: many that timed out leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local function round()
        local out = 0
        for _ = 1, 10 do
            local threads = {}
            for i = 1, n / 10 do
                threads[i] = ngx.thread.spawn(function()
                    return sem:wait(0.001 * (1 + i % 20))
                end)
            end
            for i = 1, n / 10 do
                local _, _, err = ngx.thread.wait(threads[i])
                if err == "timeout" then out = out + 1 end
            end
        end
        assert(out == n and sem:count() == 0)
    end
    -- A table that is kept may double its size in one round.
    local least, before = math.huge
    for _ = 1, 4 do
        round()
        local memory = worker.memory()
        least = before and math.min(least, memory - before) or least
        before = memory
    end
    ngx.say(least < 16 and "nothing left" or least)
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "200\n" : "10000\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== semaphore: many that did not need the time that they had leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local function round()
        for i = 1, n do
            local thread = ngx.thread.spawn(function()
                return sem:wait(3600 + i % 20) and sem:wait(3600 - i % 30)
            end)
            if i % 3 > 0 then
                sem:post(i % 3)
            end
            if i % 3 < 2 then
                ngx.thread.kill(thread)
            else
                assert(ngx.thread.wait(thread))
            end
            while sem:wait(0) do end
        end
    end
    -- A table that is kept may double its size in one round.
    local least, before = math.huge
    for _ = 1, 4 do
        round()
        local memory = worker.memory()
        least = before and math.min(least, memory - before) or least
        before = memory
    end
    ngx.say(least < 16 and "nothing left" or least)
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "200\n" : "10000\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== semaphore: tries and waits that need not wait leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local function round()
        for _ = 1, n do
            sem:post()
            assert(sem:wait(100))
            assert(not sem:wait(0))
        end
    end
    round()
    local before = worker.memory()
    round()
    local more = worker.memory() - before
    ngx.say(more < 40 and "nothing left" or more)
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "1000\n" : "100000\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== semaphore: one that nobody refers to is garbage
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local semaphore = require "ngx.semaphore"
    local weak = setmetatable({}, { __mode = "v" })
    local function make(n)
        for i = 1, n do
            local sem = semaphore.new(i % 2)
            sem:post()
            sem:wait(0)
            if i % 10 == 0 then
                -- Waited on, and the wait is over.
                local other = semaphore.new()
                ngx.thread.wait(ngx.thread.spawn(function()
                    other:wait(0.001)
                end))
                weak[#weak + 1] = other
            end
            weak[#weak + 1] = sem
        end
    end
    make(200)
    local before = worker.memory()
    make(2000)
    local more = worker.memory() - before
    local left = 0
    for _ in pairs(weak) do left = left + 1 end
    -- The table itself has grown.
    ngx.say(left, " ", more < 100 and "nothing left" or more)
}
--- timeout: 30
--- response
0 nothing left
--- no_error_log
[error]


=== semaphore: one that only its dead waiters knew is garbage
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 20 do
        local sem = semaphore.new()
        weak[i] = sem
        local thread = ngx.thread.spawn(function() sem:wait(1000) end)
        if i % 2 == 0 then sem:post() end
        ngx.thread.kill(thread)
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(weak) do left = left + 1 end
    ngx.say(left)
}
--- response
0
--- no_error_log
[error]


=== semaphore: one that is waited on is kept by its waiter
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local weak = setmetatable({}, { __mode = "v" })
    local thread = ngx.thread.spawn(function()
        local sem = semaphore.new()
        weak[1] = sem
        local ok = sem:wait(100)
        return ok, sem:count()
    end)
    local limited = ngx.thread.spawn(function()
        return semaphore.new():wait(0.01)
    end)
    for _ = 1, 5 do
        collectgarbage()
        ngx.sleep(0.001)
    end
    ngx.say(weak[1]:count())
    weak[1]:post()
    ngx.say(ngx.thread.wait(thread))
    ngx.say(ngx.thread.wait(limited))
}
--- response
-1
truetrue0
trueniltimeout
--- no_error_log
[error]


=== semaphore: what dead connections waited on is garbage
--- tcp_config
init_by_lua_block { weak = setmetatable({}, { __mode = "v" }) }
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    weak[#weak + 1] = sem
    ngx.thread.spawn(function() sem:wait(1000) end)
    ngx.print("waiting")
    sem:wait(1000)
}
--- tcp_server_config2
process_by_lua_block {
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(weak) do left = left + 1 end
    ngx.say(left)
}
--- request_parts
A: expect "waiting"
B: expect "waiting"
C: expect "waiting"
A: close
B: reset
C: close
wait_log "client prematurely closed connection" 3
D: connect $TEST_PORT2
D: expect "0\n"
D: expect_eof
--- no_error_log
[error]


=== semaphore: one for many connections, many rounds
--- tcp_config
init_by_lua_block {
    sem = require "ngx.semaphore".new()
    got = { n = 0 }
}
--- tcp_server_config
process_by_lua_block {
    local got, sem = got, sem
    local threads = {}
    for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function()
            for _ = 1, 10 do
                sem:post()
                assert(sem:wait(100))
                got.n = got.n + 1
                if i == 3 then ngx.sleep(0.001) end
            end
        end)
    end
    for i = 1, 5 do assert(ngx.thread.wait(threads[i])) end
    ngx.say("done")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(got.n, " ", sem:count())
    got.n = 0
}
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 20),
    (map { (["C$_:", expect => "done\n"], ["C$_:", 'expect_eof']) } 1 .. 20),
    ['Z:', connect => '$TEST_PORT2'],
    ['Z:', expect => "1000 0\n"],
    ['Z:', 'expect_eof'],
]
--- no_error_log
[error]
