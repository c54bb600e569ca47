# The counters of stub_status: a connection is active as long as it is open,
# reading while a light session is, waiting while it is parked; each light
# session is a request.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== stub_status: parked and busy clients, and none of them at the end
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive("*l"))
        ngx.wait_next_request()
    end
}
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
H0: connect 127.0.0.1:$TEST_PORT9
H0: send "GET / HTTP/1.0\r\n\r\n"
H0: expect_like /Active connections: 1 \nserver accepts handled requests\n 1 1 1 \nReading: 0 Writing: 1 Waiting: 0/
H0: read_all
H0: close
A: send "a\n"
A: expect "a"
A: send "b\n"
A: expect "b"
B: send "c\n"
B: expect "c"
C: send "busy"
D: send "busy"
E: connect
sync
H1: connect 127.0.0.1:$TEST_PORT9
H1: send "GET / HTTP/1.0\r\n\r\n"
H1: expect_like /Active connections: 6 \nserver accepts handled requests\n 7 7 8 \nReading: 3 Writing: 1 Waiting: 2/
H1: read_all
H1: close
A: close
B: reset
C: close
D: reset
E: close
sync
wait_log /recv\(\) failed/ 1
wait_log "client prematurely closed connection" 2
sync
pause 0.1
H2: connect 127.0.0.1:$TEST_PORT9
H2: send "GET / HTTP/1.0\r\n\r\n"
H2: expect_like /Active connections: 1 \nserver accepts handled requests\n 8 8 9 \nReading: 0 Writing: 1 Waiting: 0/
H2: read_all


=== stub_status: back to zero after clients of each kind
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local what = ngx.receive("*l")
        if what == "error" then
            error("boom")
        elseif what == "exit" then
            ngx.exit()
        elseif what == "park" then
            ngx.print("p")
            ngx.wait_next_request()
        elseif what == "print" then
            ngx.print(("x"):rep(200000))
        elseif what == "sleep" then
            ngx.print("s")
            ngx.sleep(0.1)
            ngx.log(ngx.WARN, "slept")
        elseif what == "linger" then
            ngx.print("l")
        elseif what == "coroutine" then
            coroutine.wrap(function() ngx.sleep(0.01) ngx.exit() end)()
        end
    }
}
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
Error: send "error\n"
Error: expect_eof
Exit: send "exit\n"
Exit: expect_eof
Coroutine: send "coroutine\n"
Coroutine: expect_eof
Park: send "park\n"
Park: expect "p"
Reset: send "park\n"
Reset: expect "p"
Sleep: send "sleep\n"
Sleep: expect "s"
Linger: send "linger\nunread"
Linger: expect "l"
Linger: expect_eof
Print: connect rcvbuf=32768
Print: stop_reading
Print: send "print\n"
Part: send "part"
Empty: connect
sync
Park: close
Reset: reset
Sleep: close
Linger: close
Print: reset
Part: reset
Empty: close
wait_log "slept"
sync
pause 0.1
H: connect 127.0.0.1:$TEST_PORT9
H: send "GET / HTTP/1.0\r\n\r\n"
H: expect_like /Active connections: 1 \nserver accepts handled requests\n 11 11 11 \nReading: 0 Writing: 1 Waiting: 0/
H: read_all
--- error_log
boom


=== stub_status: a parked client that is woken is reading again
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_server_config
process_by_lua_block {
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
    ngx.receive(1)
}
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
A: connect
sync
H1: connect 127.0.0.1:$TEST_PORT9
H1: send "GET / HTTP/1.0\r\n\r\n"
H1: expect_like /Reading: 0 Writing: 1 Waiting: 1/
H1: read_all
A: send "a"
A: expect "a"
sync
H2: connect 127.0.0.1:$TEST_PORT9
H2: send "GET / HTTP/1.0\r\n\r\n"
H2: expect_like /Reading: 1 Writing: 1 Waiting: 0/
H2: read_all
A: close
--- no_error_log
[error]


=== stub_status: reloads and clients that are let go leave no count behind
--- http_config
http {
    access_log off;
    server { listen 127.0.0.1:$TEST_PORT9; location / { stub_status; } }
}
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
}
--- repeat: 1
--- no_reload: counts from the start
--- request_parts
A: send "a"
A: expect "a"
B: send "b"
B: expect "b"
C: connect
sync
reload
A: expect_eof
B: expect_eof
C: send "c"
C: expect "c"
C: expect_eof
wait_workers
H: connect 127.0.0.1:$TEST_PORT9
H: send "GET / HTTP/1.0\r\n\r\n"
H: expect_like /Active connections: 1 \n.*Reading: 0 Writing: 1 Waiting: 0/s
H: read_all
--- no_error_log
[error]
