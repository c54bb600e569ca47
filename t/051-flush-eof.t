# ngx.flush and ngx.eof.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== flush: what was printed goes out while the script runs on
--- tcp_server_config
process_by_lua_block {
    ngx.print("first")
    ngx.flush()
    -- No wait here: only the flush can have sent it.
    local until_time = os.time() + 10
    while not io.open(ngx.config.prefix() .. "seen") and os.time() < until_time do
    end
    os.remove(ngx.config.prefix() .. "seen")
    ngx.print(" second")
}
--- request_parts
expect "first"
write_file seen "yes"
expect " second"
expect_eof
--- no_error_log
[error]


=== flush: returns 1
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.flush())
    show(ngx.flush(false))
    show(ngx.flush(true))
    ngx.print("x")
    show(ngx.flush(true))
}
--- response
1:1
1:1
1:1
x1:1
--- no_error_log
[error]


=== flush: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.flush(1) end))
    ngx.say(err(function() ngx.flush(nil) end))
    ngx.say(err(function() ngx.flush("true") end))
    ngx.say(err(function() ngx.flush(true, true) end))
}
--- response
3: bad argument #1 to 'flush' (boolean expected, got number)
4: bad argument #1 to 'flush' (boolean expected, got nil)
5: bad argument #1 to 'flush' (boolean expected, got string)
6: expecting 0 or 1 arguments, but got 2
--- no_error_log
[error]


=== flush(true): waits until the kernel has everything
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    -- Where print cannot wait it leaves a queue.
    local done = false
    table.sort({ 2, 1 }, function(a, b)
        if not done then
            done = true
            ngx.print(("x"):rep(size))
        end
        return a < b
    end)
    ngx.log(ngx.WARN, "no wait: ", ngx.flush())
    ngx.log(ngx.WARN, "waited: ", ngx.flush(true))
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'no wait: 1'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
    [wait_log => 'waited: 1'],
]
--- no_error_log
[error]


=== eof: its thread is killed while it waits: the FIN comes all the same
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local size = tonumber(ngx.receive("*l"))
        local thread = ngx.thread.spawn(function()
            local writer = ngx.thread.spawn(ngx.print, ("x"):rep(size))
            ngx.eof()
        end)
        ngx.log(ngx.WARN, "killed: ", ngx.thread.kill(thread))
        ngx.log(ngx.WARN, "received: ", ngx.receive("*l"))
    }
}
--- request_parts eval
my $size = 1_000_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'killed: 1'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
    [send => "thanks\n"],
    [wait_log => 'received: thanks'],
]
--- skip_mode: slow: too long
--- no_error_log
[error]


=== flush(true): the client resets while it waits
--- tcp_server_config
process_by_lua_block {
    local done = false
    table.sort({ 2, 1 }, function(a, b)
        if not done then
            done = true
            ngx.print(("x"):rep(16000000))
        end
        return a < b
    end)
    local ok, err = ngx.flush(true)
    ngx.log(ngx.WARN, "flushed: ", ok, " ", err)
}
--- request_parts
connect rcvbuf=8192
stop_reading
sync
reset
wait_log /flushed: nil (?:connection reset by peer|broken pipe)/
--- skip_mode: slow: too long


=== flush(true): the reader stalls for longer than send_timeout
--- tcp_server_config
send_timeout 200ms;
process_by_lua_block {
    local done = false
    table.sort({ 2, 1 }, function(a, b)
        if not done then
            done = true
            ngx.print(("x"):rep(16000000))
        end
        return a < b
    end)
    local ok, err = ngx.flush(true)
    ngx.log(ngx.WARN, "flushed: ", ok, " ", err)
    ngx.log(ngx.WARN, "again: ", ngx.flush(true))
}
--- repeat: 1
--- request_parts
connect rcvbuf=8192
stop_reading
wait_log "flushed: nil timeout"
wait_log "again: nilclosed"
close
--- error_log
~ \[error\] .*lua tcp socket write timed out
~ \[error\] .*attempt to send data on a closed/invalid socket
--- skip_mode: slow: the kernel takes one byte a call there


=== flush: in a user coroutine and through pcall
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function()
        ngx.print("in ")
        ngx.print(ngx.flush(true), " ")
        return "out"
    end)
    ngx.say(co())
    ngx.say(pcall(ngx.flush, true))
    ngx.say(pcall(ngx.flush, 1))
}
--- response
in 1 out
true1
falsebad argument #1 to '?' (boolean expected, got number)
--- no_error_log
[error]


=== flush: with true it cannot be called in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function()
        table.sort({ 2, 1 }, function(a, b)
            ngx.flush(true)
            return a < b
        end)
    end))
}
--- response
5: attempt to yield across C-call boundary
--- no_error_log
[error]


=== flush: without true it can be called in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local t = { 2, 1 }
    table.sort(t, function(a, b)
        ngx.print(".")
        assert(ngx.flush() == 1)
        return a < b
    end)
    ngx.print(t)
}
--- response_like
^\.+12$
--- no_error_log
[error]


=== eof: the client gets what was printed and its FIN
--- tcp_server_config
process_by_lua_block {
    ngx.print("all")
    local function show(...) ngx.log(ngx.WARN, select("#", ...), ":", ...) end
    show(ngx.eof())
    ngx.receive(1)
}
--- request_parts
expect "all"
expect_eof
wait_log "1:1"
close
--- no_error_log
[error]


=== eof: waits for a slow reader
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    local done = false
    table.sort({ 2, 1 }, function(a, b)
        if not done then
            done = true
            ngx.print(("x"):rep(size))
        end
        return a < b
    end)
    ngx.log(ngx.WARN, "ending")
    ngx.log(ngx.WARN, "ended: ", ngx.eof())
    ngx.log(ngx.WARN, "got: ", ngx.receive("*l"))
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'ending'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
    [wait_log => 'ended: 1'],
    [send => "still here\n"],
    [wait_log => 'got: still here'],
]
--- no_error_log
[error]


=== eof: receiving goes on
--- tcp_server_config
process_by_lua_block {
    ngx.say("bye")
    ngx.eof()
    ngx.log(ngx.WARN, "got: ", ngx.receive("*l"))
    ngx.sleep(0.001)
    ngx.log(ngx.WARN, "got: ", ngx.receive(3))
}
--- request_parts
expect "bye\n"
expect_eof
send "a line\n"
wait_log "got: a line"
send "abc"
wait_log "got: abc"
--- no_error_log
[error]


=== eof: nothing can be printed after it
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.log(ngx.WARN, select("#", ...), ":", ...) end
    ngx.print("all")
    ngx.eof()
    show(ngx.print("x"))
    show(ngx.say())
    show(ngx.eof())
}
--- response: all
--- grep_error_log
~ 2:nil[a-z ]*
--- grep_error_log_out
2:nilseen eof while running 
2:nilseen eof while running 
2:nilseen eof while running 
--- no_error_log
[error]


=== eof: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.eof(1) end))
    ngx.say(err(function() ngx.eof(nil) end))
}
--- response
3: expecting 0 arguments
4: expecting 0 arguments
--- no_error_log
[error]


=== eof: not in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function()
        ("x"):gsub(".", function() ngx.eof() end)
    end))
}
--- response
4: attempt to yield across C-call boundary
--- no_error_log
[error]


=== eof: in a user coroutine
--- tcp_server_config
process_by_lua_block {
    ngx.print("x")
    coroutine.wrap(function() ngx.eof() end)()
    ngx.log(ngx.WARN, "got: ", ngx.receive(1))
}
--- request_parts
expect "x"
expect_eof
send "y"
wait_log "got: y"
--- no_error_log
[error]


=== eof: after the client's FIN
--- tcp_server_config
process_by_lua_block {
    ngx.print(select(2, ngx.receive(1)))
    ngx.log(ngx.WARN, "ended: ", ngx.eof())
}
--- request_parts
half_close
expect "closed"
expect_eof
--- error_log
ended: 1
--- no_error_log
[error]


=== flush, eof: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.flush() end)
        .. "\n" .. err(function() ngx.eof() end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
4: no session found
--- no_error_log
[error]


=== flush, eof: not when a worker starts
--- tcp_config
init_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_worker = err(function() ngx.flush() end)
        .. "\n" .. err(function() ngx.eof() end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
3: API disabled in the context of init_worker_by_lua*
4: API disabled in the context of init_worker_by_lua*
--- no_error_log
[error]
