# Connections with random trees of threads, coroutines, sleeps, semaphores,
# channels, selects, deadlines, timers and receives, whose clients send at
# random times, half-close, reset or stay silent: the scripts of bench/torture,
# for some seconds. They check every result; afterwards nothing is left.
#
# The clients and the programs of one block follow from a fixed seed, those of
# the other from TEST_NGINX_SEED.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(opt);

# What a client sends is part of this text, from a place that depends on its
# number; bench/torture.d/client.lua has the same.
my $TEXT = join('', map { $_ % 83 ? chr 97 + $_ * 7 % 26 : "\n" } 1 .. 251) x 40;

our $CONFIG = <<'END';
tcp {
    read_timeout 400ms;
    send_timeout 400ms;
    keepalive_timeout 400ms;
    lua_max_pending_timers 100000;
    lua_max_running_timers 100000;
    lua_package_path
        "$TEST_ROOT/bench/torture.d/?.lua;$TEST_ROOT/bench/ours/?.lua;;";
    init_by_lua_block {
        torture = require "torture"
        torture.set_largest(20000)
    }

    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block { torture.serve() }
    }

    server {
        listen 127.0.0.1:$TEST_PORT2;
        lua_check_client_abort on;
        process_by_lua_block { torture.serve() }
    }

    server {
        listen 127.0.0.1:$TEST_PORT3 sndbuf=16k;
        process_by_lua_block { torture.serve() }
    }

    server {
        listen 127.0.0.1:$TEST_PORT4;
        process_by_lua_block { ngx.print(torture.outcome(20)) }
    }
}
END

# The first three.
my @PORTS = map { "\$TEST_PORT$_" } '', 2, 3;


# Clients with the numbers from $first on, each beginning in the first second
# and a half.
sub clients {
    my ($seed, $first) = @_;

    my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 15 : 60;
    my $random = generator($seed * 1000 + $first);
    my @events = map { client($seed, $_, $random) } $first .. $first + $n - 1;

    my ($time, @steps) = (0);
    for my $event (sort { $a->[0] <=> $b->[0] } @events) {
        my ($at, @step) = @$event;
        push @steps, [pause => $at - $time] if $at - $time > 0.001;
        $time = $at if $at - $time > 0.001;
        push @steps, \@step;
    }
    return \@steps;
}


# [time, step] of one client.
sub client {
    my ($seed, $number, $random) = @_;

    my $name = "C$number:";
    my $time = 1.5 * $random->();
    my $duration = (0.05, 0.3, 1.2)[3 * $random->()] * $random->();
    my $kind = $random->();
    my $head = "$seed $number\n";
    if ($kind < 0.08) {
        # Gone before it has said who it is.
        $head = substr $head, 0, int(length($head) * $random->());
    }

    my @events = ([$time, $name, connect => $PORTS[3 * $random->()]]);
    push @events, [$time, $name, send => $head] if length $head;
    if ($kind > 0.2) {
        my @times = sort { $a <=> $b }
                    map { $time + $duration * $random->() }
                    1 .. 1 + 8 * $random->();
        my $sent = $number;
        for my $at (@times) {
            my $bytes = substr $TEXT, $sent % 251,
                               1 + (2, 50, 600)[3 * $random->()] * $random->();
            push @events, [$at, $name, send => $bytes];
            $sent += length $bytes;
        }
    }

    my $end = $time + $duration + 0.001;
    my $how = (qw(half_close close reset half_close stay))[5 * $random->()];
    push @events, [$end, $name, $how] if $how ne 'stay';
    push @events, [$end + 1 + $random->(), $name, 'close']
        if $how eq 'half_close' || $how eq 'stay';
    return @events;
}


# Numbers from 0 up to 1, the same ones for the same seed everywhere.
sub generator {
    my ($state) = @_;
    return sub {
        $state = ($state * 1103515245 + 12345) % 2**31;
        return ($state >> 8) / 2**23;
    };
}


# The steps of a block whose first client has this number.
sub torture {
    my ($seed) = @_;
    return [
        @{ clients($seed, 1) },
        ['W:', connect => '$TEST_PORT4'],
        ['W:', expect => 'all is well'],
        ['W:', 'expect_eof'],
    ];
}


run_tests();

__DATA__

=== torture: every result is what it may be, and nothing is left; a fixed seed
--- http_config eval
$main::CONFIG
--- request_parts eval
main::torture(1)
--- timeout: 30


=== torture: the same, with a seed of this run
--- http_config eval
$main::CONFIG
--- request_parts eval
main::torture(main::opt('seed'))
--- timeout: 30
