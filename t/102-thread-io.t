# Threads of one connection and its socket: one reads while another writes, two
# that want to read, whose bytes go out when, and what the client's end, a
# timeout, ngx.exit and errors do to them.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== duplex: one reads while another writes
--- tcp_server_config
process_by_lua_block {
    local reader = ngx.thread.spawn(function()
        while true do
            local line = ngx.receive("*l")
            if not line or line == "quit" then return line end
            ngx.say("got ", line)
        end
    end)
    for i = 1, 3 do
        ngx.sleep(0.01)
        ngx.say("tick ", i)
    end
    ngx.say(ngx.thread.wait(reader))
}
--- request_parts
A: expect "tick 1\ntick 2\ntick 3\n"
A: send "one\n"
A: expect "got one\n"
A: drip "two\n"
A: expect "got two\n"
A: send "quit\n"
A: expect "truequit\n"
A: expect_eof
--- no_error_log
[error]


=== duplex: a writer that waits for a slow reader does not hold up the reading
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local writer = ngx.thread.spawn(function()
            return ngx.print(("x"):rep(300000))
        end)
        for _ = 1, 3 do ngx.log(ngx.WARN, "read ", ngx.receive("*l")) end
        ngx.log(ngx.WARN, "writer ", coroutine.status(writer))
        ngx.print(ngx.thread.wait(writer))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "one\n"], [wait_log => 'read one'],
    [send => "two\n"], [wait_log => 'read two'],
    [send => "three\n"], [wait_log => 'writer suspended'],
    ['start_reading'], [expect => 'x' x 300000 . 'true300000nil'],
    ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== duplex: both ways at once, nothing is lost
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local got = 0
    local reader = ngx.thread.spawn(function()
        while got < n do
            got = got + #ngx.receive(n - got, 1)
        end
    end)
    for i = 1, n / 10 do ngx.print(("%09d\n"):format(i)) end
    ngx.thread.wait(reader)
    ngx.print("read ", got)
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 2_000 : 1_000_000;
[
    [send => "$n\n" . "y" x $n],
    [expect => CORE::join '', map { sprintf "%09d\n", $_ } 1 .. $n / 10],
    [expect => "read $n"], ['expect_eof'],
]
--- no_error_log
[error]


=== duplex: an echo in two threads with a channel between them
--- tcp_server_config
process_by_lua_block {
    local ch = ngx.channel.new(4)
    local writer = ngx.thread.spawn(function()
        for line in function() return (ch:receive()) end do
            ngx.say(line)
        end
        ngx.say("end")
    end)
    for line in function() return (ngx.receive("*l")) end do
        ch:send(line)
    end
    ch:close()
}
--- request_parts
send "a\nb\nc\nd\ne\nf\ng\nh\n"
expect "a\nb\nc\nd\ne\nf\ng\nh\n"
drip "slow\n"
expect "slow\n"
half_close
expect "end\n"
expect_eof
--- no_error_log
[error]


=== busy: a second receive fails at once, the first goes on
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(3) end)
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    show(ngx.receive(1))
    show(ngx.receive("*l"))
    show(ngx.receive("*a"))
    show(ngx.receive(5, 1))
    show(ngx.receive())
    show(ngx.thread.wait(t))
    show(ngx.receive(3))
}
--- request_parts
expect "2: nilsocket busy reading\n" x 5
drip "abcdef"
expect "2: trueabc\n1: def\n"
expect_eof
--- no_error_log
[error]


=== busy: also when enough for the second has come
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(6) end)
    ngx.say("ready")
    ngx.sleep(0.1)
    ngx.say(ngx.receive(1))
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
expect "ready\n"
send "abc"
expect "nilsocket busy reading\n"
send "def"
expect "trueabcdef\n"
expect_eof
--- no_error_log
[error]


=== busy: wait_next_request while another receives
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(3) end)
    ngx.say(ngx.wait_next_request())
    ngx.say(ngx.thread.wait(t))
    ngx.wait_next_request()
    ngx.say(ngx.receive(3))
}
--- request_parts
expect "nilsocket busy reading\n"
send "abc"
expect "trueabc\n"
send "def"
expect "def\n"
expect_eof
--- no_error_log
[error]


=== busy: receive and wait_next_request while another waits for the next request
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.wait_next_request()
        return ngx.receive(3)
    end)
    ngx.say(ngx.receive(3))
    ngx.say(ngx.wait_next_request())
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
expect "nilsocket busy reading\nnilsocket busy reading\n"
send "abc"
expect "trueabc\n"
expect_eof
--- no_error_log
[error]


=== busy: in user coroutines of other threads
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        return coroutine.wrap(function() return ngx.receive(3) end)()
    end)
    ngx.say(coroutine.wrap(function() return ngx.receive(3) end)())
    ngx.say(pcall(ngx.receive, 3))
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
expect "nilsocket busy reading\ntruenilsocket busy reading\n"
send "abc"
expect "trueabc\n"
expect_eof
--- no_error_log
[error]


=== busy: wrong arguments still raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    local t = ngx.thread.spawn(function() return ngx.receive(1) end)
    ngx.say(err(function() ngx.receive(0) end))
    ngx.say(err(function() ngx.receive({}) end))
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
expect "4: bad argument #1 to 'receive' (bad argument <= 0)\n"
expect "5: bad argument #1 to 'receive' (expecting number parameter!)\n"
send "x"
expect "truex\n"
expect_eof
--- no_error_log
[error]


=== busy: no longer in the turn after the first has its bytes
--- tcp_server_config
process_by_lua_block {
    local function reader()
        while true do
            local data, err = ngx.receive(1)
            if data then return data end
            assert(err == "socket busy reading", err)
            coroutine.yield()
        end
    end
    local threads = {}
    for i = 1, 3 do threads[i] = ngx.thread.spawn(reader) end
    ngx.say("ready")
    local got = {}
    for i = 1, 3 do got[i] = select(2, ngx.thread.wait(threads[i])) end
    table.sort(got)
    ngx.say(table.concat(got))
}
--- request_parts
expect "ready\n"
drip "abc"
expect "abc\n"
expect_eof
--- no_error_log
[error]


=== busy: readers that take turns get the bytes in order
--- tcp_server_config
process_by_lua_block {
    local lock = require("ngx.semaphore").new(1)
    local got = {}
    local function reader()
        for i = 1, 10 do
            assert(lock:wait(100))
            local data = assert(ngx.receive(2))
            got[#got + 1] = data
            lock:post()
            coroutine.yield()
        end
    end
    local a, b, c = ngx.thread.spawn(reader), ngx.thread.spawn(reader),
                    ngx.thread.spawn(reader)
    ngx.thread.wait(a)
    ngx.thread.wait(b)
    ngx.thread.wait(c)
    ngx.say(table.concat(got))
}
--- request_parts eval
my $text = CORE::join "", map { sprintf "%02d", $_ } 1 .. 30;
[
    [drip => substr $text, 0, 31], [send => substr $text, 31],
    [expect => "$text\n"], ['expect_eof'],
]
--- no_error_log
[error]


=== print: the bytes of one call stay together
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        local threads = {}
        for i = 1, 8 do
            local c = string.char(96 + i)
            threads[i] = ngx.thread.spawn(function()
                for _ = 1, 3 do
                    ngx.print("<", { c:rep(n), { c:rep(n) } }, ">")
                    coroutine.yield()
                end
            end)
        end
        for i = 1, 8 do ngx.thread.wait(threads[i]) end
        ngx.print("end")
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 50 : 20_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => "$n\n"],
    ['sync'], ['start_reading'],
    [expect_like => qr/\A(?:<([a-h])\1++>){24}end\z/], ['expect_eof'],
]
--- no_error_log
[error]


=== print: the order is that of the calls
--- tcp_server_config
process_by_lua_block {
    local threads = {}
    for i = 1, 3 do
        threads[i] = ngx.thread.spawn(function()
            for round = 1, 3 do
                ngx.print("t", i, ":", round, " ")
                coroutine.yield()
            end
        end)
        ngx.print("s", i, " ")
    end
    for i = 1, 3 do ngx.thread.wait(threads[i]) end
    ngx.say("end")
}
--- response
t1:1 s1 t2:1 s2 t3:1 s3 t1:2 t2:2 t3:2 t1:3 t2:3 t3:3 end
--- no_error_log
[error]


=== print: what a thread prints goes out while the script waits
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.print("printed in a thread that ends")
    end)
    ngx.receive(1)
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.print("and in one that sleeps")
        ngx.sleep(0.5)
    end)
    ngx.receive(1)
    local sem = require("ngx.semaphore").new()
    ngx.thread.spawn(function()
        sem:wait(100)
        ngx.print("and in one that was woken")
        sem:wait(100)
    end)
    ngx.thread.spawn(function() sem:post() ngx.sleep(0.5) end)
    ngx.receive(1)
    ngx.thread.spawn(function()
        ngx.print("and in one that dies")
        error("dies")
    end)
    ngx.receive(1)
    ngx.exit()
}
--- request_parts
expect "printed in a thread that ends"
send "x"
expect "and in one that sleeps"
send "x"
expect "and in one that was woken"
send "x"
expect "and in one that dies"
send "x"
expect_eof
--- error_log
lua user thread aborted


=== print: what was printed goes out while threads spin
--- tcp_server_config
process_by_lua_block {
    local stop
    for i = 1, 2 do
        ngx.thread.spawn(function()
            while not stop do coroutine.yield() end
        end)
    end
    ngx.print("out")
    ngx.receive(1)
    stop = true
}
--- request_parts
expect "out"
send "x"
expect_eof
--- no_error_log
[error]


=== print: one that prints for ever does not starve the reader
--- tcp_server_config
process_by_lua_block {
    local stop
    ngx.thread.spawn(function()
        while not stop do ngx.print("x") end
        ngx.print("y")
    end)
    stop = ngx.receive(1)
}
--- request_parts
expect_like /\Ax+/
send "a"
expect_like /\Ax*y\z/
expect_eof
--- skip_mode: slow: more bytes than it takes
--- no_error_log
[error]


=== print: several wait for a slow reader, all return what they printed
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        local threads, sum = {}, 0
        for i = 1, 5 do
            threads[i] = ngx.thread.spawn(function()
                local n = assert(ngx.print(("x"):rep(50000 + i)))
                return n
            end)
        end
        local flusher = ngx.thread.spawn(ngx.flush, true)
        for i = 1, 5 do sum = sum + select(2, ngx.thread.wait(threads[i])) end
        ngx.print(sum, " ", select(2, ngx.thread.wait(flusher)))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'], ['sync'],
    ['start_reading'], [expect => 'x' x 250015 . '250015 1'], ['expect_eof'],
]
--- skip_mode: slow: 250 KB byte by byte
--- no_error_log
[error]


=== print: send_timeout is told to each that waits
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        ngx.receive(1)
        local threads = {}
        for i = 1, 3 do
            threads[i] = ngx.thread.spawn(function()
                local n, err = ngx.print(("x"):rep(300000))
                return tostring(n) .. " " .. err
            end)
        end
        for i = 1, 3 do
            ngx.log(ngx.WARN, "thread ", i, ": ",
                    (select(2, ngx.thread.wait(threads[i]))))
        end
        ngx.log(ngx.WARN, "entry reads ", ngx.receive(1))
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
wait_log "thread 3: "
send "b"
wait_log "entry reads b"
close
--- error_log
~ thread 1: nil (?:timeout|closed)
~ thread 2: nil (?:timeout|closed)
~ thread 3: nil (?:timeout|closed)
lua tcp socket write timed out
--- skip_mode: slow: takes a byte at a time for ever


=== eof: in one thread, the others cannot print any more, but receive
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.sleep(0.02)
        return ngx.print("late")
    end)
    ngx.print("before")
    ngx.thread.wait(ngx.thread.spawn(function() assert(ngx.eof()) end))
    local ok, n, err = ngx.thread.wait(t)
    ngx.log(ngx.WARN, "print: ", n, " ", err)
    ngx.log(ngx.WARN, "eof: ", ngx.eof())
    ngx.log(ngx.WARN, "receive: ", ngx.receive(1))
}
--- request_parts
expect "before"
expect_eof
send "x"
wait_log "receive: x"
--- error_log
print: nil seen eof
eof: nilseen eof


=== pipelining: a thread a request, answers as they are ready
--- tcp_server_config
process_by_lua_block {
    for line in function() return (ngx.receive("*l")) end do
        ngx.thread.spawn(function()
            local name, seconds = line:match("^(%S+) (%S+)$")
            if tonumber(seconds) > 0 then ngx.sleep(tonumber(seconds)) end
            ngx.say("done ", name)
        end)
    end
}
--- request_parts
send "a 2\nb 0\nc 0.01\n"
expect "done b\ndone c\n"
send "d 0\n"
expect "done d\n"
expect "done a\n"
half_close
expect_eof
--- no_error_log
[error]


=== pipelining: a thread a request, answers in the order of the requests
--- tcp_server_config
process_by_lua_block {
    local answers = ngx.channel.new(100)
    local writer = ngx.thread.spawn(function()
        for a in function() return (answers:receive()) end do
            a.done:wait(100)
            ngx.print(a.text)
        end
    end)
    local semaphore = require "ngx.semaphore"
    for line in function() return (ngx.receive("*l")) end do
        local a = { done = semaphore.new() }
        ngx.thread.spawn(function()
            ngx.sleep(tonumber(line) / 1000)
            a.text = line .. " "
            a.done:post()
        end)
        answers:send(a)
    end
    answers:close()
}
--- request_parts
send "30\n10\n20\n1\n"
send "15\n2\n"
expect "30 10 20 1 15 2 "
half_close
expect_eof
--- no_error_log
[error]


=== pipelining: 200 requests with threads, each answered once
--- tcp_server_config
process_by_lua_block {
    local open = 0
    for line in function() return (ngx.receive("*l")) end do
        open = open + 1
        ngx.thread.spawn(function()
            ngx.sleep(0.001 + (tonumber(line) % 7) / 1000)
            ngx.print(".")
            open = open - 1
        end)
    end
    while open > 0 do ngx.sleep(0.001) end
    ngx.print("end")
}
--- request eval
CORE::join "", map { "$_\n" } 1 .. 200
--- shutdown
--- response eval
"." x 200 . "end"
--- no_error_log
[error]


=== keepalive: threads of a request go on while the script waits for the next
--- tcp_server_config
process_by_lua_block {
    for i = 1, 2 do
        local name = ngx.receive("*l")
        ngx.thread.spawn(function()
            ngx.sleep(0.05)
            ngx.say("late ", name)
        end)
        ngx.say("early ", name)
        ngx.wait_next_request()
    end
    ngx.say("end")
}
--- request_parts
send "a\n"
expect "early a\nlate a\n"
send "b\n"
expect "early b\nlate b\n"
send "c"
expect "end\n"
expect_eof
--- no_error_log
[error]


=== half-close: the reader is told, the writers go on
--- tcp_server_config
process_by_lua_block {
    local reader = ngx.thread.spawn(function() return ngx.receive(5) end)
    local writer = ngx.thread.spawn(function()
        ngx.sleep(0.05)
        ngx.say("written late")
    end)
    ngx.say("ready")
    ngx.say(ngx.thread.wait(reader))
}
--- request_parts
expect "ready\n"
send "ab"
half_close
expect "truenilclosedab\nwritten late\n"
expect_eof
--- no_error_log
[error]


=== half-close: each next receive is told so, too
--- tcp_server_config
process_by_lua_block {
    local function reader() return select(2, ngx.receive(5)) end
    local t = ngx.thread.spawn(reader)
    ngx.say("ready")
    ngx.say(ngx.thread.wait(t))
    ngx.say(ngx.thread.wait(ngx.thread.spawn(reader)))
    ngx.say((select(2, ngx.receive("*l"))))
}
--- request_parts
expect "ready\n"
half_close
expect "trueclosed\ntrueclosed\nclosed\n"
expect_eof
--- error_log
attempt to receive data on a closed/invalid socket


=== half-close: while one waits for the next request, and others work
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.wait_next_request()
        ngx.say("not reached")
    end)
    ngx.say("ready")
    ngx.sleep(100)
}
--- request_parts
expect "ready\n"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== RST, check_client_abort off: each wait of a thread is told or goes on
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        local sem = require("ngx.semaphore").new()
        local ch = ngx.channel.new(1)
        local function run(name, f, ...)
            return ngx.thread.spawn(function(...)
                local a, b = f(...)
                ngx.log(ngx.WARN, name, ": ", a, " ", b)
            end, ...)
        end
        run("receive", ngx.receive, 1)
        run("print", ngx.print, ("x"):rep(500000))
        run("flush", ngx.flush, true)
        run("sleep", ngx.sleep, 1)
        run("semaphore", sem.wait, sem, 1)
        run("channel", ch.receive, ch, 1)
        run("select", ngx.select, { sem, ch, timeout = 1 })
        run("deadline", ngx.deadline, 1, ngx.sleep, 100)
        run("thread", function()
            return ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 1))
        end)
        run("coroutine", coroutine.wrap(function()
            ngx.sleep(1)
            return "slept"
        end))
        ngx.log(ngx.WARN, "ready")
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
wait_log "ready"
reset
# The kernel tells the first of the three.
wait_log /receive: nil (?:connection reset by peer|closed)/
wait_log /print: nil (?:connection reset by peer|broken pipe|closed)/
wait_log /flush: nil (?:connection reset by peer|broken pipe|closed)/
wait_log "sleep: nil nil"
wait_log "semaphore: nil timeout"
wait_log "channel: nil timeout"
wait_log "select: nil timeout"
wait_log "deadline: nil deadline"
wait_log "thread: true nil"
wait_log "coroutine: slept nil"
--- no_error_log
prematurely
[alert]


=== RST, check_client_abort on: one that receives is told, the others go on
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.thread.spawn(function()
        local _, err = ngx.receive(1)
        ngx.log(ngx.WARN, "receive: ", err)
    end)
    ngx.say("ready")
    ngx.sleep(1)
    ngx.log(ngx.WARN, "sleeper went on")
}
--- request_parts
expect "ready\n"
reset
wait_log "receive: connection reset by peer"
wait_log "sleeper went on"
--- no_error_log
prematurely
[error]


=== check_client_abort on: the client closes, all threads end
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    local waits = {
        { ngx.sleep, 1.5 }, { sem.wait, sem, 1.5 }, { ch.receive, ch, 1.5 },
        { ngx.select, { sem, ch, timeout = 1.5 } },
        { ngx.deadline, 1.5, ngx.sleep, 100 },
        { coroutine.wrap(function() ngx.sleep(1.5) end) },
        { pcall, ngx.sleep, 1.5 },
        { function() ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 1.5)) end },
    }
    for _, w in ipairs(waits) do
        ngx.thread.spawn(function()
            w[1](unpack(w, 2))
            ngx.log(ngx.ERR, "still running")
        end)
    end
    ngx.say("ready")
    ngx.sleep(1.5)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "ready\n"
close
wait_log "client prematurely closed connection"
pause 1.7
--- no_error_log
still running
[error]


=== check_client_abort on: the client half-closes when only threads are left
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(100)
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("the script ends")
}
--- request_parts
expect "the script ends\n"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
still running
[error]


=== check_client_abort on: the client resets when only threads are left
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(1.5)
        ngx.log(ngx.ERR, "still running")
    end)
    ngx.say("the script ends")
}
--- request_parts
expect "the script ends\n"
reset
wait_log "client prematurely closed connection"
pause 1.7
--- no_error_log
still running
[error]


=== check_client_abort on: a thread that receives hides it, and is told
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        local _, err = ngx.receive(5)
        return err
    end)
    ngx.say("ready")
    ngx.sleep(0.1)
    ngx.say("slept ", (select(2, ngx.thread.wait(t))))
    ngx.sleep(0.1)
    ngx.say("after it was told")
}
--- request_parts
expect "ready\n"
half_close
expect "slept closed\nafter it was told\n"
expect_eof
--- no_error_log
prematurely
[error]


=== check_client_abort on: once no thread receives any more, it counts again
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.receive(5) end)
    ngx.thread.kill(t)
    local u = ngx.thread.spawn(function() return ngx.receive(1) end)
    ngx.say("ready")
    ngx.thread.wait(u)
    ngx.say("received")
    ngx.sleep(1.5)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "ready\n"
send "x"
expect "received\n"
close
wait_log "client prematurely closed connection"
pause 1.7
--- no_error_log
still running
[error]


=== check_client_abort on: while a thread prints to a reader that stopped
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.thread.spawn(function()
            ngx.print(("x"):rep(500000))
            ngx.log(ngx.ERR, "still running")
        end)
        ngx.log(ngx.WARN, "ready")
        ngx.sleep(100)
        ngx.log(ngx.ERR, "still running")
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
wait_log "ready"
half_close
wait_log "client prematurely closed connection"
start_reading
expect_like /\Ax+/
read_all
--- no_error_log
still running
[error]


=== outlive: threads print and receive after the script's end
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.02)
        ngx.say("after the script's end")
        ngx.say(ngx.receive("*l"))
    end)
    ngx.say("script ends")
}
--- request_parts
expect "script ends\nafter the script's end\n"
send "line\n"
expect "line\n"
expect_eof
--- no_error_log
[error]


=== outlive: threads spawn others, the last one ends the connection
--- tcp_server_config
process_by_lua_block {
    local function chain(n)
        ngx.sleep(0.001)
        ngx.print(n, " ")
        if n > 1 then ngx.thread.spawn(chain, n - 1) end
    end
    ngx.thread.spawn(chain, 10)
}
--- response chomp
10 9 8 7 6 5 4 3 2 1 
--- no_error_log
[error]


=== outlive: a thread keeps the connection for more requests
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        while true do
            ngx.say("got ", ngx.receive("*l"))
            ngx.wait_next_request()
        end
    end)
}
--- request_parts
send "a\n"
expect "got a\n"
send "b\nc\n"
expect "got b\ngot c\n"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== outlive: what is queued goes out after the last thread
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.thread.spawn(function()
            ngx.sleep(0.01)
            string.gsub("x", "x", function() ngx.print(("x"):rep(300000)) end)
            ngx.log(ngx.WARN, "ended")
        end)
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'],
    [wait_log => 'ended'], ['start_reading'], [expect => 'x' x 300000],
    ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== outlive: over a reload, until they end
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.say("in the thread")
        ngx.say(ngx.receive("*l"), " ", ngx.worker.exiting())
    end)
}
--- repeat: 1
--- request_parts
A: expect "in the thread\n"
reload
A: send "x\n"
A: expect "x true\n"
A: expect_eof
wait_workers
--- no_error_log
[error]


=== outlive: a worker that quits waits for threads
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.say("in the thread")
        ngx.sleep(0.2)
        ngx.say("slept")
        require("ngx.semaphore").new():wait(0.2)
        ngx.say("waited")
    end)
}
--- repeat: 1
--- request_parts
expect "in the thread\n"
signal QUIT
expect "slept\nwaited\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== quit: while one waits for the next request, others finish first
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function() ngx.wait_next_request() end)
    ngx.say("parked")
    ngx.sleep(1)
    ngx.say("finished")
}
--- repeat: 1
--- request_parts
expect "parked\n"
signal QUIT
wait_log "gracefully shutting down"
expect "finished\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== parked: nginx drops others first, while a thread of the connection works
--- events
worker_connections 40;
--- tcp_config
init_worker_by_lua_block { released = require("ngx.semaphore").new() }
--- tcp_server_config
process_by_lua_block {
    while true do
        local n = ngx.receive("*l")
        if n == "release" then released:post(5) end
        if n == "busy" then
            ngx.thread.spawn(function()
                released:wait(1000)
                ngx.print("worked")
            end)
        end
        ngx.print(n)
        ngx.wait_next_request()
    end
}
--- request_parts eval
[
    (map { (["Busy$_:", send => "busy\n"], ["Busy$_:", expect => "busy"]) }
     1 .. 5),
    (map { (["P$_:", send => "$_\n"], ["P$_:", expect => "$_"]) } 1 .. 60),
    (map { (["P$_:", 'expect_eof']) } 1 .. 20),
    ['R:', send => "release\n"], ['R:', expect => 'release'],
    (map { (["Busy$_:", expect => 'worked'], ["Busy$_:", send => "again\n"],
            ["Busy$_:", expect => 'again']) } 1 .. 5),
    (map { (["P$_:", 'close']) } 1 .. 60), ['R:', 'close'],
    (map { (["Busy$_:", 'close']) } 1 .. 5),
]
--- no_error_log
[error]


=== parked: keepalive_timeout ends the connection, whoever else waits
--- tcp_server_config
keepalive_timeout 200ms;
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(100)
        ngx.log(ngx.ERR, "survived")
    end)
    ngx.thread.spawn(function()
        ngx.wait_next_request()
        ngx.log(ngx.ERR, "survived")
    end)
    ngx.say("parked")
    require("ngx.semaphore").new():wait(100)
    ngx.log(ngx.ERR, "survived")
}
--- request_parts
expect "parked\n"
expect_eof
--- error_log
client timed out
--- no_error_log
[error]


=== exit: in a thread ends all the others, and the script
--- tcp_server_config
process_by_lua_block {
    local function survive(f, ...)
        ngx.thread.spawn(function(...)
            f(...)
            ngx.log(ngx.ERR, "survived")
        end, ...)
    end
    survive(ngx.receive, 1)
    survive(ngx.sleep, 0.1)
    survive(pcall, ngx.sleep, 0.1)
    survive(coroutine.wrap(function() ngx.sleep(0.1) end))
    ngx.thread.spawn(function()
        ngx.sleep(0.001)
        ngx.print("exits")
        pcall(ngx.exit)
    end)
    ngx.sleep(0.1)
    ngx.log(ngx.ERR, "survived")
}
--- request_parts
expect "exits"
expect_eof
pause 0.2
--- no_error_log
[error]


=== exit: at once, while it is being spawned
--- tcp_server_config
process_by_lua_block {
    ngx.print("before")
    pcall(ngx.thread.spawn, function()
        ngx.thread.spawn(function()
            coroutine.wrap(function() pcall(ngx.exit) end)()
            ngx.log(ngx.ERR, "survived")
        end)
        ngx.log(ngx.ERR, "survived")
    end)
    ngx.log(ngx.ERR, "survived")
}
--- response chomp
before
--- no_error_log
[error]


=== exit: while it is being spawned in a C function's callback
--- tcp_server_config
process_by_lua_block {
    ngx.print("before")
    table.sort({ 2, 1 }, function(a, b)
        -- Here the script cannot stop; it does where it next waits.
        pcall(ngx.thread.spawn, ngx.exit)
        return a < b
    end)
    ngx.sleep(0.01)
    ngx.log(ngx.ERR, "survived")
}
--- response chomp
before
--- no_error_log
[error]


=== exit: in the script drops the threads
--- tcp_server_config
process_by_lua_block {
    for i = 1, 5 do
        ngx.thread.spawn(function()
            ngx.sleep(0.1)
            ngx.log(ngx.ERR, "survived")
        end)
    end
    ngx.print("exits")
    ngx.exit()
}
--- request_parts
expect "exits"
expect_eof
pause 0.2
--- no_error_log
[error]


=== exit: ngx.ERROR in a thread is logged
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.001)
        ngx.exit(ngx.ERROR)
    end)
    ngx.sleep(100)
}
--- request_parts
expect_eof
--- error_log
lua script exited with ngx.ERROR


=== exit: what threads had printed is sent
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.thread.spawn(function()
            ngx.print(("x"):rep(300000))
            ngx.log(ngx.ERR, "survived")
        end)
        ngx.thread.spawn(function()
            ngx.receive(1)
            ngx.log(ngx.WARN, "exits")
            ngx.exit()
        end)
        ngx.sleep(1000)
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'], ['sync'],
    [send => 'b'], [wait_log => 'exits'], ['start_reading'],
    [expect => 'x' x 300000], ['expect_eof'],
]
--- skip_mode: slow: 300 KB byte by byte
--- no_error_log
[error]


=== exit: in a thread after the script's end
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.print("exits")
        ngx.exit()
    end)
    ngx.thread.spawn(function()
        ngx.sleep(1000)
    end)
}
--- response chomp
exits
--- no_error_log
[error]


=== error: the script's drops the threads, what they printed is sent
--- tcp_server_config
process_by_lua_block {
    for _, f in ipairs { ngx.sleep, coroutine.wrap(ngx.sleep),
                         function(s) pcall(ngx.sleep, s) end } do
        ngx.thread.spawn(function()
            ngx.print("thread ")
            f(0.1)
            ngx.log(ngx.ERR, "survived")
        end)
    end
    ngx.sleep(0.001)
    error("the script's")
}
--- request_parts
expect "thread thread thread "
expect_eof
pause 0.2
--- error_log
lua entry thread aborted: runtime error
--- no_error_log
survived
user thread


=== error: the script's at once, before any thread goes on
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        coroutine.yield()
        ngx.log(ngx.ERR, "survived")
    end)
    error("the script's")
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error
--- no_error_log
survived


=== error: the script's in the same turn as a thread's
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local t = ngx.thread.spawn(function()
        sem:wait(100)
        error("thread's", 0)
    end)
    sem:post()
    ngx.thread.wait(t)
    error("script's", 0)
}
--- request_parts
expect_eof
--- grep_error_log
~ lua \w+ thread aborted: .*
--- grep_error_log_out
lua user thread aborted: runtime error: thread's
lua entry thread aborted: runtime error: script's


=== error: a thread's, after the script's end, ends the connection
--- tcp_server_config
process_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.print("thread ")
        error("late")
    end)
    ngx.print("script ")
}
--- response chomp
script thread 
--- error_log
lua user thread aborted: runtime error


=== read_timeout: is that of the one who receives, the others go on
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(5) end)
    ngx.sleep(1)
    ngx.say(coroutine.status(t))
    ngx.say(ngx.thread.wait(t))
    ngx.say(ngx.receive(2))
}
--- request_parts
send "ab"
expect "zombie\ntrueniltimeoutab\n"
send "cd"
expect "cd\n"
expect_eof
--- skip_mode: slow valgrind: too short a timeout for them
--- error_log
lua tcp socket read timed out


=== read_timeout: in the same turn as the bytes, nothing is lost
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(5) end)
    ngx.say("ready")
    ngx.flush(true)
    -- The worker does nothing else until the bytes are there and the time is
    -- over.
    require("worker").spin("$TEST_DIR/go", 2)
    local ok, data, err, partial = ngx.thread.wait(t)
    local all = data or partial or ""
    while #all < 5 do
        local rest, _, part = ngx.receive(5 - #all)
        all = all .. (rest or part or "")
    end
    ngx.say(all, " ", err == nil or err == "timeout")
}
--- request_parts
expect "ready\n"
send "12345"
write_file go "now"
expect "12345 true\n"
expect_eof
--- timeout: 15
--- no_error_log
[alert]


=== read_timeout: in the same turn as some of the bytes
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(5) end)
    ngx.say("ready")
    ngx.flush(true)
    require("worker").spin("$TEST_DIR/go", 2)
    local ok, data, err, partial = ngx.thread.wait(t)
    ngx.say("status ", data, " ", err)
    local all = partial or ""
    while #all < 5 do
        local rest, _, part = ngx.receive(5 - #all)
        all = all .. (rest or part or "")
    end
    ngx.say(all)
}
--- request_parts
expect "ready\n"
send "123"
write_file go "now"
expect "status nil timeout\n"
send "45"
expect "12345\n"
expect_eof
--- timeout: 15
--- error_log
lua tcp socket read timed out


=== read_timeout: in the same turn as the client's end
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local t = ngx.thread.spawn(function() return ngx.receive(5) end)
    ngx.say("ready")
    ngx.flush(true)
    require("worker").spin("$TEST_DIR/go", 2)
    local ok, data, err, partial = ngx.thread.wait(t)
    ngx.say(data, " ", err == "closed" or err == "timeout")
    local rest, err = ngx.receive(5)
    ngx.say(rest, " ", err)
}
--- request_parts
expect "ready\n"
half_close
write_file go "now"
expect "nil true\nnil closed\n"
expect_eof
--- timeout: 15
--- no_error_log
[alert]


=== read_timeout and sleep in the same turn: both end
--- tcp_server_config
read_timeout 200ms;
process_by_lua_block {
    local a = ngx.thread.spawn(function() return ngx.receive(5) end)
    local b = ngx.thread.spawn(function() ngx.sleep(0.2) return "slept" end)
    local c = ngx.thread.spawn(function()
        return require("ngx.semaphore").new():wait(0.2)
    end)
    ngx.say(ngx.thread.wait(b))
    ngx.say(ngx.thread.wait(a))
    ngx.say(ngx.thread.wait(c))
}
--- response
trueslept
trueniltimeout
trueniltimeout
--- error_log
lua tcp socket read timed out


=== a deadline over one thread's receive leaves the socket to the others
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function()
        return ngx.deadline(0.05, ngx.receive, 5)
    end)
    ngx.say(ngx.receive(1))
    ngx.say(ngx.thread.wait(t))
    ngx.say(ngx.receive(2))
}
--- request_parts
expect "nilsocket busy reading\ntruenildeadline\n"
send "ab"
expect "ab\n"
expect_eof
--- no_error_log
[error]


=== two connections: a thread of one wakes a thread of the other
--- tcp_config
init_worker_by_lua_block {
    to_a, to_b = ngx.channel.new(10), ngx.channel.new(10)
}
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive("*l")
    local mine, other = to_a, to_b
    if name == "b" then mine, other = to_b, to_a end
    local writer = ngx.thread.spawn(function()
        for line in function() return (mine:receive()) end do
            ngx.say(line)
        end
    end)
    ngx.say("joined")
    for line in function() return (ngx.receive("*l")) end do
        other:send(name .. ": " .. line)
    end
    ngx.thread.kill(writer)
}
--- request_parts
A: send "a\n"
A: expect "joined\n"
B: send "b\n"
B: expect "joined\n"
A: send "hello\n"
B: expect "a: hello\n"
B: send "hi\nbye\n"
A: expect "b: hi\nb: bye\n"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]


=== waking another connection does not run it inside of the one that wakes
--- tcp_config
init_worker_by_lua_block {
    sem, order = require("ngx.semaphore").new(), {}
}
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        ngx.say("waits")
        sem:wait(100)
        order[#order + 1] = "A woken"
        ngx.ctx.name = "A"
        ngx.say("woken ", ngx.ctx.name)
    else
        ngx.ctx.name = "B"
        sem:post()
        order[#order + 1] = "B posted"
        ngx.sleep(0.01)
        ngx.say(table.concat(order, ", "), " ", ngx.ctx.name)
        order[1], order[2] = nil, nil
    end
}
--- request_parts
A: send "A"
A: expect "waits\n"
B: send "B"
A: expect "woken A\n"
B: expect "B posted, A woken B\n"
--- no_error_log
[error]
