# The order in which threads run, against a model in plain Lua: random programs
# whose course does not depend on time do the same on both (t/lib/lua/model.lua
# and programs.lua).
#
# The programs of a block have the numbers from its seed on; a program that
# differs is shown as small as it still differs. In the last block the seed is
# TEST_NGINX_SEED.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(opt);

# How many programs a block has.
my $COUNT = $ENV{TEST_NGINX_USE_VALGRIND} ? 20 : 300;


# The configuration for programs of these kinds. `expected`: results that must
# have come; few programs have not all of them.
sub block {
    my ($seed, $kinds, $expected) = @_;
    $expected = '' if $COUNT < 300 || !defined $expected;
    return <<"END";
tcp {
    lua_package_path
        "\$TEST_ROOT/t/lib/lua/?.lua;\$TEST_ROOT/bench/torture.d/?.lua;;";
    lua_max_running_timers 1000;
    init_by_lua_block { programs = require "programs" }
    server {
        listen 127.0.0.1:\$TEST_PORT;
        process_by_lua_block {
            local text, seen = programs.compare($seed, $COUNT, "$kinds")
            ngx.print(text)
            ngx.print(seen and programs.missing(seen, [==[$expected]==]) or "")
        }
    }
}
END
}


run_tests();

__DATA__

=== threads: spawn, wait, kill, yield
--- http_config eval
main::block(1000, 'threads')
--- response chomp
all alike
--- timeout: 60
