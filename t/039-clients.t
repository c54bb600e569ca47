# ngx.clients: ids of clients, and what is sent to them by others. What others do
# is said to a second server, t/lib/lua/console.lua.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== clients.set: an id, the same once more, another one
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", tostring((...))) end
    show(ngx.clients.set("a"))
    show(ngx.clients.set("a"))
    show(ngx.clients.set("b"))
    show(ngx.clients.exists("a"))
    show(ngx.clients.exists("b"))
}
--- response
1:nil
1:nil
1:client id already set
1:true
1:false
--- no_error_log
[error]


=== clients: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local clients = ngx.clients
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() clients.set() end))
    ngx.say(err(function() clients.set("a", "b") end))
    ngx.say(err(function() clients.set(1) end))
    ngx.say(err(function() clients.set(nil) end))
    ngx.say(err(function() clients.set({}) end))
    ngx.say(err(function() clients.exists() end))
    ngx.say(err(function() clients.exists("a", "b") end))
    ngx.say(err(function() clients.exists(1) end))
    ngx.say(err(function() clients.del() end))
    ngx.say(err(function() clients.del("a", "b") end))
    ngx.say(err(function() clients.del(true) end))
    ngx.say(err(function() clients.send() end))
    ngx.say(err(function() clients.send("a") end))
    ngx.say(err(function() clients.send("a", "b", "c") end))
    ngx.say(err(function() clients.send(1, "b") end))
    ngx.say(err(function() clients.send("a", 1) end))
    ngx.say(err(function() clients.send("a", { "b" }) end))
    ngx.say(clients.exists("a"))
}
--- response
4: expecting one argument
5: expecting one argument
6: bad argument #1 to 'set' (string expected, got number)
7: bad argument #1 to 'set' (string expected, got nil)
8: bad argument #1 to 'set' (string expected, got table)
9: expecting one argument
10: expecting one argument
11: bad argument #1 to 'exists' (string expected, got number)
12: expecting one argument
13: expecting one argument
14: bad argument #1 to 'del' (string expected, got boolean)
15: expecting one argument
16: expecting one argument
17: expecting one argument
18: bad argument #1 to 'send' (string expected, got number)
19: bad argument #2 to 'send' (string expected, got number)
20: bad argument #2 to 'send' (string expected, got table)
false
--- no_error_log
[error]


=== clients: ids of any bytes and any length
--- tcp_server_config
process_by_lua_block {
    local id = ({
        "", "\0", "a\0b", ("x"):rep(100000), "\255\254", "%s", "a"
    })[tonumber(ngx.receive("*l"))]
    ngx.clients.set(id)
    ngx.say("set")
    ngx.receive("*l")
    ngx.say(ngx.clients.exists(id), " ", ngx.clients.exists(id .. "!"))
    ngx.clients.send(id, "it is me")
    ngx.receive("*l")
}
--- request_parts eval
[
    (map { ( ["C$_:", send => "$_\n"], ["C$_:", expect => "set\n"] ) } 1 .. 7),
    (map {
        ( ["C$_:", send => "go\n"],
          ["C$_:", expect => "true false\nit is me"] )
    } 1 .. 7),
]
--- no_error_log
[error]


=== clients.send: returns the number of bytes, or what is wrong
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set(ngx.receive("*l"))
    ngx.say("set")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "a\n"
A: expect "set\n"
C: send "return ngx.clients.send('a', 'hello')\n"
C: expect "2:5,nil\n"
A: expect "hello"
C: send "return ngx.clients.send('a', '\\0\\1\\n')\n"
C: expect "2:3,nil\n"
A: expect "\0\x01\n"
C: send "return ngx.clients.send('b', 'hello')\n"
C: expect "2:nil,no such userdata\n"
C: send "return ngx.clients.send('b', '')\n"
C: expect "2:nil,no such userdata\n"
C: send "return ngx.clients.send('a', '')\n"
C: expect "2:nil,will send nothing\n"
A: send "\n"
A: expect_eof
sync
C: send "return ngx.clients.send('a', 'hello')\n"
C: expect "2:nil,no such userdata\n"
--- no_error_log
[error]


=== clients.del: anybody's id; its owner may take another one
--- tcp_server_config
process_by_lua_block {
    while true do
        local id = ngx.receive("*l")
        if not id then return end
        ngx.say(ngx.clients.set(id))
    end
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "a\n"
A: expect "nil\n"
C: send "return ngx.clients.del('a')\n"
C: expect "0:\n"
C: send "return ngx.clients.del('a')\n"
C: expect "1:no such userdata\n"
C: send "return ngx.clients.exists('a')\n"
C: expect "1:false\n"
A: send "b\na\n"
A: expect "nil\nclient id already set\n"
C: send "return ngx.clients.exists('a'), ngx.clients.exists('b')\n"
C: expect "2:false,true\n"
B: send "a\n"
B: expect "nil\n"
C: send "return ngx.clients.del('b')\n"
C: expect "0:\n"
A: half_close
A: expect_eof
sync
C: send "return ngx.clients.exists('a'), ngx.clients.exists('b')\n"
C: expect "2:true,false\n"
--- no_error_log
[error]


=== clients.set: the last one has the id, also when the one before goes
--- tcp_server_config
process_by_lua_block {
    while true do
        local id = ngx.receive("*l")
        if not id then return end
        ngx.say(ngx.clients.set(id))
    end
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "a\n"
A: expect "nil\n"
B: send "a\n"
B: expect "nil\n"
C: send "return ngx.clients.send('a', 'to B')\n"
C: expect "2:4,nil\n"
B: expect "to B"
A: half_close
A: expect_eof
sync
C: send "return ngx.clients.send('a', 'to B')\n"
C: expect "2:4,nil\n"
B: expect "to B"
B: half_close
B: expect_eof
sync
C: send "return ngx.clients.exists('a')\n"
C: expect "1:false\n"
--- no_error_log
[error]


=== clients.set: who has lost an id may take it back, or another one
--- tcp_server_config
process_by_lua_block {
    while true do
        local id = ngx.receive("*l")
        if not id then return end
        ngx.say(ngx.clients.set(id))
    end
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "a\n"
A: expect "nil\n"
B: send "a\n"
B: expect "nil\n"
A: send "a\n"
A: expect "nil\n"
C: send "return ngx.clients.send('a', 'to A')\n"
C: expect "2:4,nil\n"
A: expect "to A"
B: send "b\n"
B: expect "nil\n"
C: send "return ngx.clients.send('b', 'to B')\n"
C: expect "2:4,nil\n"
B: expect "to B"
B: close
sync
C: send "return ngx.clients.exists('a'), ngx.clients.exists('b')\n"
C: expect "2:true,false\n"
--- no_error_log
[error]


=== clients: an id goes with its script, however that ends
--- tcp_server_config
read_timeout 300ms;
keepalive_timeout 300ms;
lua_check_client_abort on;
process_by_lua_block {
    local how = ngx.receive("*l")
    ngx.clients.set(how)
    ngx.say("set")
    if how == "return" then
        ngx.receive("*l")
        return
    elseif how == "exit" then
        ngx.receive("*l")
        pcall(ngx.exit)
    elseif how == "error" then
        ngx.receive("*l")
        error("on purpose")
    elseif how == "timeout" then
        ngx.receive("*l")
    elseif how == "abort" then
        ngx.sleep(1000)
    else
        ngx.wait_next_request()
        ngx.receive("*l")
    end
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "return\n"
A: expect "set\n"
A: send "\n"
A: expect_eof
sync
C: send "return ngx.clients.exists('return')\n"
C: expect "1:false\n"
B: send "exit\n"
B: expect "set\n"
B: send "\n"
B: expect_eof
sync
C: send "return ngx.clients.exists('exit')\n"
C: expect "1:false\n"
D: send "error\n"
D: expect "set\n"
D: send "\n"
D: expect_eof
sync
C: send "return ngx.clients.exists('error')\n"
C: expect "1:false\n"
E: send "timeout\n"
E: expect "set\n"
E: expect_eof
sync
C: send "return ngx.clients.exists('timeout')\n"
C: expect "1:false\n"
F: send "abort\n"
F: expect "set\n"
F: close
wait_log "client prematurely closed connection" 1
C: send "return ngx.clients.exists('abort')\n"
C: expect "1:false\n"
G: send "parked\n"
G: expect "set\n"
G: expect_eof
sync
C: send "return ngx.clients.exists('parked')\n"
C: expect "1:false\n"
H: send "gone\n"
H: expect "set\n"
H: close
wait_log "client prematurely closed connection" 2
C: send "return ngx.clients.exists('gone')\n"
C: expect "1:false\n"
--- error_log
on purpose
--- timeout: 10


=== clients: an id and its connection go while its output is still on its way
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.thread.spawn(ngx.print, ("x"):rep(300000))
        ngx.exit()
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect rcvbuf=32768
A: stop_reading
A: send "a\n"
sync
C: connect $TEST_PORT2
C: send "return ngx.clients.exists('a')\n"
C: expect "1:false\n"
C: send "return ngx.clients.send('a', 'too late')\n"
C: expect "2:nil,no such userdata\n"
A: start_reading
A: expect "x" x 300000
A: expect_eof
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== clients.send: wakes nobody who waits for something else
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set("a")
    ngx.print("receive;")
    ngx.print(ngx.receive("*l"), ";")
    ngx.print("sleep;")
    local thread = ngx.thread.spawn(function()
        while not package.loaded.go do ngx.sleep(0.01) end
        package.loaded.go = nil
    end)
    ngx.thread.wait(thread)
    ngx.print("select;")
    local client = ngx.req.socket()
    ngx.print(ngx.select{ client }, ";")
    ngx.print(client:receive(), ";park;")
    ngx.wait_next_request()
    ngx.print(ngx.receive("*l"), ";end")
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: connect
A: expect "receive;"
C: send "return ngx.clients.send('a', '1;')\n"
C: expect "2:2,nil\n"
A: expect "1;"
A: send "one\n"
A: expect "one;sleep;"
C: send "return ngx.clients.send('a', '2;')\n"
C: expect "2:2,nil\n"
A: expect "2;"
C: send "package.loaded.go = true\n"
C: expect "0:\n"
A: expect "select;"
C: send "return ngx.clients.send('a', '3;')\n"
C: expect "2:2,nil\n"
A: expect "3;"
A: send "two\n"
A: expect "1;two;park;"
sync
C: send "return ngx.clients.send('a', '4;')\n"
C: expect "2:2,nil\n"
A: expect "4;"
C: send "for i = 1, 100 do ngx.clients.send('a', i .. ',') end\n"
C: expect "0:\n"
A: expect_like /\A1,2,3,(?:\d+,)*100,\z/
A: send "three\n"
A: expect "three;end"
A: expect_eof
--- no_error_log
[error]


=== clients.send: comes between what a script prints, in the order of the calls
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set("a")
    ngx.receive(1)
    for i = 1, 100 do
        ngx.print("<", i, { "[", { ("x"):rep(i) }, "]" }, ">")
        if i % 10 == 0 then ngx.clients.send("a", "(me)") end
        ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 0.001))
    end
}
--- tcp_server_config2
process_by_lua_block {
    ngx.receive(1)
    local n = 0
    while ngx.clients.send("a", ("(%d%s)"):format(n, ("y"):rep(n))) do
        n = n + 1
        ngx.sleep(0.001)
    end
    ngx.say("done")
}
--- request_parts
C: connect $TEST_PORT2
connect
C: send "x"
send "x"
read_all
C: expect "done\n"
--- response_like
\A(?:\(\d+y*\)|\(me\)|<\d+\[x+\]>)*<100\[x{100}\]>(?:\(\d+y*\))*\(me\)(?:\(\d+y*\))*\z
--- timeout: 20
--- no_error_log
[error]


=== clients.send: to oneself, behind what was printed
--- tcp_server_config
process_by_lua_block {
    local clients = ngx.clients
    clients.set("me")
    ngx.print("one,")
    ngx.print(clients.send("me", "two,"))
    ngx.print(",three,", { "four" })
    clients.send("me", ",five")
    ngx.thread.wait(ngx.thread.spawn(clients.send, "me", ",six"))
    coroutine.wrap(function() clients.send("me", ",seven") end)()
    clients.send("me", "\n")
    ngx.receive(1)
    clients.send("me", "eight")
}
--- request_parts
expect "one,two,4nil,three,four,five,six,seven\n"
send "x"
expect "eight"
expect_eof
--- no_error_log
[error]


=== clients.send: where a script cannot wait
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set("me")
    table.sort({ 1, 2 }, function(a, b)
        ngx.clients.send("me", "sorted,")
        return a < b
    end)
    ngx.say((("abc"):gsub(".", function(c)
        return ngx.clients.send("me", c .. ",")
    end)))
}
--- response_like
\A(?:sorted,)+a,b,c,222\n\z
--- no_error_log
[error]


=== clients.send: a slow reader's queue is bounded, and what was accepted comes
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
        ngx.say(ngx.receive("*l"))
    }
}
--- tcp_server_config2
process_by_lua_block {
    ngx.receive("*l")
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT))
    assert(sock:send("slow\n"))
    assert(sock:receive("*l") == "set")
    local function message(i) return ("%07d\n"):format(i):rep(1000) end
    local n, err = 0
    repeat
        local sent
        sent, err = ngx.clients.send("slow", message(n))
        if sent then n = n + 1 end
    until err
    ngx.say(err, " ", n >= 256 * 1024 / 8000 - 1)
    ngx.say(ngx.clients.send("slow", ("x"):rep(8000)))
    for i = 0, n - 1 do
        assert(sock:receive(8000) == message(i))
    end
    ngx.say(ngx.clients.send("slow", "more"))
    assert(sock:receive(4) == "more")
    assert(sock:send("next\n"))
    ngx.print(sock:receive("*a"))
}
--- connect: $TEST_PORT2
--- request
x
--- response
EAGAIN error true
nilEAGAIN error
4nil
next
--- timeout: 20
--- no_error_log
[error]


=== clients.send: one message may be as long as it likes
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT))
    assert(sock:send("slow\n"))
    assert(sock:receive("*l") == "set")
    local parts = {}
    for i = 1, n / 10 do parts[i] = ("%09d\n"):format(i) end
    local message = table.concat(parts)
    ngx.say(ngx.clients.send("slow", message) == n)
    ngx.say(ngx.clients.send("slow", ("x"):rep(300000)))
    ngx.say(sock:receive(n) == message)
    ngx.say(ngx.clients.send("slow", "end"))
    ngx.say(sock:receive(3))
}
--- connect: $TEST_PORT2
--- request eval
($ENV{TEST_SLOW} ? 20_000 : 8_000_000) . "\n"
--- response
true
nilEAGAIN error
true
3nil
end
--- timeout: 20
--- no_error_log
[error]


=== clients.send: behind a print that waits for a slow reader
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.print((ngx.print(("x"):rep(200000))))
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect rcvbuf=32768
A: stop_reading
A: send "a\n"
sync
C: connect $TEST_PORT2
C: send "return ngx.clients.send('a', 'from C,')\n"
C: expect "2:7,nil\n"
A: start_reading
A: expect "x" x 200000 "from C,200000"
A: expect_eof
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== clients.send: keeps no print waiting whose bytes are sent
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set("a")
        ngx.receive(1)
        package.loaded.printed = ngx.print(("x"):rep(150000))
        ngx.receive("*l")
    }
}
--- tcp_server_config2
process_by_lua_block {
    ngx.receive("*l")
    package.loaded.printed = nil
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT))
    assert(sock:setoption("rcvbuf", 32768))
    assert(sock:send("x"))
    repeat ngx.sleep(0.001) until ngx.clients.send("a", "") == nil
        and ngx.clients.send("a", ("y"):rep(180000))
    ngx.say(package.loaded.printed)
    assert(sock:receive(150000))
    -- Some of what is behind has no room, but that is no affair of the print.
    for i = 1, 500 do
        if package.loaded.printed then break end
        ngx.sleep(0.01)
    end
    ngx.say(package.loaded.printed)
    ngx.say(#sock:receive(180000))
}
--- connect: $TEST_PORT2
--- request
x
--- response
nil
150000
180000
--- skip_mode: slow: takes a byte at a time for ever
--- no_error_log
[error]


=== clients.send: a print that times out does not count what is behind it
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        local ok, err, sent = ngx.print(("x"):rep(200000))
        ngx.log(ngx.WARN, "print: ", ok, ",", err, ",", sent)
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect rcvbuf=32768
A: stop_reading
A: send "a\n"
sync
C: connect $TEST_PORT2
C: send "return ngx.clients.send('a', ('y'):rep(100000))\n"
C: expect "2:100000,nil\n"
wait_log "print: "
A: close
--- error_log
~ print: nil,timeout,(?!0,|0$)[0-9]{5,} while
lua tcp socket write timed out
--- skip_mode: slow: takes a byte at a time for ever


=== clients.send: the reader stalls for send_timeout, and is let go
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect rcvbuf=32768
A: send "a\n"
A: expect "set\n"
A: stop_reading
sync
C: connect $TEST_PORT2
C: send "return ngx.clients.send('a', ('y'):rep(2000000))\n"
C: expect "2:2000000,nil\n"
C: send "return ngx.clients.exists('a')\n"
C: expect "1:true\n"
wait_log "lua tcp socket write timed out"
sync
C: send "return ngx.clients.exists('a')\n"
C: expect "1:false\n"
A: close
--- error_log
lua tcp socket write timed out
--- skip_mode: slow: takes a byte at a time for ever


=== clients.send: what was accepted comes although keepalive_timeout is over
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    keepalive_timeout 200ms;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect rcvbuf=32768
C: connect $TEST_PORT2
A: send "a\n"
A: expect "set\n"
A: stop_reading
C: send "return ngx.clients.send('a', ('y'):rep(500000))\n"
C: expect "2:500000,nil\n"
wait_log "client timed out"
A: start_reading
A: expect "y" x 500000
A: expect_eof
--- skip_mode: slow valgrind: may be parked for too long before
--- no_error_log
[error]


=== clients.send: what was accepted by a parked client comes although nginx quits
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20_000 : 500_000;
[
    ['A:', connect => 'rcvbuf=32768'], ['A:', send => "a\n"],
    ['A:', expect => "set\n"], ['A:', 'stop_reading'], ['sync'],
    ['C:', connect => '$TEST_PORT2'],
    ['C:', send => "return ngx.clients.send('a', ('y'):rep($n))\n"],
    ['C:', expect => "2:$n,nil\n"], ['C:', 'close'],
    [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['A:', 'start_reading'], ['A:', expect => 'y' x $n], ['A:', 'expect_eof'],
    ['wait_exit'],
]
--- no_error_log
[error]


=== clients.send: a parked client is parked again when it has everything
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set(ngx.receive("*l"))
        ngx.say("set")
        ngx.wait_next_request()
        ngx.log(ngx.ERR, "not reached")
    }
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20_000 : 500_000;
[
    ['A:', connect => 'rcvbuf=32768'], ['A:', send => "a\n"],
    ['A:', expect => "set\n"], ['A:', 'stop_reading'], ['sync'],
    ['C:', connect => '$TEST_PORT2'],
    ['C:', send => "return ngx.clients.send('a', ('y'):rep($n))\n"],
    ['C:', expect => "2:$n,nil\n"],
    ['A:', 'start_reading'], ['A:', expect => 'y' x $n],
    ['C:', send => "return ngx.clients.send('a', 'z')\n"],
    ['C:', expect => "2:1,nil\n"], ['A:', expect => 'z'], ['C:', 'close'],
    ['sync'], [signal => 'QUIT'], ['A:', 'expect_eof'], ['wait_exit'],
]
--- no_error_log
[error]


=== clients.send: in turn to one that is parked, sleeps, prints, is parked
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.clients.set("a")
        ngx.say("set")
        ngx.wait_next_request()
        ngx.say(ngx.receive("*l"))
        ngx.sleep(0.1)
        ngx.print((ngx.print(("x"):rep(150000))))
        ngx.wait_next_request()
        ngx.say(ngx.receive("*l"))
    }
}
--- tcp_server_config2
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PORT))
    assert(sock:receive() == "set")
    ngx.say(ngx.clients.send("a", ("y"):rep(n)))
    ngx.say(#sock:receive(n))
    assert(sock:send("one\n"))
    ngx.say(sock:receive())
    -- While the other one sleeps, and while it prints.
    ngx.say(ngx.clients.send("a", ("y"):rep(n)))
    ngx.say(#sock:receive(n))
    ngx.say(#sock:receive(1000))
    ngx.sleep(0.05)
    ngx.say(ngx.clients.send("a", "end"))
    ngx.print(sock:receive(149000):gsub("x", ""))
    ngx.say(" ", (sock:receiveuntil("150000")()))
    ngx.sleep(0.05)
    ngx.say(ngx.clients.send("a", "z"))
    ngx.say(sock:receive(1))
    assert(sock:send("two\n"))
    ngx.say(sock:receive())
}
--- connect: $TEST_PORT2
--- request eval
($ENV{TEST_SLOW} ? 20_000 : 500_000) . "\n"
--- response_like
\A(\d+)nil\n\1\none\n\1nil\n\1\n1000\n3nil\n149000 end\n1nil\nz\ntwo\n\z
--- timeout: 20
--- no_error_log
[error]


=== clients.send: nothing after the target's ngx.eof, nothing to one that is lost
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive("*l")
    ngx.clients.set(how)
    if how == "eof" then ngx.eof() else ngx.say("set") end
    while not package.loaded.go do ngx.sleep(0.01) end
    package.loaded.go = nil
    ngx.log(ngx.WARN, "print: ", ngx.print("x"))
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
C: connect $TEST_PORT2
A: send "eof\n"
A: expect_eof
C: send "return ngx.clients.send('eof', 'x')\n"
C: expect "2:nil,closed\n"
C: send "package.loaded.go = true\n"
C: expect "0:\n"
wait_log "print: nilseen eof"
A: close
B: send "lost\n"
B: expect "set\n"
B: reset
sync
C: send "return ngx.clients.send('lost', 'x')\n"
C: expect_like /\A2:nil,(?:connection reset by peer|broken pipe)\n\z/
C: send "return ngx.clients.send('lost', 'x')\n"
C: expect "2:nil,closed\n"
C: send "return ngx.clients.send('lost', '')\n"
C: expect "2:nil,closed\n"
C: send "package.loaded.go = true\n"
C: expect "0:\n"
wait_log "print: nilclosed"
--- error_log
~ \[info\] .*send\(\) failed .* while running Lua, client: 127\.0\.0\.1
~ \[error\] .*attempt to send data on a closed/invalid socket while running Lua
--- skip_mode: slow: the kernel refuses the first byte, and it is queued


=== clients: in every phase; only set needs a client
--- tcp_config
init_by_lua_block {
    phases = {}
    function try(phase)
        local function err(...)
            return (select(2, pcall(...)):gsub("^.-%):%d+: ", ""))
        end
        phases[#phases + 1] = table.concat({
            phase, tostring(ngx.clients.exists("a")), ngx.clients.del("a"),
            tostring(ngx.clients.send("a", "x")),
            tostring(ngx.clients.keys_iter()()),
            err(function() ngx.clients.set("a") end)
        }, " ")
    end
    try("init")
}
init_worker_by_lua_block { try("init_worker") }
exit_worker_by_lua_block {
    try("exit_worker")
    ngx.log(ngx.NOTICE, phases[#phases])
}
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set("b")
    ngx.timer.at(0, function()
        try("timer")
        ngx.clients.send("b", table.concat(phases, "\n") .. "\n")
        phases[3] = nil
        ngx.timer.at(0, function()
            ngx.clients.send("b", ngx.clients.keys_iter()() .. " is there\n")
        end)
    end)
    ngx.receive("*l")
    ngx.thread.wait(ngx.thread.spawn(function()
        ngx.say(ngx.clients.set("b"), " in a thread")
    end))
}
--- request_parts
expect "init false no such userdata nil nil no session found\n"
expect "init_worker false no such userdata nil nil API disabled in the context of init_worker_by_lua*\n"
expect "timer false no such userdata nil b API disabled in the context of ngx.timer\n"
expect "b is there\n"
send "x\n"
expect "nil in a thread\n"
expect_eof
--- stop_log
exit_worker false no such userdata nil nil API disabled in the context of exit_worker_by_lua*
--- no_error_log
[error]


=== clients.keys_iter: the ids of the worker, in the order in which they were set
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set(ngx.receive("*l"))
    ngx.say("set")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    local function ids()
        local found = {}
        for id in ngx.clients.keys_iter() do found[#found + 1] = id end
        return table.concat(found, " ")
    end
    ngx.say(ids(), ".")
    ngx.receive("*l")
    ngx.say(ids(), ".")
    -- Each goes its own way; what goes is left out, what comes is not there.
    local one, two = ngx.clients.keys_iter(), ngx.clients.keys_iter()
    ngx.say(one(), " ", one(), " ", two())
    ngx.clients.del("b")
    ngx.clients.del("c")
    ngx.clients.set("e")
    ngx.say(two(), " ", tostring(two()), " ", tostring(two()))
    ngx.say(one(), " ", tostring(one()), " ", tostring(one()))
    ngx.say(ids(), ".")
    ngx.say(tostring(ngx.clients.keys_iter("x", 1)("y")))
}
--- request_parts
Z: connect $TEST_PORT2
Z: expect ".\n"
D: send "d\n"
D: expect "set\n"
B: send "b\n"
B: expect "set\n"
C: send "c\n"
C: expect "set\n"
A: send "a\n"
A: expect "set\n"
Z: send "\n"
Z: expect "d b c a.\n"
Z: expect "d b d\n"
Z: expect "a nil nil\n"
Z: expect "a nil nil\n"
Z: expect "d a e.\n"
Z: expect "d\n"
Z: expect_eof
--- no_error_log
[error]


=== clients.keys_iter: everybody is told, while some come and go
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set(ngx.receive("*l"))
    ngx.say("set")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.receive("*l")
    local n = 0
    for id in ngx.clients.keys_iter() do
        ngx.sleep(0.001)
        if ngx.clients.send(id, "to " .. id) then n = n + 1 end
        ngx.clients.set("new" .. n)
        ngx.clients.del("new" .. n)
        ngx.clients.del("50")
    end
    ngx.say(n)
}
--- request_parts eval
[
    (map {
        ( ["C$_:", send => "$_\n"], ["C$_:", expect => "set\n"] )
    } 1 .. 50),
    ['Z:', connect => '$TEST_PORT2'], ['Z:', send => "\n"],
    (map { ["C$_:", expect => "to $_"] } 1 .. 49),
    ['Z:', expect => "49\n"],
    (map { ( ["C$_:", send => "\n"], ["C$_:", 'expect_eof'] ) } 1 .. 50),
]
--- timeout: 10
--- no_error_log
[error]


=== clients.keys_iter: ids while others' finalizers run
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set(ngx.receive("*l"):rep(500))
    ngx.say("set")
    ngx.receive("*l")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.receive("*l")
    collectgarbage("stop")
    for i = 1, 2000 do
        getmetatable(newproxy(true)).__gc = function()
            ngx.escape_uri(("z"):rep(1000))
        end
    end
    collectgarbage("restart")
    collectgarbage("setpause", 1)
    local bad = 0
    for i = 1, 2000 do
        local a, b, c = ngx.clients.keys_iter(), ("a"):rep(500), ("b"):rep(500)
        if a() ~= b or a() ~= c or a() ~= nil then bad = bad + 1 end
    end
    collectgarbage("setpause", 200)
    ngx.say(bad)
}
--- request_parts
A: send "a\n"
A: expect "set\n"
B: send "b\n"
B: expect "set\n"
C: connect $TEST_PORT2
C: send "x\n"
C: expect "0\n"
--- no_error_log
[error]


=== clients: two servers of a worker have the same ids
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.clients.set("a"))
    ngx.print(ngx.receive("*l"))
}
--- tcp_server_config2
process_by_lua_block {
    ngx.say(ngx.clients.send("a", "from the other"))
    ngx.say(ngx.clients.set("a"))
    ngx.print(ngx.receive("*l"))
}
--- request_parts
A: connect
A: expect "nil\n"
B: connect $TEST_PORT2
B: expect "14nil\nnil\n"
A: expect "from the other"
A: send "x\n"
A: expect "x"
A: expect_eof
B: send "y\n"
B: expect "y"
B: expect_eof
--- no_error_log
[error]


=== clients: an old worker's clients are not those of the new one
--- tcp_server_config
process_by_lua_block {
    ngx.clients.set("a")
    ngx.say("set")
    while true do
        local line = ngx.receive("*l")
        if not line then return end
        ngx.say(ngx.clients.exists("a"))
    end
}
--- tcp_server_config2
process_by_lua_file $TEST_ROOT/t/lib/lua/console.lua;
--- request_parts
A: connect
A: expect "set\n"
reload
C: connect $TEST_PORT2
C: send "return ngx.clients.exists('a')\n"
C: expect "1:false\n"
A: send "\n"
A: expect "true\n"
A: close
wait_workers
--- no_error_log
[error]


=== clients: messages of many to many
--- tcp_server_config
process_by_lua_block {
    local me, peers, n = ngx.receive("*l"):match("(%d+) (%d+) (%d+)")
    ngx.clients.set(me)
    while not ngx.clients.exists(peers) do ngx.sleep(0.01) end
    -- Nobody's first message comes before everybody is there.
    ngx.sleep(0.05)
    for i = 1, n do
        for peer = 1, peers do
            assert(ngx.clients.send(tostring(peer), "."))
        end
        ngx.sleep(0.001)
    end
    ngx.wait_next_request()
    ngx.print(ngx.receive("*l"))
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 5 : 50;
[
    (map { ["C$_:", send => "$_ 20 $n\n"] } 1 .. 20),
    (map { ["C$_:", expect => '.' x (20 * $n)] } 1 .. 20),
    (map {
        ( ["C$_:", send => "bye\n"], ["C$_:", expect => "bye"],
          ["C$_:", 'expect_eof'] )
    } 1 .. 20),
]
--- timeout: 20
--- no_error_log
[error]


=== clients: 10,000 connections with ids and sockets leave nothing behind
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { worker = require "worker" }
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local ended = 0
    local function connections(first)
        for i = first, n, 8 do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", $TEST_PORT2))
            assert(sock:send(i .. "\n"))
            assert(sock:receive() == "pong")
            assert(ngx.clients.send("client " .. i, "hello\n") == 6)
            assert(sock:receive() == "hello")
            assert(sock:send(i % 3 .. "\n"))
            if i % 2 == 0 then assert(sock:receive("*a") == "") end
            sock:close()
        end
    end
    -- One value left for each of them would be seen here.
    local function counts()
        local n = 0
        for _ in pairs(debug.getregistry()) do n = n + 1 end
        return n
    end
    local function round()
        local threads = {}
        for i = 1, 8 do threads[i] = ngx.thread.spawn(connections, i) end
        for i = 1, 8 do assert(ngx.thread.wait(threads[i])) end
        while ngx.clients.keys_iter()() do ngx.sleep(0.001) end
        ngx.sleep(0.01)
        collectgarbage()
        collectgarbage()
        return worker.fds(), worker.memory(), counts()
    end
    round()
    local fds, memory, values = round()
    for _ = 1, 10 do
        local more_fds, more_memory, more_values = round()
        if more_fds ~= fds or more_memory > memory + 24
            or more_values > values + 16
        then
            ngx.say(more_fds - fds, " fds more, ", more_memory - memory,
                    " KiB more, ", more_values - values, " values more")
        end
    end
    ngx.say("done")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.clients.set("client " .. ngx.receive())
    -- One is kept in a pool, the other is the collector's.
    local pooled, dropped = ngx.socket.tcp(), ngx.socket.tcp()
    assert(pooled:connect("127.0.0.1", $TEST_PORT3))
    assert(pooled:send("ping\n"))
    ngx.say(pooled:receive())
    assert(pooled:setkeepalive(60000, 8))
    assert(dropped:connect("127.0.0.1", $TEST_PORT3))
    local how = ngx.receive()
    if how == "0" then
        ngx.exit()
    elseif how == "1" then
        dropped:close()
    end
}
--- tcp_server_config3
process_by_lua_block {
    while ngx.receive() do ngx.say("pong") end
}
--- repeat: 1
--- request eval
($ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 24 : 1000) . "\n"
--- response
done
--- timeout: 60
--- no_error_log
[error]
