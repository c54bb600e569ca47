# Sessions of clients: tickets, caches, over workers and reloads.

use lib 't/lib';
use Test::Nginx::TCP;

# Servers have this certificate, and tell whether a session has gone on.
sub conf {
    return <<'CONF';
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_session_reused"))) }
CONF
}

# A first handshake, and a second one that may go on with it.
sub twice {
    my ($version, $name, $expected) = @_;
    return <<"STEPS";
A: connect
A: start_tls $version session=$name-\$TEST_CLIENT
A: read_all
A: connect
A: start_tls $version session=$name-\$TEST_CLIENT
A: expect "$expected\\n"
A: expect_eof
STEPS
}

run_tests();

__DATA__

=== tickets: by default
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
--- request_parts eval: main::twice("TLSv1.3", "default3", "r") . main::twice("TLSv1.2", "default2", "r")
--- no_error_log
[error]


=== tickets: of several workers
--- workers: 3
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl reuseport;
--- request_parts eval: main::twice("TLSv1.3", "workers3", "r") x 5 . main::twice("TLSv1.2", "workers2", "r") x 5
--- no_error_log
[error]


=== ssl_session_tickets off: without a cache there is nothing to go on with
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache off;
--- request_parts eval: main::twice("TLSv1.2", "nothing2", ".")
--- no_error_log
[error]


=== ssl_session_cache none: a client comes back to a whole handshake
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
process_by_lua_block { ngx.say((require("ngx.ssl").var("ssl_session_reused"))) }
--- request_parts
A: start_tls TLSv1.2 session=none-$TEST_CLIENT
A: expect ".\n"
A: read_all
A: connect
A: start_tls TLSv1.2 session=none-$TEST_CLIENT
A: expect ".\n"
A: read_all
A: connect
A: start_tls TLSv1.3 session=none3-$TEST_CLIENT
A: expect ".\n"
A: read_all
A: connect
A: start_tls TLSv1.3 session=none3-$TEST_CLIENT
A: expect ".\n"
A: read_all
--- no_error_log
[error]


=== ssl_session_cache builtin
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache builtin;
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_session_tickets off;
ssl_session_cache builtin:10;
--- request_parts eval: main::twice("TLSv1.2", "builtin2", "r") . main::twice("TLSv1.3", "builtin3", "r")
--- no_error_log
[error]


=== ssl_session_cache shared: of several workers, without tickets
--- workers: 3
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl reuseport;
ssl_session_tickets off;
ssl_session_cache shared:workers:1m;
--- request_parts eval: main::twice("TLSv1.2", "shared2", "r") x 5 . main::twice("TLSv1.3", "shared3", "r") x 5
--- no_error_log
[error]


=== ssl_session_cache shared: outlives a reload, without tickets and with
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache shared:reload:1m;
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_session_cache shared:reload:1m;
ssl_session_timeout 1h;
--- request_parts
A: start_tls TLSv1.2 session=reloadA
A: read_all
B: start_tls TLSv1.3 session=reloadB
B: read_all
C: connect $TEST_PORT2
C: start_tls TLSv1.2 session=reloadC
C: read_all
D: connect $TEST_PORT2
D: start_tls TLSv1.3 session=reloadD
D: read_all
reload
wait_workers
A: connect
A: start_tls TLSv1.2 session=reloadA
A: expect "r\n"
B: connect
B: start_tls TLSv1.3 session=reloadB
B: expect "r\n"
C: connect $TEST_PORT2
C: start_tls TLSv1.2 session=reloadC
C: expect "r\n"
D: connect $TEST_PORT2
D: start_tls TLSv1.3 session=reloadD
D: expect "r\n"
--- no_error_log
[error]


=== ssl_session_cache shared: a reload changes its size, and takes it away
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache shared:size:1m;
--- request_parts
A: start_tls TLSv1.2 session=size
A: read_all
edit_file conf/nginx.conf shared:size:1m => shared:size:2m
reload
wait_workers
A: connect
A: start_tls TLSv1.2 session=size
A: expect ".\n"
A: read_all
A: connect
A: start_tls TLSv1.2 session=size
A: expect "r\n"
edit_file conf/nginx.conf shared:size:2m => off
reload
wait_workers
A: connect
A: start_tls TLSv1.2 session=size
A: expect ".\n"
--- repeat: 1
--- no_reload: it reloads itself
--- no_error_log
[error]


=== without a shared cache a reload ends them
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
--- request_parts
A: start_tls TLSv1.2 session=ended
A: read_all
reload
wait_workers
A: connect
A: start_tls TLSv1.2 session=ended
A: expect ".\n"
--- no_error_log
[error]


=== ssl_session_cache shared: several servers of the same certificate share it
--- tcp_config eval: main::conf() . "ssl_session_cache shared:servers:1m;\nssl_session_tickets off;"
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_buffer_size 4k;
--- request_parts
A: start_tls TLSv1.2 session=servers
A: read_all
B: connect $TEST_PORT2
B: start_tls TLSv1.2 session=servers
B: expect "r\n"
--- no_error_log
[error]


=== ssl_session_cache shared: little room for many sessions
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache shared:little:32k;
--- clients: 3
--- request_parts eval: main::twice("TLSv1.2", "little", "r") x 60
--- skip_mode: slow valgrind: too many handshakes
--- repeat: 1
--- no_error_log
[error]
[crit]


=== ssl_session_timeout: over
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_timeout 1s;
ssl_session_cache shared:timeout:1m;
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_session_timeout 1s;
ssl_session_tickets off;
ssl_session_cache shared:timeout:1m;
--- request_parts
A: start_tls TLSv1.2 session=over
A: read_all
B: connect $TEST_PORT2
B: start_tls TLSv1.2 session=overB
B: read_all
pause 3.1
A: connect
A: start_tls TLSv1.2 session=over
A: expect ".\n"
B: connect $TEST_PORT2
B: start_tls TLSv1.2 session=overB
B: expect ".\n"
--- repeat: 1
--- no_error_log
[error]


=== ssl_session_ticket_key: the same over a reload; an old one still opens tickets
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_ticket_key one.key;
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2 ssl;
ssl_session_ticket_key two.key;
ssl_session_ticket_key one.key;
--- tcp_server_config3
listen 127.0.0.1:$TEST_PORT3 ssl;
ssl_session_ticket_key two.key;
--- user_files
>>> conf/one.key
0123456789012345678901234567890123456789012345678901234567890123456789012345678
>>> conf/two.key
abcdefghijabcdefghijabcdefghijabcdefghijabcdefg
--- request_parts
A: start_tls TLSv1.2 session=keys
A: read_all
reload
wait_workers
A: connect
A: start_tls TLSv1.2 session=keys
A: expect "r\n"
A: expect_eof
B: connect $TEST_PORT3
B: start_tls TLSv1.2 session=keys
B: expect ".\n"
B: expect_eof
C: start_tls TLSv1.3 session=keys3
C: read_all
C: connect $TEST_PORT2
C: start_tls TLSv1.3 session=keys3
C: expect "r\n"
C: expect_eof
C: connect $TEST_PORT3
C: start_tls TLSv1.3 session=keys3
C: expect "r\n"
--- no_error_log
[error]


=== s_client -reconnect
--- tcp_config eval: main::conf()
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_cache shared:reconnect:1m;
--- request_parts
s_client "-tls1_2 -reconnect" => "" => /New, .*Reused, .*Reused, .*Reused, /s
--- no_error_log
[error]


=== a session id, and none
--- tcp_config eval
main::conf() =~ s/process_by_lua.*//r
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_session_tickets off;
ssl_session_cache builtin;
process_by_lua_block {
    local id = require("ngx.ssl").var("ssl_session_id")
    ngx.say(#id, " ", id:find("^%x+$"))
}
--- tls: TLSv1.2
--- response
64 164
--- no_error_log
[error]
