# Several workers, reuseport, no master.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== workers: four, and many clients at once
--- workers: 4
--- clients: 20
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive("*l"), " ")
        ngx.wait_next_request()
    end
}
--- request_parts
send "one\n"
expect "one "
send "two\nthree\n"
expect "two three "
half_close
expect_eof
--- no_error_log
[error]


=== workers: each has its own VM
--- workers: 2
--- main_config
--- tcp_config
init_by_lua_block { shared = {n = 0} }
--- tcp_server_config
process_by_lua_block {
    shared.n = shared.n + 1
    shared[ngx.worker.pid()] = true
    local pids = 0
    for k in pairs(shared) do if type(k) == "number" then pids = pids + 1 end end
    ngx.print(pids)
}
--- clients: 10
--- response: 1
--- no_error_log
[error]


=== workers: a reload with two, parked clients of both are let go
--- workers: 2
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
}
--- request_parts eval
[
    (map { (["C$_:", send => 'a'], ["C$_:", expect => 'a']) } 1 .. 20),
    ['sync'], ['reload'],
    (map { ["C$_:", 'expect_eof'] } 1 .. 20), ['wait_workers'],
]
--- no_error_log
[error]


=== workers: one that dies takes only its clients with it
--- workers: 1
--- repeat: 1
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
}
--- request_parts
A: send "a"
A: expect "a"
signal_worker KILL
A: expect_close
wait_log "start worker process" 1
B: send "b"
B: expect "b"
B: close
--- error_log
~ \[alert\] .*worker process \d+ exited on signal 9
--- no_error_log
[error]


=== reuseport: two workers, a socket for each
--- workers: 2
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    process_by_lua_block {
        while true do
            ngx.print(ngx.receive("*l"), " ")
            ngx.wait_next_request()
        end
    }
}
--- clients: 20
--- request_parts
send "one\n"
expect "one "
send "two\n"
expect "two "
half_close
expect_eof
--- no_error_log
[error]


=== reuseport: parked clients are let go at a reload, new ones are served
--- workers: 2
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    process_by_lua_block {
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    }
}
--- request_parts eval
[
    (map { (["C$_:", send => 'a'], ["C$_:", expect => 'a']) } 1 .. 10),
    ['sync'], ['reload'],
    (map { ["C$_:", 'expect_eof'] } 1 .. 10), ['wait_workers'],
    (map { (["D$_:", send => 'a'], ["D$_:", expect => 'a'], ["D$_:", 'close']) }
     1 .. 10),
]
--- no_error_log
[error]


=== no master: a session from its start to its end
--- master_process: off
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(ngx.receive("*l"), " ")
        ngx.wait_next_request()
    end
}
--- request_parts
send "one\ntwo\n"
expect "one two "
sync
send "three\n"
expect "three "
half_close
expect_eof
--- no_error_log
[error]


=== no master: told to exit after a reload, when nginx has no connections
--- master_process: off
--- tcp_server_config
process_by_lua_block { ngx.print(ngx.receive(1)) }
--- repeat: 1
--- request_parts
send "a"
expect "a"
expect_eof
signal HUP
wait_log "using the \"epoll\" event method" 1
signal TERM
wait_exit
--- no_error_log
[error]


=== no master: many clients, sleeps and errors
--- master_process: off
--- clients: 10
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.05)
    ngx.print("b")
    error("boom")
}
--- request: a
--- response: ab
--- error_log
boom


=== no master: a client that stays at the end
--- master_process: off
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
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


=== no master: the configuration is read anew, and a client is served on
--- master_process: off
--- tcp_server_config
process_by_lua_block {
    ngx.say("hello")
    ngx.say(ngx.receive())
}
--- request_parts
A: expect "hello\n"
signal HUP
A: send "x\n"
A: expect "x\n"
--- repeat: 1
--- no_error_log
[error]
