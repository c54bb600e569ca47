# ngx.exit([status]).

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== exit: ends the session, and what was printed is sent
--- tcp_server_config
process_by_lua_block {
    ngx.print(("x"):rep(100000))
    ngx.print("end")
    ngx.exit()
    ngx.print("not seen")
}
--- response eval
'x' x 100000 . 'end'
--- no_error_log
[error]


=== exit: from deep inside of functions and pcall
--- tcp_server_config
process_by_lua_block {
    local function leave() ngx.exit() end
    local function run() pcall(leave); ngx.say("pcall returned") end
    ngx.say("before")
    xpcall(run, function() ngx.say("handler") end)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== exit: from a user coroutine
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    coroutine.wrap(function()
        coroutine.resume(coroutine.create(function() ngx.exit() end))
        ngx.say("inner")
    end)()
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== exit: takes a status, and nil
--- tcp_server_config
process_by_lua_block {
    local status = ({ ngx.OK, "200", 1.5, -4 })[tonumber(ngx.receive(1))]
    ngx.print("status ", status)
    ngx.exit(status)
}
--- request_parts
A: send "1"
A: expect "status 0"
A: expect_eof
B: send "2"
B: expect "status 200"
B: expect_eof
C: send "3"
C: expect "status 1.5"
C: expect_eof
D: send "4"
D: expect "status -4"
D: expect_eof
E: send "9"
E: expect "status nil"
E: expect_eof
--- no_error_log
[error]


=== exit: ngx.ERROR is logged
--- tcp_server_config
process_by_lua_block {
    ngx.print("x")
    ngx.exit(ngx.ERROR)
}
--- response: x
--- error_log
~ \[error\] .*lua script exited with ngx\.ERROR while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+$


=== exit: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.exit("x") end))
    ngx.say(err(function() ngx.exit({}) end))
    ngx.say(err(function() ngx.exit(true) end))
    ngx.say(err(function() ngx.exit(0, 1) end))
}
--- response
3: bad argument #1 to 'exit' (number expected, got string)
4: bad argument #1 to 'exit' (number expected, got table)
5: bad argument #1 to 'exit' (number expected, got boolean)
6: expecting 0 or 1 arguments, but got 2
--- no_error_log
[error]


=== exit: not in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function()
        table.sort({ 2, 1 }, function() ngx.exit() end)
    end))
    ngx.say("goes on")
}
--- response
4: attempt to yield across C-call boundary
goes on
--- no_error_log
[error]


=== exit: after the client's FIN
--- tcp_server_config
process_by_lua_block {
    ngx.print(select(2, ngx.receive(1)))
    ngx.exit()
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
half_close
expect "closed"
expect_eof
--- no_error_log
[error]


=== exit: output goes to a slow reader after it
--- tcp_server_config
process_by_lua_block {
    local size = tonumber(ngx.receive("*l"))
    table.sort({ 2, 1 }, function(a, b)
        if size then ngx.print(("x"):rep(size)) end
        size = nil
        return a < b
    end)
    ngx.log(ngx.WARN, "leaving")
    ngx.exit()
}
--- request_parts eval
my $size = $ENV{TEST_SLOW} ? 20000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'],
    ['stop_reading'],
    [send => "$size\n"],
    [wait_log => 'leaving'],
    ['start_reading'],
    [expect => 'x' x $size],
    ['expect_eof'],
]
--- no_error_log
[error]


=== exit: although the client goes on sending
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print(("x"):rep(50000))
    ngx.exit()
}
--- request eval
'unread' x 5000
--- response eval
'x' x 50000
--- no_error_log
[error]


=== exit: the connection's table of globals is given up, the worker lives
--- tcp_server_config
process_by_lua_block {
    count = (count or 0) + 1
    ngx.print(count)
    ngx.exit()
}
--- request_parts
A: expect "1"
A: expect_eof
B: expect "1"
B: expect_eof
--- no_error_log
[error]


=== exit: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.exit() end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
--- no_error_log
[error]


=== exit: when a worker starts it ends just that
--- tcp_config
init_worker_by_lua_block {
    in_worker = "begun"
    pcall(function() ngx.exit() end)
    in_worker = "gone on"
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
begun
--- no_error_log
[error]
