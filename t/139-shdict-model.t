# ngx.shared.DICT: random operations, each compared with what a dictionary of
# plain Lua gives.  The second block has the seed of the run.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(opt);

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
END

# Operations of a run; below valgrind fewer.
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 400 : 2000;

our $SCRIPT = <<"END";
process_by_lua_block {
    local model = require "dict_model"
    local dogs = ngx.shared.dogs
    for seed = SEED, SEED + 2 do
        local different = model.compare(dogs, seed, $n)
        if different then
            ngx.say(different)
            return
        end
    end
    ngx.say("all alike")
}
END

sub script {
    my ($seed) = @_;
    return $SCRIPT =~ s/SEED/$seed/gr;
}

run_tests();

__DATA__

=== model: every result is that of the model; fixed seeds
--- tcp_config eval
$main::DICTS
--- tcp_server_config eval
main::script(1)
--- response
all alike
--- timeout: 30
--- no_error_log
[error]


=== model: every result is that of the model; seeds of this run
--- tcp_config eval
$main::DICTS
--- tcp_server_config eval
main::script(main::opt('seed'))
--- response
all alike
--- timeout: 30
--- no_error_log
[error]
