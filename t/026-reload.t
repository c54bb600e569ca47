# SIGHUP: old workers serve the clients that are busy, parked ones are let go.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== a parked client is let go, without a log line
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
send "a"
expect "a"
sync
reload
expect_eof
wait_workers
--- no_error_log
[error]
prematurely
timed out


=== a client that has not sent yet is served by the old worker
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.print("old ", ngx.receive(1))
ngx.wait_next_request()
ngx.log(ngx.ERR, "not reached")
--- repeat: 1
--- request_parts
connect
sync
write_file app.lua "ngx.print('new ', ngx.receive(1))"
reload
A: send "a"
A: expect "new a"
A: expect_eof
send "b"
expect "old b"
expect_eof
wait_workers
--- no_error_log
[error]


=== busy clients in each kind of wait are served to their end
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local what = ngx.receive("*l")
        if what == "receive" then
            ngx.print("got ", ngx.receive(1))
        elseif what == "sleep" then
            ngx.sleep(1)
            ngx.print("slept")
        elseif what == "print" then
            ngx.print(ngx.print(("x"):rep(200000)))
        elseif what == "coroutine" then
            local co = coroutine.wrap(function()
                ngx.sleep(0.5)
                return (ngx.receive(1))
            end)
            ngx.print("co ", co())
        end
    }
}
--- request_parts eval
[
    ['Receive:', send => "receive\n"],
    ['Sleep:', send => "sleep\n"],
    ['Print:', connect => 'rcvbuf=32768'], ['Print:', 'stop_reading'],
    ['Print:', send => "print\n"],
    ['Coroutine:', send => "coroutine\n"],
    ['sync'], ['reload'],
    ['Receive:', send => 'a'], ['Receive:', expect => 'got a'],
    ['Receive:', 'expect_eof'],
    ['Coroutine:', send => 'c'], ['Coroutine:', expect => 'co c'],
    ['Coroutine:', 'expect_eof'],
    ['Print:', 'start_reading'], ['Print:', expect => 'x' x 200000 . '200000nil'],
    ['Print:', 'expect_eof'], ['Print:', 'close'],
    ['Sleep:', expect => 'slept'], ['Sleep:', 'expect_eof'],
    ['wait_workers'],
]
--- no_error_log
[error]
[alert]


=== a busy client of the old worker is let go when it parks
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive("*l"), ";")
        ngx.wait_next_request()
    end
}
--- request_parts
send "on"
sync
reload
send "e\n"
expect "one;"
expect_eof
wait_workers
--- no_error_log
[error]


=== ngx.worker.exiting() in the old worker
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print(ngx.worker.exiting(), ",")
    ngx.receive(1)
    ngx.print(ngx.worker.exiting())
}
--- request_parts
send "a"
expect "false,"
reload
send "b"
expect "true"
expect_eof
wait_workers
--- no_error_log
[error]


=== a client that parks with queued output before the reload
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("y"):rep(15000))
        ngx.wait_next_request()
        ngx.log(ngx.ERR, "not reached")
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=4096'], ['stop_reading'], [send => 'a'], ['sync'],
    ['reload'], ['start_reading'],
    [expect => 'x' x 24000 . 'y' x 15000], ['expect_eof'], ['close'],
    ['wait_workers'],
]
--- no_error_log
[error]
[alert]


=== a configuration that is refused changes nothing
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
while true do
    ngx.print("old ", ngx.receive("*l"), ";")
    ngx.wait_next_request()
end
--- repeat: 1
--- request_parts
send "a\n"
expect "old a;"
sync
write_file app.lua "syntax error here"
signal HUP
wait_log "[emerg]"
send "b\n"
expect "old b;"
A: send "c\n"
A: expect "old c;"
close
A: close
--- error_log
~ \[emerg\] .*app\.lua:1:
--- no_reload: its configuration gets broken


=== three reloads in a row with a client that stays busy
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.print(ngx.receive(1))
    ngx.print(ngx.receive(1))
}
--- request_parts
send "a"
expect "a"
reload
send "b"
expect "b"
reload
reload
send "c"
expect "c"
expect_eof
wait_workers
--- no_error_log
[error]
[alert]
