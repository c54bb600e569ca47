# SIGQUIT waits for the clients that are busy, SIGTERM does not; neither leaves
# an open socket.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== quit: a parked client is let go at once
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
signal QUIT
expect_eof
wait_exit
--- no_error_log
[error]
prematurely


=== quit: a client in mid-request is served, and closed when it parks
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
signal QUIT
wait_log "gracefully shutting down"
send "e\ntwo\n"
expect "one;"
expect_eof
close
wait_exit
--- no_error_log
[error]


=== quit: a client that sleeps
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.5)
    ngx.print("slept")
}
--- request_parts
send "a"
expect "a"
signal QUIT
expect "slept"
expect_eof
wait_exit
--- no_error_log
[error]


=== quit: a client that reads slowly
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(ngx.print(("x"):rep(200000)))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=4096'], ['stop_reading'], [send => 'a'], ['sync'],
    [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['start_reading'],
    [expect => 'x' x 200000 . '200000nil'], ['expect_eof'], ['close'],
    ['wait_exit'],
]
--- no_error_log
[error]


=== quit: output queued after the script's end
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("y"):rep(15000))
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=4096'], ['stop_reading'], [send => 'a'], ['sync'],
    [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['start_reading'],
    [expect => 'x' x 24000 . 'y' x 15000], ['expect_eof'], ['close'],
    ['wait_exit'],
]
--- no_error_log
[error]


=== quit: parked with output still queued
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
    [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['start_reading'],
    [expect => 'x' x 24000 . 'y' x 15000], ['expect_eof'], ['close'],
    ['wait_exit'],
]
--- no_error_log
[error]
[alert]


=== quit: a script that never waits for anything but its turn
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    while not ngx.worker.exiting() do ngx.print("x") end
    for i = 1, 1000 do ngx.print("x") end
    ngx.print("end")
}
--- request_parts
send "a"
expect "a"
expect "x"
signal QUIT
expect_like /\Ax+end/
expect_eof
close
wait_exit
--- no_error_log
[error]
[alert]


=== quit: a script in coroutine.yield() of its entry coroutine
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    while not ngx.worker.exiting() do coroutine.yield() end
    for i = 1, 1000 do coroutine.yield() end
    ngx.print("end")
}
--- request_parts
send "a"
expect "a"
signal QUIT
expect "end"
expect_eof
wait_exit
--- no_error_log
[alert]


=== quit: a client that times out afterwards
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.print(select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "a"
signal QUIT
expect "timeout"
expect_eof
wait_exit


=== quit: worker_shutdown_timeout ends who stays
--- main_config
worker_shutdown_timeout 500ms;
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    local data, err = ngx.receive(1)
    ngx.log(ngx.WARN, "then ", data, ",", err)
}
--- request_parts
send "a"
expect "a"
signal QUIT
expect_close
wait_exit
--- no_error_log
[alert]


=== quit: worker_shutdown_timeout ends one that sleeps
--- main_config
worker_shutdown_timeout 500ms;
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(60)
}
--- request_parts
send "a"
expect "a"
signal QUIT
expect_close
wait_exit
--- no_error_log
[alert]


=== term: clients in each state are cut off
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local what = ngx.receive("*l")
        ngx.say("begun")
        if what == "receive" then
            ngx.receive(1)
        elseif what == "sleep" then
            ngx.sleep(60)
        elseif what == "park" then
            ngx.wait_next_request()
        elseif what == "print" then
            ngx.print(("x"):rep(4000000))
        elseif what == "coroutine" then
            coroutine.wrap(function() ngx.sleep(60) end)()
        elseif what == "end" then
            return
        end
        ngx.log(ngx.ERR, "not reached")
    }
}
--- request_parts
Idle: connect
Receive: send "receive\n"
Receive: expect "begun\n"
Sleep: send "sleep\n"
Sleep: expect "begun\n"
Park: send "park\n"
Park: expect "begun\n"
Print: connect rcvbuf=32768
Print: send "print\n"
Print: expect "begun\n"
Print: stop_reading
Coroutine: send "coroutine\n"
Coroutine: expect "begun\n"
Linger: send "end\nunread"
Linger: expect "begun\n"
Linger: expect_eof
sync
signal TERM
wait_exit
Idle: expect_close
Receive: expect_close
Sleep: expect_close
Park: expect_close
Coroutine: expect_close
Print: close
--- no_error_log
[error]
[alert]
not reached


=== quit: clients in each state at once
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local what = ngx.receive("*l")
        ngx.say("begun")
        if what == "receive" then
            ngx.receive(1)
        elseif what == "sleep" then
            ngx.sleep(0.5)
        elseif what == "park" then
            ngx.wait_next_request()
        elseif what == "print" then
            ngx.print(("x"):rep(200000))
        elseif what == "coroutine" then
            coroutine.wrap(function() ngx.sleep(0.5) end)()
        elseif what == "end" then
            return
        end
        ngx.say("end")
    }
}
--- request_parts eval
[
    ['Idle:', 'connect'],
    (map { (["\u$_:", send => "$_\n"], ["\u$_:", expect => "begun\n"]) }
     qw(receive sleep park coroutine)),
    ['Print:', connect => 'rcvbuf=32768'], ['Print:', send => "print\n"],
    ['Print:', expect => "begun\n"], ['Print:', 'stop_reading'],
    ['Linger:', send => "end\nunread"], ['Linger:', expect => "begun\n"],
    ['Linger:', 'expect_eof'],
    ['sync'], [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['Park:', 'expect_eof'],
    ['Receive:', send => "a"], ['Receive:', expect => "end\n"],
    ['Receive:', 'expect_eof'],
    ['Sleep:', expect => "end\n"], ['Sleep:', 'expect_eof'],
    ['Coroutine:', expect => "end\n"], ['Coroutine:', 'expect_eof'],
    ['Print:', 'start_reading'], ['Print:', expect => 'x' x 200000 . "end\n"],
    ['Print:', 'expect_eof'], ['Print:', 'close'],
    ['Idle:', send => "receive\n"], ['Idle:', expect => "begun\n"],
    ['Idle:', send => 'a'], ['Idle:', expect => "end\n"],
    ['Idle:', 'expect_eof'],
    ['wait_exit'],
]
--- no_error_log
[error]
[alert]


=== term: without a master
--- master_process: off
--- stop: TERM
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(60)
}
--- request_parts
send "a"
expect "a"
close
--- no_error_log
[error]


=== quit: without a master nginx waits for nobody
--- master_process: off
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(60)
}
--- request_parts
send "a"
expect "a"
sync
signal QUIT
expect_close
wait_exit
--- no_error_log
[error]
[alert]


=== quit: a script that waits for what nobody could send it any more
--- tcp_server_config
process_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.channel.new(1):receive() end)
    ngx.say("ready")
    ngx.flush(true)
    ngx.thread.wait(t)
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
A: expect "ready\n"
B: expect "ready\n"
signal QUIT
A: expect_eof
B: expect_close
wait_exit
--- no_error_log
[error]


=== quit: what was printed reaches the client of such a script
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print(("x"):rep(200000))
        ngx.channel.new(1):receive()
    }
}
--- request_parts eval
[
    [connect => 'rcvbuf=4096'], ['stop_reading'], ['sync'],
    [signal => 'QUIT'], [wait_log => 'gracefully shutting down'],
    ['start_reading'],
    [expect => 'x' x 200000], ['expect_eof'], ['close'], ['wait_exit'],
]
--- no_error_log
[error]


=== quit: then terminate, with clients that are being served
--- tcp_server_config
process_by_lua_block {
    ngx.say("ready")
    ngx.thread.spawn(function()
        ngx.sleep(3600)
        ngx.log(ngx.ERR, "went on")
    end)
    ngx.receive(1)
    ngx.log(ngx.ERR, "went on")
}
--- request_parts
A: expect "ready\n"
B: expect "ready\n"
signal QUIT
wait_log "gracefully shutting down"
signal TERM
A: expect_close
B: expect_close
wait_exit
--- no_error_log
[error]
