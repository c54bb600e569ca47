# ngx.channel: new, send, receive, try_send, try_receive, close, count.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== channel: ngx.channel is what require gives
--- tcp_server_config
process_by_lua_block {
    ngx.say(require "ngx.channel" == ngx.channel)
    local names = {}
    for name, value in pairs(ngx.channel) do
        names[#names + 1] = name .. " " .. type(value)
    end
    ngx.say(table.concat(names, " "))
}
--- response
true
new function
--- no_error_log
[error]


=== channel.new: the size is an integer of at least 1
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.channel.new() end))
    ngx.say(err(function() ngx.channel.new(nil) end))
    ngx.say(err(function() ngx.channel.new(0) end))
    ngx.say(err(function() ngx.channel.new(-1) end))
    ngx.say(err(function() ngx.channel.new(1.5) end))
    ngx.say(err(function() ngx.channel.new(0 / 0) end))
    ngx.say(err(function() ngx.channel.new(1 / 0) end))
    ngx.say(err(function() ngx.channel.new(-1 / 0) end))
    ngx.say(err(function() ngx.channel.new("x") end))
    ngx.say(err(function() ngx.channel.new({}) end))
    ngx.say(err(function() ngx.channel.new(true) end))
    ngx.say(err(function() ngx.channel.new(ngx.null) end))
    ngx.say(err(function() ngx.channel.new(2 ^ 31) end))
}
--- response
3: bad argument #1 to 'new' (positive integer expected)
4: bad argument #1 to 'new' (positive integer expected)
5: bad argument #1 to 'new' (positive integer expected)
6: bad argument #1 to 'new' (positive integer expected)
7: bad argument #1 to 'new' (positive integer expected)
8: bad argument #1 to 'new' (positive integer expected)
9: bad argument #1 to 'new' (positive integer expected)
10: bad argument #1 to 'new' (positive integer expected)
11: bad argument #1 to 'new' (positive integer expected)
12: bad argument #1 to 'new' (positive integer expected)
13: bad argument #1 to 'new' (positive integer expected)
14: bad argument #1 to 'new' (positive integer expected)
15: bad argument #1 to 'new' (positive integer expected)
--- no_error_log
[error]


=== channel: calls with another self raise
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local sem = require "ngx.semaphore".new()
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ch.send() end))
    ngx.say(err(function() ch.receive() end))
    ngx.say(err(function() ch.try_send(nil, 1) end))
    ngx.say(err(function() ch.try_receive({}) end))
    ngx.say(err(function() ch.close("x") end))
    ngx.say(err(function() ch.count(1) end))
    ngx.say(err(function() ch.send(sem, 1) end))
    ngx.say(err(function() ch.receive(ngx.channel) end))
    ngx.say(err(function() ch.close(ngx.null) end))
    ngx.say(err(function() ch.count(print) end))
    ngx.say(err(function() ch.count(coroutine.create(print)) end))
    ngx.say(ch:count())
}
--- response
5: not a channel
6: not a channel
7: not a channel
8: not a channel
9: not a channel
10: not a channel
11: not a channel
12: not a channel
13: not a channel
14: not a channel
15: not a channel
0
--- no_error_log
[error]


=== channel: a table that looks like one is none
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local copy = {}
    pcall(function() for k, v in pairs(ch) do copy[k] = v end end)
    ngx.say(pcall(ch.count, copy))
    ngx.say(pcall(ch.send, copy, 1))
    ngx.say(pcall(ch.try_receive, copy))
    ngx.say(pcall(ngx.select, { copy, timeout = 0 }))
}
--- response
falsenot a channel
falsenot a channel
falsenot a channel
falsebad argument #1 to 'select' (item 1 cannot be waited for)
--- no_error_log
[error]


=== channel: first in, first out, and count
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(5)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ch:count())
    for i = 1, 5 do
        show(ch:send("v" .. i))
    end
    show(ch:count())
    show(ch:receive())
    show(ch:count())
    show(ch:send("v6"))
    for _ = 1, 5 do show(ch:receive()) end
    show(ch:count())
}
--- response
1:0
1:true
1:true
1:true
1:true
1:true
1:5
1:v1
1:4
1:true
1:v2
1:v3
1:v4
1:v5
1:v6
1:0
--- no_error_log
[error]


=== channel: any value but nil
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(100)
    local values = {
        false, true, 0, -0.5, 1/0, "", ("x"):rep(100000), "a\0b", {}, print,
        function() end, coroutine.create(print), ngx.null, newproxy(),
        ch, require "ngx.semaphore".new(), require "ffi".new("int64_t", 1),
        require "ffi".new("int[3]"),
    }
    for i = 1, #values do ch:send(values[i]) end
    ch:send(0/0)
    local same = 0
    for i = 1, #values do
        if rawequal(ch:receive(), values[i]) then same = same + 1 end
    end
    local nan = ch:receive()
    ngx.say(same == #values, " ", nan ~= nan, " ", ch:count())
}
--- response
true true 0
--- no_error_log
[error]


=== channel: false is a value for each of the calls
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ch:send(false))
    show(ch:receive())
    show(ch:try_send(false))
    show(ch:try_receive())
    local thread = ngx.thread.spawn(function() return ch:receive() end)
    show(ch:send(false))
    show(ngx.thread.wait(thread))
    ch:send(false)
    thread = ngx.thread.spawn(function() return ch:send(false) end)
    show(ch:receive())
    show(ngx.thread.wait(thread))
    show(ch:receive())
    ch:send(false)
    ch:close()
    show(ch:receive())
    show(ch:receive())
}
--- response
1:true
1:false
1:true
1:false
1:true
2:truefalse
1:false
2:truetrue
1:false
1:false
2:nilclosed
--- no_error_log
[error]


=== channel: nil is no value
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ch:send() end))
    ngx.say(err(function() ch:send(nil) end))
    ngx.say(err(function() ch:send(nil, 1) end))
    ngx.say(err(function() ch:try_send() end))
    ngx.say(err(function() ch:try_send(nil) end))
    ch:close()
    ngx.say(err(function() ch:send(nil) end))
    ngx.say(err(function() ch:try_send(nil) end))
    ngx.say(ch:count())
}
--- response
4: bad argument #1 to 'send' (value expected)
5: bad argument #1 to 'send' (value expected)
6: bad argument #1 to 'send' (value expected)
7: bad argument #1 to 'try_send' (value expected)
8: bad argument #1 to 'try_send' (value expected)
10: bad argument #1 to 'send' (value expected)
11: bad argument #1 to 'try_send' (value expected)
0
--- no_error_log
[error]


=== channel: wrong timeouts raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ch:receive("x") end))
    ngx.say(err(function() ch:receive({}) end))
    ngx.say(err(function() ch:receive(-1) end))
    ngx.say(err(function() ch:receive(0 / 0) end))
    ngx.say(err(function() ch:send("v", "x") end))
    ngx.say(err(function() ch:send("v", false) end))
    ngx.say(err(function() ch:send("v", -0.001) end))
    ngx.say(err(function() ch:send("v", 0 / 0) end))
    ngx.say(ch:count())
    ngx.say(ch:send("v", "0.1"), ch:receive("0.1"))
    ngx.say(ch:send("v", nil), ch:receive(nil))
    ngx.say(ch:send("v", -0), ch:receive(-0))
}
--- response
4: bad argument #1 to 'receive' (non-negative number expected)
5: bad argument #1 to 'receive' (non-negative number expected)
6: bad argument #1 to 'receive' (non-negative number expected)
7: bad argument #1 to 'receive' (non-negative number expected)
8: bad argument #2 to 'send' (non-negative number expected)
9: bad argument #2 to 'send' (non-negative number expected)
10: bad argument #2 to 'send' (non-negative number expected)
11: bad argument #2 to 'send' (non-negative number expected)
0
truev
truev
truev
--- no_error_log
[error]


=== channel:try_send, channel:try_receive: what they return
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(2)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ch:try_receive())
    show(ch:try_send(1))
    show(ch:try_send(2))
    show(ch:try_send(3))
    show(ch:count())
    show(ch:try_receive())
    show(ch:try_send(4))
    ch:close()
    show(ch:try_send(5))
    show(ch:try_receive())
    show(ch:try_receive())
    show(ch:try_receive())
    show(ch:try_send(6))
}
--- response
2:nilempty
1:true
1:true
2:nilfull
1:2
1:1
1:true
2:nilclosed
1:2
1:4
2:nilclosed
2:nilclosed
--- no_error_log
[error]


=== channel: a timeout of 0 only tries
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ch:receive(0))
    show(ch:send("a", 0))
    show(ch:send("b", 0))
    show(ch:receive(0))
    show(ch:receive(0))
    ch:send("c")
    ch:close()
    show(ch:send("d", 0))
    show(ch:receive(0))
    show(ch:receive(0))
}
--- response
2:niltimeout
1:true
2:niltimeout
1:a
2:niltimeout
2:nilclosed
1:c
2:nilclosed
--- no_error_log
[error]


=== channel:receive: nil, "timeout" when the time is over, not before
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ngx.update_time()
    local start = ngx.now()
    local value, err = ch:receive(0.1)
    ngx.update_time()
    ngx.say(value, " ", err, " ", ngx.now() - start >= 0.095)
    -- What comes later is for the next.
    ngx.say(ch:try_send("late"), " ", ch:receive(100), " ", ch:count())
}
--- response
nil timeout true
true late 0
--- no_error_log
[error]


=== channel:send: nil, "timeout" when the time is over, and the value is not sent
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    ngx.update_time()
    local start = ngx.now()
    local ok, err = ch:send("second", 0.1)
    ngx.update_time()
    ngx.say(ok, " ", err, " ", ngx.now() - start >= 0.095, " ", ch:count())
    ngx.say(ch:receive(), " ", ch:try_receive())
    ngx.say(ch:try_send("third"), " ", ch:receive())
}
--- response
nil timeout true 1
first nilempty
true third
--- no_error_log
[error]


=== channel:receive: waits until somebody sends
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local log = {}
    local thread = ngx.thread.spawn(function()
        log[#log + 1] = "waits"
        local value, err = ch:receive()
        log[#log + 1] = "has " .. value
        return select("#", value, err), value, err
    end)
    log[#log + 1] = "sends"
    ch:send("it")
    -- The sender goes on first.
    log[#log + 1] = "sent"
    ngx.say(ngx.thread.wait(thread))
    ngx.say(table.concat(log, ", "), ", ", ch:count())
}
--- response
true2itnil
waits, sends, sent, has it, 0
--- no_error_log
[error]


=== channel:send: waits until there is a place
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(2)
    ch:send(1)
    ch:send(2)
    local sent
    local thread = ngx.thread.spawn(function()
        sent = ch:send(3)
        return sent
    end)
    ngx.sleep(0.01)
    ngx.say(sent, " ", ch:count())
    ngx.say(ch:receive())
    ngx.say(ngx.thread.wait(thread))
    ngx.say(ch:receive(), " ", ch:receive(), " ", ch:count())
}
--- response
nil 2
1
truetrue
2 3 0
--- no_error_log
[error]


=== channel: waiting receivers are served in their order
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local got, threads = {}, {}
    for i = 1, 50 do
        threads[i] = ngx.thread.spawn(function()
            local value = ch:receive()
            got[#got + 1] = i
            assert(value == i)
        end)
    end
    for i = 1, 50 do ch:send(i) end
    for i = 1, 50 do assert(ngx.thread.wait(threads[i])) end
    local sorted = true
    for i = 1, 50 do sorted = sorted and got[i] == i end
    ngx.say(#got, " ", sorted, " ", ch:count())
}
--- response
50 true 0
--- no_error_log
[error]


=== channel: waiting senders are served in their order
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(3)
    local threads = {}
    for i = 1, 50 do
        threads[i] = ngx.thread.spawn(function()
            return ch:send(i)
        end)
    end
    ngx.say(ch:count())
    local sorted = true
    for i = 1, 50 do sorted = ch:receive() == i and sorted end
    ngx.say(sorted, " ", ch:count())
    for i = 1, 50 do
        local _, ok = ngx.thread.wait(threads[i])
        assert(ok == true)
    end
    ngx.say("end")
}
--- response
3
true 0
end
--- no_error_log
[error]


=== channel: a newcomer does not take what a waiter was given
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local receiver = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("given")
    ngx.say(ch:receive(0))
    ngx.say(ngx.thread.wait(receiver))

    ch:send("full")
    local sender = ngx.thread.spawn(function() return ch:send("given") end)
    ch:receive()
    ngx.say(ch:send("pushed in", 0))
    ngx.say(ngx.thread.wait(sender))
    ngx.say(ch:receive(), " ", ch:count())
}
--- response
niltimeout
truegiven
niltimeout
truetrue
given 0
--- no_error_log
[error]


=== channel: who timed out is not served, the next is
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local first = ngx.thread.spawn(function() return ch:receive(0.01) end)
    local second = ngx.thread.spawn(function() return ch:receive(100) end)
    ngx.say(ngx.thread.wait(first))
    ch:send("value")
    ngx.say(ngx.thread.wait(second))

    ch:send("full")
    first = ngx.thread.spawn(function() return ch:send("first", 0.01) end)
    second = ngx.thread.spawn(function() return ch:send("second", 100) end)
    ngx.say(ngx.thread.wait(first))
    ngx.say(ch:receive())
    ngx.say(ngx.thread.wait(second))
    ngx.say(ch:receive(), " ", ch:count())
}
--- response
trueniltimeout
truevalue
trueniltimeout
full
truetrue
second 0
--- no_error_log
[error]


=== channel:close: true, also again
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ch:close())
    show(ch:close())
    show(ch:send(1))
    show(ch:send(1, 100))
    show(ch:receive())
    show(ch:receive(100))
    show(ch:count())
}
--- response
1:true
1:true
2:nilclosed
2:nilclosed
2:nilclosed
2:nilclosed
1:0
--- no_error_log
[error]


=== channel:close: what is queued can be received
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(3)
    for i = 1, 3 do ch:send(i) end
    ch:close()
    ngx.say(ch:count())
    ngx.say(ch:receive(), " ", ch:try_receive(), " ", ch:receive(0), " ",
            ch:receive())
}
--- response
3
1 2 3 nilclosed
--- no_error_log
[error]


=== channel:close: waiting receivers get nil, "closed"
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local threads = {}
    for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function()
            if i % 2 == 0 then return ch:receive(100) end
            return ch:receive()
        end)
    end
    ch:close()
    for i = 1, 5 do ngx.say(ngx.thread.wait(threads[i])) end
}
--- response eval
"truenilclosed\n" x 5
--- no_error_log
[error]


=== channel:close: waiting senders get nil, "closed", their values are not sent
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("kept")
    local threads = {}
    for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function()
            return ch:send(i, i % 2 == 0 and 100 or nil)
        end)
    end
    ch:close()
    for i = 1, 5 do ngx.say(ngx.thread.wait(threads[i])) end
    ngx.say(ch:count(), " ", ch:receive(), " ", ch:receive())
}
--- response eval
"truenilclosed\n" x 5 . "1 kept nilclosed\n"
--- no_error_log
[error]


=== channel:close: after a value was given to a receiver, it has it
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(2)
    local a = ngx.thread.spawn(function() return ch:receive() end)
    local b = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("value")
    ch:close()
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:receive())
}
--- response
truevalue
truenilclosed
nilclosed
--- no_error_log
[error]


=== channel:close: after a place was given to a sender: sent or "closed", not both
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    local sender = ngx.thread.spawn(function() return ch:send("second") end)
    ngx.say(ch:receive())
    ch:close()
    local _, ok, err = ngx.thread.wait(sender)
    local value, what = ch:receive()
    ngx.say(ok == true and value == "second" or
            ok == nil and err == "closed" and value == nil and what == "closed")
}
--- response
first
true
--- no_error_log
[error]


=== channel:close: the killed receiver's value is for the next, and no more come
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(3)
    local a = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("one")
    ch:send("two")
    ch:close()
    ngx.thread.kill(a)
    ngx.say(ch:receive(), " ", ch:receive(), " ", ch:receive())
}
--- response
one two nilclosed
--- no_error_log
[error]


=== channel: between connections
--- tcp_config
init_by_lua_block { ch = ngx.channel.new(2) }
--- tcp_server_config
process_by_lua_block {
    ngx.print("receiving ")
    ngx.say(ch:receive())
    ngx.receive(1)
}
--- tcp_server_config2
process_by_lua_block {
    for line in function() return ngx.receive("*l") end do
        ngx.say(ch:send(line), " ", ch:count() <= 2)
    end
}
--- request_parts
A: expect "receiving "
B: expect "receiving "
C: connect $TEST_PORT2
C: send "one\n"
C: expect "true true\n"
A: expect "one\n"
C: send "two\nthree\nfour\nfive\n"
C: expect "true true\ntrue true\ntrue true\n"
B: expect "two\n"
C: expect_nothing 0.05
D: expect "receiving three\n"
C: expect "true true\n"
E: expect "receiving four\n"
F: expect "receiving five\n"
C: close
--- no_error_log
[error]


=== channel: two clients chat
--- tcp_config
init_by_lua_block { a, b = ngx.channel.new(1), ngx.channel.new(1) }
--- tcp_server_config
process_by_lua_block {
    local mine, other = a, b
    if ngx.receive(1) == "b" then mine, other = b, a end
    local reader = ngx.thread.spawn(function()
        for text in function() return mine:receive() end do
            if text == "bye" then return end
            ngx.say(text)
        end
    end)
    for line in function() return ngx.receive("*l") end do
        other:send(line)
    end
    ngx.thread.wait(reader)
}
--- request_parts
A: send "a"
B: send "b"
A: send "hello\n"
B: expect "hello\n"
B: send "hi\nhow are you?\n"
A: expect "hi\nhow are you?\n"
A: send "fine\nbye\n"
A: half_close
B: expect "fine\n"
B: send "bye\n"
B: half_close
A: expect_eof
B: expect_eof
--- no_error_log
[error]


=== channel: the client goes, with lua_check_client_abort the waiter is gone
--- tcp_config
init_by_lua_block { ch = ngx.channel.new(1) }
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local how = ngx.receive(1)
    ngx.print(how)
    if how == "r" then ch:receive() else ch:send("lost") end
    ngx.log(ngx.ERR, "still running")
}
--- tcp_server_config2
process_by_lua_block {
    local what = ngx.receive("*l")
    ngx.say(ch[what](ch, ngx.receive("*l")))
}
--- request_parts
A: send "r"
A: expect "r"
B: send "r"
B: expect "r"
A: close
B: reset
wait_log "client prematurely closed connection" 2
C: connect $TEST_PORT2
C: send "try_send\nvalue\n"
C: expect "true\n"
D: send "s"
D: expect "s"
E: send "s"
E: expect "s"
D: close
E: half_close
wait_log "client prematurely closed connection" 4
E: expect_eof
F: connect $TEST_PORT2
F: send "try_receive\n\n"
F: expect "value\n"
G: connect $TEST_PORT2
G: send "try_receive\n\n"
G: expect "nilempty\n"
--- no_error_log
[error]
still running


=== channel: a killed receiver is gone
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function receiver() return ch:receive() end
    local a, b = ngx.thread.spawn(receiver), ngx.thread.spawn(receiver)
    ngx.thread.kill(a)
    ch:send("value")
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:count())
}
--- response
truevalue
0
--- no_error_log
[error]


=== channel: a killed sender's value is not sent
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    local a = ngx.thread.spawn(function() return ch:send("a") end)
    local b = ngx.thread.spawn(function() return ch:send("b") end)
    ngx.thread.kill(a)
    ngx.say(ch:receive())
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:receive(), " ", ch:try_receive())
}
--- response
first
truetrue
b nilempty
--- no_error_log
[error]


=== channel: killed after it was given a value: the next has it
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function receiver() return ch:receive() end
    local a, b = ngx.thread.spawn(receiver), ngx.thread.spawn(receiver)
    ch:send("value")
    ngx.thread.kill(a)
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:count())
}
--- response
truevalue
0
--- no_error_log
[error]


=== channel: killed after it was given a value: it is in its place again
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(2)
    local a = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("one")
    ch:send("two")
    ngx.thread.kill(a)
    ngx.say(ch:count(), " ", ch:try_send("three"))
    ngx.say(ch:receive(), " ", ch:try_receive(), " ", ch:receive(0))

    -- So also for select, and a receive that would wait.
    a = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("four")
    ngx.thread.kill(a)
    ngx.say(ngx.select{ ch })
    a = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("five")
    ngx.thread.kill(a)
    ngx.say(ngx.select{ ch, timeout = 0 })
    a = ngx.thread.spawn(function() return ch:receive() end)
    ch:send("six")
    ngx.thread.kill(a)
    ngx.say(ch:receive(100), " ", ch:count())
}
--- response
2 nilfull
one two niltimeout
1four
1five
six 0
--- no_error_log
[error]


=== channel: killed after it was given a place: the next has it
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    local a = ngx.thread.spawn(function() return ch:send("a") end)
    local b = ngx.thread.spawn(function() return ch:send("b") end)
    ch:receive()
    ngx.thread.kill(a)
    local _, ok = ngx.thread.wait(b)
    local first, second = ch:receive(0), ch:receive(0)
    -- Whether a's value was on its way may be seen either way, but only once.
    ngx.say(ok, " ", first == "b" and second == nil
            or first == "a" and second == "b")
}
--- response
true true
--- no_error_log
[error]


=== channel: killed after it was given a place, and nobody else waits
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(2)
    for i = 1, 20 do
        ch:send("one")
        ch:send("two")
        local a = ngx.thread.spawn(function() return ch:send("lost") end)
        assert(ch:receive() == "one")
        ngx.thread.kill(a)
        -- No place is lost, and there is none too many.
        local value = ch:receive(0)
        assert(value == "two")
        if ch:count() == 0 then
            assert(ch:try_send(1) and ch:try_send(2))
            assert(select(2, ch:try_send(3)) == "full")
            assert(ch:receive() == 1 and ch:receive() == 2)
        else
            assert(ch:receive() == "lost")
        end
        assert(ch:count() == 0)
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== channel: the handler exits after the send: the value is not lost
--- tcp_config
init_by_lua_block { ch = ngx.channel.new(1) }
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    if how == "?" then
        ngx.say(ch:count(), " ", ch:receive(0), " ", ch:receive(0))
        return
    end
    ngx.thread.spawn(function()
        local ok = ch:receive(100)
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("waiting")
    ch:send("sent by " .. how)
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
B: expect "1 sent by x niltimeout\n"
B: expect_eof
C: send "e"
C: expect "waiting\n"
C: expect_eof
D: send "?"
D: expect "1 sent by e niltimeout\n"
D: expect_eof
--- error_log
dies
--- no_error_log
still running


=== channel: the handler exits after the send: another connection has it
--- tcp_config
init_by_lua_block { ch = ngx.channel.new(1) }
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ch:receive()
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("waiting")
    ngx.receive(1)
    ch:send("value")
    ngx.exit()
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say("waiting")
    ngx.say(ch:receive(100), " ", ch:count())
}
--- request_parts
A: expect "waiting\n"
B: connect $TEST_PORT2
B: expect "waiting\n"
A: send "x"
A: expect_eof
B: expect "value 0\n"
B: expect_eof
--- no_error_log
[error]
still running


=== channel: timeout and send in one turn: one of them, and nothing lost
--- tcp_server_config
process_by_lua_block {
    local function busy(seconds)
        ngx.update_time()
        local till = ngx.now() + seconds
        repeat ngx.update_time() until ngx.now() > till
    end
    for _, send_after in ipairs { 0.001, 0.019, 0.020, 0.021, 0.040 } do
        local ch = ngx.channel.new(1)
        local receiver = ngx.thread.spawn(function() return ch:receive(0.02) end)
        local sender = ngx.thread.spawn(function()
            ngx.sleep(send_after)
            assert(ch:send("value"))
        end)
        -- Both timers are due when the event loop has its turn.
        busy(0.06)
        local _, value, err = ngx.thread.wait(receiver)
        ngx.thread.wait(sender)
        local left = ch:receive(0)
        if not (value == "value" and err == nil and left == nil
                or value == nil and err == "timeout" and left == "value") then
            ngx.say(send_after, ": ", value, " ", err, " ", left)
        end
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== channel: timeout and receive in one turn: sent or not, never both
--- tcp_server_config
process_by_lua_block {
    local function busy(seconds)
        ngx.update_time()
        local till = ngx.now() + seconds
        repeat ngx.update_time() until ngx.now() > till
    end
    for _, after in ipairs { 0.001, 0.019, 0.020, 0.021, 0.040 } do
        local ch = ngx.channel.new(1)
        ch:send("first")
        local sender = ngx.thread.spawn(function()
            return ch:send("second", 0.02)
        end)
        local receiver = ngx.thread.spawn(function()
            ngx.sleep(after)
            return ch:receive()
        end)
        busy(0.06)
        local _, ok, err = ngx.thread.wait(sender)
        assert(select(2, ngx.thread.wait(receiver)) == "first")
        local left = ch:receive(0)
        if not (ok == true and err == nil and left == "second"
                or ok == nil and err == "timeout" and left == nil) then
            ngx.say(after, ": ", ok, " ", err, " ", left)
        end
        assert(ch:try_send(1) and not ch:try_send(2))
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== channel: in user coroutines, which suspend the whole chain
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local producer = ngx.thread.spawn(function()
        for i in coroutine.wrap(function()
            for i = 1, 10 do
                assert(ch:send(i))
                coroutine.yield(i)
            end
        end) do
            if i % 3 == 0 then ngx.sleep(0.001) end
        end
        ch:close()
    end)
    local got = {}
    for value in coroutine.wrap(function()
        for value in coroutine.wrap(function()
            for value in function() return ch:receive() end do
                coroutine.yield(value)
            end
        end) do
            coroutine.yield(value)
        end
    end) do
        got[#got + 1] = value
    end
    ngx.say(table.concat(got, " "))
    ngx.say(ngx.thread.wait(producer))
}
--- response
1 2 3 4 5 6 7 8 9 10
true
--- no_error_log
[error]


=== channel: below pcall, in iterators and metamethods
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ngx.thread.spawn(function()
        for i = 1, 6 do
            ngx.sleep(0.002)
            ch:send(i)
        end
        ch:close()
    end)
    ngx.say(pcall(ch.receive, ch))
    ngx.say(xpcall(function() return ch:receive(100) end, debug.traceback))
    local t = setmetatable({}, {
        __index = function() return ch:receive() end,
        __concat = function() return ch:receive() end,
    })
    ngx.say(t.x, " ", t .. "")
    for value in function() return ch:receive() end do ngx.say("for ", value) end
    ngx.say(pcall(ch.receive, ch))
    ngx.say(pcall(ch.send, ch))
}
--- response
true1
true2
3 4
for 5
for 6
truenilclosed
falsebad argument #1 to 'send' (value expected)
--- no_error_log
[error]


=== channel: in a C function's callback what need not wait works
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local out = {}
    ("x"):gsub("x", function()
        out[#out + 1] = err(function() ch:receive() end)
        out[#out + 1] = tostring(ch:send("a"))
        out[#out + 1] = err(function() ch:send("b") end)
        out[#out + 1] = err(function() ch:send("c", 100) end)
        out[#out + 1] = select(2, ch:try_send("d"))
        out[#out + 1] = ch:receive()
        out[#out + 1] = select(2, ch:try_receive())
        out[#out + 1] = select(2, ch:receive(0))
        out[#out + 1] = ch:count()
    end)
    ngx.say(table.concat(out, "\n"))
    -- Nobody is left in the queues.
    ngx.say(ch:try_send("e"), " ", ch:count(), " ", ch:try_receive(), " ",
            ch:try_receive())
}
--- response
6: attempt to yield across C-call boundary
true
8: attempt to yield across C-call boundary
9: attempt to yield across C-call boundary
full
a
empty
timeout
0
true 1 e nilempty
--- no_error_log
[error]


=== channel: in a __gc
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local receiver = ngx.thread.spawn(function() return ch:receive() end)
    getmetatable(newproxy(true)).__gc = function()
        ch:try_send("collected")
    end
    collectgarbage()
    ngx.say(ngx.thread.wait(receiver))
}
--- response
truecollected
--- no_error_log
[error]


=== channel: timers send to a connection
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    for i = 1, 3 do
        ngx.timer.at(0.01 * i, function()
            assert(ch:send(i))
            if i == 3 then ch:close() end
        end)
    end
    for value in function() return ch:receive() end do ngx.print(value, " ") end
    ngx.say("end")
}
--- response
1 2 3 end
--- no_error_log
[error]


=== channel: a connection sends to a timer, which goes on without it
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ngx.timer.at(0, function()
        for value in function() return ch:receive() end do
            ngx.sleep(0.001)
            ngx.log(ngx.WARN, "timer has ", value)
        end
        ngx.log(ngx.WARN, "timer: end")
    end)
    for i = 1, 5 do ch:send(i) end
    ch:close()
}
--- request_parts
expect_eof
wait_log "timer: end"
--- grep_error_log
~ timer has \d
--- grep_error_log_out
timer has 1
timer has 2
timer has 3
timer has 4
timer has 5
--- no_error_log
[error]


=== channel: in init_by_lua
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ch = require "ngx.channel".new(2)
    local out = {}
    out[#out + 1] = tostring(ch:try_send("a"))
    out[#out + 1] = tostring(ch:send("b"))
    out[#out + 1] = select(2, ch:try_send("c"))
    out[#out + 1] = select(2, ch:send("c", 0))
    out[#out + 1] = err(function() ch:send("c") end)
    out[#out + 1] = ch:try_receive()
    out[#out + 1] = ch:receive()
    out[#out + 1] = select(2, ch:try_receive())
    out[#out + 1] = select(2, ch:receive(0))
    out[#out + 1] = err(function() ch:receive() end)
    out[#out + 1] = err(function() ch:receive(1) end)
    out[#out + 1] = ch:count()
    ch:send("from the master")
    local other = ngx.channel.new(1)
    other:close()
    out[#out + 1] = select(2, other:receive())
    text = table.concat(out, "\n")
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(text)
    ngx.say(ch:count(), " ", ch:try_receive())
    ch:send("from the master")
}
--- response
true
true
full
timeout
9: API disabled in the context of init_by_lua*
a
b
empty
timeout
14: API disabled in the context of init_by_lua*
15: API disabled in the context of init_by_lua*
0
closed
1 from the master
--- no_error_log
[error]


=== channel: each worker has its own
--- workers: 2
--- tcp_config
init_by_lua_block {
    ch = ngx.channel.new(1)
    ch:send("copied")
}
init_worker_by_lua_block {
    ngx.log(ngx.WARN, "worker ", ngx.worker.id(), " has ", ch:receive(0))
}
--- tcp_server_config
process_by_lua_block { ngx.say(ch:count()) }
--- response
0
--- start_log
worker 0 has copied
worker 1 has copied
--- no_error_log
[error]


=== channel: in init_worker_by_lua and exit_worker_by_lua it may wait
--- tcp_config
init_worker_by_lua_block {
    ch = ngx.channel.new(1)
    ngx.thread.spawn(function()
        for i = 1, 3 do
            ngx.sleep(0.001)
            ch:send(i)
        end
    end)
    text = ch:receive() .. ch:receive(100) .. ch:receive()
        .. select(2, ch:receive(0.01))
}
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ch:send("exit")
        ch:send("worker")
        ch:close()
    end)
    ngx.sleep(0.001)
    for value in function() return ch:receive() end do
        ngx.log(ngx.WARN, "got ", value)
    end
}
--- tcp_server_config
process_by_lua_block { ngx.say(text) }
--- response
123timeout
--- stop_log
got exit
got worker


=== channel: a fast exit while threads, timers and connections wait
--- tcp_config
init_by_lua_block {
    empty, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    waiting = { n = 0 }
}
--- tcp_server_config
process_by_lua_block {
    local empty, full, waiting = empty, full, waiting
    for _ = 1, 10 do
        ngx.thread.spawn(function() empty:receive() end)
        ngx.thread.spawn(function() full:send({}) end)
        ngx.timer.at(0, function()
            waiting.n = waiting.n + 1
            full:send(empty, 100)
        end)
    end
    while waiting.n < 10 do ngx.sleep(0.001) end
    ngx.say("waiting")
    empty:receive(100)
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal TERM
wait_exit
expect_close
--- no_error_log
[error]


=== channel: for ever, and much too long
--- tcp_server_config
process_by_lua_block {
    for _, seconds in ipairs { math.huge, 1e300, 2^53, 2^32, 2^31, 1e7 } do
        local ch = ngx.channel.new(1)
        local receiver = ngx.thread.spawn(function()
            return ch:receive(seconds)
        end)
        ngx.sleep(0.01)
        ch:send("value")
        ngx.say(ngx.thread.wait(receiver))
        ch:send("full")
        local sender = ngx.thread.spawn(function()
            return ch:send("sent", seconds)
        end)
        ngx.sleep(0.01)
        ch:receive()
        ngx.say(ngx.thread.wait(sender))
    end
}
--- response eval
"truevalue\ntruetrue\n" x 6
--- no_error_log
[error]


=== channel: a large one takes no memory before it is filled
--- tcp_server_config
process_by_lua_block {
    local before = collectgarbage("count")
    local channels = {}
    for i = 1, 100 do
        channels[i] = ngx.channel.new(2 ^ 31 - 1)
        channels[i]:send(i)
    end
    ngx.say(collectgarbage("count") - before < 100)
    ngx.say(channels[100]:receive(), " ", channels[1]:count())
}
--- response
true
100 1
--- no_error_log
[error]


=== channel: what was not meant to be
--- tcp_server_config
process_by_lua_block {
    local values = { 1, 2.5, 2^31, 2^32, 2^53, 1e300, "2", "", {}, true, print,
                     newproxy(true), coroutine.create(print) }
    for _, value in ipairs(values) do
        local ok, ch = pcall(ngx.channel.new, value)
        assert(ok or type(ch) == "string")
        if ok then
            assert(ch:try_send(1) and ch:try_receive() == 1)
        end
    end
    local ch = ngx.channel.new(1)
    pcall(function() setmetatable(ch, nil) end)
    pcall(function() getmetatable(ch).__gc(ch) end)
    pcall(function() getmetatable(ch).__gc({}) end)
    pcall(function() for k in pairs(ch) do ch[k] = "x" end end)
    for _, name in ipairs { "try_send", "try_receive", "count", "close" } do
        pcall(ngx.channel.new(1)[name], ch, 1)
    end
    collectgarbage()
    local other = ngx.channel.new(1)
    ngx.say(other:send("on"), " ", other:receive())
}
--- response
true on
--- no_error_log
[error]


=== channel: a pipeline, with buffers of each size
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    for _, size in ipairs { 1, 2, 7, 1000 } do
        local a, b = ngx.channel.new(size), ngx.channel.new(size)
        ngx.thread.spawn(function()
            for i = 1, n do assert(a:send(i)) end
            a:close()
        end)
        local doublers = 0
        for _ = 1, 3 do
            ngx.thread.spawn(function()
                doublers = doublers + 1
                for i in function() return a:receive() end do assert(b:send(2 * i)) end
                doublers = doublers - 1
                if doublers == 0 then b:close() end
            end)
        end
        local count, sum = 0, 0
        for i in function() return b:receive() end do
            count, sum = count + 1, sum + i
        end
        ngx.say(count == n, " ", sum == n * (n + 1))
    end
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "100\n" : "3000\n"
--- response
true true
true true
true true
true true
--- no_error_log
[error]


=== channel: one by one, in order, with one sender and one receiver
--- tcp_server_config
process_by_lua_block {
    for _, size in ipairs { 1, 3, 100 } do
        local ch = ngx.channel.new(size)
        ngx.thread.spawn(function()
            for i = 1, 500 do
                if i % 17 == 0 then ngx.sleep(0.001) end
                ch:send(i)
            end
            ch:close()
        end)
        local last, sorted = 0, true
        for i in function() return ch:receive() end do
            if i % 13 == 0 then ngx.sleep(0.001) end
            sorted = sorted and i == last + 1
            last = i
        end
        ngx.say(last, " ", sorted)
    end
}
--- response
500 true
500 true
500 true
--- no_error_log
[error]


=== channel: many waiting receivers, one close
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local ch = ngx.channel.new(1)
    local threads, closed = {}, 0
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            local value, err = ch:receive()
            if value == nil and err == "closed" then closed = closed + 1 end
        end)
    end
    ngx.thread.kill(threads[1])
    ngx.thread.kill(threads[n])
    ngx.thread.kill(threads[n / 2])
    ch:close()
    for i = 1, n do ngx.thread.wait(threads[i]) end
    ngx.say(closed == n - 3)
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "200\n" : "20000\n"
--- response
true
--- timeout: 30
--- no_error_log
[error]


=== channel: many waiting senders, some are killed
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local ch = ngx.channel.new(4)
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function() ch:send(i) end)
    end
    -- The first four have sent and ended.
    for i = 10, n, 10 do ngx.thread.kill(threads[i]) end
    local last, count, sorted = 0, 0, true
    for _ = 1, n - n / 10 do
        local i = ch:receive(100)
        sorted = sorted and i > last and i % 10 ~= 0
        last, count = i, count + 1
    end
    ngx.say(sorted, " ", count == n - n / 10, " ", ch:try_receive())
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "200\n" : "10000\n"
--- response
true true nilempty
--- timeout: 30
--- no_error_log
[error]


=== channel: many that timed out leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local empty, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local function round()
        local out = 0
        for _ = 1, 10 do
            local threads = {}
            for i = 1, n / 10 do
                threads[i] = ngx.thread.spawn(function()
                    local seconds = 0.001 * (1 + i % 20)
                    if i % 2 == 0 then return empty:receive(seconds) end
                    return full:send({}, seconds)
                end)
            end
            for i = 1, n / 10 do
                local _, _, err = ngx.thread.wait(threads[i])
                if err == "timeout" then out = out + 1 end
            end
        end
        assert(out == n and empty:count() == 0 and full:count() == 1)
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


=== channel: what was received is no longer kept
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(3)
    local weak = setmetatable({}, { __mode = "v" })
    local function pass(n)
        for i = 1, n do
            local value = { i }
            weak[#weak + 1] = value
            ch:send(value)
            value = nil
            ch:receive()
        end
    end
    pass(10)
    -- Also what was never sent.
    for _ = 1, 3 do ch:send("full") end
    local function refused()
        local value = {}
        weak[#weak + 1] = value
        ch:send(value, 0.001)
        ch:try_send(value)
        ngx.thread.kill(ngx.thread.spawn(function() ch:send(value) end))
    end
    refused()
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(weak) do left = left + 1 end
    ngx.say(left, " ", ch:count())
}
--- response
0 3
--- no_error_log
[error]


=== channel: one that nobody refers to is garbage, with what is in it
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 100 do
        local ch = ngx.channel.new(2)
        local value = {}
        weak[#weak + 1] = ch
        weak[#weak + 1] = value
        ch:send(value)
        -- In itself, too.
        ch:send(ch)
        if i % 2 == 0 then
            ngx.thread.kill(ngx.thread.spawn(function() ch:send(1) end))
        else
            local thread = ngx.thread.spawn(function() ch:send(1, 0.001) end)
            ngx.thread.wait(thread)
        end
        if i % 3 == 0 then ch:close() end
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


=== channel: one that dead connections waited on is garbage
--- tcp_config
init_by_lua_block { weak = setmetatable({}, { __mode = "v" }) }
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local ch = ngx.channel.new(1)
    weak[#weak + 1] = ch
    ngx.thread.spawn(function() ch:receive() end)
    ngx.print("waiting")
    ch:receive(1000)
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
A: close
B: reset
wait_log "client prematurely closed connection" 2
D: connect $TEST_PORT2
D: expect "0\n"
D: expect_eof
--- no_error_log
[error]


=== channel: many connections send and receive
--- tcp_config
init_by_lua_block {
    ch = ngx.channel.new(3)
    sum = { sent = 0, got = 0, n = 0 }
}
--- tcp_server_config
process_by_lua_block {
    local ch, sum = ch, sum
    local sender = ngx.thread.spawn(function()
        for i = 1, 20 do
            assert(ch:send(i))
            sum.sent = sum.sent + i
            if i == 7 then ngx.sleep(0.001) end
        end
    end)
    for i = 1, 20 do
        local value = ch:receive()
        sum.got = sum.got + value
        sum.n = sum.n + 1
        if i == 11 then ngx.sleep(0.001) end
    end
    assert(ngx.thread.wait(sender))
    ngx.say("done")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(sum.n, " ", sum.got == sum.sent, " ", ch:count())
    sum.n = 0
}
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 20),
    (map { (["C$_:", expect => "done\n"], ["C$_:", 'expect_eof']) } 1 .. 20),
    ['Z:', connect => '$TEST_PORT2'],
    ['Z:', expect => "400 true 0\n"],
    ['Z:', 'expect_eof'],
]
--- no_error_log
[error]
