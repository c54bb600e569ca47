# No free connection: nginx drops the clients that are parked the longest, and
# serves those that are busy.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== parked clients are dropped, the oldest first, busy ones are served
--- events
worker_connections 40;
--- tcp_server_config
process_by_lua_block {
    while true do
        local n = ngx.receive("*l")
        if n == "busy" then n = n .. (ngx.receive(1)) end
        ngx.print(n)
        ngx.wait_next_request()
    end
}
--- request_parts eval
[
    (map { (["Busy$_:", send => "busy\n"]) } 1 .. 5), ['sync'],
    (map { (["Parked$_:", send => "$_\n"], ["Parked$_:", expect => "$_"]) }
     1 .. 60),
    (map { (["Parked$_:", 'expect_eof']) } 1 .. 20),
    (map { (["Parked$_:", send => "again\n"], ["Parked$_:", expect => 'again']) }
     51 .. 60),
    (map { (["Busy$_:", send => 'x'], ["Busy$_:", expect => 'busyx']) } 1 .. 5),
    (map { (["Parked$_:", 'close']) } 1 .. 60),
    (map { (["Busy$_:", 'close']) } 1 .. 5),
]
--- no_error_log
[error]
prematurely closed connection while running Lua


=== a client that sends again is young again
--- events
worker_connections 40;
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive("*l"))
        ngx.wait_next_request()
    end
}
--- request_parts eval
[
    (map { (["P$_:", send => "$_\n"], ["P$_:", expect => "$_"]) } 1 .. 20),
    ['P1:', send => "young\n"], ['P1:', expect => 'young'],
    (map { (["P$_:", send => "$_\n"], ["P$_:", expect => "$_"]) } 21 .. 45),
    ['P2:', 'expect_eof'], ['P3:', 'expect_eof'],
    ['P1:', send => "still\n"], ['P1:', expect => 'still'],
    (map { (["P$_:", 'close']) } 1 .. 45),
]
--- no_error_log
[error]


=== lingering connections are dropped too
--- events
worker_connections 40;
--- tcp_server_config
process_by_lua_block { ngx.receive(1) ngx.print("bye") }
--- request_parts eval
[
    (map { (["L$_:", send => "unread"], ["L$_:", expect => 'bye'],
            ["L$_:", 'expect_eof']) } 1 .. 80),
    (map { (["L$_:", 'close']) } 1 .. 80),
]
--- no_error_log
[error]


=== all are busy: a new client is refused, and served when one has gone
--- events
worker_connections 20;
accept_mutex off;
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(1)) }
--- request_parts eval
[
    (map { ["B$_:", 'connect'] } 1 .. 30),
    [wait_log => 'worker_connections are not enough'],
    (map { ["B$_:", send => 'x'] } 1 .. 30),
    (map { (["B$_:", expect => 'x'], ["B$_:", 'expect_eof']) } 1 .. 10),
    (map { ["B$_:", 'close'] } 1 .. 30),
    ['sync'],
    ['Late:', send => 'y'], ['Late:', expect => 'y'], ['Late:', 'expect_eof'],
]
--- error_log
~ \[(alert|warn|crit)\] .*worker_connections are not enough
--- no_error_log
[error]
