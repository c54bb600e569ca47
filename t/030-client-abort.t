# lua_check_client_abort: whether a client that goes ends a script that waits
# for something else than its bytes. Unread bytes in front of the client's end
# hide it; a half-close counts as going.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== on: the client closes while the script sleeps
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(1.5)
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
send "a"
expect "a"
close
wait_log "client prematurely closed connection"
pause 1.7
--- error_log
~ \[info\] .*client prematurely closed connection while running Lua, client: 127\.0\.0\.1
--- no_error_log
still running
[error]


=== on: the client half-closes while the script sleeps
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(3)
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
send "a"
expect "a"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
still running
[error]


=== on: the client resets while the script sleeps
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(1.5)
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
send "a"
expect "a"
reset
wait_log "client prematurely closed connection (104: Connection reset by peer)"
pause 1.7
--- no_error_log
still running
[error]


=== on: the client has half-closed before the script sleeps
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(3)
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
send "a"
half_close
expect "a"
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
still running


=== on: a client that has gone before its script starts to sleep
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.sleep(1.5)
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
connect
close
wait_log "client prematurely closed connection"
pause 1.7
--- no_error_log
still running
[error]


=== on: an unread byte before the FIN hides it
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.3)
    ngx.print(ngx.receive(1))
    ngx.print(" ", select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "a"
send "b"
half_close
expect "b closed"
expect_eof
--- no_error_log
prematurely
[error]


=== on: unread bytes in our buffer hide it
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.3)
    ngx.print(ngx.receive(1))
    ngx.print(" ", select(2, ngx.receive(1)))
}
--- request_parts
send "ab"
half_close
expect "ab closed"
expect_eof
--- no_error_log
prematurely
[error]


=== on: bytes alone do not end the script
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.3)
    ngx.print(ngx.receive(3))
}
--- request_parts
send "a"
expect "a"
send "b"
pause 0.05
send "c"
pause 0.05
send "d"
expect "bcd"
expect_eof
--- no_error_log
prematurely
[error]


=== on: a client that stays is not taken for gone
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    for i = 1, 5 do
        ngx.print(ngx.receive(1))
        ngx.sleep(0.02)
    end
    ngx.print("end")
}
--- request_parts
drip "abcde"
expect "abcdeend"
expect_eof
--- no_error_log
prematurely
[error]


=== on: in receive the script gets closed instead
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local data, err, partial = ngx.receive(5)
    ngx.print(err, " ", partial)
}
--- request_parts
send "ab"
sync
half_close
expect "closed ab"
expect_eof
--- no_error_log
prematurely
[error]


=== on: after closed was told the script goes on
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(select(2, ngx.receive(5)))
    ngx.sleep(0.2)
    ngx.print(" still here")
}
--- request_parts
half_close
expect "closed still here"
expect_eof
--- no_error_log
prematurely
[error]


=== on: in a user coroutine's sleep
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    pcall(coroutine.wrap(function() ngx.sleep(1.5) end))
    ngx.log(ngx.WARN, "still running")
}
--- request_parts
send "a"
expect "a"
close
wait_log "client prematurely closed connection"
pause 1.7
--- no_error_log
still running
[error]


=== on: the client half-closes while print waits
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(200000))
        ngx.log(ngx.WARN, "still running")
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
sync
half_close
wait_log "client prematurely closed connection"
start_reading
expect_like /\Ax+/
read_all
--- no_error_log
still running
[error]


=== on: the client resets while print waits
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        local ok, err = ngx.print(("x"):rep(200000))
        ngx.log(ngx.WARN, "print: ", ok, ",", err)
    }
}
--- request_parts
connect rcvbuf=32768
stop_reading
send "a"
sync
reset
wait_log /client prematurely closed connection|print: nil,/
--- no_error_log
[error]
[alert]


=== on: inherited from tcp, switched off by a server
--- tcp_config
lua_check_client_abort on;
--- tcp_server_config
lua_check_client_abort off;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(2)
    ngx.log(ngx.WARN, "one runs")
}
--- tcp_server_config2
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(1.5)
    ngx.log(ngx.WARN, "two runs")
}
--- request_parts
B: connect 127.0.0.1:$TEST_PORT2
B: send "b"
B: expect "b"
A: connect 127.0.0.1:$TEST_PORT
A: send "a"
A: expect "a"
B: close
A: close
wait_log "one runs"
--- error_log
client prematurely closed connection
--- no_error_log
two runs


=== off: the client closes while the script sleeps
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.2)
    ngx.log(ngx.WARN, "still running: ", select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "a"
close
wait_log "still running: closed"
--- no_error_log
prematurely
[error]


=== off: the client half-closes while the script sleeps, and gets its reply
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.2)
    ngx.print("slept")
}
--- request_parts
send "a"
expect "a"
half_close
expect "slept"
expect_eof
--- no_error_log
prematurely
[error]


=== off: the client half-closes while print waits, and gets all
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
    [connect => 'rcvbuf=32768'], ['stop_reading'], [send => 'a'], ['sync'],
    ['half_close'], ['sync'], ['start_reading'],
    [expect => 'x' x 200000 . '200000nil'], ['expect_eof'],
]
--- no_error_log
prematurely
[error]


=== off: the client resets while the script sleeps
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.2)
    ngx.log(ngx.WARN, "still running: ", select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "a"
reset
wait_log "still running: connection reset by peer"
--- no_error_log
prematurely
[error]
