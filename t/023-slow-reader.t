# A client that reads slowly or not at all: print waits for it, send_timeout
# bounds that, and nothing that was printed is lost before.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== print: 8 MB in one call to a slow reader, all delivered in order
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local parts = {}
    for i = 1, n / 10 do parts[i] = ("%09d\n"):format(i) end
    ngx.print(ngx.print(table.concat(parts)))
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20_000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.2], ['start_reading'],
    [expect => CORE::join '', map { sprintf "%09d\n", $_ } 1 .. $n / 10],
    [expect => $n . 'nil'], ['expect_eof'],
]
--- no_error_log
[error]


=== print: many small ones to a slow reader, all delivered in order
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        local total = 0
        for i = 1, n / 10 do
            total = total + assert(ngx.print(("%09d\n"):format(i)))
        end
        ngx.print(total)
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20_000 : 2_000_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.2], ['start_reading'],
    [expect => CORE::join '', map { sprintf "%09d\n", $_ } 1 .. $n / 10],
    [expect => $n], ['expect_eof'],
]
--- no_error_log
[error]


=== print: two coroutine-wrapped prints and a table
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        local co = coroutine.wrap(function()
            ngx.print({("a"):rep(n), {("b"):rep(n)}})
            coroutine.yield()
            ngx.say(("c"):rep(n))
        end)
        co()
        ngx.print("|")
        co()
        ngx.print("end")
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 5_000 : 300_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], ['start_reading'],
    [expect => 'a' x $n . 'b' x $n . '|' . 'c' x $n . "\nend"], ['expect_eof'],
]
--- no_error_log
[error]


=== send_timeout: a reader that stalls gives nil, "timeout" and what was sent
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        local size = 1000000
        ngx.receive(1)
        local ok, err, sent = ngx.print(("x"):rep(size))
        ngx.log(ngx.WARN, "print: ", ok, ",", err, ",",
                sent > 0 and sent < size)
        local ok, err = ngx.print("more")
        ngx.log(ngx.WARN, "again: ", ok, ",", err)
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
wait_log "again: nil,closed"
close
--- error_log
print: nil,timeout,true
~ \[error\] .*lua tcp socket write timed out while running Lua, client: 127\.0\.0\.1
attempt to send data on a closed/invalid socket
--- skip_mode: slow: takes a byte at a time for ever


=== send_timeout: begins anew whenever the client takes something
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 3s;
    process_by_lua_block {
        ngx.receive(1)
        local n, err = ngx.print(("x"):rep(600000))
        ngx.print(n, ",", err)
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
pause 1
start_reading
expect_bytes 100000
stop_reading
pause 1
start_reading
expect_bytes 100000
stop_reading
pause 1
start_reading
expect_bytes 100000
stop_reading
pause 1
start_reading
expect_bytes 300000
expect "600000,nil"
expect_eof
--- no_error_log
[error]
--- skip_mode: slow valgrind: measures time


=== output that is queued when the script ends is delivered
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        ngx.print(("x"):rep(n))
        for i = 1, 10 do ngx.print(("y"):rep(1000)) end
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 200_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.1], ['start_reading'],
    [expect => 'x' x $n . 'y' x 10000], ['expect_eof'],
]
--- no_error_log
[error]


=== output that is queued when the script raises is delivered
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        ngx.print(("x"):rep(n))
        for i = 1, 10 do ngx.print(("y"):rep(1000)) end
        error("boom")
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 200_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.1], ['start_reading'],
    [expect => 'x' x $n . 'y' x 10000], ['expect_eof'],
]
--- error_log
boom


=== output that is queued when ngx.exit() is called is delivered
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        ngx.print(("x"):rep(n))
        for i = 1, 10 do ngx.print(("y"):rep(1000)) end
        ngx.exit()
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 200_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.1], ['start_reading'],
    [expect => 'x' x $n . 'y' x 10000], ['expect_eof'],
]
--- no_error_log
[error]


=== output that is queued while the script sleeps and receives goes out
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        ngx.print(("x"):rep(n))
        for i = 1, 10 do ngx.print(("y"):rep(1000)) end
        ngx.sleep(0.1)
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
        ngx.print(ngx.receive(1))
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 200_000;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.2], ['start_reading'],
    [expect => 'x' x $n . 'y' x 10000],
    [send => 'a'], [expect => 'a'], ['sync'],
    [send => 'b'], [expect => 'b'], ['expect_eof'],
]
--- no_error_log
[error]


=== output that is queued when the script ends, to a reader that stalls
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        ngx.receive(1)
        for i = 1, 100 do
            local ok, err = ngx.print(("x"):rep(500))
            if not ok then return end
        end
    }
}
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
wait_log "lua tcp socket write timed out"
close
A: connect
A: close
--- no_error_log
[alert]
--- skip_mode: slow: takes a byte at a time for ever


=== output that is queued while parked, to a reader that stalls
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    send_timeout 300ms;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("y"):rep(15000))
        ngx.wait_next_request()
        ngx.log(ngx.WARN, "next request")
    }
}
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
wait_log "lua tcp socket write timed out"
start_reading
expect_like /\Ax+/
read_all
--- no_error_log
[alert]
next request
--- skip_mode: slow: takes a byte at a time for ever


=== a pipelining client that does not read, until it does
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        while true do
            local n = ngx.receive(1)
            ngx.print(n:rep(1000))
            ngx.wait_next_request()
        end
    }
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20 : 500;
[
    [connect => 'rcvbuf=32768'], ['stop_reading'],
    [send => CORE::join '', map { $_ % 10 } 1 .. $n], ['sync'], [pause => 0.1],
    ['start_reading'],
    [expect => CORE::join '', map { ($_ % 10) x 1000 } 1 .. $n],
    ['half_close'], ['expect_eof'],
]
--- no_error_log
[error]


=== print before parking is flushed
--- tcp_server_config
process_by_lua_block {
    ngx.print("hello")
    ngx.wait_next_request()
    ngx.receive(1)
    ngx.print("a")
    ngx.print("b")
    ngx.wait_next_request()
}
--- request_parts
expect "hello"
expect_nothing 0.05
send "x"
expect "ab"
expect_nothing 0.05
half_close
expect_eof
--- no_error_log
[error]


=== print before sleep, receive and a yield is flushed
--- tcp_server_config
process_by_lua_block {
    ngx.print("a")
    ngx.sleep(0.3)
    ngx.print("b")
    ngx.receive(1)
    ngx.print("c")
    ngx.sleep(0.3)
}
--- request_parts
expect "a"
expect "b"
send "x"
expect "c"
expect_eof
--- no_error_log
[error]
