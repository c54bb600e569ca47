# init_worker_by_lua* and exit_worker_by_lua* that wait: connections are accepted
# when the first has finished, and the worker leaves when the second has.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== init_worker: what it makes after a wait is there for the first client
--- tcp_config
init_worker_by_lua_block {
    ngx.sleep(1)
    ready = true
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- clients: 5
--- response
true
--- no_error_log
[error]


=== init_worker: clients wait until it has finished
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready, " ", ngx.receive(1)) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: send "a"
B: connect
A: expect_nothing 0.3
sync
write_file gate "open"
A: expect "ready a\n"
A: expect_eof
B: send "b"
B: expect "ready b\n"
B: expect_eof
C: send "c"
C: expect "ready c\n"
C: expect_eof
--- no_error_log
[error]
[warn]


=== init_worker: init_worker_by_lua_file waits as well
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
>>> init.lua
require("gate").wait()
ready = "file"
--- repeat: 1
--- request_parts
A: expect_nothing 0.3
write_file gate "open"
A: expect "file\n"
A: expect_eof
--- no_error_log
[error]


=== init_worker: init_worker_by_lua waits as well
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua 'require("gate").wait() ready = "inline"';
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: expect_nothing 0.3
write_file gate "open"
A: expect "inline\n"
A: expect_eof
--- no_error_log
[error]


=== init_worker: several sockets, of all kinds
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
listen 127.0.0.1:$TEST_PORT2 deferred;
listen 127.0.0.1:$TEST_PORT3 bind backlog=20;
process_by_lua_block { ngx.say(ready, " ", ngx.receive(1)) }
--- tcp_server_config2
listen unix:$TEST_DIR/tcp.sock;
process_by_lua_block { ngx.say(ready, " unix") }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: connect $TEST_PORT
A: send "a"
B: connect $TEST_PORT2
B: send "b"
C: connect $TEST_PORT3
C: send "c"
D: connect unix:$TEST_DIR/tcp.sock
A: expect_nothing 0.1
B: expect_nothing 0.1
C: expect_nothing 0.1
D: expect_nothing 0.1
write_file gate "open"
A: expect "ready a\n"
B: expect "ready b\n"
C: expect "ready c\n"
D: expect "ready unix\n"
--- no_error_log
[error]


=== init_worker: fifty clients in the queue, some of which leave it
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 50),
    (map { ["C$_:", (qw(close reset))[$_ % 2]] } 1 .. 20),
    (map { ["C$_:", 'half_close'] } 21 .. 30),
    ['C50:', expect_nothing => 0.2],
    [write_file => 'gate', 'open'],
    (map { (["C$_:", expect => "ready\n"], ["C$_:", 'expect_eof']) } 21 .. 50),
]
--- no_error_log
[error]


=== init_worker: two workers on one socket, the one that is ready serves
--- workers: 2
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    if ngx.worker.id() == 0 then require("gate").wait() end
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready, " ", ngx.worker.id()) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { (["C$_:", expect => "ready 1\n"], ["C$_:", 'expect_eof']) } 1 .. 10),
    (map { ["D$_:", 'connect'] } 1 .. 20),
    (map { (["D$_:", expect => "ready 1\n"], ["D$_:", 'expect_eof']) } 1 .. 20),
    [write_file => 'gate', 'open'],
    (map { (["E$_:", expect_like => qr/\Aready [01]\n/], ["E$_:", 'expect_eof']) }
     1 .. 10),
]
--- no_error_log
[error]


=== init_worker: two workers on one socket, with accept_mutex
--- workers: 2
--- events
accept_mutex on;
accept_mutex_delay 100ms;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    if ngx.worker.id() == 0 then require("gate").wait() end
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready, " ", ngx.worker.id()) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { (["C$_:", expect => "ready 1\n"], ["C$_:", 'expect_eof']) } 1 .. 10),
    (map { ["D$_:", 'connect'] } 1 .. 10),
    (map { (["D$_:", expect => "ready 1\n"], ["D$_:", 'expect_eof']) } 1 .. 10),
    [write_file => 'gate', 'open'],
    (map { (["E$_:", expect_like => qr/\Aready [01]\n/], ["E$_:", 'expect_eof']) }
     1 .. 10),
]
--- no_error_log
[error]


=== init_worker: with accept_mutex nobody is served while both wait
--- workers: 2
--- events
accept_mutex on;
accept_mutex_delay 100ms;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 10),
    ['C1:', expect_nothing => 0.5],
    [write_file => 'gate', 'open'],
    (map { (["C$_:", expect => "ready\n"], ["C$_:", 'expect_eof']) } 1 .. 10),
    (map { (["D$_:", expect => "ready\n"], ["D$_:", 'expect_eof']) } 1 .. 10),
]
--- no_error_log
[error]


=== init_worker: two workers with reuseport, neither accepts before
--- workers: 2
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    process_by_lua_block { ngx.say(ready) }
}
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 20),
    ['C1:', expect_nothing => 0.3],
    [write_file => 'gate', 'open'],
    (map { (["C$_:", expect => "ready\n"], ["C$_:", 'expect_eof']) } 1 .. 20),
    (map { (["D$_:", expect => "ready\n"], ["D$_:", 'expect_eof']) } 1 .. 20),
]
--- no_error_log
[error]


=== init_worker: two workers with reuseport and accept_mutex
--- workers: 2
--- events
accept_mutex on;
accept_mutex_delay 100ms;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    listen 127.0.0.1:$TEST_PORT2;
    process_by_lua_block { ngx.say(ready) }
}
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 10),
    (map { ["D$_:", connect => '$TEST_PORT2'] } 1 .. 10),
    ['C1:', expect_nothing => 0.3],
    [write_file => 'gate', 'open'],
    (map { my $c = $_; map { (["$c$_:", expect => "ready\n"],
                              ["$c$_:", 'expect_eof']) } 1 .. 10 } 'C', 'D'),
    (map { (["E$_:", expect => "ready\n"], ["E$_:", 'expect_eof']) } 1 .. 10),
]
--- no_error_log
[error]


=== init_worker: two workers with reuseport, one waits longer
--- workers: 2
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    if ngx.worker.id() == 0 then require("gate").wait() end
    ready = "ready"
}
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    process_by_lua_block { ngx.say(ready) }
}
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 20),
    ['sync'],
    [write_file => 'gate', 'open'],
    (map { (["C$_:", expect => "ready\n"], ["C$_:", 'expect_eof']) } 1 .. 20),
]
--- no_error_log
[error]


=== init_worker: four workers, each with a time of its own
--- workers: 4
--- tcp_config
init_worker_by_lua_block {
    ngx.sleep(0.2 * (ngx.worker.id() + 1))
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- clients: 20
--- response
ready
--- no_error_log
[error]


=== init_worker: without a master
--- master_process: off
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: expect_nothing 0.3
write_file gate "open"
A: expect "ready\n"
A: expect_eof
--- no_error_log
[error]


=== init_worker: other modules' sockets are served meanwhile
--- http_config
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / { return 200 "from http"; }
    }
}
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: connect $TEST_PORT
H: connect $TEST_PORT2
H: send "GET / HTTP/1.0\r\n\r\n"
H: expect_like /from http$/
H: expect_eof
A: expect_nothing 0.1
write_file gate "open"
A: expect "ready\n"
A: expect_eof
I: connect $TEST_PORT2
I: send "GET / HTTP/1.0\r\n\r\n"
I: expect_like /from http$/
I: expect_eof
--- no_error_log
[error]


=== init_worker: with poll
--- events
use poll;
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-poll_module/ && "nginx has no poll"
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: connect
B: connect
A: expect_nothing 0.3
write_file gate "open"
A: expect "ready\n"
A: expect_eof
B: expect "ready\n"
B: expect_eof
--- no_error_log
[error]


=== init_worker: with select
--- events
use select;
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: connect
B: connect
A: expect_nothing 0.3
write_file gate "open"
A: expect "ready\n"
A: expect_eof
B: expect "ready\n"
B: expect_eof
--- no_error_log
[error]


=== init_worker: multi_accept
--- events
multi_accept on;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts eval
[
    (map { ["C$_:", 'connect'] } 1 .. 10),
    ['C1:', expect_nothing => 0.2],
    [write_file => 'gate', 'open'],
    (map { (["C$_:", expect => "ready\n"], ["C$_:", 'expect_eof']) } 1 .. 10),
]
--- no_error_log
[error]


=== init_worker: no server at all
--- tcp_config
init_worker_by_lua_block {
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "finished")
}
exit_worker_by_lua_block {
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "left")
}
--- repeat: 1
--- request_parts
sync
--- start_log
finished
--- stop_log
left


=== init_worker: waiting costs no processor time
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    local worker = require "worker"
    result = worker.busy(1)
}
--- tcp_server_config
process_by_lua_block { ngx.say(result) }
--- repeat: 1
--- request_parts
A: connect
B: connect
A: expect "idle\n"
A: expect_eof
B: expect "idle\n"
B: expect_eof
--- skip_mode: slow valgrind: measures processor time
--- no_error_log
[error]


=== init_worker: a reload while it waits, the new worker serves who came before
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
>>> init.lua
require("gate").wait()
ready = "old"
--- repeat: 1
--- request_parts
A: expect_nothing 0.2
write_file init.lua "ngx.sleep(0.1) ready = 'new'"
reload
A: expect "new\n"
A: expect_eof
B: expect "new\n"
B: expect_eof
wait_workers
--- no_error_log
[error]


=== init_worker: a reload while it waits, with reuseport
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_file init.lua;
server {
    listen 127.0.0.1:$TEST_PORT reuseport;
    process_by_lua_block { ngx.say(ready) }
}
--- user_files
>>> gate
closed
>>> init.lua
require("gate").wait()
ready = "old"
--- repeat: 1
--- request_parts
A: expect_nothing 0.2
write_file init.lua "ngx.sleep(0.1) ready = 'new'"
reload
A: expect "new\n"
A: expect_eof
B: expect "new\n"
B: expect_eof
wait_workers
--- no_error_log
[error]


=== init_worker: while that of the new worker waits the old one serves its own
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block {
    ngx.say(ready, " ", ngx.receive(1))
}
--- user_files
>>> gate
closed
>>> init.lua
ready = "old"
--- repeat: 1
--- request_parts
A: expect_nothing 0.05
write_file init.lua "require('gate').wait() ready = 'new'"
reload
B: send "b"
B: expect_nothing 0.2
A: send "a"
A: expect "old a\n"
A: expect_eof
wait_workers
B: expect_nothing 0.1
write_file gate "open"
B: expect "new b\n"
B: expect_eof
--- no_error_log
[error]


=== init_worker: quit while it waits
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    ngx.thread.spawn(require("gate").wait)
    require("gate").wait()
}
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- user_files
>>> gate
closed
--- request_parts
A: expect_nothing 0.1
signal QUIT
A: expect_close
wait_exit
--- no_error_log
[error]


=== init_worker: quit while it sleeps ends it
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(3600)
        ngx.log(ngx.ERR, "slept")
    end)
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "slept")
}
exit_worker_by_lua_block { ngx.log(ngx.WARN, "leaving") }
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- timeout: 4
--- request_parts
A: expect_nothing 0.1
signal QUIT
A: expect_close
wait_exit
--- error_log
leaving
--- no_error_log
[error]


=== init_worker: quit while it sleeps, its timers are premature
--- tcp_config
init_worker_by_lua_block {
    ngx.timer.at(3600, function(premature)
        ngx.sleep(0.2)
        ngx.log(ngx.WARN, "premature ", premature)
    end)
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "slept")
}
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- timeout: 4
--- request_parts
signal QUIT
wait_exit
--- error_log
premature true
--- no_error_log
[error]


=== init_worker: a reload while it sleeps ends it
--- tcp_config
init_worker_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- user_files
>>> init.lua
ngx.sleep(3600)
ngx.log(ngx.ERR, "slept")
--- repeat: 1
--- timeout: 4
--- request_parts
A: expect_nothing 0.1
write_file init.lua "ngx.sleep(0.1)"
reload
A: expect "up\n"
A: expect_eof
wait_workers
write_file init.lua "ngx.sleep(3600)"
reload
B: expect_nothing 0.2
write_file init.lua "ngx.sleep(0.1)"
reload
B: expect "up\n"
B: expect_eof
wait_workers
--- no_error_log
[error]


=== init_worker: quit after its time was over, it is waited for as a timer is
--- tcp_config
lua_init_worker_timeout 100ms;
init_worker_by_lua_block {
    repeat ngx.sleep(0.02) until ngx.worker.exiting()
    ngx.sleep(0.3)
    ngx.log(ngx.WARN, "finished")
}
exit_worker_by_lua_block { ngx.log(ngx.WARN, "leaving") }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- grep_error_log
~ (?<=: )finished$|leaving
--- grep_error_log_out
finished
leaving


=== init_worker: quit while it waits for others' turns
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        repeat coroutine.yield() until ngx.worker.exiting()
    end)
    repeat ngx.sleep(0.001) until ngx.worker.exiting()
}
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- request_parts
A: expect_nothing 0.1
signal QUIT
A: expect_close
wait_exit
--- no_error_log
[error]


=== init_worker: terminate while it sleeps for long
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(3600)
        ngx.log(ngx.ERR, "slept")
    end)
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "slept")
}
exit_worker_by_lua_block { ngx.log(ngx.WARN, "leaving") }
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- request_parts
A: expect_nothing 0.1
signal TERM
A: expect_close
wait_exit
--- error_log
leaving
--- no_error_log
[error]


=== init_worker: quit without a master while it sleeps for long
--- master_process: off
--- tcp_config
init_worker_by_lua_block {
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "slept")
}
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- request_parts
A: expect_nothing 0.1
signal QUIT
A: expect_close
wait_exit
--- no_error_log
[error]


=== lua_init_worker_timeout: then the worker accepts, and init goes on
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_init_worker_timeout 500ms;
init_worker_by_lua_block {
    require("gate").wait()
    ready = "ready"
    ngx.log(ngx.WARN, "finished after all")
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: expect "nil\n"
A: expect_eof
B: expect "nil\n"
B: expect_eof
write_file gate "open"
wait_log "finished after all"
C: expect "ready\n"
C: expect_eof
--- start_log
~ \[error\] .*: init_worker_by_lua\* has not finished in 500 ms: the worker accepts connections now$


=== lua_init_worker_timeout: of each worker, once
--- workers: 2
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_init_worker_timeout 500ms;
init_worker_by_lua_block { require("gate").wait() }
--- tcp_server_config
process_by_lua_block {
    local function count()
        local n = 0
        for line in io.lines("$TEST_DIR/logs/error.log") do
            if line:find("has not finished in 500 ms", 1, true) then
                n = n + 1
            end
        end
        return n
    end
    repeat ngx.sleep(0.02) until count() >= 2
    ngx.sleep(1)
    ngx.say(count())
}
--- user_files
>>> gate
closed
--- repeat: 1
--- no_reload: the log is that of a fresh server
--- request_parts
expect "2\n"
expect_eof
write_file gate "open"


=== lua_init_worker_timeout: a thread that has not finished
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_init_worker_timeout 500ms;
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        require("gate").wait()
        ready = "ready"
    end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: expect "nil\n"
A: expect_eof
write_file gate "open"
--- start_log
~ \[error\] .*: init_worker_by_lua\* has not finished in 500 ms: the worker accepts connections now$


=== lua_init_worker_timeout: nothing is said if it finishes in time
--- tcp_config
lua_init_worker_timeout 2s;
init_worker_by_lua_block {
    ngx.sleep(0.01)
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- repeat: 1
--- request_parts
A: expect "ready\n"
A: expect_eof
pause 2.5
--- no_error_log
has not finished
has been running
[error]


=== lua_init_worker_timeout: it ends early by an error in time
--- tcp_config
lua_init_worker_timeout 2s;
init_worker_by_lua_block {
    ngx.sleep(0.01)
    error("no database")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- repeat: 1
--- request_parts
A: expect "up\n"
A: expect_eof
pause 2.5
--- no_error_log
has not finished


=== lua_init_worker_timeout: a warning after five seconds
--- tcp_config
init_worker_by_lua_block {
    ngx.sleep(6)
    ready = "ready"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- repeat: 1
--- timeout: 15
--- request_parts
A: expect "ready\n"
A: expect_eof
--- start_log
~ \[warn\] .*: init_worker_by_lua\* has been running for 5 s, and the worker accepts no connections$
--- no_error_log
[error]


=== init_worker: an error after a wait is logged, and the worker serves
--- tcp_config
init_worker_by_lua_block {
    local function fail() error("no database") end
    ngx.sleep(0.1)
    before = true
    fail()
}
--- tcp_server_config
process_by_lua_block { ngx.say(before) }
--- response
true
--- start_log
~ \[error\] .*init_worker_by_lua_block error: init_worker_by_lua_block\(nginx\.conf:\d+\):2: no database$
stack traceback:
in function 'fail'


=== init_worker: an error after a wait that is no string
--- tcp_config
init_worker_by_lua 'ngx.sleep(0.01) error({})';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
init_worker_by_lua error: unknown reason


=== init_worker: an error in a coroutine, after a wait
--- tcp_config
init_worker_by_lua_block {
    coroutine.wrap(function()
        ngx.sleep(0.01)
        error("inner")
    end)()
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
~ init_worker_by_lua_block error: \S+:5: \S+:4: inner
coroutine 1:


=== init_worker: an error ends its threads, and the worker serves
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(1)
        ngx.log(ngx.ERR, "went on")
    end)
    ngx.sleep(0.01)
    error("boom")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- wait: 1
--- response
up
--- start_log
boom
--- no_error_log
went on


=== init_worker: an error of a thread is logged, the rest goes on
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function() error("at once", 0) end)
    local t = ngx.thread.spawn(function() ngx.sleep(0.01) error("later", 0) end)
    result = { ngx.thread.wait(t) }
}
--- tcp_server_config
process_by_lua_block { ngx.say(result[1], " ", result[2]) }
--- response
false later
--- start_log
~ \[error\] .*lua user thread aborted: runtime error: at once
~ \[error\] .*lua user thread aborted: runtime error: later


=== init_worker: endless recursion after a wait
--- tcp_config
init_worker_by_lua_block {
    local function f(n) return 1 + f(n + 1) end
    ngx.sleep(0.01)
    f(1)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
stack overflow


=== init_worker: ngx.exit ends it with its threads, and the worker serves
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(1)
        ngx.log(ngx.ERR, "went on")
    end)
    pcall(function()
        ngx.sleep(0.01)
        ready = "ready"
        ngx.exit()
    end)
    ready = "wrong"
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- wait: 1
--- response
ready
--- no_error_log
[error]


=== init_worker: ngx.exit in a thread, and before any wait
--- tcp_config
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        ready = "ready"
        ngx.exit()
        ready = "wrong"
    end)
    ready = "wrong"
    ngx.sleep(3600)
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- response
ready
--- no_error_log
[error]


=== init_worker: its threads have to end, too
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_worker_by_lua_block {
    ngx.thread.spawn(function()
        require("gate").wait()
        ready = "ready"
    end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(ready) }
--- user_files
>>> gate
closed
--- repeat: 1
--- request_parts
A: expect_nothing 0.3
write_file gate "open"
A: expect "ready\n"
A: expect_eof
--- no_error_log
[error]


=== init_worker: a thread that is killed holds nothing up
--- tcp_config
init_worker_by_lua_block {
    local t = ngx.thread.spawn(function() ngx.sleep(3600) end)
    ngx.sleep(0.01)
    killed = ngx.thread.kill(t)
}
--- tcp_server_config
process_by_lua_block { ngx.say(killed) }
--- response
1
--- no_error_log
[error]


=== init_worker: threads in parallel, and what they return
--- tcp_config
init_worker_by_lua_block {
    local threads, order = {}, {}
    for i = 1, 20 do
        threads[i] = ngx.thread.spawn(function(n)
            ngx.sleep(0.005 * (21 - n))
            order[#order + 1] = n
            return n, nil
        end, i)
    end
    results = {}
    for i = 1, 20 do
        results[i] = select(2, ngx.thread.wait(threads[i]))
    end
    first = order[1]
}
--- tcp_server_config
process_by_lua_block { ngx.say(table.concat(results, " "), ", ", first) }
--- response
1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20, 20
--- no_error_log
[error]


=== init_worker: timers run meanwhile, and hold nothing up
--- tcp_config
init_worker_by_lua_block {
    ticks, shared = 0, {}
    ngx.timer.every(0.01, function() ticks = ticks + 1 end)
    ngx.timer.at(0, function() ngx.sleep(0.1) slept = "slept" end)
    ngx.timer.at(3600, function() end)
    ngx.timer.at(0, function()
        repeat ngx.sleep(0.01) until shared.served or ngx.worker.exiting()
    end)
    repeat ngx.sleep(0.005) until ticks >= 3 and slept
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(slept, " ", ticks >= 3, " ", ngx.timer.running_count())
    shared.served = true
}
--- repeat: 1
--- response
slept true 1
--- no_error_log
[error]


=== init_worker: semaphores and channels, posted by threads and timers
--- tcp_config
init_worker_by_lua_block {
    local semaphore = require "ngx.semaphore"
    local sem, ch = semaphore.new(), ngx.channel.new(1)
    local got = {}
    local function add(...)
        for i = 1, select("#", ...) do
            got[#got + 1] = tostring((select(i, ...)))
        end
    end
    ngx.thread.spawn(function() ngx.sleep(0.01) sem:post() end)
    add(sem:wait(5))
    ngx.timer.at(0.01, function() sem:post() ch:send("a") ch:send("b") end)
    add(sem:wait(5))
    add(ch:receive(5))
    add(ch:receive())
    add(sem:wait(0.001))
    add(ngx.select { ch, sem, timeout = 0.001 })
    add(ngx.deadline(0.001, ngx.sleep, 3600))
    add(ngx.deadline(0.001, sem.wait, sem, 3600))
    result = table.concat(got, " ")
}
--- tcp_server_config
process_by_lua_block { ngx.say(result) }
--- response
true true a b nil timeout nil timeout nil deadline nil deadline
--- no_error_log
[error]


=== init_worker: what it leaves running in a timer can be used by clients
--- tcp_config
init_worker_by_lua_block {
    requests = ngx.channel.new(10)
    ngx.timer.at(0, function()
        while true do
            local request = requests:receive(0.05)
            if request then request.answer:send(request.n * 2) end
            if ngx.worker.exiting() then return end
        end
    end)
    ngx.sleep(0.01)
}
--- tcp_server_config
process_by_lua_block {
    local answer = ngx.channel.new(1)
    requests:send({ n = 21, answer = answer })
    ngx.say(answer:receive(5))
}
--- clients: 5
--- response
42
--- no_error_log
[error]


=== init_worker: ngx.ctx is its own
--- tcp_config
init_worker_by_lua_block {
    ngx.ctx.name = "init"
    ngx.sleep(0.01)
    seen = { ngx.ctx.name }
    ngx.thread.wait(ngx.thread.spawn(function()
        seen[2] = ngx.ctx.name
        ngx.ctx.name = "thread"
    end))
    seen[3] = ngx.ctx.name
    ngx.timer.at(0, function() seen[4] = tostring(ngx.ctx.name) end)
    repeat ngx.sleep(0.005) until seen[4]
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(table.concat(seen, " "), " ", ngx.ctx.name)
}
--- response
init init thread nil nil
--- no_error_log
[error]


=== init_worker: the phase is the same after waits and in threads
--- tcp_config
init_worker_by_lua_block {
    phases = {}
    local function add() phases[#phases + 1] = ngx.get_phase() end
    add()
    ngx.sleep(0.01)
    add()
    ngx.thread.spawn(function() ngx.sleep(0.01) add() end)
    coroutine.wrap(function() ngx.sleep(0.001) add() end)()
}
--- tcp_server_config
process_by_lua_block { ngx.say(table.concat(phases, " ")) }
--- response
init_worker init_worker init_worker init_worker
--- no_error_log
[error]


=== init_worker: what needs a connection raises, also after a wait
--- tcp_config
init_worker_by_lua_block {
    local lines = {}
    local function try(f, ...)
        lines[#lines + 1] = select(2, pcall(f, ...)):gsub("^.-:%d+: ", "")
    end
    ngx.sleep(0.01)
    try(function() ngx.say("x") end)
    try(function() ngx.print("x") end)
    try(function() ngx.flush() end)
    try(function() ngx.eof() end)
    try(function() ngx.receive(1) end)
    try(function() ngx.wait_next_request() end)
    ngx.thread.wait(ngx.thread.spawn(function()
        ngx.sleep(0.001)
        try(function() ngx.say("x") end)
    end))
    errors = table.concat(lines, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(errors) }
--- response eval
"API disabled in the context of init_worker_by_lua*\n" x 7
--- no_error_log
[error]


=== init_worker: waits in coroutines, iterators, pcall and metamethods
--- tcp_config
init_worker_by_lua_block {
    local t = setmetatable({}, { __index = function(_, k)
        ngx.sleep(0.001)
        return k
    end })
    local parts = { t.a }
    for v in coroutine.wrap(function()
        ngx.sleep(0.001)
        coroutine.yield("b")
        coroutine.wrap(function() ngx.sleep(0.001) end)()
        coroutine.yield("c")
    end) do
        parts[#parts + 1] = v
    end
    parts[#parts + 1] = select(2, pcall(function()
        ngx.sleep(0.001)
        error("d", 0)
    end))
    coroutine.yield()
    parts[#parts + 1] = select(2, pcall(table.sort, { 2, 1 }, function(a, b)
        ngx.sleep(0.001)
        return a < b
    end)):gsub("^.-%):", " ")
    ngx.sleep(0.001)
    result = table.concat(parts) .. " " .. tostring(coroutine.isyieldable())
}
--- tcp_server_config
process_by_lua_block { ngx.say(result) }
--- response
abcd 21: attempt to yield across C-call boundary true
--- no_error_log
[error]


=== init_worker: its globals stay the worker's after a wait
--- tcp_config
init_worker_by_lua_block {
    a = 1
    ngx.sleep(0.01)
    b = 2
    ngx.thread.spawn(function() ngx.sleep(0.01) c = 3 end)
    coroutine.wrap(function() ngx.sleep(0.001) d = 4 end)()
    loadstring("e = 5")()
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(a, b, c, d, e, rawget(_G, "a"))
    a = "mine"
}
--- response
12345nil
--- no_error_log
[error]


=== init_worker: an endless loop of others' turns does not starve the timeout
--- tcp_config
lua_init_worker_timeout 300ms;
init_worker_by_lua_block {
    shared = {}
    repeat coroutine.yield() until shared.served or ngx.worker.exiting()
}
--- tcp_server_config
process_by_lua_block {
    ngx.say("up")
    shared.served = true
}
--- repeat: 1
--- response
up
--- start_log
has not finished in 300 ms


=== exit_worker: sleeps when nginx quits, and finishes
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving")
    ngx.sleep(0.3)
    ngx.log(ngx.WARN, "left in ", ngx.get_phase(), " ",
            ngx.worker.exiting())
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
leaving
~ \[warn\] .*left in exit_worker true


=== exit_worker: sleeps when nginx terminates
--- stop: TERM
--- tcp_config
exit_worker_by_lua_block {
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "left")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
left


=== exit_worker: exit_worker_by_lua and exit_worker_by_lua_file wait as well
--- tcp_config
exit_worker_by_lua_file leave.lua;
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- user_files
>>> leave.lua
ngx.sleep(0.1)
ngx.log(ngx.WARN, "left")
--- response
up
--- stop_log
left


=== exit_worker: inline code waits
--- tcp_config
exit_worker_by_lua 'ngx.sleep(0.1) ngx.log(ngx.WARN, "left")';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
left


=== exit_worker: sleeps in the old worker after a reload, the new one serves
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving")
    ngx.sleep(0.5)
    ngx.log(ngx.WARN, "left")
}
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.worker.exiting()) }
--- request_parts
A: expect "false\n"
A: expect_eof
reload
wait_log "leaving"
B: expect "false\n"
B: expect_eof
wait_log "left"
wait_workers
--- no_error_log
[error]


=== exit_worker: four workers
--- workers: 4
--- tcp_config
exit_worker_by_lua_block {
    ngx.sleep(0.1 * (1 + ngx.worker.id()))
    ngx.log(ngx.WARN, "worker ", ngx.worker.id(), " left")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
worker 0 left
worker 1 left
worker 2 left
worker 3 left


=== exit_worker: without a master
--- master_process: off
--- tcp_config
exit_worker_by_lua_block {
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "left")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
left


=== exit_worker: clients that are still there at the end do not run meanwhile
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving")
    ngx.sleep(2)
    ngx.log(ngx.WARN, "left")
}
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    ngx.say("ready")
    if how == "s" then ngx.sleep(1.6) end
    if how == "r" then ngx.receive(1) end
    if how == "w" then ngx.wait_next_request() end
    if how == "t" then
        ngx.thread.spawn(function()
            ngx.sleep(1.6)
            ngx.log(ngx.ERR, "went on")
        end)
        ngx.sleep(1.7)
    end
    ngx.log(ngx.ERR, "went on")
}
--- request_parts
S: send "s"
R: send "r"
W: send "w"
T: send "t"
S: expect "ready\n"
R: expect "ready\n"
W: expect "ready\n"
T: expect "ready\n"
signal TERM
wait_log "leaving"
R: send "x"
S: expect_close
R: expect_close
W: expect_close
T: expect_close
wait_exit
--- error_log
left
--- no_error_log
[error]


=== exit_worker: a client that comes then is not served
--- tcp_config
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving")
    ngx.sleep(0.5)
    ngx.log(ngx.WARN, "left")
}
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.ERR, "served") }
--- request_parts
signal TERM
wait_log "leaving"
A: connect
A: expect_close
wait_exit
--- no_error_log
[error]


=== exit_worker: threads, and the worker waits for them
--- tcp_config
exit_worker_by_lua_block {
    local t = ngx.thread.spawn(function(a) ngx.sleep(0.05) return a end, "a")
    ngx.log(ngx.WARN, "got ", select(2, ngx.thread.wait(t)))
    ngx.thread.spawn(function()
        ngx.sleep(0.2)
        ngx.log(ngx.WARN, "thread left")
    end)
    ngx.log(ngx.WARN, "entry left")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
got a
entry left
thread left


=== exit_worker: semaphores, channels, select and deadline
--- tcp_config
exit_worker_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        sem:post()
        ch:send("a")
        ch:send("b")
    end)
    local got = {}
    local function add(...)
        for i = 1, select("#", ...) do
            got[#got + 1] = tostring((select(i, ...)))
        end
    end
    add(sem:wait(5))
    add(ch:receive(5))
    add(ch:receive(5))
    add(sem:wait(0.01))
    add(ngx.select { ch, sem, timeout = 0.01 })
    add(ngx.deadline(0.01, ngx.sleep, 3600))
    ngx.log(ngx.WARN, "got ", table.concat(got, " "))
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
got true a b nil timeout nil timeout nil deadline


=== exit_worker: ctx, phase, globals and coroutines after waits
--- tcp_config
init_worker_by_lua_block { name = "worker" ngx.ctx.x = 1 }
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "ctx before: ", ngx.ctx.x)
    ngx.ctx.x = 2
    coroutine.wrap(function()
        ngx.sleep(0.01)
        coroutine.yield()
    end)()
    ngx.thread.spawn(function()
        ngx.sleep(0.01)
        ngx.log(ngx.WARN, "then: ", ngx.ctx.x, " ", ngx.get_phase(), " ", name)
    end)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
ctx before: nil
then: 2 exit_worker worker


=== exit_worker: what needs a connection, and timers, raise after a wait
--- tcp_config
exit_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.sleep(0.01)
    ngx.log(ngx.WARN, "got ", err(function() ngx.say("x") end))
    ngx.log(ngx.WARN, "got ", err(function() ngx.receive(1) end))
    ngx.log(ngx.WARN, "got ", err(function() ngx.wait_next_request() end))
    ngx.log(ngx.WARN, "got ", err(function() ngx.timer.at(0, err) end))
    ngx.log(ngx.WARN, "got ", err(function() ngx.timer.every(1, err) end))
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
got 4: API disabled in the context of exit_worker_by_lua*
got 5: API disabled in the context of exit_worker_by_lua*
got 6: API disabled in the context of exit_worker_by_lua*
got 7: API disabled in the context of exit_worker_by_lua*
got 8: API disabled in the context of exit_worker_by_lua*


=== exit_worker: an error after a wait is logged, and the exit is clean
--- tcp_config
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.3)
        ngx.log(ngx.ERR, "thread went on")
    end)
    ngx.sleep(0.01)
    error("cannot leave")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
~ \[error\] .*exit_worker_by_lua_block error: exit_worker_by_lua_block\(nginx\.conf:\d+\):7: cannot leave
stack traceback:
--- no_error_log
thread went on


=== exit_worker: ngx.exit ends it with its threads
--- tcp_config
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(0.3)
        ngx.log(ngx.ERR, "thread went on")
    end)
    ngx.sleep(0.01)
    ngx.log(ngx.WARN, "leaving")
    ngx.exit()
    ngx.log(ngx.ERR, "went on")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
leaving
--- no_error_log
[error]


=== exit_worker: an error of a thread
--- tcp_config
exit_worker_by_lua_block {
    local t = ngx.thread.spawn(function()
        ngx.sleep(0.01)
        error("cannot leave", 0)
    end)
    ngx.log(ngx.WARN, "got ", select(2, ngx.thread.wait(t)))
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
lua user thread aborted: runtime error: cannot leave
got cannot leave


=== exit_worker: what init_worker's timers left is dropped
--- tcp_config
init_worker_by_lua_block {
    sem = require("ngx.semaphore").new()
    ngx.timer.at(3600, function(premature)
        ngx.log(ngx.WARN, "premature ", premature)
        sem:post()
    end)
}
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "count ", sem:count())
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
premature true
count 1


=== lua_exit_worker_timeout: then the worker leaves
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.sleep(3600)
        ngx.log(ngx.ERR, "thread went on")
    end)
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "went on")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
~ \[error\] .*: exit_worker_by_lua\* has not finished in 300 ms: the worker exits now$
--- no_error_log
went on


=== lua_exit_worker_timeout: a thread that does not end
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block {
    ngx.thread.spawn(function()
        ngx.channel.new(1):receive()
        ngx.log(ngx.ERR, "went on")
    end)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
has not finished in 300 ms: the worker exits now
--- no_error_log
went on


=== lua_exit_worker_timeout: nobody who waits could ever be woken
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block {
    require("ngx.semaphore").new():wait(3600)
    ngx.log(ngx.ERR, "went on")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
has not finished in 300 ms: the worker exits now
--- no_error_log
went on


=== lua_exit_worker_timeout: one that only gives others their turn
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block {
    while true do coroutine.yield() end
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
has not finished in 300 ms: the worker exits now


=== lua_exit_worker_timeout: when nginx terminates
--- tcp_config
lua_exit_worker_timeout 100ms;
exit_worker_by_lua_block {
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "went on")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal TERM
wait_exit
--- error_log
has not finished in 100 ms: the worker exits now
--- no_error_log
went on


=== lua_exit_worker_timeout: nothing is said if it finishes in time
--- tcp_config
lua_exit_worker_timeout 3s;
exit_worker_by_lua_block { ngx.sleep(0.01) ngx.log(ngx.WARN, "left") }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
expect "up\n"
expect_eof
signal QUIT
wait_exit
--- error_log
left
--- no_error_log
[error]


=== lua_exit_worker_timeout: in the old worker after a reload
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block { ngx.sleep(3600) }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- request_parts
A: expect "up\n"
A: expect_eof
reload
B: expect "up\n"
B: expect_eof
wait_workers
--- error_log
has not finished in 300 ms: the worker exits now


=== lua_exit_worker_timeout: without a master
--- master_process: off
--- tcp_config
lua_exit_worker_timeout 300ms;
exit_worker_by_lua_block { ngx.sleep(3600) }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
has not finished in 300 ms: the worker exits now


=== exit_worker: finalizers that run as the VM closes, after waits
--- tcp_config
init_worker_by_lua_block {
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
        ngx.log(ngx.WARN, "collected, left: ", left)
    end
    anchor = proxy
}
exit_worker_by_lua_block { ngx.sleep(0.05) left = true }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
collected, left: true


=== lua_init_worker_timeout: twice
--- tcp_config
lua_init_worker_timeout 1s;
lua_init_worker_timeout 2s;
--- conf_error
"lua_init_worker_timeout" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_init_worker_timeout: no time
--- tcp_config
lua_init_worker_timeout x;
--- conf_error
"lua_init_worker_timeout" directive invalid value in $TEST_DIR/conf/nginx.conf:


=== lua_init_worker_timeout: negative
--- tcp_config
lua_init_worker_timeout -1;
--- conf_error
"lua_init_worker_timeout" directive invalid value in $TEST_DIR/conf/nginx.conf:


=== lua_init_worker_timeout: no argument
--- tcp_config
lua_init_worker_timeout;
--- conf_error
invalid number of arguments in "lua_init_worker_timeout" directive in $TEST_DIR/conf/nginx.conf:


=== lua_init_worker_timeout: not in a server
--- tcp_server_config
lua_init_worker_timeout 1s;
--- conf_error
"lua_init_worker_timeout" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_init_worker_timeout, lua_exit_worker_timeout: nginx's units of time
--- tcp_config
lua_init_worker_timeout 1m30s;
lua_exit_worker_timeout 2000ms;
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- conf_ok


=== lua_exit_worker_timeout: twice
--- tcp_config
lua_exit_worker_timeout 1s;
lua_exit_worker_timeout 2s;
--- conf_error
"lua_exit_worker_timeout" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_exit_worker_timeout: no time
--- tcp_config
lua_exit_worker_timeout x;
--- conf_error
"lua_exit_worker_timeout" directive invalid value in $TEST_DIR/conf/nginx.conf:


=== lua_exit_worker_timeout: not in a server
--- tcp_server_config
lua_exit_worker_timeout 1s;
--- conf_error
"lua_exit_worker_timeout" directive is not allowed here in $TEST_DIR/conf/nginx.conf:
