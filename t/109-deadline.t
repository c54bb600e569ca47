# ngx.deadline(seconds, fn, ...): an end to all waits of a call.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== deadline: passes the arguments and returns the results
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        local n = select("#", ...)
        local out = { n .. ":" }
        for i = 1, n do out[i + 1] = tostring((select(i, ...))) end
        ngx.say(table.concat(out, " "))
    end
    show(ngx.deadline(100, function() end))
    show(ngx.deadline(100, function() return nil end))
    show(ngx.deadline(100, function(...) return ... end))
    show(ngx.deadline(100, function(...) return ... end, 1, nil, "x", nil))
    show(ngx.deadline(100, function(...) return select("#", ...), ... end, nil))
    show(ngx.deadline("100", function(a) return a end, false, "more"))
    show(ngx.deadline(100, math.max, 1, 3, 2))
    show(select("#", ngx.deadline(100, function()
        return unpack({}, 1, 200)
    end)))
    show(ngx.deadline(100, function()
        ngx.sleep(0.001)
        return "waited", nil
    end))
}
--- response
0:
1: nil
0:
4: 1 nil x nil
2: 1 nil
1: false
1: 3
1: 200
2: waited nil
--- no_error_log
[error]


=== deadline: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.deadline() end))
    ngx.say(err(function() ngx.deadline(nil, print) end))
    ngx.say(err(function() ngx.deadline("x", print) end))
    ngx.say(err(function() ngx.deadline({}, print) end))
    ngx.say(err(function() ngx.deadline(print, 1) end))
    ngx.say(err(function() ngx.deadline(1) end))
    ngx.say(err(function() ngx.deadline(1, nil) end))
    ngx.say(err(function() ngx.deadline(1, "x") end))
    ngx.say(err(function() ngx.deadline(1, {}) end))
    ngx.say(err(function() ngx.deadline(1, coroutine.create(print)) end))
    ngx.say(err(function()
        ngx.deadline(1, setmetatable({}, { __call = print }))
    end))
    -- None of them has left a deadline.
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
3: bad argument #1 to 'deadline' (number expected, got nil)
4: bad argument #1 to 'deadline' (number expected, got nil)
5: bad argument #1 to 'deadline' (number expected, got string)
6: bad argument #1 to 'deadline' (number expected, got table)
7: bad argument #1 to 'deadline' (number expected, got function)
8: bad argument #2 to 'deadline' (function expected, got nil)
9: bad argument #2 to 'deadline' (function expected, got nil)
10: bad argument #2 to 'deadline' (function expected, got string)
11: bad argument #2 to 'deadline' (function expected, got table)
12: bad argument #2 to 'deadline' (function expected, got thread)
14: bad argument #2 to 'deadline' (function expected, got table)
0
--- no_error_log
[error]


=== deadline: sleep ends when the time is over, not before
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    ngx.update_time()
    local start = ngx.now()
    show(ngx.deadline(0.1, ngx.sleep, 1000))
    ngx.update_time()
    ngx.say(ngx.now() - start >= 0.095)
    show(ngx.deadline(0.01, function() return ngx.sleep(1000) end))
    -- One that is over before says nothing.
    show(ngx.deadline(100, ngx.sleep, 0.001))
}
--- response
2:nildeadline
true
2:nildeadline
0:
--- no_error_log
[error]


=== deadline: every later wait fails at once
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem, ch, full = semaphore.new(), ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local thread = ngx.thread.spawn(function() ngx.sleep(1000) end)
    local out = {}
    local function show(...)
        out[#out + 1] = select("#", ...) .. ":" .. tostring((...)) .. " "
            .. tostring((select(2, ...)))
    end
    ngx.deadline(0.01, function()
        for _ = 1, 2 do
            show(ngx.sleep(1000))
            show(ngx.receive(1))
            show(ngx.receive("*l"))
            show(ngx.receive("*a"))
            show(ngx.wait_next_request())
            show(ngx.thread.wait(thread))
            show(sem:wait(1000))
            show(ch:receive())
            show(ch:receive(1000))
            show(full:send("lost"))
            show(full:send("lost", 1000))
            show(ngx.select{ sem, ch, { full, "lost" }, thread })
            show(ngx.select{ timeout = 1000 })
        end
    end)
    ngx.say(table.concat(out, "\n"))
    ngx.say(sem:count(), " ", ch:count(), " ", full:count())
    ngx.thread.kill(thread)
}
--- response eval
"2:nil deadline\n" x 26 . "0 0 1\n"
--- no_error_log
[error]


=== deadline: what does not wait goes on
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem, ch = semaphore.new(1), ngx.channel.new(1)
    local zombie = ngx.thread.spawn(function() return "zombie" end)
    local results = { ngx.deadline(0, function(...)
        ngx.say("printed ", ...)
        ngx.say(sem:wait(100))
        ngx.say(ch:send("value"))
        ngx.say(ch:receive())
        ngx.say(ch:try_receive())
        ngx.say(sem:wait(0))
        ngx.say(ngx.select{ sem, timeout = 0 })
        sem:post()
        ngx.say(ngx.select{ ch, sem })
        ngx.say(ngx.thread.wait(zombie))
        ngx.say(ngx.thread.wait(ngx.thread.spawn(function() return "t" end)))
        ngx.say(coroutine.wrap(function() return coroutine.yield("co") end)())
        ngx.say(pcall(error, "an error", 0))
        return "the", "end"
    end, "x") }
    ngx.say(results[1], " ", results[2])
}
--- response
printed x
true
true
value
nilempty
niltimeout
niltimeout
2true
truezombie
truet
co
falsean error
the end
--- no_error_log
[error]


=== deadline: bytes that are there, and output that the kernel takes
--- tcp_server_config
process_by_lua_block {
    local first = ngx.receive(1)
    ngx.deadline(0, function()
        ngx.say(first, " ", ngx.receive(4))
        ngx.say(ngx.receive("*l"))
        ngx.say(ngx.flush(true))
        ngx.say(ngx.receive(1))
        ngx.log(ngx.WARN, "eof: ", ngx.eof())
    end)
}
--- request
xdata a line
--- response
x data
 a line
1
nildeadline
--- error_log
eof: 1
--- skip_mode: slow: there all of it waits
--- no_error_log
[error]


=== deadline: zero and less are over at once
--- tcp_server_config
process_by_lua_block {
    for _, seconds in ipairs { 0, -0, -1, -1e300, -1/0, "0", "-1" } do
        ngx.say(ngx.deadline(seconds, function(...)
            return ..., ngx.sleep(1000)
        end, "ran"))
    end
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response eval
"rannildeadline\n" x 7 . "0\n"
--- no_error_log
[error]


=== deadline: much too long is for ever
--- tcp_server_config
process_by_lua_block {
    for _, seconds in ipairs { 1e7, 2^31, 2^32, 2^53, 1e300, 1/0 } do
        ngx.say(ngx.deadline(seconds, function()
            return select("#", ngx.sleep(0.002))
        end))
    end
}
--- response eval
"0\n" x 6
--- no_error_log
[error]


=== deadline: NaN is no time, and does no harm
--- tcp_server_config
process_by_lua_block {
    pcall(ngx.deadline, 0/0, function()
        ngx.sleep(0.001)
        return "ran"
    end)
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
0
--- no_error_log
[error]


=== deadline: receive gives the part that has come; the socket goes on
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        ngx.print("[", select("#", ...))
        for i = 1, select("#", ...) do ngx.print(" ", (select(i, ...))) end
        ngx.say("]")
    end
    show(ngx.deadline(1.6, ngx.receive, 10))
    show(ngx.receive("*l"))
    show(ngx.deadline(0.01, ngx.receive, 10))
    show(ngx.deadline(100, ngx.receive, "*a"))
}
--- request_parts
send "part"
expect "[3 nil deadline part]\n"
send "a line\n"
expect "[1 a line]\n"
expect "[2 nil deadline]\n"
send "the rest"
half_close
expect "[1 the rest]\n"
expect_eof
--- no_error_log
[error]


=== deadline: each pattern of receive gives its part
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        ngx.print("[", select("#", ...))
        for i = 1, select("#", ...) do ngx.print(" ", (select(i, ...))) end
        ngx.say("]")
    end
    for _, pattern in ipairs { 10, "*l", "*a" } do
        ngx.print(ngx.receive(1))
        ngx.flush()
        show(ngx.deadline(1.6, ngx.receive, pattern))
    end
    ngx.print(ngx.receive(1))
    ngx.flush()
    show(ngx.deadline(1.6, ngx.receive, 10, 5))
    show(ngx.receive(3, 1))
    show(ngx.receive())
}
--- request_parts
send "1number"
expect "1[3 nil deadline number]\n"
send "2line\r"
expect "2[3 nil deadline line]\n"
send "3all\nof it"
expect "3[3 nil deadline all\nof it]\n"
send "4four"
expect "4[3 nil deadline four]\n"
send "xyz"
expect_like /\[1 x(?:yz)?\]\n/
send "end\n"
half_close
read_all
--- skip_mode: slow: one byte at a time makes parts of it
--- no_error_log
[error]


=== deadline: a receive that is over in time has everything
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 3 do
        ngx.say(ngx.deadline(100, ngx.receive, "*l"))
    end
}
--- request_parts
drip "one\ntwo\n"
expect "one\ntwo\n"
send "three\n"
expect "three\n"
expect_eof
--- no_error_log
[error]


=== deadline: and read_timeout, whichever is first
--- tcp_server_config
read_timeout 1600ms;
process_by_lua_block {
    ngx.print(ngx.deadline(100, ngx.receive, 5), "|")
    ngx.print(select(2, ngx.deadline(100, ngx.receive, 5)), "|")
    ngx.print(select(2, ngx.deadline(0.01, ngx.receive, 5)), "|")
    ngx.print(select(2, ngx.receive(5)))
}
--- request_parts
send "hello"
expect "hello|timeout|deadline|timeout"
expect_eof
--- error_log
lua tcp socket read timed out


=== deadline: bytes in the same turn as its end: had or left, never lost
--- tcp_server_config
process_by_lua_block {
    local function busy(seconds)
        ngx.update_time()
        local till = ngx.now() + seconds
        repeat ngx.update_time() until ngx.now() > till
    end
    local reader = ngx.thread.spawn(function()
        ngx.print("ready")
        ngx.flush()
        local data, err, part = ngx.deadline(0.2, ngx.receive, 4)
        local got = data or part or ""
        assert(data or err == "deadline")
        if #got < 4 then got = got .. ngx.receive(4 - #got) end
        ngx.say(got)
    end)
    ngx.sleep(0.001)
    busy(0.4)
    ngx.thread.wait(reader)
}
--- request_parts
expect "ready"
send "data"
expect "data\n"
expect_eof
--- no_error_log
[error]


=== deadline: what was there before its end is in time, and had to wait for others only
--- tcp_server_config
process_by_lua_block {
    local function pass(seconds)
        local till = os.clock() + seconds
        while os.clock() < till do end
        ngx.update_time()
    end
    local function lines(receive)
        local n = 0
        local thread = ngx.thread.spawn(function()
            ngx.deadline(0.001, function()
                pass(0.005)
                for i = 1, 200 do
                    local line, err, part = receive()
                    if line ~= "line" then
                        ngx.say(i, " ", err, " ", part and #part)
                        return
                    end
                    n = n + 1
                end
            end)
        end)
        -- It has had its turn; its time is over when the next turn begins.
        pass(0.005)
        ngx.thread.wait(thread)
        ngx.say(n)
    end
    ngx.receive(1)
    lines(function() return ngx.receive("*l") end)
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:receive(1)
    lines(function() return sock:receive("*l") end)
}
--- peer eval
[ ['A:', 'accept'], ['A:', send => 'x' . "line\n" x 200], ['A:', 'expect_eof'] ]
--- request_parts eval
'send "x' . 'line\n' x 200 . '"'
--- skip_mode: slow: not all is there before the end
--- response
200
200
--- no_error_log
[error]


=== deadline: print to a client that does not read
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local size = tonumber(ngx.receive("*l"))
        local ok, err = ngx.deadline(0.3, ngx.print, ("x"):rep(size))
        ngx.log(ngx.WARN, "print: ", ok, " ", err)
        -- What it has queued is sent later.
        ngx.say(ok, " ", err)
        ngx.say("end")
    }
}
--- request_parts eval
my $size = 1_000_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$size\n"], [wait_log => 'print: nil deadline'],
    ['start_reading'],
    [expect => 'x' x $size . "nil deadline\nend\n"],
    ['expect_eof'],
]
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== deadline: say and flush(true) to a client that does not read
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local size = tonumber(ngx.receive("*l"))
        ngx.deadline(0.1, function()
            local ok, err = ngx.say(("x"):rep(size))
            ngx.log(ngx.WARN, "say: ", ok, " ", err)
            ok, err = ngx.flush(true)
            ngx.log(ngx.WARN, "flush: ", ok, " ", err)
            ngx.log(ngx.WARN, "no wait: ", ngx.flush())
        end)
        local ok, err = ngx.deadline(0.1, ngx.flush, true)
        ngx.log(ngx.WARN, "again: ", ok, " ", err)
        ngx.log(ngx.WARN, "in the end: ", ngx.flush(true))
        ngx.print("end")
    }
}
--- request_parts eval
my $size = 1_000_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'say: nil deadline'],
    [wait_log => 'flush: nil deadline'],
    [wait_log => 'no wait: 1'],
    [wait_log => 'again: nil deadline'],
    ['start_reading'],
    [expect => 'x' x $size . "\n" . "end"],
    ['expect_eof'],
    [wait_log => 'in the end: 1'],
]
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== deadline: eof to a client that does not read: the FIN comes later
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local size = tonumber(ngx.receive("*l"))
        ngx.deadline(0.1, function()
            ngx.print(("x"):rep(size))
            local ok, err = ngx.eof()
            ngx.log(ngx.WARN, "eof: ", ok, " ", err)
        end)
        local ok, err = ngx.eof()
        ngx.log(ngx.WARN, "again: ", ok, " ", err)
        ngx.log(ngx.WARN, "received: ", ngx.receive("*l"))
    }
}
--- request_parts eval
my $size = 1_000_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'eof: nil deadline'],
    [wait_log => 'again: nil seen eof'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
    [send => "thanks\n"],
    [wait_log => 'received: thanks'],
]
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== deadline: wait_next_request, which then has not begun one
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive("*l"))
    ngx.ctx.kept = "kept"
    ngx.say(ngx.deadline(0.01, ngx.wait_next_request))
    ngx.say(ngx.deadline(0.01, ngx.wait_next_request))
    ngx.say(ngx.receive("*l"), " ", ngx.ctx.kept)
    ngx.say(select("#", ngx.deadline(100, ngx.wait_next_request)))
    ngx.say(ngx.receive("*l"))
    ngx.wait_next_request()
}
--- request_parts
send "one\n"
expect "one\nnildeadline\nnildeadline\n"
send "two\n"
expect "two kept\n"
send "three\n"
expect "0\nthree\n"
half_close
expect_eof
--- no_error_log
[error]


=== deadline: wait_next_request ends the session when the client goes
--- tcp_server_config
process_by_lua_block {
    ngx.print("ready")
    ngx.deadline(1000, ngx.wait_next_request)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "ready"
half_close
expect_eof
--- no_error_log
[error]


=== deadline: thread.wait, and the thread goes on
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local thread = ngx.thread.spawn(function() return sem:wait(100) end)
    local other = ngx.thread.spawn(function() ngx.sleep(1000) end)
    ngx.say(ngx.deadline(0.01, ngx.thread.wait, thread))
    ngx.say(ngx.deadline(0.01, ngx.thread.wait, other, thread))
    ngx.say(coroutine.status(thread), " ", sem:count())
    sem:post()
    ngx.say(ngx.thread.wait(thread, other))
    ngx.say(ngx.thread.kill(other))
}
--- response
nildeadline
nildeadline
suspended -1
truetrue
1
--- no_error_log
[error]


=== deadline: semaphores, channels and select are left
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.deadline(0.01, sem.wait, sem, 1000))
    ngx.say(sem:count())
    show(ngx.deadline(0.01, ch.receive, ch))
    show(ngx.deadline(0.01, ch.receive, ch, 1000))
    show(ngx.deadline(0.01, full.send, full, "lost"))
    show(ngx.deadline(0.01, full.send, full, "lost", 1000))
    show(ngx.deadline(0.01, ngx.select, { sem, ch, { full, "lost" } }))
    show(ngx.deadline(0.01, ngx.select, { timeout = 1000 }))
    ngx.say(sem:count(), " ", ch:try_send("value"), " ", ch:count())
    ngx.say(full:receive(), " ", full:try_receive())
}
--- response
2:nildeadline
0
2:nildeadline
2:nildeadline
2:nildeadline
2:nildeadline
2:nildeadline
2:nildeadline
0 true 1
full nilempty
--- no_error_log
[error]


=== deadline: a shorter timeout says timeout
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch, full = ngx.channel.new(1), ngx.channel.new(1)
    full:send("full")
    ngx.deadline(100, function()
        ngx.say(sem:wait(0.01))
        ngx.say(ch:receive(0.01))
        ngx.say(full:send("lost", 0.01))
        ngx.say(ngx.select{ sem, ch, timeout = 0.01 })
        ngx.say(select("#", ngx.sleep(0.01)))
    end)
}
--- response
niltimeout
niltimeout
niltimeout
niltimeout
0
--- no_error_log
[error]


=== deadline: a post in the same turn as its end: one of them, and nothing lost
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
        local a = ngx.thread.spawn(function()
            return ngx.deadline(0.02, sem.wait, sem, 1000)
        end)
        local b = ngx.thread.spawn(function()
            return ngx.deadline(0.02, ch.receive, ch)
        end)
        local c = ngx.thread.spawn(function()
            return ngx.deadline(0.02, ngx.select, { ch, sem })
        end)
        local poster = ngx.thread.spawn(function()
            ngx.sleep(after)
            sem:post()
            ch:send("value")
        end)
        busy(0.06)
        local _, ok, err = ngx.thread.wait(a)
        local _, value, what = ngx.thread.wait(b)
        local _, index, text = ngx.thread.wait(c)
        ngx.thread.wait(poster)
        local posted, sent = sem:wait(0), ch:receive(0)
        local takers = (ok and 1 or 0) + (index == 2 and 1 or 0)
            + (posted and 1 or 0)
        local receivers = (value and 1 or 0) + (index == 1 and 1 or 0)
            + (sent and 1 or 0)
        if takers ~= 1 or receivers ~= 1
            or not ok and err ~= "deadline"
            or not value and what ~= "deadline"
            or not index and text ~= "deadline"
        then
            ngx.say(after, ": ", takers, " ", receivers, " ", err, " ", what,
                    " ", text)
        end
    end
    ngx.say("end")
}
--- response
end
--- no_error_log
[error]


=== deadline: given before its end, though that is over when it runs
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local a = ngx.thread.spawn(function()
        return ngx.deadline(0.02, function()
            return sem:wait(100), ngx.sleep(0.01)
        end)
    end)
    local b = ngx.thread.spawn(ngx.deadline, 0.02, ch.receive, ch)
    sem:post()
    ch:send("value")
    ngx.update_time()
    local till = ngx.now() + 0.06
    repeat ngx.update_time() until ngx.now() > till
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(sem:count(), " ", ch:count())
}
--- response
truetruenildeadline
truevalue
0 0
--- no_error_log
[error]


=== deadline: nested, the earlier counts
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.deadline(100, ngx.deadline, 0.01, ngx.sleep, 1000))
    ngx.say(ngx.deadline(0.01, ngx.deadline, 100, ngx.sleep, 1000))
    ngx.say(ngx.deadline(0, ngx.deadline, 100, ngx.sleep, 1000))
    ngx.say(ngx.deadline(100, ngx.deadline, 0, ngx.sleep, 1000))
}
--- response
nildeadline
nildeadline
nildeadline
nildeadline
--- no_error_log
[error]


=== deadline: nested, after the inner one the outer one is in force again
--- tcp_server_config
process_by_lua_block {
    ngx.deadline(100, function()
        ngx.say(ngx.deadline(0.01, ngx.sleep, 1000))
        ngx.say(select("#", ngx.sleep(0.001)))
        ngx.say(ngx.deadline(0, function()
            return ngx.deadline(0, ngx.sleep, 1000)
        end))
        ngx.say(select("#", ngx.sleep(0.001)))
    end)
    ngx.deadline(1.6, function()
        ngx.say(select("#", ngx.deadline(100, ngx.sleep, 0.001)))
        ngx.say(ngx.deadline(50, ngx.sleep, 1000))
        ngx.say(ngx.sleep(1000))
    end)
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
nildeadline
0
nildeadline
0
0
nildeadline
nildeadline
0
--- no_error_log
[error]


=== deadline: nested very deep
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then return "bottom", ngx.sleep(1000) end
        local a, b, c = ngx.deadline(0.01 + n, nest, n - 1)
        return a, b, c
    end
    ngx.say(nest(100))
    -- One too deep raises, and leaves nothing.
    local function endless() return (ngx.deadline(100, endless)) end
    local ok, err = pcall(endless)
    ngx.say(ok, " ", err:match("C stack overflow") or err:match("stack overflow"))
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response_like
^bottomnildeadline
false (?:C )?stack overflow
0
$
--- no_error_log
[error]


=== deadline: afterwards there is none
--- tcp_server_config
process_by_lua_block {
    ngx.deadline(0.02, function() end)
    ngx.say(select("#", ngx.sleep(0.05)))
    ngx.deadline(0.02, ngx.sleep, 0.001)
    ngx.say(select("#", ngx.sleep(0.05)))
    ngx.deadline(0.02, ngx.sleep, 1000)
    ngx.say(select("#", ngx.sleep(0.05)))
    ngx.say(ngx.receive(1))
}
--- request: x
--- response
0
0
0
x
--- no_error_log
[error]


=== deadline: it counts while the script computes
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.deadline(0.02, function()
        ngx.update_time()
        local till = ngx.now() + 0.05
        repeat ngx.update_time() until ngx.now() > till
        return "computed", ngx.sleep(1000)
    end))
}
--- response
computednildeadline
--- no_error_log
[error]


=== deadline: in a light thread spawned below it
--- tcp_server_config
process_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem = semaphore.new()
    local a, b, c, reader
    ngx.say(ngx.deadline(0.02, function()
        a = ngx.thread.spawn(function() return ngx.sleep(1000) end)
        b = ngx.thread.spawn(function()
            c = ngx.thread.spawn(function()
                local ok, err = sem:wait(1000)
                ngx.log(ngx.WARN, "c: ", ok, " ", err)
            end)
            return ngx.select{ sem, timeout = 1000 }
        end)
        reader = ngx.thread.spawn(function() return ngx.receive(1) end)
        return ngx.sleep(1000)
    end))
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(b))
    ngx.say(ngx.thread.wait(reader))
    ngx.say(sem:count())
}
--- response
nildeadline
truenildeadline
truenildeadline
truenildeadline
0
--- error_log
c: nil deadline
--- no_error_log
[error]


=== deadline: a thread spawned below it keeps it after fn has returned
--- tcp_server_config
process_by_lua_block {
    local thread = ngx.deadline(0.03, function()
        return ngx.thread.spawn(function()
            ngx.sleep(0.001)
            local a, b = ngx.sleep(1000)
            return a, b
        end)
    end)
    ngx.say(select("#", ngx.sleep(0.001)))
    ngx.say(ngx.thread.wait(thread))
    ngx.say(select("#", ngx.sleep(0.05)))
}
--- response
0
truenildeadline
0
--- no_error_log
[error]


=== deadline: a thread has its own, its parent none of that
--- tcp_server_config
process_by_lua_block {
    local thread = ngx.thread.spawn(function()
        return ngx.deadline(0.01, ngx.sleep, 1000)
    end)
    ngx.say(select("#", ngx.sleep(0.03)))
    ngx.say(ngx.thread.wait(thread))
    -- One that was there before has none either.
    local sem = require "ngx.semaphore".new()
    thread = ngx.thread.spawn(function() return sem:wait(1000) end)
    ngx.deadline(0.01, function()
        ngx.sleep(1000)
        sem:post()
    end)
    ngx.say(ngx.thread.wait(thread))
}
--- response
0
truenildeadline
truetrue
--- no_error_log
[error]


=== deadline: timers that it makes have none
--- tcp_server_config
process_by_lua_block {
    ngx.deadline(0.01, function()
        ngx.timer.at(0, function()
            local n = select("#", ngx.sleep(0.05))
            ngx.log(ngx.WARN, "timer slept: ", n)
        end)
        ngx.sleep(1000)
    end)
}
--- request_parts
expect_eof
wait_log "timer slept: 0"
--- no_error_log
[error]


=== deadline: in a timer, in init_worker_by_lua and exit_worker_by_lua
--- tcp_config
init_worker_by_lua_block {
    text = select(2, ngx.deadline(0.01, ngx.sleep, 1000))
    ngx.sleep(0.02)
}
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "exit: ", ngx.deadline(0.01, ngx.sleep, 1000))
}
--- tcp_server_config
process_by_lua_block {
    ngx.timer.at(0, function()
        ngx.log(ngx.WARN, "timer: ", ngx.deadline(0.01, ngx.sleep, 1000))
        ngx.log(ngx.WARN, "afterwards: ", select("#", ngx.sleep(0.02)))
    end)
    ngx.say(text)
}
--- request_parts
expect "deadline\n"
expect_eof
wait_log "timer: nildeadline"
wait_log "afterwards: 0"
--- stop_log
exit: nildeadline
--- no_error_log
[error]


=== deadline: in init_by_lua nothing can wait
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    text = err(function() ngx.deadline(1, print) end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(text) }
--- response
3: API disabled in the context of init_by_lua*
--- no_error_log
[error]


=== deadline: in user coroutines below it
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.deadline(0.01, function()
        local f = coroutine.wrap(function()
            coroutine.yield("yielded")
            coroutine.yield(coroutine.wrap(function()
                return ngx.sleep(1000)
            end)())
            return ngx.receive(1)
        end)
        local yielded = f()
        local _, first = f()
        local _, second = f()
        return yielded, " ", first, " ", second
    end))
    ngx.say(select("#", coroutine.wrap(ngx.sleep)(0.001)))
}
--- response
yielded deadline deadline
0
--- no_error_log
[error]


=== deadline: called in a user coroutine that yields below it
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function()
        return ngx.deadline(0.02, function()
            coroutine.yield("yielded")
            return ngx.sleep(1000)
        end)
    end)
    ngx.say(co())
    -- Out here there is none.
    ngx.say(select("#", ngx.sleep(0.05)))
    ngx.say(ngx.deadline(100, function() return select("#", ngx.sleep(0.01)) end))
    ngx.say(co())
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
yielded
0
0
nildeadline
0
--- no_error_log
[error]


=== deadline: a coroutine that was resumed below one, and goes on without
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function()
        coroutine.yield("first")
        coroutine.yield(select("#", ngx.sleep(0.01)))
        return select("#", ngx.sleep(0.01))
    end)
    ngx.say(ngx.deadline(0.02, co))
    ngx.sleep(0.04)
    ngx.say(co())
    ngx.say(ngx.deadline(0, co))
}
--- response
first
0
2
--- no_error_log
[error]


=== deadline: begun below another one, ended outside of it
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function()
        ngx.deadline(100, function() coroutine.yield("inner") end)
        -- The outer one was its resumer's, who has gone on.
        coroutine.yield(select("#", ngx.sleep(0.01)))
        return ngx.deadline(100, function()
            return select("#", ngx.sleep(0.01))
        end)
    end)
    ngx.say(ngx.deadline(0.02, co))
    ngx.sleep(0.04)
    ngx.say(co())
    ngx.say(co())
    -- And the other way: its own is there again where the resumer has none.
    co = coroutine.wrap(function()
        return ngx.deadline(0.05, function()
            coroutine.yield((select(2, ngx.sleep(1000))))
            return select(2, ngx.sleep(1000))
        end)
    end)
    ngx.say(ngx.deadline(0.01, co))
    ngx.say(co())
}
--- response
inner
0
0
deadline
deadline
--- no_error_log
[error]


=== deadline: many coroutines, each with its own, resumed in turn
--- tcp_server_config
process_by_lua_block {
    local cos, out = {}, {}
    for i = 1, 10 do
        cos[i] = coroutine.wrap(function()
            ngx.deadline(i % 2 == 0 and 0.02 or 100, function()
                coroutine.yield()
                out[i] = select("#", ngx.sleep(0.001))
                coroutine.yield()
            end)
            out[i] = out[i] .. select("#", ngx.sleep(0.001))
        end)
    end
    for i = 1, 10 do cos[i]() end
    ngx.sleep(0.05)
    for i = 10, 1, -1 do cos[i]() end
    for i = 1, 10 do cos[i]() end
    ngx.say(table.concat(out, " "))
}
--- response
00 20 00 20 00 20 00 20 00 20
--- no_error_log
[error]


=== deadline: coroutines in a __gc leave it as it is
--- tcp_server_config
process_by_lua_block {
    local function litter()
        for _ = 1, 5 do
            getmetatable(newproxy(true)).__gc = function()
                local co = coroutine.wrap(function()
                    pcall(ngx.deadline, 0, coroutine.yield)
                    pcall(ngx.deadline, 0, error)
                end)
                co()
                co()
            end
        end
    end
    litter()
    ngx.deadline(1.6, function()
        collectgarbage()
        litter()
        coroutine.wrap(function()
            collectgarbage()
            litter()
            ngx.say(select("#", ngx.sleep(0.001)))
        end)()
        collectgarbage()
        ngx.say(ngx.sleep(1000))
    end)
    ngx.say(select("#", ngx.sleep(0.001)))
    litter()
    -- Wherever it is collected now.
    for i = 1, 50 do
        ngx.sleep(0.001)
        local t = {}
        for j = 1, 1000 do t[j] = { j } end
    end
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
0
nildeadline
0
0
--- no_error_log
[error]


=== deadline: a __gc between two turns resumes a coroutine that is below one
--- tcp_server_config
process_by_lua_block {
    local ran, wrong = 0, 0
    local below = coroutine.create(function()
        ngx.deadline(0.01, function()
            while true do coroutine.yield() end
        end)
    end)
    coroutine.resume(below)
    ngx.sleep(0.02)
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 10000)
    collectgarbage()
    local litter = {}
    for i = 1, 3000 do
        litter[i] = newproxy(true)
        getmetatable(litter[i]).__gc = function()
            ran = ran + 1
            coroutine.resume(below)
        end
    end
    litter = nil
    -- What comes from the client is made a string between two turns.
    for _ = 1, 200 do
        if not ngx.receive(1100) then wrong = wrong + 1 end
        if select("#", ngx.sleep(0.001)) > 0 then wrong = wrong + 1 end
        ngx.print(".")
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    ngx.say(wrong, " ", ran > 2000)
}
--- request_parts eval
[ (map { [send => sprintf '%01100d', $_], [expect => '.'] } 1 .. 200),
  [expect => "0 true\n"], ['expect_eof'] ]
--- timeout: 30
--- no_error_log
[error]


=== deadline: called in a __gc, wherever that runs
--- tcp_server_config
process_by_lua_block {
    local ran, wrong = 0, 0
    local function same(...) return ... end
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 10000)
    collectgarbage()
    local litter = {}
    for i = 1, 3000 do
        litter[i] = newproxy(true)
        getmetatable(litter[i]).__gc = function()
            ran = ran + 1
            local a, b, c = ngx.deadline(0, same, 1, nil, 3)
            if a ~= 1 or b ~= nil or c ~= 3 then wrong = wrong + 1 end
        end
    end
    litter = nil
    -- What comes from the client is made a string between two turns.
    for _ = 1, 200 do
        if not ngx.receive(1100) then wrong = wrong + 1 end
        if select("#", ngx.sleep(0.001)) > 0 then wrong = wrong + 1 end
        ngx.print(".")
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    ngx.say(wrong, " ", ran > 2000)
}
--- request_parts eval
[ (map { [send => sprintf '%01100d', $_], [expect => '.'] } 1 .. 200),
  [expect => "0 true\n"], ['expect_eof'] ]
--- timeout: 30
--- no_error_log
[error]


=== deadline: in a coroutine that nobody resumes any more
--- tcp_server_config
process_by_lua_block {
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 100 do
        local co = coroutine.create(function()
            ngx.deadline(0.01, function()
                coroutine.yield()
            end)
        end)
        coroutine.resume(co)
        weak[co] = true
    end
    ngx.say(select("#", ngx.sleep(0.03)))
    collectgarbage()
    collectgarbage()
    ngx.say(next(weak) == nil)
}
--- response
0
true
--- no_error_log
[error]


=== deadline: a coroutine that ends by an error below it
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        ngx.deadline(0.01, function()
            coroutine.yield()
            error("inside", 0)
        end)
    end)
    ngx.say(coroutine.resume(co))
    ngx.say(coroutine.resume(co))
    ngx.say(select("#", ngx.sleep(0.03)))
}
--- response
true
falseinside
0
--- no_error_log
[error]


=== deadline: errors pass through, whatever they are
--- tcp_server_config
process_by_lua_block {
    local values = { "text", 42, true, false, {}, print, ngx.null,
                     newproxy(), coroutine.create(print),
                     setmetatable({}, { __tostring = error }) }
    local same = 0
    for i = 1, #values do
        local ok, err = pcall(ngx.deadline, 100, function()
            if i % 2 == 0 then ngx.sleep(0.001) end
            error(values[i], 0)
        end)
        if not ok and rawequal(err, values[i]) then same = same + 1 end
    end
    ngx.say(same == #values)
    ngx.say(pcall(ngx.deadline, 100, error))
    ngx.say(pcall(ngx.deadline, 100, error, nil))
    local ok, err = pcall(ngx.deadline, 100, function() error("here") end)
    ngx.say(ok, " ", (err:gsub("^.-%):", "")))
    ok, err = pcall(ngx.deadline, 100, function() local x = nil + 1 end)
    ngx.say(ok, " ", (err:gsub("^.-%):", "")))
    ok, err = pcall(ngx.deadline, 100, function() error("level 2", 2) end)
    ngx.say(ok, " ", err:match("level 2"))
}
--- response
true
falsenil
falsenil
false 16: here
false 18: attempt to perform arithmetic on a nil value
false level 2
--- no_error_log
[error]


=== deadline: an error in pcall leaves none behind
--- tcp_server_config
process_by_lua_block {
    pcall(ngx.deadline, 0.01, error, "x")
    ngx.say(select("#", ngx.sleep(0.03)))
    pcall(ngx.deadline, 0.01, function()
        ngx.sleep(1000)
        error("x")
    end)
    ngx.say(select("#", ngx.sleep(0.001)))
    ngx.deadline(100, function()
        pcall(ngx.deadline, 0, function()
            pcall(ngx.deadline, 0, error)
            error("x")
        end)
        ngx.say(select("#", ngx.sleep(0.001)))
    end)
    -- Raised by what waits, in a coroutine, in a C function's callback.
    pcall(ngx.deadline, 0.01, ngx.sleep, -1)
    pcall(coroutine.wrap(function() ngx.deadline(0.01, error, "x") end))
    pcall(string.gsub, "x", "x", function()
        ngx.deadline(0.01, error, "x")
    end)
    pcall(string.gsub, "x", "x", function()
        ngx.deadline(0.01, ngx.sleep, 1)
    end)
    ngx.say(select("#", ngx.sleep(0.03)))
}
--- response
0
0
0
0
--- no_error_log
[error]


=== deadline: an uncaught error's traceback shows where it was raised
--- tcp_server_config
process_by_lua_block {
    local function innermost()
        ngx.sleep(0.001)
        error("deep inside")
    end
    local function middle()
        local x = ngx.deadline(100, innermost)
        return x
    end
    local y = ngx.deadline(100, middle)
    return y
}
--- response eval
""
--- error_log
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:10):4: deep inside
~ innermost|process_by_lua_block\(nginx\.conf:10\):4: in function
~ middle|process_by_lua_block\(nginx\.conf:10\):7: in function
~ process_by_lua_block\(nginx\.conf:10\):10: in function


=== deadline: the traceback in a light thread and in a coroutine
--- tcp_server_config
process_by_lua_block {
    local function raise() error("in the thread") end
    local thread = ngx.thread.spawn(function()
        local x = ngx.deadline(100, function()
            local y = coroutine.wrap(function()
                local z = ngx.deadline(50, raise)
                return z
            end)()
            return y
        end)
        return x
    end)
    ngx.say(ngx.thread.wait(thread) == false)
}
--- response
true
--- error_log
lua user thread aborted: runtime error:
~ process_by_lua_block\(nginx\.conf:10\):2: in function
~ process_by_lua_block\(nginx\.conf:10\):6: in function
~ process_by_lua_block\(nginx\.conf:10\):8: in function
~ process_by_lua_block\(nginx\.conf:10\):4: in function


=== deadline: xpcall's handler sees the error, and the deadline below it
--- tcp_server_config
process_by_lua_block {
    ngx.say(xpcall(function()
        ngx.deadline(0.01, error, "raised", 0)
    end, function(err) return "handled " .. err end))
    ngx.say(xpcall(ngx.deadline, debug.traceback, 100, math.max, 1, 2))
    ngx.say(ngx.deadline(0.01, function()
        return xpcall(function()
            local _, err = ngx.sleep(1000)
            error(err, 0)
        end, function(err) return "handled " .. err end)
    end))
}
--- response_like
^false.*handled raised
true.*2
falsehandled deadline
$
--- no_error_log
[error]


=== deadline: exit below it
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    ngx.deadline(100, function()
        pcall(ngx.deadline, 50, function()
            ngx.sleep(0.001)
            ngx.exit()
        end)
        ngx.say("in between")
    end)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== deadline: a thread is killed below it
--- tcp_server_config
process_by_lua_block {
    local sem = require "ngx.semaphore".new()
    local threads = {}
    for i = 1, 10 do
        threads[i] = ngx.thread.spawn(function()
            ngx.deadline(i % 2 == 0 and 0.02 or 100, function()
                sem:wait(1000)
            end)
        end)
    end
    for i = 1, 10, 3 do ngx.thread.kill(threads[i]) end
    ngx.sleep(0.05)
    ngx.say(sem:count())
    for i = 1, 10 do ngx.thread.kill(threads[i]) end
    ngx.say(sem:count(), " ", select("#", ngx.sleep(0.01)))
}
--- response
-3
0 0
--- no_error_log
[error]


=== deadline: threads killed below it, in waits of the socket
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local size = tonumber(ngx.receive("*l"))
        local reader = ngx.thread.spawn(ngx.deadline, 0.05, ngx.receive, 10)
        local writer = ngx.thread.spawn(ngx.deadline, 0.05, function()
            ngx.print(("x"):rep(size))
            ngx.print("lost")
        end)
        local killed = ngx.thread.kill(reader) + ngx.thread.kill(writer)
        -- Their time comes, and there is nobody.
        local timer = require "ngx.semaphore".new()
        timer:wait(0.1)
        ngx.log(ngx.WARN, "goes on")
        ngx.say(killed, " ", ngx.deadline(100, ngx.receive, "*l"))
    }
}
--- request_parts eval
my $size = 500_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'goes on'],
    ['start_reading'],
    [send => "line\n"],
    [expect => 'x' x $size . "2 line\n"],
    ['expect_eof'],
]
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== deadline: the client resets while print waits below it
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        local ok, err = ngx.deadline(1000, ngx.print, ("x"):rep(1000000))
        ngx.log(ngx.WARN, "print: ", ok, " ", err)
        ok, err = ngx.deadline(1000, ngx.receive, 1)
        ngx.log(ngx.WARN, "receive: ", ok, " ", err)
        ok, err = ngx.deadline(0.001, ngx.sleep, 1000)
        ngx.log(ngx.WARN, "sleep: ", ok, " ", err)
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
sync
reset
wait_log /print: nil (?:connection reset by peer|broken pipe)/
wait_log /receive: nil (?:connection reset by peer|closed)/
wait_log "sleep: nil deadline"
--- skip_mode: slow: takes a byte at a time for ever


=== deadline: killing is no wait
--- tcp_server_config
process_by_lua_block {
    local thread = ngx.thread.spawn(function() ngx.sleep(1000) end)
    ngx.say(ngx.deadline(0, ngx.thread.kill, thread))
    ngx.say(ngx.deadline(0, ngx.thread.wait, thread))
}
--- response
1
nilalready waited or killed
--- no_error_log
[error]


=== deadline: the client goes, with lua_check_client_abort it all ends
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print("waiting")
    ngx.deadline(1000, function()
        ngx.thread.spawn(ngx.deadline, 500, ngx.sleep, 1000)
        coroutine.wrap(function() ngx.deadline(100, ngx.sleep, 1000) end)()
    end)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "waiting"
reset
wait_log "client prematurely closed connection"
--- no_error_log
[error]
still running


=== deadline: the client goes before its end
--- tcp_server_config
process_by_lua_block {
    ngx.print("waiting")
    local a, err = ngx.deadline(1000, ngx.receive, 10)
    ngx.log(ngx.WARN, "received: ", err)
    ngx.log(ngx.WARN, "slept: ", select(2, ngx.deadline(0.01, ngx.sleep, 1000)))
}
--- request_parts
expect "waiting"
half_close
wait_log "received: closed"
wait_log "slept: deadline"
expect_eof
--- no_error_log
[error]


=== deadline: in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local out = {}
    ("x"):gsub("x", function()
        out[#out + 1] = ngx.deadline(1, function() return "no wait" end)
        out[#out + 1] = err(function()
            local x = ngx.deadline(1, function() ngx.sleep(1) end)
            return x
        end)
        out[#out + 1] = err(function()
            local x = ngx.deadline(0, function() ngx.sleep(1) end)
            return x
        end)
    end)
    ngx.say(table.concat(out, "\n"))
    ngx.say(select("#", ngx.sleep(0.001)))
}
--- response
no wait
7: attempt to yield across C-call boundary
11: attempt to yield across C-call boundary
0
--- no_error_log
[error]


=== deadline: coroutine.yield in the script itself lets others go first
--- tcp_server_config
process_by_lua_block {
    local log = {}
    local thread = ngx.thread.spawn(function()
        coroutine.yield()
        log[#log + 1] = "thread"
    end)
    ngx.deadline(0, function()
        for _ = 1, 5 do coroutine.yield() end
        log[#log + 1] = "main"
    end)
    ngx.thread.wait(thread)
    ngx.say(table.concat(log, " "))
}
--- response
thread main
--- no_error_log
[error]


=== deadline: two threads of one connection, each with its own
--- tcp_server_config
process_by_lua_block {
    local reader = ngx.thread.spawn(function()
        local data, err, part = ngx.deadline(1.6, ngx.receive, 100)
        return err, part
    end)
    ngx.say("busy: ", ngx.deadline(0, ngx.receive, 1))
    ngx.say("busy: ", ngx.deadline(100, ngx.receive, 1))
    local writer = ngx.thread.spawn(function()
        return ngx.deadline(100, ngx.say, "printed")
    end)
    ngx.thread.wait(writer)
    ngx.flush()
    ngx.say(ngx.thread.wait(reader))
    ngx.say(ngx.receive("*l"))
}
--- request_parts
expect "busy: nilsocket busy reading\nbusy: nilsocket busy reading\nprinted\n"
send "part"
expect "truedeadlinepart\n"
send "line\n"
expect "line\n"
expect_eof
--- no_error_log
[error]


=== deadline: many at once, in order of their ends
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local out, threads = 0, {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            local _, err = ngx.deadline(0.001 * (i % 50), sem.wait, sem, 1000)
            if err == "deadline" then out = out + 1 end
        end)
    end
    for i = 1, n do assert(ngx.thread.wait(threads[i])) end
    ngx.say(out == n, " ", sem:count())
}
--- request eval
$ENV{TEST_NGINX_USE_VALGRIND} ? "100\n" : "10000\n"
--- response
true 0
--- timeout: 30
--- no_error_log
[error]


=== deadline: many connections
--- tcp_server_config
process_by_lua_block {
    local _, err, part = ngx.deadline(0.01, ngx.receive, 2000)
    ngx.say(err)
    for _ = 1, 10 do
        local _, err = ngx.deadline(0.002, ngx.sleep, 1000)
        assert(err == "deadline")
    end
    ngx.say("done")
}
--- clients: 30
--- response
deadline
done
--- no_error_log
[error]


=== deadline: many leave nothing
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local worker = require "worker"
    local n = tonumber(ngx.receive("*l"))
    local sem = require "ngx.semaphore".new()
    local function body(i)
        if i % 100 == 0 then ngx.sleep(0.001) end
        if i % 10 == 0 then coroutine.wrap(coroutine.yield)() end
        if i % 7 == 0 then error({}) end
        return sem:wait(0.001 * (i % 3))
    end
    local function round()
        for i = 1, n do
            pcall(ngx.deadline, i % 5 == 0 and 0 or 100, body,
                  i % 20 == 0 and i or 3 * i)
        end
        assert(sem:count() == 0)
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
$ENV{TEST_NGINX_USE_VALGRIND} ? "50\n" : "1000\n"
--- response
nothing left
--- timeout: 30
--- no_error_log
[error]


=== deadline: those of scripts that ended below one are not those of the next
--- tcp_server_config
process_by_lua_block {
    local ends = {
        a = ngx.exit,
        b = function() error("on purpose") end,
        -- Until the client goes.
        c = function() ngx.receive(1) ngx.exit() end,
    }
    local f = ends[ngx.receive(1)]
    if f then ngx.deadline(0.001, ngx.deadline, 1000, f) end
    -- The same coroutine, if it is used again.
    ngx.sleep(0.01)
    local function wait() return "end", ngx.sleep(0.005) end
    ngx.say(ngx.deadline(1000, wait))
    ngx.say(wait())
    ngx.say(coroutine.wrap(wait)())
    local t = ngx.thread.spawn(wait)
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
A: send "a"
A: expect_eof
B: send "x"
B: expect "end\nend\nend\ntrueend\n"
B: expect_eof
C: send "b"
C: expect_eof
D: send "x"
D: expect "end\nend\nend\ntrueend\n"
D: expect_eof
E: send "c"
E: half_close
E: expect_eof
F: send "x"
F: expect "end\nend\nend\ntrueend\n"
F: expect_eof
--- error_log
on purpose


=== deadline: a loop of waits that all fail lets others have their turns
--- peer
listen $TEST_PEER_PORT
--- tcp_config
init_by_lua_block { state = {} }
--- tcp_server_config
process_by_lua_block {
    local kind = ngx.receive("*l")
    if kind == "end" then
        state.over = true
        return ngx.say("served")
    end
    state.over = false
    local sem = require "ngx.semaphore".new()
    local ch = ngx.channel.new(1)
    local thread = ngx.thread.spawn(ngx.sleep, 1000)
    local sock, udp = ngx.socket.tcp(), ngx.socket.udp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    assert(udp:setpeername("127.0.0.1", $TEST_CLOSED_PORT))
    local waits = {
        sleep = function() return ngx.sleep(1000) end,
        semaphore = function() return sem:wait(1000) end,
        channel = function() return ch:receive() end,
        select = function() return ngx.select { sem, ch, thread } end,
        thread = function() return ngx.thread.wait(thread) end,
        receive = function() return ngx.receive(1) end,
        next_request = function() return ngx.wait_next_request() end,
        tcp = function() return sock:receive() end,
        connect = function()
            return ngx.socket.tcp():connect("127.0.0.1", $TEST_PEER_PORT)
        end,
        udp = function() return udp:receive() end,
        handshake = function() return sock:sslhandshake() end,
    }
    ngx.say("loops")
    ngx.flush(true)
    ngx.say(ngx.deadline(0, function()
        local wait = waits[kind]
        local ok, err
        repeat
            ok, err = wait()
        until state.over or err ~= "deadline"
        return ok, " ", err, " ", state.over
    end))
    ngx.exit(0)
}
--- request_parts eval
my $n = 0;
[map {
    $n++;
    (["A$n:", send => "$_\n"], ["A$n:", expect => "loops\n"],
     ["B$n:", send => "end\n"], ["B$n:", expect => "served\n"],
     ["B$n:", 'expect_eof'],
     ["A$n:", expect => "nil deadline true\n"], ["A$n:", 'expect_eof'])
} qw(sleep semaphore channel select thread receive next_request tcp connect udp
     handshake)]
--- no_error_log
[error]


=== deadline: a quitting worker serves it to its end
--- tcp_server_config
process_by_lua_block {
    ngx.say("waiting")
    ngx.say(ngx.deadline(1.6, ngx.receive, 10))
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal QUIT
wait_log "gracefully shutting down"
expect "nildeadline\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== deadline: a fast exit while some wait
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 10 do
        ngx.thread.spawn(ngx.deadline, 1000, ngx.sleep, 2000)
        ngx.timer.at(0, function() ngx.deadline(1000, ngx.sleep, 2000) end)
    end
    while ngx.timer.running_count() < 10 do ngx.sleep(0.001) end
    ngx.say("waiting")
    ngx.deadline(1000, ngx.receive, 1)
}
--- repeat: 1
--- request_parts
expect "waiting\n"
signal TERM
wait_exit
expect_close
--- no_error_log
[error]
