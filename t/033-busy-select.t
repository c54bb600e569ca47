# No busy loop: whatever a client does while nobody reads it, the worker sleeps,
# with the event method select.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== select: a half-closed client, the script sleeps
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data, the script sleeps
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
send "unread"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data and a half-close, the script sleeps
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
send "unread"
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a reset, the script sleeps
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(2)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
reset
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data, the script sleeps under check_client_abort
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
send "unread"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data and a half-close under check_client_abort
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
send "unread"
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a half-close after closed was told, under check_client_abort
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.say("in")
        ngx.receive(1)
        ngx.sleep(30)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "in\n"
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a half-closed client that does not read, print waits
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(200000))
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data, print waits
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(200000))
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
send "unread"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data under check_client_abort, print waits
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(200000))
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
send "unread"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a half-closed client that does not read, after the script's end
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "ab"
sync
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: unread data, output goes out after the script's end
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.sleep(0.01)
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
send "b"
sync
send "unread"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a lingering client
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print("bye")
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "unread"
expect "bye"
expect_eof
send "more"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a parked client
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "a"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a parked client with output that it does not take
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
send "unread"
half_close
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a client in receive that has sent a part
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print(ngx.receive(1))
        ngx.receive(100)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
send "a"
expect "a"
send "part"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"


=== select: a client in receive whose output is queued
--- events: use select;
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
        ngx.receive(100)
    }
}
--- tcp_server_config2
process_by_lua_block { ngx.print(require("worker").busy(1)) }
--- repeat: 1
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
send "part"
sync
Watch: connect 127.0.0.1:$TEST_PORT2
Watch: expect "idle"
Watch: expect_eof
close
--- stop: TERM
--- no_error_log
[alert]
--- skip_mode: valgrind: uses processor time itself
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` !~ /--with-select_module/ && "nginx has no select"
