# Workers that are killed in the middle of operations on dictionaries: nothing
# that was done is lost, and the dictionaries stay whole. bench/dict-kill does it
# thousands of times; the scripts are the same.

use lib 't/lib';
use Test::Nginx::TCP;

our $KILLS = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 30;

our $CONFIG = <<"END";
lua_package_path "\$TEST_ROOT/bench/dict.d/?.lua;;";
lua_shared_dict roomy 32m;
lua_shared_dict tight 64k;
init_by_lua_block {
    hammer = require "hammer"
    hammer.set_up()
}
init_worker_by_lua_block { hammer.start() }
END


# All workers once, and then a client whose worker kills one of the others again
# and again. After each kill everything is looked at.
sub kills {
    return [
        ['signal_worker', 'KILL'], [wait_log => 'exited on signal 9', 3],
        [connect => '$TEST_PORT'],
        (map { (
            [send => "kill\n"], [expect => "true\n\n"],
            [wait_log => 'exited on signal 9', 3 + $_],
            [send => "wrong\n"], [expect => "fine\n\n"],
        ) } 1 .. $KILLS),
        [send => "finish $KILLS\n"], [expect => "fine\n\n"],
    ];
}


run_tests();

__DATA__

=== kill: workers die one after the other, those that are left see all that was done
--- workers: 3
--- tcp_config eval
$main::CONFIG
--- tcp_server_config
process_by_lua_block { hammer.serve() }
--- repeat: 1
--- no_reload: its workers die
--- request_parts eval
main::kills()
--- timeout: 20
--- error_log
~ \[alert\] .*worker process \d+ exited on signal 9
--- no_error_log
[error]


=== kill: all workers at once
--- workers: 3
--- tcp_config eval
$main::CONFIG
--- tcp_server_config
process_by_lua_block { hammer.serve() }
--- repeat: 1
--- no_reload: its workers die
--- request_parts eval
[
    (map { (
        ["C$_:", 'connect'], ["C$_:", send => "get operations\n"],
        ["C$_:", expect_like => qr/\d+\n|nil\n/],
        ['signal_worker', 'KILL'], ["C$_:", 'expect_close'],
        ["D$_:", 'connect'],
        ["D$_:", send => "wrong\n"], ["D$_:", expect => "fine\n\n"],
        ["D$_:", 'close'],
    ) } 1 .. $main::KILLS / 3),
    ['E:', 'connect'], ['E:', send => "finish $main::KILLS\n"],
    ['E:', expect => "fine\n\n"],
]
--- timeout: 20
--- error_log
~ \[alert\] .*worker process \d+ exited on signal 9
--- no_error_log
[error]
