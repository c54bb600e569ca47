# ngx.thread.kill: who may, and what it gives; a thread killed in each wait
# there is releases what it waited for, and leaves nothing.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== kill: 1, and the thread does not go on
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local t = ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.say("survived")
    end)
    show(ngx.thread.kill(t))
    ngx.say(coroutine.status(t))
    show(ngx.thread.wait(t))
    show(ngx.thread.kill(t))
    ngx.sleep(0.1)
}
--- response
1: 1
dead
2: nilalready waited or killed
2: nilalready waited or killed
--- no_error_log
[error]


=== kill: one that has ended counts as killed then
--- tcp_server_config
process_by_lua_block {
    local function run(f)
        local t = ngx.thread.spawn(f)
        ngx.say(coroutine.status(t))
        ngx.say(ngx.thread.kill(t))
        ngx.say(coroutine.status(t))
        ngx.say(ngx.thread.kill(t))
        ngx.say(ngx.thread.wait(t))
    end
    run(function() return "result" end)
    run(function() error("failed", 0) end)
}
--- response
zombie
nilalready terminated
dead
nilalready waited or killed
nilalready waited or killed
zombie
nilalready terminated
dead
nilalready waited or killed
nilalready waited or killed
--- error_log
lua user thread aborted: runtime error: failed


=== kill: one that was waited for
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() end)
    ngx.thread.wait(t)
    ngx.say(ngx.thread.kill(t))
    t = ngx.thread.spawn(function() ngx.sleep(0.001) end)
    ngx.thread.wait(t)
    ngx.say(ngx.thread.kill(t))
}
--- response
nilalready waited or killed
nilalready waited or killed
--- no_error_log
[error]


=== kill: only the parent may, neither oneself, brother, child nor grandparent
--- tcp_server_config
process_by_lua_block {
    local function try(who, t) ngx.say(who, ": ", ngx.thread.kill(t)) end
    local child, grandchild
    child = ngx.thread.spawn(function()
        child = coroutine.running()
        grandchild = ngx.thread.spawn(function()
            try("oneself", coroutine.running())
            try("child", child)
            ngx.sleep(0.05)
            return "grandchild"
        end)
        return ngx.thread.wait(grandchild)
    end)
    try("grandparent", grandchild)
    ngx.thread.wait(ngx.thread.spawn(function() try("brother", child) end))
    ngx.say(ngx.thread.wait(child))
}
--- response
oneself: nilkiller not parent
child: nilkiller not parent
grandparent: nilkiller not parent
brother: nilkiller not parent
truetruegrandchild
--- no_error_log
[error]


=== kill: no user coroutine, and not the script
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(coroutine.yield)
    ngx.say(ngx.thread.kill(co))
    coroutine.resume(co)
    ngx.say(ngx.thread.kill(co))
    coroutine.resume(co)
    ngx.say(ngx.thread.kill(co))
    local entry = coroutine.running()
    ngx.say(ngx.thread.kill(entry))
    ngx.thread.wait(ngx.thread.spawn(function()
        ngx.say(ngx.thread.kill(entry))
    end))
    coroutine.wrap(function()
        ngx.say(ngx.thread.kill(coroutine.running()))
    end)()
}
--- response
nilnot user thread
nilnot user thread
nilnot user thread
nilnot user thread
nilnot user thread
nilnot user thread
--- no_error_log
[error]


=== kill: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.thread.kill() end))
    ngx.say(err(function() ngx.thread.kill(nil) end))
    ngx.say(err(function() ngx.thread.kill("x") end))
    ngx.say(err(function() ngx.thread.kill({}) end))
    ngx.say(err(function() ngx.thread.kill(print) end))
}
--- response
3: bad argument #1 to 'kill' (lua thread expected)
4: bad argument #1 to 'kill' (lua thread expected)
5: bad argument #1 to 'kill' (lua thread expected)
6: bad argument #1 to 'kill' (lua thread expected)
7: bad argument #1 to 'kill' (lua thread expected)
--- no_error_log
[error]


=== kill: by a user coroutine of the parent
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(ngx.sleep, 100)
    coroutine.wrap(function()
        coroutine.wrap(function() ngx.say(ngx.thread.kill(t)) end)()
    end)()
    ngx.say(coroutine.status(t))
}
--- response
1
dead
--- no_error_log
[error]


=== kill: a user coroutine acts for the thread that resumes it
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(ngx.sleep, 100)
    local co = coroutine.wrap(function()
        while true do coroutine.yield(ngx.thread.kill(t)) end
    end)
    ngx.thread.wait(ngx.thread.spawn(function() ngx.say(co()) end))
    ngx.say(co())
}
--- response
nilkiller not parent
1
--- no_error_log
[error]


=== kill: in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(ngx.sleep, 100)
    ngx.say((string.gsub("x", "x", function()
        return tostring(ngx.thread.kill(t))
    end)))
    ngx.say(coroutine.status(t))
}
--- response
1
dead
--- no_error_log
[error]


=== kill: its own threads go on, and are nobody's
--- tcp_server_config
process_by_lua_block {
    local child
    local t = ngx.thread.spawn(function()
        child = ngx.thread.spawn(function()
            ngx.sleep(0.02)
            ngx.say("the child goes on")
        end)
        ngx.sleep(100)
    end)
    ngx.say(ngx.thread.kill(t))
    ngx.say(coroutine.status(child))
    ngx.say(pcall(ngx.thread.wait, child))
    ngx.say(ngx.thread.kill(child))
}
--- response
1
suspended
falseonly the parent coroutine can wait on the thread
nilkiller not parent
the child goes on
--- no_error_log
[error]


=== kill: a child cannot be killed by a thread that took its parent's place
--- tcp_server_config
process_by_lua_block {
    local child
    local t = ngx.thread.spawn(function()
        child = ngx.thread.spawn(function() return ngx.receive(1) end)
        coroutine.yield()
    end)
    ngx.thread.kill(t)
    t = nil
    collectgarbage()
    for i = 1, 100 do
        ngx.thread.wait(ngx.thread.spawn(function()
            local _, err = ngx.thread.kill(child)
            assert(err == "killer not parent", err)
        end))
    end
    ngx.say(coroutine.status(child))
}
--- request_parts
expect "suspended\n"
send "x"
expect_eof
--- no_error_log
[error]


=== in sleep: others sleep on
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function sleeper(name, seconds)
        return ngx.thread.spawn(function()
            ngx.sleep(seconds)
            order[#order + 1] = name
        end)
    end
    local a = sleeper("a", 0.02)
    local b = sleeper("b", 0.001)
    local c = sleeper("c", 0.002)
    ngx.say(ngx.thread.kill(b))
    ngx.thread.wait(a)
    ngx.say(table.concat(order, " "))
}
--- response
1
c a
--- no_error_log
[error]


=== in yield: it does not get its turn
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local function spinner(name)
        return ngx.thread.spawn(function()
            while #order < 20 do
                order[#order + 1] = name
                coroutine.yield()
            end
        end)
    end
    local a, b, c = spinner("a"), spinner("b"), spinner("c")
    ngx.say(ngx.thread.kill(b))
    ngx.thread.wait(a)
    ngx.say(table.concat(order))
}
--- response
1
abcacacacacacacacaca
--- no_error_log
[error]


=== in receive: another gets the bytes
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.say("got ", ngx.receive(5)) end)
    ngx.say(ngx.thread.kill(t))
    ngx.say("entry ", ngx.receive(5))
    t = ngx.thread.spawn(function() ngx.say("got ", ngx.receive("*l")) end)
    ngx.say(ngx.thread.kill(t))
    local u = ngx.thread.spawn(function() ngx.say("other ", ngx.receive("*l")) end)
    ngx.thread.wait(u)
    t = ngx.thread.spawn(function() ngx.say("got ", ngx.receive("*a")) end)
    ngx.say(ngx.thread.kill(t))
    ngx.say("entry ", ngx.receive("*a"))
}
--- request_parts
expect "1\n"
send "12345"
expect "entry 12345\n1\n"
send "line\n"
expect "other line\n1\n"
send "rest"
half_close
expect "entry rest\n"
expect_eof
--- no_error_log
[error]


=== in receive: what has come so far stays for others
--- tcp_server_config
process_by_lua_block {
    for _, what in ipairs { 10, "*l", "*a" } do
        local t = ngx.thread.spawn(function() ngx.receive(what) end)
        ngx.say("ready")
        -- The client waits for "ready", so its bytes are read by the thread.
        ngx.sleep(0.05)
        ngx.say(ngx.thread.kill(t))
        ngx.say("entry ", ngx.receive(3))
    end
}
--- request_parts
expect "ready\n"
send "abc"
expect "1\nentry abc\nready\n"
send "def"
expect "1\nentry def\nready\n"
send "ghi"
expect "1\nentry ghi\n"
expect_eof
--- no_error_log
[error]


=== in receive: at_least, with less than that
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.receive(10, 5) end)
    ngx.say("ready")
    ngx.sleep(0.05)
    ngx.say(ngx.thread.kill(t))
    ngx.say("entry ", ngx.receive(10, 3))
}
--- request_parts
expect "ready\n"
send "abc"
expect "1\nentry abc\n"
expect_eof
--- no_error_log
[error]


=== in receive: its timeout does not come afterwards
--- tcp_server_config
read_timeout 100ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.receive(5) end)
    ngx.say(ngx.thread.kill(t))
    ngx.sleep(0.2)
    ngx.say("after")
}
--- response
1
after
--- no_error_log
timed out
[error]


=== in receive: the next one has all its time
--- tcp_server_config
read_timeout 2s;
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.receive(5) end)
    ngx.sleep(1)
    ngx.say(ngx.thread.kill(t))
    ngx.update_time()
    local start = ngx.now()
    ngx.say(ngx.receive(5))
    ngx.update_time()
    ngx.say(ngx.now() - start > 1.9)
}
--- request_parts
expect "1\nniltimeout\ntrue\n"
expect_eof
--- error_log
lua tcp socket read timed out


=== in receive: again and again, the stream stays whole
--- tcp_server_config
process_by_lua_block {
    local parts, n = {}, 0
    while n < 200 do
        local t = ngx.thread.spawn(function()
            local part = ngx.receive(7)
            if part then
                parts[#parts + 1] = part
                n = n + #part
            end
        end)
        coroutine.yield()
        ngx.thread.kill(t)
        local part = ngx.receive(3)
        parts[#parts + 1] = part
        n = n + #part
    end
    parts[#parts + 1] = ngx.receive("*a")
    ngx.say(table.concat(parts))
}
--- request_parts eval
my $text = CORE::join "", map { sprintf "%04d", $_ } 1 .. 100;
[
    [drip => substr($text, 0, 100)], [send => substr($text, 100, 200)],
    ['sync'], [send => substr($text, 300)], ['half_close'],
    [expect => "$text\n"], ['expect_eof'],
]
--- no_error_log
[error]


=== in receive: the client's end afterwards
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.receive(5) end)
    ngx.say(ngx.thread.kill(t))
    ngx.sleep(0.05)
    ngx.say(ngx.receive(5))
}
--- request_parts
expect "1\n"
half_close
expect "nilclosed\n"
expect_eof
--- no_error_log
[error]


=== in wait_next_request: another receives, and parks
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.wait_next_request()
        ngx.say("thread")
    end)
    ngx.say(ngx.thread.kill(t))
    ngx.say("entry ", ngx.receive(1))
    t = ngx.thread.spawn(function()
        ngx.wait_next_request()
        ngx.say("thread")
    end)
    ngx.say(ngx.thread.kill(t))
    ngx.say("parks")
    ngx.wait_next_request()
    ngx.say("entry ", ngx.receive(1))
}
--- request_parts
expect "1\n"
send "a"
expect "entry a\n1\nparks\n"
send "b"
expect "entry b\n"
expect_eof
--- no_error_log
[error]


=== in wait_next_request: the connection is no longer parked
--- tcp_server_config
keepalive_timeout 100ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.wait_next_request() end)
    ngx.say(ngx.thread.kill(t))
    ngx.sleep(0.3)
    ngx.say("still there")
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "1\nstill there\n"
send "x"
expect "x\n"
expect_eof
--- no_error_log
[error]


=== in print: what it printed is sent all the same, and others print after it
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        local size = 300000
        local t = ngx.thread.spawn(function()
            ngx.print(("x"):rep(size))
            ngx.print("not printed")
        end)
        ngx.log(ngx.WARN, "killed ", ngx.thread.kill(t), " ",
                coroutine.status(t))
        ngx.print("entry")
        ngx.log(ngx.WARN, "printed")
        ngx.say(ngx.receive(1))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'killed 1 dead'], ['start_reading'],
    [expect => 'x' x 300000 . 'entry'], [send => 'b'], [expect => "b\n"],
    ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== in print: its send_timeout does not come afterwards
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 3s;
    process_by_lua_block {
        ngx.receive(1)
        local t = ngx.thread.spawn(function()
            ngx.print(("x"):rep(300000))
        end)
        ngx.sleep(0.2)
        ngx.log(ngx.WARN, "killed ", ngx.thread.kill(t))
        ngx.log(ngx.WARN, "entry ", ngx.receive(1))
        ngx.print("end")
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'killed 1'], ['start_reading'],
    [expect => 'x' x 300000], [send => 'b'], [wait_log => 'entry b'],
    [expect => 'end'], ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
timed out
[error]


=== in print: two wait, one is killed, the other returns
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        local function printer(c)
            return ngx.thread.spawn(function()
                return ngx.print((c):rep(200000))
            end)
        end
        local a, b, c = printer("a"), printer("b"), printer("c")
        ngx.log(ngx.WARN, "killed ", ngx.thread.kill(b))
        local _, n = ngx.thread.wait(a)
        local _, m = ngx.thread.wait(c)
        ngx.print(n, " ", m)
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'killed 1'], ['start_reading'],
    [expect_like => qr/\A(?:a{50000}){4}(?:(?:b{50000}){4})?(?:c{50000}){4}200000 200000\z/],
    ['expect_eof'],
]
--- skip_mode: slow: 400 KB byte by byte
--- no_error_log
[error]


=== in flush: what was printed is sent, others flush
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        string.gsub("x", "x", function() ngx.print(("x"):rep(300000)) end)
        local t = ngx.thread.spawn(function()
            ngx.flush(true)
            ngx.print("not printed")
        end)
        ngx.log(ngx.WARN, "killed ", ngx.thread.kill(t), " ",
                coroutine.status(t))
        ngx.print(ngx.flush(true))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'killed 1 dead'], ['start_reading'],
    [expect => 'x' x 300000 . '1'], ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== in eof: what was printed before is sent, and the session ends
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        string.gsub("x", "x", function() ngx.print(("x"):rep(300000)) end)
        local t = ngx.thread.spawn(function()
            ngx.eof()
            ngx.log(ngx.ERR, "survived")
        end)
        ngx.log(ngx.WARN, "killed ", ngx.thread.kill(t), " ",
                coroutine.status(t))
        ngx.log(ngx.WARN, "entry ", ngx.receive(1))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'killed 1 dead'], ['start_reading'],
    [expect => 'x' x 300000], [send => 'b'], [wait_log => 'entry b'],
    ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== in a semaphore's wait: the count is right, the next one gets the resource
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local function waiter(name)
        return ngx.thread.spawn(function() return name, sem:wait(100) end)
    end
    local a, b, c = waiter("a"), waiter("b"), waiter("c")
    ngx.say(sem:count())
    ngx.say(ngx.thread.kill(a), " ", sem:count())
    sem:post()
    ngx.say(ngx.thread.wait(b, c))
    ngx.say(sem:count())
    ngx.say(ngx.thread.kill(c), " ", sem:count())
    sem:post()
    ngx.say(sem:count(), " ", sem:wait(0), " ", sem:count())
}
--- response
-3
1 -2
truebtrue
-1
1 0
1 true 0
--- no_error_log
[error]


=== in a semaphore's wait: a resource it was just given goes to the next
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local function waiter(name)
        return ngx.thread.spawn(function() return name, sem:wait(100) end)
    end
    local a, b = waiter("a"), waiter("b")
    sem:post()
    ngx.say(ngx.thread.kill(a) or coroutine.status(a))
    ngx.say(ngx.thread.wait(b))
    a = waiter("a")
    sem:post()
    ngx.say(ngx.thread.kill(a))
    ngx.say(sem:count(), " ", sem:wait(0), " ", sem:count())
    a = waiter("a")
    b = waiter("b")
    sem:post(2)
    ngx.say(ngx.thread.kill(a), ngx.thread.kill(b))
    ngx.say(sem:count())
}
--- response
1
truebtrue
1
1 true 0
11
2
--- no_error_log
[error]


=== in a channel's receive: no value is lost
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    local function receiver(name)
        return ngx.thread.spawn(function() return name, (ch:receive()) end)
    end
    local a, b = receiver("a"), receiver("b")
    ngx.say(ngx.thread.kill(a))
    ngx.say(ch:send("one"))
    ngx.say(ngx.thread.wait(b))
    a = receiver("a")
    ngx.say(ch:send("two"))
    ngx.say(ngx.thread.kill(a))
    ngx.say(ch:count(), " ", (ch:receive(1)))
    a, b = receiver("a"), receiver("b")
    ngx.say(ch:send("three"))
    ngx.say(ngx.thread.kill(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:count(), " ", ch:try_receive())
}
--- response
1
true
truebone
true
1
1 two
true
1
truebthree
0 nilempty
--- no_error_log
[error]


=== in a channel's receive: the order stays
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(5)
    local a = ngx.thread.spawn(function() return ch:receive() end)
    local b = ngx.thread.spawn(function() return ch:receive() end)
    for i = 1, 5 do ch:try_send(i) end
    ngx.say(ngx.thread.kill(a), ngx.thread.kill(b))
    local got = {}
    for i = 1, 5 do got[i] = ch:try_receive() end
    ngx.say(table.concat(got))
}
--- response
11
12345
--- no_error_log
[error]


=== in a channel's send: its value never comes
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    local function sender(value)
        return ngx.thread.spawn(function() return ch:send(value) end)
    end
    local a, b = sender("a"), sender("b")
    ngx.say(ngx.thread.kill(a))
    ngx.say((ch:receive(1)), " ", (ch:receive(1)))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ch:count(), " ", ch:try_receive())
    ngx.say(ch:try_send("last"))
}
--- response
1
first b
truetrue
0 nilempty
true
--- no_error_log
[error]


=== in a channel's send: one whose value was taken in the same turn
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(1)
    ch:send("first")
    local t = ngx.thread.spawn(function() return ch:send("second") end)
    ngx.say((ch:receive(1)))
    ngx.say(ngx.thread.kill(t) or "ended")
    ngx.say(ch:count())
    ngx.say((ch:receive(0)))
    ngx.say(ch:count(), " ", ch:try_send("x"), " ", ch:try_send("y"))
}
--- response_like
\Afirst\n(?:1|ended)\n(?:1\nsecond|0\nnil)\n0 true nilfull\n\z
--- no_error_log
[error]


=== in select: all that it waited for is released
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local empty, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local inner
    local t = ngx.thread.spawn(function()
        inner = ngx.thread.spawn(function()
            ngx.sleep(0.02)
            ngx.say("inner goes on")
        end)
        return ngx.select{ sem, empty, { full, "never" }, inner, timeout = 100 }
    end)
    ngx.say(sem:count())
    ngx.say(ngx.thread.kill(t), " ", coroutine.status(t))
    ngx.say(sem:count(), " ", empty:count(), " ", full:count())
    sem:post()
    empty:send("x")
    ngx.say(sem:count(), " ", empty:count(), " ", (full:receive(1)))
    ngx.say(sem:wait(0), " ", (empty:receive(0)), " ", full:try_receive())
    ngx.say(coroutine.status(inner))
}
--- response
-1
1 dead
0 0 1
1 1 full
true x nilempty
suspended
inner goes on
--- no_error_log
[error]


=== in select: one that was just woken gives back what it got
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(2)
    local t = ngx.thread.spawn(ngx.select, { sem, ch })
    sem:post()
    ngx.say(ngx.thread.kill(t))
    ngx.say(sem:count(), " ", sem:wait(0))
    t = ngx.thread.spawn(ngx.select, { sem, ch })
    ch:send("value")
    ngx.say(ngx.thread.kill(t))
    ngx.say(ch:count(), " ", (ch:try_receive()))
}
--- response
1
1 true
1
1 value
--- no_error_log
[error]


=== in thread.wait: the other goes on
--- tcp_server_config
process_by_lua_block {
    local inner
    local t = ngx.thread.spawn(function()
        inner = ngx.thread.spawn(function()
            ngx.sleep(0.02)
            ngx.say("inner ends")
        end)
        ngx.thread.wait(inner)
        ngx.say("survived")
    end)
    ngx.say(ngx.thread.kill(t), " ", coroutine.status(t), " ",
            coroutine.status(inner))
}
--- response
1 dead suspended
inner ends
--- no_error_log
[error]


=== in thread.wait: the one waited for has ended in the same turn
--- tcp_server_config
process_by_lua_block {
    local go
    local t = ngx.thread.spawn(function()
        local inner = ngx.thread.spawn(function()
            while not go do coroutine.yield() end
        end)
        ngx.thread.wait(inner)
        ngx.say("survived")
    end)
    go = true
    coroutine.yield()
    ngx.thread.kill(t)
    ngx.sleep(0.01)
    ngx.say(coroutine.status(t))
}
--- response_like
\A(?:survived\n)?dead\n\z
--- no_error_log
[error]


=== in deadline: its time does not come afterwards
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local t = ngx.thread.spawn(function()
        ngx.deadline(0.05, function()
            ngx.deadline(0.02, function() sem:wait(100) end)
            ngx.say("survived")
        end)
        ngx.say("survived")
    end)
    ngx.say(ngx.thread.kill(t), " ", coroutine.status(t), " ", sem:count())
    ngx.sleep(0.1)
    ngx.say("slept")
}
--- response
1 dead 0
slept
--- no_error_log
[error]


=== in deadline: the killer's own one is still in force
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.deadline(0.05, function()
        local t = ngx.thread.spawn(ngx.deadline, 100, ngx.sleep, 100)
        ngx.say(ngx.thread.kill(t))
        return ngx.sleep(100)
    end))
}
--- response
1
nildeadline
--- no_error_log
[error]


=== in a user coroutine: that one is dead, too
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        ngx.sleep(0.02)
        ngx.say("survived")
    end)
    local t = ngx.thread.spawn(function()
        coroutine.resume(co)
        ngx.say("survived")
    end)
    ngx.say(ngx.thread.kill(t), " ", coroutine.status(t))
    ngx.say(coroutine.status(co), " ", (coroutine.resume(co)))
    ngx.sleep(0.1)
    ngx.say("slept")
}
--- response
1 dead
dead false
slept
--- no_error_log
[error]


=== in a user coroutine: one that is suspended can go on elsewhere
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        coroutine.yield("first")
        ngx.sleep(0.001)
        return "second"
    end)
    local t = ngx.thread.spawn(function()
        coroutine.resume(co)
        ngx.sleep(100)
    end)
    ngx.say(ngx.thread.kill(t), " ", coroutine.status(co))
    ngx.say(coroutine.resume(co))
}
--- response
1 suspended
truesecond
--- no_error_log
[error]


=== in nested user coroutines, each kind of wait
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    local function nest(n, f, ...)
        if n == 0 then return f(...) end
        return coroutine.wrap(nest)(n - 1, f, ...)
    end
    local waits = {
        { ngx.sleep, 100 }, { ngx.receive, 1 }, { sem.wait, sem, 100 },
        { ch.receive, ch }, { ngx.select, { sem, ch } }, { coroutine.yield },
        { ngx.deadline, 100, ngx.sleep, 100 },
        { function() ngx.thread.wait(ngx.thread.spawn(function() end)) end },
        { function()
            ngx.thread.wait(ngx.thread.spawn(coroutine.yield))
        end },
    }
    for i, w in ipairs(waits) do
        local t = ngx.thread.spawn(function()
            nest(10, unpack(w))
            return "ended"
        end)
        local killed, err = ngx.thread.kill(t)
        ngx.say(i, " ", killed or err)
        assert(coroutine.status(t) == "dead")
    end
    ngx.say(sem:count(), " ", ch:count())
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "1 1\n"
expect "2 1\n"
expect "3 1\n"
expect "4 1\n"
expect "5 1\n"
expect "6 already terminated\n"
expect "7 1\n"
expect "8 already terminated\n"
expect "9 1\n"
expect "0 0\n"
send "x"
expect "x\n"
expect_eof
--- no_error_log
[error]


=== in pcall: it does not return, no handler runs
--- tcp_server_config
process_by_lua_block {
    local log = {}
    local function run(f, ...)
        local t = ngx.thread.spawn(function(...)
            f(...)
            log[#log + 1] = "returned"
        end, ...)
        ngx.say(ngx.thread.kill(t))
    end
    run(pcall, ngx.sleep, 0.01)
    run(pcall, pcall, pcall, ngx.sleep, 0.01)
    run(xpcall, function() ngx.sleep(0.01) end, function()
        log[#log + 1] = "handled"
    end)
    run(coroutine.wrap(function() pcall(ngx.sleep, 0.01) end))
    run(pcall, function()
        local ok = pcall(ngx.receive, 1)
        log[#log + 1] = "returned"
    end)
    ngx.sleep(0.1)
    ngx.say(#log)
}
--- response
1
1
1
1
1
0
--- no_error_log
[error]


=== in a metamethod and in an iterator
--- tcp_server_config
process_by_lua_block {
    local x = setmetatable({}, {
        __index = function() ngx.sleep(0.01) return 1 end,
        __lt = function() ngx.sleep(0.01) return true end,
    })
    local function run(f)
        local t = ngx.thread.spawn(f)
        ngx.say(ngx.thread.kill(t))
    end
    run(function() ngx.say("survived ", x.key) end)
    run(function() ngx.say("survived ", x < x) end)
    run(function()
        for _ in function() ngx.sleep(0.01) return 1 end do
            ngx.say("survived")
        end
    end)
    ngx.sleep(0.1)
    ngx.say("slept")
}
--- response
1
1
1
slept
--- no_error_log
[error]


=== in a __gc, at any time, among spawns, posts, sends and prints there
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    collectgarbage("setpause", 1)
    collectgarbage("setstepmul", 1000)
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(100)
    local runs = 0
    local function trash(f, ...)
        local args = { ... }
        getmetatable(newproxy(true)).__gc = function()
            runs = runs + 1
            f(unpack(args))
        end
    end
    local waits = { { ngx.receive, 1 }, { ngx.sleep, 100 },
                    { sem.wait, sem, 100 }, { ch.receive, ch },
                    { coroutine.wrap(function() ngx.sleep(100) end) } }
    for i = 1, n do
        trash(ngx.thread.kill, ngx.thread.spawn(unpack(waits[i % 4 + 1])))
        trash(sem.post, sem)
        trash(ngx.thread.spawn, sem.post, sem)
        trash(ch.try_send, ch, i)
        trash(ch.try_receive, ch)
        trash(ngx.print, "")
        ngx.thread.wait(ngx.thread.spawn(function(a)
            coroutine.yield()
            return { a }
        end, {}))
        if i % 50 == 0 then ngx.sleep(0.001) end
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    ngx.say("done ", runs > n)
    ngx.exit()
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 2_000;
[[send => "$n\n"], [expect => "done true\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
error in __gc
[error]


=== one that has been woken but has not run yet
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local log = {}
    local function waiter(name)
        return ngx.thread.spawn(function()
            sem:wait(100)
            log[#log + 1] = name
        end)
    end
    local threads = { waiter("a"), waiter("b"), waiter("c"), waiter("d") }
    sem:post(4)
    ngx.thread.kill(threads[2])
    ngx.thread.kill(threads[4])
    ngx.sleep(0.01)
    ngx.say(table.concat(log), " ", sem:count())
}
--- response
ac 2
--- no_error_log
[error]


=== one that was spawned too deep to run at once
--- tcp_server_config
process_by_lua_block {
    local ran, killed, others = 0, 0, 0
    local function nest(n)
        if n == 0 then return end
        ran = ran + 1
        local t = ngx.thread.spawn(nest, n - 1)
        if coroutine.status(t) == "suspended" then
            if ngx.thread.kill(t) == 1 then killed = killed + 1 end
        else
            others = others + 1
        end
    end
    nest(400)
    ngx.sleep(0.05)
    ngx.say(killed, " ", ran < 400, " ", ran == others + 1)
}
--- response
1 true true
--- no_error_log
[error]


=== killed by one that it woke
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local log = {}
    local t
    local parent = ngx.thread.spawn(function()
        t = ngx.thread.spawn(function()
            ngx.sleep(0.001)
            sem:post()
            log[#log + 1] = "posted"
            coroutine.yield()
            log[#log + 1] = "survived"
        end)
        sem:wait(100)
        log[#log + 1] = tostring(ngx.thread.kill(t))
    end)
    ngx.thread.wait(parent)
    ngx.sleep(0.01)
    ngx.say(table.concat(log, " "))
}
--- response
posted 1
--- no_error_log
[error]


=== the worker can quit, whatever was killed in which order
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local function waiter() return ngx.thread.spawn(sem.wait, sem, 1000) end
    local t = waiter()
    sem:post()
    ngx.thread.kill(t)
    sem:wait(0)
    -- Its alarm, the last one, is taken back while the first has its turn yet.
    t = waiter()
    sem:post()
    ngx.thread.kill(t)
    ngx.say("done")
}
--- repeat: 1
--- request_parts
expect "done\n"
expect_eof
signal QUIT
wait_exit
--- no_error_log
[error]


=== one that waits for its killer's post
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    for i = 1, 100 do
        local t = ngx.thread.spawn(function() sem:wait(100) end)
        if i % 2 == 0 then
            sem:post()
            assert(ngx.thread.kill(t))
        else
            assert(ngx.thread.kill(t))
            sem:post()
        end
        assert(sem:count() == 1)
        assert(sem:wait(0))
    end
    ngx.say(sem:count())
}
--- response
0
--- no_error_log
[error]


=== killed while an ngx.exit is on its way
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(100) end)
    ngx.thread.spawn(function()
        ngx.sleep(0.001)
        ngx.say("exits")
        ngx.exit()
    end)
    ngx.say(ngx.thread.kill(t))
    ngx.sleep(100)
}
--- response
1
exits
--- no_error_log
[error]


=== the last one is killed, and the connection ends
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(1000) end)
    local u = ngx.thread.spawn(function() ngx.receive(1000) end)
    ngx.thread.spawn(function() ngx.sleep(0.01) ngx.say("end") end)
    ngx.say(ngx.thread.kill(t), ngx.thread.kill(u))
}
--- response
11
end
--- no_error_log
[error]


=== by a thread whose parent is the script's end
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        local t = ngx.thread.spawn(function() ngx.sleep(1000) end)
        ngx.sleep(0.02)
        ngx.say(ngx.thread.kill(t))
    end)
    ngx.say("the script ends")
}
--- response
the script ends
1
--- no_error_log
[error]


=== the values on its stack are garbage then
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "v" })
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    ch:send("full")
    local waits = {
        { ngx.sleep, 100 }, { ngx.receive, 1 }, { sem.wait, sem, 100 },
        { ch.send, ch, "y" }, { coroutine.yield },
        { ngx.deadline, 100, ngx.sleep, 100 },
        { coroutine.wrap(function() ngx.sleep(100) end) },
        { pcall, ngx.sleep, 100 },
    }
    for i, w in ipairs(waits) do
        local t = ngx.thread.spawn(function(value)
            local mine = {}
            weak[i], weak[-i] = value, mine
            w[1](unpack(w, 2))
            return value, mine
        end, {})
        assert(ngx.thread.kill(t))
    end
    waits = nil
    for _ = 1, 3 do collectgarbage() end
    local left = {}
    for i in pairs(weak) do left[#left + 1] = i end
    ngx.say("left: ", table.concat(left, " "))
}
--- response
left: 
--- no_error_log
[error]


=== the value that a killed sender had is garbage then
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "v" })
    local ch = ngx.channel.new(1)
    ch:send("full")
    local t = ngx.thread.spawn(function()
        local value = {}
        weak[1] = value
        ch:send(value)
    end)
    local u = ngx.thread.spawn(function()
        local value = {}
        weak[2] = value
        ngx.select{ { ch, value } }
    end)
    ngx.thread.kill(t)
    ngx.thread.kill(u)
    t, u = nil, nil
    for _ = 1, 3 do collectgarbage() end
    ngx.say(weak[1], weak[2], " ", (ch:receive(1)))
}
--- response
nilnil full
--- no_error_log
[error]


=== a thousand at once, in all waits
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require("ngx.semaphore").new()
    local empty, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("x")
    local survived = 0
    local waits = {
        { ngx.sleep, 100 }, { sem.wait, sem, 100 }, { empty.receive, empty },
        { full.send, full, "y" }, { ngx.select, { sem, empty } },
        { ngx.deadline, 100, ngx.sleep, 100 }, { pcall, ngx.sleep, 100 },
    }
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            local w = waits[i % 7 + 1]
            w[1](unpack(w, 2))
            survived = survived + 1
        end)
    end
    local reader = ngx.thread.spawn(ngx.receive, 1)
    for i = n, 1, -1 do assert(ngx.thread.kill(threads[i])) end
    assert(ngx.thread.kill(reader))
    ngx.sleep(0.01)
    ngx.say(survived, " ", sem:count(), " ", empty:count(), " ", full:count(),
            " ", ngx.receive(1))
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 1000;
[[send => "$n\n"], ['sync'], [send => 'x'], [expect => "0 0 0 1 x\n"],
 ['expect_eof']]
--- no_error_log
[error]


=== memory: killed threads leave none, whatever they waited for
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require("ngx.semaphore").new()
    local empty, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("x")
    local waits = {
        sleep = { ngx.sleep, 100 },
        receive = { ngx.receive, 1 },
        next_request = { ngx.wait_next_request },
        semaphore = { sem.wait, sem, 100 },
        channel_receive = { empty.receive, empty },
        channel_receive_timeout = { empty.receive, empty, 100 },
        channel_send = { full.send, full, { "y" } },
        select = { ngx.select, { sem, empty, { full, "z" }, timeout = 100 } },
        deadline = { ngx.deadline, 100, ngx.sleep, 100 },
        pcall = { pcall, ngx.sleep, 100 },
        yield = { coroutine.yield },
        thread = { function()
            ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 0.001))
        end },
        coroutine = { function()
            coroutine.wrap(function() ngx.sleep(100) end)()
        end },
        nested = { function()
            coroutine.wrap(function()
                coroutine.wrap(function() pcall(ngx.receive, 1) end)()
            end)()
        end },
    }
    local left = {}
    for name, w in pairs(waits) do
        local function rounds(count)
            for i = 1, count do
                local t = ngx.thread.spawn(unpack(w))
                assert(ngx.thread.kill(t))
                if i % 100 == 0 then ngx.sleep(0.002) end
            end
            ngx.sleep(0.02)
            return worker.memory()
        end
        -- A table may double its size in one round, but not in each.
        rounds(n)
        local before, more = rounds(n), math.huge
        for _ = 1, 3 do
            local now = rounds(n)
            before, more = now, math.min(more, now - before)
        end
        if more > 16 then left[#left + 1] = name .. ": " .. more .. " KiB" end
    end
    ngx.say(#left == 0 and "none" or table.concat(left, ", "))
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 1000;
[[send => "$n\n"], [expect => "none\n"], ['expect_eof']]
--- timeout: 30
--- no_error_log
[error]
