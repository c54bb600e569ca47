# ngx.worker.*, ngx.config.*, ngx.get_phase.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== worker.pid: the process that serves
--- tcp_server_config
process_by_lua_block {
    local stat = io.open("/proc/self/stat"):read("*l")
    ngx.say(ngx.worker.pid() == tonumber(stat:match("^%d+")))
}
--- response
true
--- no_error_log
[error]


=== worker.count, worker.id: one worker
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.worker.count(), " ", ngx.worker.id()) }
--- response
1 0
--- no_error_log
[error]


=== worker.count, worker.id: several workers
--- workers: 3
--- tcp_server_config
process_by_lua_block {
    local id = ngx.worker.id()
    ngx.say(ngx.worker.count(), " ", id >= 0 and id <= 2 and id % 1 == 0)
}
--- clients: 8
--- response
3 true
--- no_error_log
[error]


=== worker.count, worker.id: without a master
--- master_process: off
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.worker.count(), " ", ngx.worker.id()) }
--- response
1 0
--- no_error_log
[error]


=== worker.exiting: true once the worker was told to go
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.worker.exiting())
    ngx.receive("*l")
    ngx.say(ngx.worker.exiting())
}
--- repeat: 1
--- request_parts
expect "false\n"
signal QUIT
wait_log "gracefully shutting down"
send "\n"
expect "true\n"
expect_eof
wait_exit
--- no_error_log
[error]


=== worker: while the configuration loads, when a worker starts and exits
--- tcp_config
init_by_lua_block {
    in_init = tostring(ngx.worker.id()) .. " " .. ngx.worker.count() .. " "
        .. tostring(ngx.worker.exiting())
    master = ngx.worker.pid()
}
init_worker_by_lua_block {
    in_worker = tostring(ngx.worker.id()) .. " " .. ngx.worker.count() .. " "
        .. tostring(ngx.worker.exiting())
    worker = ngx.worker.pid()
}
exit_worker_by_lua_block {
    ngx.log(ngx.NOTICE, "exiting: ", ngx.worker.exiting(), " ",
            ngx.worker.pid() == worker)
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init)
    ngx.say(in_worker, " ", worker == ngx.worker.pid(), " ", master ~= worker)
}
--- response
nil 1 false
0 1 false true true
--- stop_log
exiting: true true
--- no_error_log
[error]


=== worker: arguments are ignored
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.worker.pid(1) == ngx.worker.pid(), ngx.worker.id({}),
            ngx.worker.count("x"), ngx.worker.exiting(nil))
}
--- response
true01false
--- no_error_log
[error]


=== worker: in a user coroutine, through pcall, in a C function's callback
--- tcp_server_config
process_by_lua_block {
    ngx.say(coroutine.wrap(ngx.worker.id)())
    ngx.say(pcall(ngx.worker.count))
    ngx.say((("x"):gsub(".", function() return ngx.worker.id() end)))
}
--- response
0
true1
0
--- no_error_log
[error]


=== config.prefix: where nginx's files are, with a slash at the end
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.config.prefix()) }
--- response
$TEST_DIR/
--- no_error_log
[error]


=== config.nginx_version: a number like 1022001
--- tcp_server_config
process_by_lua_block {
    local v = ngx.config.nginx_version
    ngx.say(("%d.%d.%d"):format(v / 1000000, v / 1000 % 1000, v % 1000))
}
--- response eval
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
`$nginx -v 2>&1` =~ m{nginx/([\d.]+)} && "$1\n"
--- no_error_log
[error]


=== config.nginx_configure: what nginx -V prints
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.config.nginx_configure()) }
--- response eval
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
`$nginx -V 2>&1` =~ m{^configure arguments: ?(.*)\n}m && "$1\n"
--- no_error_log
[error]


=== config: subsystem, debug, ngx_lua_version
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.config.subsystem, " ", type(ngx.config.debug), " ",
            ngx.config.ngx_lua_version)
}
--- response
tcp boolean 10023
--- no_error_log
[error]


=== config.debug: whether nginx was built with --with-debug
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.config.debug) }
--- response eval
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
(`$nginx -V 2>&1` =~ / --with-debug\b/ ? 'true' : 'false') . "\n"
--- no_error_log
[error]


=== config: in init_by_lua and init_worker_by_lua
--- tcp_config
init_by_lua_block {
    in_init = ngx.config.subsystem .. " " .. ngx.config.prefix() .. " "
        .. tostring(#ngx.config.nginx_configure() >= 0)
        .. tostring(ngx.config.nginx_version >= 1022000)
}
init_worker_by_lua_block {
    in_worker = ngx.config.subsystem .. " " .. ngx.config.prefix() .. " "
        .. tostring(#ngx.config.nginx_configure() >= 0)
        .. tostring(ngx.config.nginx_version >= 1022000)
}
--- tcp_server_config
process_by_lua_block { ngx.print(in_init, "\n", in_worker, "\n") }
--- response
tcp $TEST_DIR/ truetrue
tcp $TEST_DIR/ truetrue
--- no_error_log
[error]


=== get_phase: what the code runs for
--- tcp_config
init_by_lua_block { in_init = ngx.get_phase() }
init_worker_by_lua_block { in_worker = ngx.get_phase() }
exit_worker_by_lua_block { ngx.log(ngx.NOTICE, "phase: ", ngx.get_phase()) }
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init, " ", in_worker, " ", ngx.get_phase())
}
--- response
init init_worker content
--- stop_log
phase: exit_worker
--- no_error_log
[error]


=== get_phase: in a user coroutine, after a wait, arguments are ignored
--- tcp_server_config
process_by_lua_block {
    ngx.sleep(0.001)
    ngx.say(coroutine.wrap(function() return ngx.get_phase(1, 2) end)())
}
--- response
content
--- no_error_log
[error]
