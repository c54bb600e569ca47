# ngx.select: the first of several waits.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== select: a semaphore, as wait
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local sem = semaphore.new(1)
    show(ngx.select{ sem })
    ngx.say(sem:count())
    local poster = ngx.thread.spawn(function()
        ngx.sleep(0.01)
        sem:post()
    end)
    show(ngx.select{ sem })
    ngx.say(sem:count())
}
--- response
2:1true
0
2:1true
0
--- no_error_log
[error]


=== select: a channel, as receive
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local ch = ngx.channel.new(1)
    ch:send("first")
    show(ngx.select{ ch })
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ch:send("second")
        ch:send(false)
    end)
    show(ngx.select{ ch })
    show(ngx.select{ ch })
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ch:close()
    end)
    show(ngx.select{ ch })
    show(ngx.select{ ch })
}
--- response
2:1first
2:1second
2:1false
3:1nilclosed
3:1nilclosed
--- no_error_log
[error]


=== select: a channel and a value, as send
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local ch = ngx.channel.new(1)
    show(ngx.select{ { ch, "first" } })
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ch:receive()
        ngx.sleep(0.01)
        ch:receive()
    end)
    show(ngx.select{ { ch, "second" } })
    show(ngx.select{ { ch, false } })
    show(ch:receive())
    ch:send("full")
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ch:close()
    end)
    show(ngx.select{ { ch, "lost" } })
    show(ngx.select{ { ch, "lost" } })
    show(ch:receive())
    show(ch:receive())
}
--- response
2:1true
2:1true
2:1true
1:false
3:1nilclosed
3:1nilclosed
1:full
2:nilclosed
--- no_error_log
[error]


=== select: a thread, as thread.wait
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local spawn = ngx.thread.spawn
    -- Has ended before, and ends while we wait.
    show(ngx.select{ spawn(function() return "a", nil, "b", nil end) })
    show(ngx.select{ spawn(function()
        ngx.sleep(0.01)
        return "c", nil
    end) })
    show(ngx.select{ spawn(function() end) })
    show(ngx.select{ spawn(function() ngx.sleep(0.01) end) })
    local e = { "an error" }
    local index, ok, err = ngx.select{ spawn(function() error(e) end) }
    ngx.say(index, " ", ok, " ", err == e)
    index, ok, err = ngx.select{ spawn(function()
        ngx.sleep(0.01)
        error(e)
    end) }
    ngx.say(index, " ", ok, " ", err == e)
    show(ngx.select{ spawn(function() error("text", 0) end) })
    show(ngx.select{ spawn(function() error() end) })
}
--- response
6:1trueanilbnil
4:1truecnil
2:1true
2:1true
1 false true
1 false true
3:1falsetext
3:1falsenil
--- error_log
lua user thread aborted: runtime error: text


=== select: the index of what came first
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function slow() ngx.sleep(1000) end
    for first = 1, 5 do
        local sem, other = semaphore.new(), semaphore.new()
        local inbox, outbox = ngx.channel.new(1), ngx.channel.new(1)
        outbox:send("full")
        local thread = ngx.thread.spawn(function()
            sem:wait(1000)
            return "result"
        end)
        ngx.thread.spawn(function()
            ngx.sleep(0.002)
            if first == 1 then sem:post()
            elseif first == 2 then other:post()
            elseif first == 3 then inbox:send("value")
            elseif first == 4 then outbox:receive()
            else inbox:close() end
        end)
        ngx.say(ngx.select{ thread, other, inbox, { outbox, "mine" } })
        ngx.thread.kill(thread)
    end
}
--- response
1trueresult
2true
3value
4true
3nilclosed
--- no_error_log
[error]


=== select: several are ready: the first in the list, the others untouched
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new(1)
    local a, b, full = ngx.channel.new(1), ngx.channel.new(1), ngx.channel.new(1)
    a:send("a")
    full:send("full")
    local thread = ngx.thread.spawn(function() return "thread" end)
    local function state()
        return sem:count() .. a:count() .. b:count() .. full:count()
            .. coroutine.status(thread)
    end
    ngx.say(state())
    ngx.say(ngx.select{ { full, "x" }, { b, "sent" }, sem, a, thread })
    ngx.say(state())
    ngx.say(ngx.select{ { full, "x" }, sem, a, thread, { b, "x" } })
    ngx.say(state())
    ngx.say(ngx.select{ sem, a, thread, { b, "x" }, timeout = 100 })
    ngx.say(state())
    ngx.say(ngx.select{ sem, a, thread, { b, "x" }, timeout = 0 })
    ngx.say(state())
    ngx.say(ngx.select{ sem, a, { b, "x" }, b, timeout = 0 })
    ngx.say(state())
}
--- response
1101zombie
2true
1111zombie
2true
0111zombie
2a
0011zombie
3truethread
0011dead
4sent
0001dead
--- no_error_log
[error]


=== select: nil, "timeout" when none comes in time, not before
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local gate = require "ngx.semaphore".new()
    local thread = ngx.thread.spawn(function() return gate:wait(100) end)
    ngx.update_time()
    local start = ngx.now()
    show(ngx.select{ sem, ch, { full, "x" }, thread, timeout = 0.1 })
    ngx.update_time()
    ngx.say(ngx.now() - start >= 0.095)
    -- It has left all of the queues.
    ngx.say(sem:count(), " ", ch:try_send("y"), " ", ch:count())
    ngx.say(full:receive(), " ", full:try_receive())
    gate:post()
    ngx.say(ngx.thread.wait(thread))
}
--- response
2:niltimeout
true
0 true 1
full nilempty
truetrue
--- no_error_log
[error]


=== select: timeout = 0 only tries
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local thread = ngx.thread.spawn(function() return sem:wait(100) end)
    show(ngx.select{ sem, ch, thread, timeout = 0 })
    show(ngx.select{ timeout = 0 })
    ngx.say(sem:count())
    ch:send("value")
    show(ngx.select{ sem, ch, thread, timeout = 0 })
    sem:post()
    ngx.thread.wait(thread)
}
--- response
2:niltimeout
2:niltimeout
-1
2:2value
--- no_error_log
[error]


=== select: nothing but a timeout sleeps
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local start = ngx.now()
    ngx.say(ngx.select{ timeout = 0.1 })
    ngx.update_time()
    ngx.say(ngx.now() - start >= 0.095)
    ngx.say(ngx.select{ timeout = "0.001" })
}
--- response
niltimeout
true
niltimeout
--- no_error_log
[error]


=== select: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    ngx.say(err(function() ngx.select() end))
    ngx.say(err(function() ngx.select(nil) end))
    ngx.say(err(function() ngx.select(1) end))
    ngx.say(err(function() ngx.select("x") end))
    ngx.say(err(function() ngx.select(coroutine.create(print)) end))
    ngx.say(err(function() ngx.select(ngx.null) end))
    ngx.say(err(function() ngx.select{} end))
    ngx.say(err(function() ngx.select{ timeout = nil } end))
    ngx.say(err(function() ngx.select{ timeout = -1 } end))
    ngx.say(err(function() ngx.select{ timeout = 0 / 0 } end))
    ngx.say(err(function() ngx.select{ sem, timeout = "x" } end))
    ngx.say(err(function() ngx.select{ sem, timeout = {} } end))
    ngx.say(err(function() ngx.select{ sem, timeout = false } end))
    ngx.say(sem:count())
}
--- response
5: bad argument #1 to 'select' (table expected, got nil)
6: bad argument #1 to 'select' (table expected, got nil)
7: bad argument #1 to 'select' (table expected, got number)
8: bad argument #1 to 'select' (table expected, got string)
9: bad argument #1 to 'select' (table expected, got thread)
10: bad argument #1 to 'select' (table expected, got userdata)
11: bad argument #1 to 'select' (nothing to wait for)
12: bad argument #1 to 'select' (nothing to wait for)
13: bad argument #1 to 'select' (non-negative timeout expected)
14: bad argument #1 to 'select' (non-negative timeout expected)
15: bad argument #1 to 'select' (non-negative timeout expected)
16: bad argument #1 to 'select' (non-negative timeout expected)
17: bad argument #1 to 'select' (non-negative timeout expected)
0
--- no_error_log
[error]


=== select: items that cannot be waited for
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local sem = require "ngx.semaphore".new(1)
    local ch = ngx.channel.new(1)
    ngx.say(err(function() ngx.select{ 1 } end))
    ngx.say(err(function() ngx.select{ sem, "x" } end))
    ngx.say(err(function() ngx.select{ sem, ch, true } end))
    ngx.say(err(function() ngx.select{ {} } end))
    ngx.say(err(function() ngx.select{ { ch } } end))
    ngx.say(err(function() ngx.select{ { ch, nil } } end))
    ngx.say(err(function() ngx.select{ { sem, 1 } } end))
    ngx.say(err(function() ngx.select{ { {}, 1 } } end))
    ngx.say(err(function() ngx.select{ { 1, ch } } end))
    ngx.say(err(function() ngx.select{ print } end))
    ngx.say(err(function() ngx.select{ ngx.null } end))
    ngx.say(err(function() ngx.select{ newproxy(true) } end))
    ngx.say(err(function() ngx.select{ nil, sem } end))
    ngx.say(err(function() ngx.select{ sem, nil, sem } end))
    ngx.say(err(function() ngx.select{ require "ngx.semaphore" } end))
    ngx.say(err(function() ngx.select{ ngx.channel } end))
    ngx.say(err(function() ngx.select{ 1, timeout = 0 } end))
    -- Nothing was taken or sent.
    ngx.say(sem:count(), " ", ch:count())
}
--- response
5: bad argument #1 to 'select' (item 1 cannot be waited for)
6: bad argument #1 to 'select' (item 2 cannot be waited for)
7: bad argument #1 to 'select' (item 3 cannot be waited for)
8: bad argument #1 to 'select' (item 1 cannot be waited for)
9: bad argument #1 to 'select' (item 1 cannot be waited for)
10: bad argument #1 to 'select' (item 1 cannot be waited for)
11: bad argument #1 to 'select' (item 1 cannot be waited for)
12: bad argument #1 to 'select' (item 1 cannot be waited for)
13: bad argument #1 to 'select' (item 1 cannot be waited for)
14: bad argument #1 to 'select' (item 1 cannot be waited for)
15: bad argument #1 to 'select' (item 1 cannot be waited for)
16: bad argument #1 to 'select' (item 1 cannot be waited for)
17: bad argument #1 to 'select' (item 1 cannot be waited for)
18: bad argument #1 to 'select' (item 2 cannot be waited for)
19: bad argument #1 to 'select' (item 1 cannot be waited for)
20: bad argument #1 to 'select' (item 1 cannot be waited for)
21: bad argument #1 to 'select' (item 1 cannot be waited for)
1 0
--- no_error_log
[error]


=== select: threads that are not one's own
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local sem = require "ngx.semaphore".new(1)
    local co = coroutine.create(print)
    local entry = coroutine.running()
    local grandchild
    ngx.thread.spawn(function()
        grandchild = ngx.thread.spawn(function() ngx.sleep(1000) end)
        local self = coroutine.running()
        ngx.say(err(function() ngx.select{ self } end))
        ngx.say(err(function() ngx.select{ entry } end))
        ngx.sleep(1000)
    end)
    ngx.say(err(function() ngx.select{ grandchild } end))
    ngx.say(err(function() ngx.select{ co } end))
    ngx.say(err(function() ngx.select{ entry } end))
    ngx.say(err(function() ngx.select{ sem, grandchild } end))
    ngx.say(err(function() ngx.select{ sem, co, timeout = 0 } end))
    ngx.say(sem:count())
    ngx.exit()
}
--- response_like eval
my ($parent, $user) = ('only the parent coroutine can wait on the thread',
    'attempt to wait on a coroutine that is not a user thread');
qr/^10: (?:$parent|$user)
11: (?:$parent|$user)
14: $parent
15: $user
16: (?:$parent|$user)
17: $parent
18: $user
1
$/
--- no_error_log
[error]


=== select: threads that are dead are ignored where something else can be waited for
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local sem = require "ngx.semaphore".new(1)
    local ch = ngx.channel.new(1)
    local waited = ngx.thread.spawn(function() return 1 end)
    ngx.thread.wait(waited)
    local killed = ngx.thread.spawn(function() ngx.sleep(100) end)
    ngx.thread.kill(killed)
    show(ngx.select{ waited, killed, sem })
    ngx.thread.spawn(function() ngx.sleep(0.01) ch:send("value") end)
    show(ngx.select{ waited, killed, ch })
    show(ngx.select{ killed, sem, timeout = 0.01 })
}
--- response
2:3true
2:3value
2:niltimeout
--- no_error_log
[error]


=== select: nothing but dead threads
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    local waited = ngx.thread.spawn(function() return 1 end)
    ngx.thread.wait(waited)
    local killed = ngx.thread.spawn(function() ngx.sleep(100) end)
    ngx.thread.kill(killed)
    show(ngx.select{ waited })
    show(ngx.select{ killed, waited })
    show(ngx.thread.wait(killed, waited))
}
--- response
3:1nilalready waited or killed
3:1nilalready waited or killed
2:nilalready waited or killed
--- no_error_log
[error]


=== select: what comes second is not lost
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local a, b = semaphore.new(), semaphore.new()
    local inbox, outbox = ngx.channel.new(1), ngx.channel.new(1)
    outbox:send("full")
    -- All in one turn, in each order.
    local orders = { "abio", "oiba", "iabo", "boia" }
    local acts = {
        a = function() a:post() end,
        b = function() b:post() end,
        i = function() inbox:send("value") end,
        o = function() outbox:receive() end,
    }
    for _, order in ipairs(orders) do
        local selector = ngx.thread.spawn(function()
            return ngx.select{ a, b, inbox, { outbox, "mine" } }
        end)
        for c in order:gmatch(".") do acts[c]() end
        local _, index, value = ngx.thread.wait(selector)
        ngx.say(order, ": ", index, " ", value, ", left: ", a:wait(0) or "-",
                " ", b:wait(0) or "-", " ", inbox:receive(0) or "-", " ",
                outbox:count())
        if outbox:count() == 0 then outbox:send("full") end
    end
}
--- response
abio: 1 true, left: - true value 0
oiba: 4 true, left: true true value 1
iabo: 3 value, left: true true - 0
boia: 2 true, left: true - value 0
--- no_error_log
[error]


=== select: who is not chosen is no longer in the queue
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local a, b = semaphore.new(), semaphore.new()
    local full = ngx.channel.new(1)
    full:send("full")
    local selector = ngx.thread.spawn(function()
        return ngx.select{ a, b, { full, "lost" } }
    end)
    ngx.say(a:count(), " ", b:count())
    local next_for_b = ngx.thread.spawn(function() return b:wait(100) end)
    ngx.say(b:count())
    a:post()
    ngx.say(a:count(), " ", b:count())
    b:post()
    ngx.say(ngx.thread.wait(selector))
    ngx.say(ngx.thread.wait(next_for_b))
    ngx.say(a:count(), b:count(), " ", full:receive(), " ", full:try_receive())
}
--- response
-1 -1
-2
0 -1
true1true
truetrue
00 full nilempty
--- no_error_log
[error]


=== select: in its place among those who wait
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local order, threads = {}, {}
    for i = 1, 9 do
        threads[i] = ngx.thread.spawn(function()
            if i % 3 == 0 then
                ngx.select{ ch, sem }
            elseif i % 3 == 1 then
                sem:wait(100)
            else
                ngx.select{ sem, timeout = 100 }
            end
            order[#order + 1] = i
        end)
    end
    for i = 1, 9 do
        sem:post()
        ngx.thread.wait(threads[i])
    end
    ngx.say(table.concat(order, " "), " ", sem:count())
}
--- response
1 2 3 4 5 6 7 8 9 0
--- no_error_log
[error]


=== select: killed while it waits
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local inner
    local selector = ngx.thread.spawn(function()
        inner = ngx.thread.spawn(function() return sem:wait(100) end)
        ngx.select{ inner, sem, ch, { full, "lost" } }
        ngx.say("not reached")
    end)
    ngx.say(sem:count(), " ", ngx.thread.kill(selector), " ", sem:count())
    ngx.say(ch:try_send("value"), " ", ch:count())
    ngx.say(full:receive(), " ", full:try_receive())
    -- Its thread goes on, and ends.
    sem:post()
    ngx.sleep(0.001)
    ngx.say(sem:count(), " ", coroutine.status(inner))
}
--- response
-2 1 -1
true 1
full nilempty
0 dead
--- no_error_log
[error]


=== select: killed after it was given something: the next has it
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    local function killed(f)
        local selector = ngx.thread.spawn(function()
            ngx.select{ sem, ch, { full, "lost" } }
        end)
        f()
        ngx.thread.kill(selector)
    end
    full:send("full")
    killed(function() sem:post() end)
    ngx.say(sem:count(), " ", sem:wait(0))
    killed(function() ch:send("value") end)
    ngx.say(ch:count(), " ", ch:receive(0))
    local value
    killed(function() value = full:receive() end)
    ngx.say(value, " ", full:try_send("again"), " ", full:try_send("more"))
    ngx.say(full:receive())
    -- The same with somebody else who waits.
    local waiter = ngx.thread.spawn(function() return sem:wait(100) end)
    ngx.thread.kill(ngx.thread.spawn(function() ngx.select{ sem } end))
    sem:post()
    ngx.say(ngx.thread.wait(waiter))
    local selector = ngx.thread.spawn(function() ngx.select{ sem } end)
    waiter = ngx.thread.spawn(function() return sem:wait(100) end)
    sem:post()
    ngx.thread.kill(selector)
    ngx.say(ngx.thread.wait(waiter))
    ngx.say(sem:count())
}
--- response
1 true
1 value
full true nilfull
again
truetrue
truetrue
0
--- no_error_log
[error]


=== select: what a killed waiter has left is ready, in the list's order
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local a, b = semaphore.new(), semaphore.new(1)
    local ch, out = ngx.channel.new(1), ngx.channel.new(1)

    local waiter = ngx.thread.spawn(function() a:wait(100) end)
    a:post()
    ngx.thread.kill(waiter)
    ngx.say(a:count(), " ", ngx.select{ a, b })

    waiter = ngx.thread.spawn(function() ch:receive() end)
    ch:send("value")
    ngx.thread.kill(waiter)
    ngx.say(ch:count(), " ", ngx.select{ ch, b })

    out:send("full")
    waiter = ngx.thread.spawn(function() out:send("lost") end)
    out:receive()
    ngx.thread.kill(waiter)
    ngx.say(out:count(), " ", ngx.select{ { out, "mine" }, b })
    ngx.say(b:count())
}
--- response
1 1true
1 1value
0 1true
1
--- no_error_log
[error]


=== select: timeout and post in one turn: one of them, and nothing lost
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local function busy(seconds)
        ngx.update_time()
        local till = ngx.now() + seconds
        repeat ngx.update_time() until ngx.now() > till
    end
    for _, after in ipairs { 0.001, 0.019, 0.020, 0.021, 0.040 } do
        local sem, ch = semaphore.new(), ngx.channel.new(1)
        local selector = ngx.thread.spawn(function()
            return ngx.select{ ch, sem, timeout = 0.02 }
        end)
        local poster = ngx.thread.spawn(function()
            ngx.sleep(after)
            sem:post()
            ch:send("value")
        end)
        busy(0.06)
        local _, index, value = ngx.thread.wait(selector)
        ngx.thread.wait(poster)
        local posted, sent = sem:wait(0), ch:receive(0)
        if not (index == 2 and value == true and not posted and sent == "value"
                or index == 1 and value == "value" and posted and not sent
                or index == nil and value == "timeout" and posted
                    and sent == "value") then
            ngx.say(after, ": ", index, " ", value, " ", posted, " ", sent)
        end
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== select: a thread that is not the first can be waited for later
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem, gate = semaphore.new(), semaphore.new()
    local thread = ngx.thread.spawn(function()
        gate:wait(100)
        return "thread"
    end)
    local other = ngx.thread.spawn(function() ngx.sleep(0.001) return "other" end)
    ngx.say(ngx.select{ thread, other, sem })
    ngx.say(ngx.select{ thread, sem, timeout = 0.001 })
    gate:post()
    ngx.say(ngx.thread.wait(thread))
    ngx.say(ngx.select{ thread, timeout = 0 })
}
--- response
2trueother
niltimeout
truethread
1nilalready waited or killed
--- no_error_log
[error]


=== select: the same thing more than once in a list
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local selector = ngx.thread.spawn(function()
        return ngx.select{ sem, sem, sem }
    end)
    sem:post()
    ngx.say(ngx.thread.wait(selector))
    ngx.say(sem:count())
    sem:post(2)
    ngx.say(ngx.select{ sem, sem })
    ngx.say(sem:count())

    selector = ngx.thread.spawn(function() return ngx.select{ ch, ch } end)
    ch:send("value")
    ngx.say(ngx.thread.wait(selector))
    ngx.say(ngx.select{ ch, { ch, "to myself" }, { ch, "again" } })
    ngx.say(ngx.select{ { ch, "full" }, ch })
    local thread = ngx.thread.spawn(function() ngx.sleep(0.01) return "t" end)
    local index, ok, value = ngx.select{ thread, thread }
    ngx.say(index == 1 or index == 2, " ", ok, " ", value)
    thread = ngx.thread.spawn(function() return "t" end)
    ngx.say(ngx.select{ thread, thread })
}
--- response
true1true
0
1true
1
true1value
2true
2to myself
true true t
1truet
--- no_error_log
[error]


=== select: the list may change while it waits
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local item = { full, "sent" }
    local list = { ch, item, timeout = 100 }
    local selector = ngx.thread.spawn(function() return ngx.select(list) end)
    list[1], list[2], list[3], list.timeout = sem, sem, 1, nil
    full:receive()
    ngx.say(ngx.thread.wait(selector))
    ngx.say(full:receive(), " ", sem:count())
    list = { ch, ch }
    selector = ngx.thread.spawn(function() return ngx.select(list) end)
    for k in pairs(list) do list[k] = nil end
    ch:send("value")
    ngx.say(ngx.thread.wait(selector))
}
--- response
true2true
sent 0
true1value
--- no_error_log
[error]


=== select: {channel, value} that changes while it waits
--- tcp_server_config
process_by_lua_block {
    local full, other = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local item = { full, "sent" }
    local selector = ngx.thread.spawn(function()
        return ngx.select{ item }
    end)
    item[1], item[2] = other, nil
    full:receive()
    ngx.say(ngx.thread.wait(selector))
    ngx.say(full:receive(0), " ", other:receive(0))
}
--- response
true1true
sent niltimeout
--- no_error_log
[error]


=== select: in a user coroutine
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    ngx.thread.spawn(function()
        for i = 1, 4 do
            ngx.sleep(0.002)
            if i % 2 == 0 then sem:post() else ch:send(i) end
        end
    end)
    for i, value in coroutine.wrap(function()
        local thread = ngx.thread.spawn(function() ngx.sleep(1000) end)
        for _ = 1, 4 do
            coroutine.yield(coroutine.wrap(function()
                return ngx.select{ thread, sem, ch }
            end)())
        end
        ngx.thread.kill(thread)
    end) do
        ngx.say(i, " ", value)
    end
}
--- response
3 1
2 true
3 3
2 true
--- no_error_log
[error]


=== select: below pcall, in iterators and metamethods
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ngx.thread.spawn(function()
        for i = 1, 4 do
            ngx.sleep(0.002)
            ch:send(i)
        end
        ch:close()
    end)
    ngx.say(pcall(ngx.select, { ch }))
    local t = setmetatable({}, {
        __index = function(_, k) return (select(2, ngx.select{ ch })) end
    })
    ngx.say(t.x)
    for _, value in ngx.select, { ch } do
        if not value then break end
        ngx.say("for ", value)
    end
    ngx.say(pcall(ngx.select, {}))
}
--- response
true11
2
for 3
for 4
falsebad argument #1 to 'select' (nothing to wait for)
--- no_error_log
[error]


=== select: in a C function's callback what need not wait works
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local sem = require "ngx.semaphore".new(1)
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local out = {}
    ("x"):gsub("x", function()
        out[#out + 1] = err(function() ngx.select{ ch, { full, 1 } } end)
        out[#out + 1] = ngx.select{ ch, sem }
        out[#out + 1] = err(function() ngx.select{ ch, sem, timeout = 9 } end)
        out[#out + 1] = select(2, ngx.select{ ch, sem, timeout = 0 })
        out[#out + 1] = ngx.select{ ch, { ch, "sent" } }
    end)
    ngx.say(table.concat(out, "\n"))
    -- Nobody is left in the queues.
    ngx.say(sem:count(), " ", ch:receive(), " ", full:receive(), " ",
            full:count())
}
--- response
8: attempt to yield across C-call boundary
2
10: attempt to yield across C-call boundary
timeout
2
0 sent full 0
--- no_error_log
[error]


=== select: the client goes, with lua_check_client_abort nothing waits any more
--- tcp_config
init_by_lua_block {
    sem, ch = require "ngx.semaphore".new(), ngx.channel.new(1)
}
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print("waiting")
    ngx.select{ sem, ch, ngx.thread.spawn(function() ngx.sleep(1000) end) }
    ngx.log(ngx.ERR, "still running")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(sem:count(), " ", ch:try_send(1), " ", ch:try_receive())
}
--- request_parts
A: expect "waiting"
B: expect "waiting"
A: close
B: reset
wait_log "client prematurely closed connection" 2
C: connect $TEST_PORT2
C: expect "0 true 1\n"
C: expect_eof
--- no_error_log
[error]
still running


=== select: the handler exits after the post: nothing is lost
--- tcp_config
init_by_lua_block {
    sem, ch = require "ngx.semaphore".new(), ngx.channel.new(1)
}
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 2 do
        ngx.thread.spawn(function()
            ngx.select{ sem, ch }
            ngx.log(ngx.ERR, "still running")
        end)
    end
    ngx.say("waiting")
    sem:post()
    ch:send("value")
    ngx.exit()
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(sem:count(), ch:count())
    ngx.say(ngx.select{ ch, sem })
    ngx.say(ngx.select{ ch, sem })
    ngx.say(ngx.select{ ch, sem, timeout = 0 })
}
--- request_parts
A: expect "waiting\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "11\n1value\n2true\nniltimeout\n"
B: expect_eof
--- no_error_log
[error]
still running


=== select: between connections
--- tcp_config
init_by_lua_block {
    sem, ch, out = require "ngx.semaphore".new(), ngx.channel.new(1),
                   ngx.channel.new(1)
    out:send("full")
}
--- tcp_server_config
process_by_lua_block {
    ngx.print("waiting ")
    for _ = 1, 3 do ngx.say(ngx.select{ sem, ch, { out, "sent" } }) end
}
--- tcp_server_config2
process_by_lua_block {
    while true do
        local what = ngx.receive(1)
        if what == "p" then
            ngx.say(sem:post())
        elseif what == "s" then
            ngx.say(ch:send("value"))
        elseif what == "r" then
            ngx.say(out:receive())
        else
            return
        end
    end
}
--- request_parts
A: expect "waiting "
B: connect $TEST_PORT2
B: send "s"
B: expect "true\n"
A: expect "2value\n"
B: send "p"
B: expect "true\n"
A: expect "1true\n"
B: send "r"
B: expect "full\n"
A: expect "3true\n"
A: expect_eof
B: half_close
B: expect_eof
C: connect $TEST_PORT2
C: send "r"
C: expect "sent\n"
C: close
--- repeat: 1
--- no_error_log
[error]


=== select: in a timer, in init_worker_by_lua and exit_worker_by_lua
--- tcp_config
init_worker_by_lua_block {
    sem, ch = require "ngx.semaphore".new(), ngx.channel.new(1)
    ngx.thread.spawn(function() ngx.sleep(0.01) ch:send("worker") end)
    text = table.concat({ ngx.select{ sem, ch } }, " ") .. " "
        .. select(2, ngx.select{ sem, ch, timeout = 0.01 })
}
exit_worker_by_lua_block {
    local thread = ngx.thread.spawn(function() ngx.sleep(0.01) return "x" end)
    ngx.log(ngx.WARN, "exit: ", ngx.select{ sem, ch, thread })
}
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        local thread = ngx.thread.spawn(function() ngx.sleep(1000) end)
        ngx.log(ngx.WARN, "timer: ", ngx.select{ thread, ch, sem })
        ngx.log(ngx.WARN, "timer: ", ngx.select{ thread, timeout = 0.01 })
        ngx.thread.kill(thread)
    end)
    while sem:count() == 0 do ngx.sleep(0.001) end
    sem:post()
    ngx.say(text)
}
--- request_parts
expect "2 worker timeout\n"
expect_eof
wait_log "timer: 3true"
wait_log "timer: niltimeout"
--- stop_log
exit: 3truex
--- no_error_log
[error]


=== select: in init_by_lua what need not wait works
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local sem = require "ngx.semaphore".new(1)
    local ch = ngx.channel.new(1)
    local out = {}
    out[#out + 1] = ngx.select{ ch, sem }
    out[#out + 1] = select(2, ngx.select{ ch, sem, timeout = 0 })
    out[#out + 1] = err(function() ngx.select{ ch, sem } end)
    out[#out + 1] = err(function() ngx.select{ timeout = 1 } end)
    out[#out + 1] = ngx.select{ { ch, "v" } }
    out[#out + 1] = select(2, ngx.select{ sem, ch })
    out[#out + 1] = sem:count()
    text = table.concat(out, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(text) }
--- response
2
timeout
8: API disabled in the context of init_by_lua*
9: API disabled in the context of init_by_lua*
1
v
0
--- no_error_log
[error]


=== select: a long list
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local list = { timeout = 100 }
    for i = 1, 1000 do
        if i % 3 == 0 then
            list[i] = semaphore.new()
        elseif i % 3 == 1 then
            list[i] = ngx.channel.new(1)
        else
            list[i] = ngx.thread.spawn(function() ngx.sleep(1000) end)
        end
    end
    list[999] = semaphore.new()
    ngx.timer.at(0.01, function() list[999]:post() end)
    ngx.say(ngx.select(list))
    ngx.say(list[3]:count(), " ", list[999]:count())
    list[700]:send("value")
    ngx.say(ngx.select(list))
    ngx.exit()
}
--- response
999true
0 0
700value
--- no_error_log
[error]


=== select: an endless list works or raises
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local list = { timeout = 0.01 }
    for i = 1, 200000 do list[i] = sem end
    local ok, err, text = pcall(ngx.select, list)
    ngx.say(not ok and type(err) == "string" or ok and text == "timeout")
    sem:post()
    ngx.say(ngx.select(list))
    ngx.say(sem:count())
}
--- response
true
1true
0
--- timeout: 30
--- no_error_log
[error]


=== select: many that wait for the same
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local threads, by = {}, { 0, 0 }
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            local index
            if i % 2 == 0 then
                index = ngx.select{ sem, ch }
            else
                local j = ngx.select{ ch, sem, timeout = 1000 }
                index = 3 - j
            end
            by[index] = by[index] + 1
        end)
    end
    ngx.say(sem:count() == -n)
    sem:post(n / 2)
    for i = 1, n / 2 do ch:send(i) end
    for i = 1, n do assert(ngx.thread.wait(threads[i])) end
    ngx.say(by[1] == n / 2, " ", by[2] == n / 2, " ", sem:count(), ch:count())
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "100\n" : "5000\n"
--- response
true
true true 00
--- timeout: 30
--- no_error_log
[error]


=== select: a loop over sources until all are closed
--- tcp_server_config
process_by_lua_block {
    local sources = {}
    for i = 1, 5 do
        local ch = ngx.channel.new(2)
        sources[i] = ch
        ngx.thread.spawn(function()
            for j = 1, 20 do
                ch:send(i * 100 + j)
                if j % i == 0 then ngx.sleep(0.001) end
            end
            ch:close()
        end)
    end
    local count, sum = 0, 0
    while #sources > 0 do
        local i, value, err = ngx.select(sources)
        if err == "closed" then
            table.remove(sources, i)
        else
            count, sum = count + 1, sum + value
        end
    end
    ngx.say(count, " ", sum)
}
--- response
100 31050
--- no_error_log
[error]


=== select: many that timed out leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local function round()
        local out = 0
        for _ = 1, 10 do
            local threads = {}
            for i = 1, n / 10 do
                threads[i] = ngx.thread.spawn(function()
                    return ngx.select{ sem, ch, { full, i }, sem,
                                       timeout = 0.001 * (1 + i % 20) }
                end)
            end
            for i = 1, n / 10 do
                local _, _, err = ngx.thread.wait(threads[i])
                if err == "timeout" then out = out + 1 end
            end
        end
        assert(out == n and sem:count() == 0 and ch:count() == 0)
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
$ENV{TEST_NGINX_USE_VALGRIND} ? "100\n" : "10000\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== select: what it waited for is garbage afterwards
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local weak = setmetatable({}, { __mode = "v" })
    local keep = ngx.channel.new(1)
    for i = 1, 20 do
        local sem, ch, full = semaphore.new(), ngx.channel.new(1),
                              ngx.channel.new(1)
        local value = {}
        full:send("full")
        for _, object in ipairs { sem, ch, full, value } do
            weak[#weak + 1] = object
        end
        local list = { sem, ch, { full, value }, keep, timeout = 0.001 }
        if i % 3 == 0 then
            ngx.select(list)
        elseif i % 3 == 1 then
            ngx.thread.kill(ngx.thread.spawn(ngx.select, list))
        else
            local thread = ngx.thread.spawn(ngx.select, list)
            keep:send("value")
            ngx.thread.wait(thread)
        end
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


=== select: a fast exit while it waits
--- tcp_server_config
process_by_lua_block {
    local sem, ch = require "ngx.semaphore".new(), ngx.channel.new(1)
    for _ = 1, 10 do
        ngx.thread.spawn(function()
            ngx.select{ sem, ch, ngx.thread.spawn(ngx.sleep, 1000) }
        end)
        ngx.timer.at(0, function()
            ngx.select{ ch, sem, ngx.thread.spawn(ngx.sleep, 1000) }
        end)
    end
    while sem:count() > -20 do ngx.sleep(0.001) end
    ngx.say("waiting")
    ngx.select{ sem, ch, timeout = 1000 }
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal TERM
wait_exit
expect_close
--- no_error_log
[error]
