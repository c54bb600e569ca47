# The end of a session whose client sends more than the script reads: all that
# was printed arrives, and no RST destroys it.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== unread input that was there: all output arrives, then FIN
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    ngx.print(("x"):rep(n))
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 1_000_000;
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => "$n\n" . 'unread' x 1000], ['sync'], [pause => 0.1],
    ['start_reading'], [expect => 'x' x $n], ['expect_eof'],
]
--- no_error_log
[error]


=== input that comes while the output goes out
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    ngx.print(("x"):rep(n))
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 10_000 : 8_000_000;
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => "$n\n"], ['sync'], [pause => 0.1],
    [send => 'unread'], ['sync'],
    ['start_reading'], [expect => 'x' x $n], ['expect_eof'],
]
--- no_error_log
[error]


=== input that comes while the script sleeps
--- tcp_server_config
process_by_lua_block {
    package.loaded.awake = false
    ngx.print(ngx.receive(1))
    repeat ngx.sleep(0.01) until package.loaded.awake
    ngx.print(("x"):rep(100000))
}
--- tcp_server_config2
process_by_lua_block { package.loaded.awake = true }
--- request_parts eval
[
    [connect => 'rcvbuf=65536'],
    [send => 'a'], [expect => 'a'], ['stop_reading'],
    [send => 'unread'],
    ['Wake:', connect => '$TEST_PORT2'], ['Wake:', 'expect_eof'],
    [pause => 0.1],
    ['start_reading'], [expect => 'x' x 100000], ['expect_eof'],
]
--- no_error_log
[error]


=== input that comes right after the script's end
--- tcp_server_config
process_by_lua_block {
    ngx.receive(3)
    ngx.print(("x"):rep(100000))
}
--- request_parts eval
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => 'abcd'], ['sync'], [send => 'more' x 100], ['sync'],
    [send => 'more' x 100], ['sync'], [pause => 0.05],
    ['start_reading'], [expect => 'x' x 100000], ['expect_eof'],
]
--- no_error_log
[error]


=== ngx.exit() with unread input
--- tcp_server_config
process_by_lua_block {
    -- Or the script may be over before the first byte has come.
    ngx.receive(1)
    ngx.print(("x"):rep(100000))
    ngx.exit()
}
--- request_parts eval
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => 'unread' x 1000], ['sync'],
    ['start_reading'], [expect => 'x' x 100000], ['expect_eof'],
]
--- no_error_log
[error]


=== an error with unread input
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print(("x"):rep(100000))
    error("boom")
}
--- request_parts eval
[
    [connect => 'rcvbuf=65536'], ['stop_reading'],
    [send => 'unread' x 1000], ['sync'],
    ['start_reading'], [expect => 'x' x 100000], ['expect_eof'],
]
--- error_log
boom


=== a lingering client that closes lets go at once
--- tcp_server_config
process_by_lua_block { ngx.receive(1) ngx.print("bye") }
--- tcp_server_config2
process_by_lua_block {
    local n = 0
    for fd = 0, 1023 do
        local f = io.open("/proc/self/fdinfo/" .. fd)
        if f then n = n + 1 f:close() end
    end
    ngx.say(n)
}
--- request_parts
A: connect 127.0.0.1:$TEST_PORT2
A: expect_like /\A\d+\n/
A: expect_eof
send "unread"
expect "bye"
expect_eof
half_close
sync
B: connect 127.0.0.1:$TEST_PORT2
B: expect_like /\A\d+\n/
--- no_error_log
[error]


=== a lingering client that goes on sending gets its end, and RST at last
--- tcp_server_config
process_by_lua_block { ngx.receive(1) ngx.print("bye") }
--- request_parts
send "unread"
expect "bye"
expect_eof
send "more"
send "more"
close
--- no_error_log
[error]


=== without output there is nothing to wait for
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.WARN, "done: ", (ngx.receive(1))) }
--- request_parts
send "abc"
wait_log "done: a"
expect_close
--- no_error_log
[error]


=== quit ends a lingering client's connection
--- tcp_server_config
process_by_lua_block { ngx.receive(1) ngx.print("bye") }
--- request_parts
send "unread"
expect "bye"
expect_eof
sync
signal QUIT
wait_exit
--- no_error_log
[error]
