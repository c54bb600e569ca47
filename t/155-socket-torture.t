# Sessions whose light threads do everything with sockets that they share, with
# real servers and with one that resets, floods and falls silent, while threads
# are killed, deadlines pass, clients leave and nginx reloads: t/lib/lua/sockets.lua.
# Talks on a connection of one's own are right to the byte, every error is one of
# those that are to be expected, and in the end nothing is left.
#
# What the sessions do follows from TEST_NGINX_SEED, as far as timing lets it.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(opt);

our $PLAY = <<'END';
lua_socket_log_errors off;
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_verify_depth 3;
resolver 127.0.0.1:$TEST_DNS_PORT ipv6=off;
resolver_timeout 1s;
init_by_lua_block {
    sockets, worker = require "sockets", require "worker"
    places = {
        bad = $TEST_PORT4,
        large = SIZE,
        udp = { $TEST_UDP_PORT, $TEST_CLOSED_PORT },
        redis = {
            { "127.0.0.1", $TEST_REDIS_PORT }, { "unix:$TEST_REDIS_SOCKET" },
            { "localhost", $TEST_REDIS_TLS_PORT, tls = "localhost" },
        },
        any = {
            { "127.0.0.1", $TEST_PORT4 }, { "127.0.0.1", $TEST_PORT4 },
            { "localhost", $TEST_PORT4 }, { "one.test", $TEST_PORT4 },
            { "127.0.0.1", $TEST_CLOSED_PORT }, { "silent.test", 1 },
            { "nx.test", 1 }, { "127.0.0.1", $TEST_REDIS_PORT },
        },
    }
}
server {
    listen 127.0.0.1:$TEST_PORT4;
    read_timeout 1s;
    process_by_lua_block { sockets.serve() }
}
END
my $size = $ENV{TEST_SLOW} ? 200 : 50_000;
$PLAY =~ s/SIZE/$size/;

my $slow = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND};
my ($SESSIONS, $MOVES) = $slow ? (6, 10) : (30, 40);


# Sessions, each with a seed of its own; some clients leave before the end.
sub sessions {
    my ($first) = @_;
    my @steps;
    for my $n ($first .. $first + $SESSIONS - 1) {
        my $seed = opt('seed') * 1000 + $n;
        my $port = '$TEST_PORT' . ($n % 2 ? '' : '2');
        push @steps, ["C$n:", connect => $port],
            ["C$n:", send => "$seed $MOVES\n"];
    }
    push @steps, [pause => 0.1];
    for my $n ($first .. $first + $SESSIONS - 1) {
        push @steps, ["C$n:", $n % 5 == 0 ? 'reset' : $n % 7 == 0 ? 'close'
                                                                  : 'expect_eof'];
    }
    return @steps;
}


run_tests();

__DATA__

=== torture: everything at once, and nothing is left
--- peers: redis dns udp
--- events
worker_connections 1024;
--- tcp_config eval: $main::PLAY
--- tcp_server_config
process_by_lua_block {
    local seed, moves = ngx.receive("*l"):match("(%d+) (%d+)")
    sockets.play(tonumber(seed), tonumber(moves), places)
}
--- tcp_server_config2
lua_check_client_abort on;
process_by_lua_block {
    local seed, moves = ngx.receive("*l"):match("(%d+) (%d+)")
    sockets.play(tonumber(seed), tonumber(moves), places)
}
--- tcp_server_config3
process_by_lua_block {
    local first = package.loaded.first
    if not first then
        -- The resolver keeps its socket once there was something to ask.
        ngx.socket.tcp():connect("nx.test", 1)
    end
    local wrong = sockets.outcome()
    local fds, memory
    -- Idle connections have two seconds at most.
    for _ = 1, 100 do
        ngx.sleep(0.05)
        fds = worker.fds()
        if first and fds <= first.fds then break end
    end
    memory = worker.memory()
    package.loaded.first = first or { fds = fds, memory = memory }
    if first and fds > first.fds then
        wrong[#wrong + 1] = fds - first.fds .. " descriptors more"
    end
    if first and memory > first.memory * 1.2 + 100 then
        wrong[#wrong + 1] = memory - first.memory .. " KiB more"
    end
    ngx.print(#wrong == 0 and "good" or table.concat(wrong, "; "))
}
--- request_parts eval
my $watch = sub {
    my ($name) = @_;
    return (["$name:", connect => '$TEST_PORT3'], ["$name:", expect => 'good'],
            ["$name:", 'expect_eof']);
};
[main::sessions(1), $watch->('V'), main::sessions(101), $watch->('W')]
--- repeat: 1
--- timeout: 60
--- no_error_log
[alert]
[crit]


=== torture: over reloads, each old worker ends
--- peers: redis dns udp
--- events
worker_connections 1024;
--- tcp_config eval: $main::PLAY
--- tcp_server_config
process_by_lua_block {
    local seed, moves = ngx.receive("*l"):match("(%d+) (%d+)")
    sockets.play(tonumber(seed), tonumber(moves), places)
}
--- tcp_server_config2
process_by_lua_block {
    local seed, moves = ngx.receive("*l"):match("(%d+) (%d+)")
    sockets.play(tonumber(seed), tonumber(moves), places)
}
--- tcp_server_config3
process_by_lua_block { ngx.print(table.concat(sockets.outcome(), "; "), "ok") }
--- request_parts eval
my @steps = main::sessions(201);
my @connects = splice @steps, 0, @steps / 2;
[@connects, ['reload'], @steps, ['wait_workers'],
 ['V:', connect => '$TEST_PORT3'], ['V:', expect => 'ok'], ['V:', 'expect_eof']]
--- repeat: 1
--- timeout: 60
--- no_error_log
[alert]
[crit]
