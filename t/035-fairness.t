# A client that floods does not keep the others waiting.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== pipelined requests: others are served in between
--- tcp_server_config
process_by_lua_block {
    package.loaded.order = package.loaded.order or {}
    local order = package.loaded.order
    local name = ngx.receive(1)
    ngx.print(name)
    order.ready = (order.ready or 0) + 1
    repeat ngx.sleep(0.001) until order.ready == 2
    for i = 1, 60000 do
        ngx.receive(1)
        order[#order + 1] = name
        ngx.print(".")
        ngx.wait_next_request()
    end
}
--- tcp_server_config2
process_by_lua_block {
    local runs, last = 0, nil
    for _, name in ipairs(package.loaded.order) do
        if name ~= last then runs, last = runs + 1, name end
    end
    package.loaded.order = nil
    ngx.print(runs > 20 and "mixed" or runs .. " runs")
}
--- request_parts eval
[
    ['A:', connect => '$TEST_PORT'], ['B:', connect => '$TEST_PORT'],
    ['A:', send => 'A' . 'a' x 60000], ['B:', send => 'B' . 'b' x 60000],
    ['A:', expect => 'A' . '.' x 60000], ['B:', expect => 'B' . '.' x 60000],
    ['A:', 'half_close'], ['A:', 'expect_eof'],
    ['B:', 'half_close'], ['B:', 'expect_eof'],
    ['Watch:', connect => '$TEST_PORT2'], ['Watch:', expect => 'mixed'],
    ['Watch:', 'expect_eof'],
]
--- no_error_log
[error]


=== pipelined lines without wait_next_request: others are served in between
--- tcp_server_config
process_by_lua_block {
    package.loaded.order = package.loaded.order or {}
    local order = package.loaded.order
    local name = ngx.receive("*l")
    ngx.print(name)
    order.ready = (order.ready or 0) + 1
    repeat ngx.sleep(0.001) until order.ready == 2
    for i = 1, 60000 do
        ngx.receive("*l")
        order[#order + 1] = name
    end
    ngx.print("done")
}
--- tcp_server_config2
process_by_lua_block {
    local runs, last = 0, nil
    for _, name in ipairs(package.loaded.order) do
        if name ~= last then runs, last = runs + 1, name end
    end
    package.loaded.order = nil
    ngx.print(runs > 20 and "mixed" or runs .. " runs")
}
--- request_parts eval
[
    ['A:', connect => '$TEST_PORT'], ['B:', connect => '$TEST_PORT'],
    ['A:', send => "A\n" . "a\n" x 60000], ['B:', send => "B\n" . "b\n" x 60000],
    ['A:', expect => 'Adone'], ['B:', expect => 'Bdone'],
    ['A:', 'expect_eof'], ['B:', 'expect_eof'],
    ['Watch:', connect => '$TEST_PORT2'], ['Watch:', expect => 'mixed'],
    ['Watch:', 'expect_eof'],
]
--- no_error_log
[error]


=== a script that only prints: others are served in between
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    package.loaded.stop = false
    while not package.loaded.stop do ngx.print("x") end
    ngx.print("stopped")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.print(ngx.receive(1))
    package.loaded.stop = true
}
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: send "a"
A: expect "ax"
B: connect 127.0.0.1:$TEST_PORT2
B: send "b"
B: expect "b"
B: expect_eof
A: expect_like /\Ax*stopped/
A: expect_eof
--- no_error_log
[error]


=== a script that only yields from its entry coroutine: others are served
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    package.loaded.stop = false
    while not package.loaded.stop do coroutine.yield() end
    ngx.print("stopped")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.print(ngx.receive(1))
    package.loaded.stop = true
}
--- request_parts
A: connect 127.0.0.1:$TEST_PORT
A: send "a"
A: expect "a"
B: connect 127.0.0.1:$TEST_PORT2
B: send "b"
B: expect "b"
B: expect_eof
A: expect "stopped"
A: expect_eof
--- no_error_log
[error]


=== large receives: a turn takes a few megabytes and no more
--- tcp_config
init_by_lua_block { package.loaded.turn = {n = 0} }
--- tcp_server_config
process_by_lua_block {
    local turn = package.loaded.turn
    ngx.print(ngx.receive(1))
    local most, now, taken = 0, -1, 0
    for i = 1, 60 do
        local data = ngx.receive(1000000)
        if turn.n ~= now then now, taken = turn.n, 0 end
        taken = taken + 1
        most = math.max(most, taken)
    end
    ngx.print(most <= 10 and "fair" or most)
}
--- tcp_server_config2
process_by_lua_block {
    local turn = package.loaded.turn
    turn.stop = false
    ngx.print(ngx.receive(1))
    while not turn.stop do
        turn.n = turn.n + 1
        coroutine.yield()
    end
}
--- tcp_server_config3
process_by_lua_block { package.loaded.turn.stop = true ngx.print("ok") }
--- request_parts eval
[
    ['Turn:', connect => '$TEST_PORT2'], ['Turn:', send => 't'],
    ['Turn:', expect => 't'],
    [send => 'a'], [expect => 'a'], [send => 'x' x 60_000_000],
    [expect => 'fair'], ['expect_eof'],
    ['Stop:', connect => '$TEST_PORT3'], ['Stop:', expect => 'ok'],
    ['Turn:', 'expect_eof'],
]
--- no_error_log
[error]
--- skip_mode: slow valgrind: large


=== large lines that are too long: a turn takes a few megabytes and no more
--- tcp_config
init_by_lua_block { package.loaded.turn = {n = 0} }
--- tcp_server_config
receive_max_size 1000000;
process_by_lua_block {
    local turn = package.loaded.turn
    ngx.print(ngx.receive(1))
    local most, now, taken = 0, -1, 0
    for i = 1, 60 do
        local data, err = ngx.receive("*l")
        assert(err == "too long", err)
        if turn.n ~= now then now, taken = turn.n, 0 end
        taken = taken + 1
        most = math.max(most, taken)
    end
    ngx.print(most <= 10 and "fair" or most)
}
--- tcp_server_config2
process_by_lua_block {
    local turn = package.loaded.turn
    turn.stop = false
    ngx.print(ngx.receive(1))
    while not turn.stop do
        turn.n = turn.n + 1
        coroutine.yield()
    end
}
--- tcp_server_config3
process_by_lua_block { package.loaded.turn.stop = true ngx.print("ok") }
--- request_parts eval
[
    ['Turn:', connect => '$TEST_PORT2'], ['Turn:', send => 't'],
    ['Turn:', expect => 't'],
    [send => 'a'], [expect => 'a'], [send => 'x' x 60_000_001],
    [expect => 'fair'], ['expect_eof'],
    ['Stop:', connect => '$TEST_PORT3'], ['Stop:', expect => 'ok'],
    ['Turn:', 'expect_eof'],
]
--- no_error_log
[error]
--- skip_mode: slow valgrind: large


=== one receive of everything: others have their turns meanwhile
--- tcp_config
init_by_lua_block { package.loaded.turn = {n = 0} }
--- tcp_server_config
process_by_lua_block {
    local turn = package.loaded.turn
    ngx.print(ngx.receive(1))
    local before = turn.n
    local data = ngx.receive(60000000)
    ngx.print(#data, " ", turn.n - before > 20 and "fair" or turn.n - before)
}
--- tcp_server_config2
process_by_lua_block {
    local turn = package.loaded.turn
    turn.stop = false
    ngx.print(ngx.receive(1))
    while not turn.stop do
        turn.n = turn.n + 1
        coroutine.yield()
    end
}
--- tcp_server_config3
process_by_lua_block { package.loaded.turn.stop = true ngx.print("ok") }
--- request_parts eval
[
    ['Turn:', connect => '$TEST_PORT2'], ['Turn:', send => 't'],
    ['Turn:', expect => 't'],
    [send => 'a'], [expect => 'a'], [send => 'x' x 60_000_000],
    [expect => '60000000 fair'], ['expect_eof'],
    ['Stop:', connect => '$TEST_PORT3'], ['Stop:', expect => 'ok'],
    ['Turn:', 'expect_eof'],
]
--- no_error_log
[error]
--- skip_mode: slow valgrind: large


=== a lingering client that sends much is served to its end
--- tcp_server_config
process_by_lua_block { ngx.print("bye ", ngx.receive(1)) }
--- request_parts eval
[
    [send => 'unread'], [expect => 'bye u'], ['expect_eof'],
    [send => 'x' x 20_000_000], ['close'], ['sync'],
    ['A:', send => 'a'], ['A:', expect => 'bye a'], ['A:', 'expect_eof'],
]
--- no_error_log
[error]
--- skip_mode: slow valgrind: large
