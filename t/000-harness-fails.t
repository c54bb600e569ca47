# A test must be able to fail: each case is a block that is wrong in one way,
# run by a test program of its own, and the points that have to fail, no more
# and no less.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

my $STREAM = <<'CONF';
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream {
    server { listen 127.0.0.1:$TEST_PORT; return "hello\n"; }
    server { listen 127.0.0.1:$TEST_PORT2; proxy_pass 127.0.0.1:$TEST_PORT3; }
}
CONF

# name, sections, failing points (without the title)
my @cases = (
    ['right', "--- response\nhello\n"],

    ['reply: one byte differs', "--- response\nhellO\n",
     'response (run 1)', 'response (run 2)'],

    ['reply: too short', "--- response\nhello\nmore\n",
     'response (run 1)', 'response (run 2)'],

    ['reply: surplus', "--- response chomp\nhello\n",
     'response (run 1)', 'response (run 2)'],

    ['reply: other in the second run',
     qq(--- response eval\n["hello\\n", "hallo\\n"]\n), 'response (run 2)'],

    ['response_like', "--- response_like: hallo\n",
     'response_like (run 1)', 'response_like (run 2)'],

    ['reply: does not come', <<'BLOCK', 'exchange', 'response'],
--- repeat: 1
--- request_parts
Up: listen $TEST_PORT3
connect $TEST_PORT2
Up: accept
--- response: late
BLOCK

    ['nobody listens', "--- connect: \$TEST_CLOSED_PORT\n--- repeat: 1\n"
     . "--- response: x\n", 'exchange', 'response'],

    ['expect: other bytes', qq(--- request_parts\nexpect "hallo"\n),
     'exchange (run 1)', 'exchange (run 2)'],

    ['expect: surplus', qq(--- request_parts\nexpect "hel"\n),
     'exchange (run 1)', 'exchange (run 2)'],

    ['expect_nothing', qq(--- repeat: 1\n--- request_parts\n)
     . qq(expect_nothing 5\n), 'exchange'],

    ['expect_eof: bytes before', qq(--- repeat: 1\n--- request_parts\n)
     . qq(expect_eof\n), 'exchange'],

    ['expect_eof: still open', <<'BLOCK', 'exchange'],
--- repeat: 1
--- request_parts
Up: listen $TEST_PORT3
connect $TEST_PORT2
Up: accept
expect_eof
BLOCK

    ['expect_eof: reset instead', <<'BLOCK', 'exchange'],
--- repeat: 1
--- request_parts
Up: listen $TEST_PORT3
connect $TEST_PORT2
Up: accept
reset
Up: expect_reset
BLOCK

    ['wait_log', qq(--- repeat: 1\n--- request_parts\nwait_log "nonesuch"\n),
     'exchange'],

    ['unknown step', "--- repeat: 1\n--- request_parts\nnonesuch\n",
     'exchange'],

    ['one of many clients', "--- repeat: 1\n--- clients: 3\n"
     . "--- response\nhell\$TEST_CLIENT\n",
     map { "response to client $_" } 1 .. 3],

    ['error_log', "--- repeat: 1\n--- response\nhello\n--- error_log\n"
     . "reopening\nnonesuch\n", 'error_log'],

    ['no_error_log', "--- response\nhello\n--- no_error_log\nclient 127\n",
     'no_error_log (run 1)', 'no_error_log (run 2)'],

    ['grep_error_log', "--- repeat: 1\n--- response\nhello\n"
     . "--- grep_error_log\n~ connected\n"
     . "--- grep_error_log_out\nconnected\nconnected\n", 'grep_error_log'],

    ['file_is', "--- repeat: 1\n--- response\nhello\n"
     . "--- file_is\n>>> conf/nginx.conf\nother\n",
     'file_is conf/nginx.conf'],

    ['stop_log', "--- repeat: 1\n--- response\nhello\n--- stop_log\nnonesuch\n",
     'stop_log'],

    ['a worker is killed', "--- repeat: 1\n--- request_parts\n"
     . "signal_worker KILL\nwait_log \"exited on signal 9\"\n",
     'no alert, crit or emerg in error.log'],

    ['nginx is killed', "--- repeat: 1\n--- signal: KILL\n",
     'nginx ends well by KILL'],

    ['a client keeps nginx from its end', <<'BLOCK', 'exchange'],
--- repeat: 1
--- stop: TERM
--- request_parts
Up: listen $TEST_PORT3
connect $TEST_PORT2
Up: accept
signal QUIT
wait_exit
BLOCK

    ['nginx does not start', "--- main_config\nnonesuch on;\n",
     'runs to its end'],

    ['conf_error: other text', "--- conf_error\nother\n",
     'nginx refuses it', 'conf_error text'],

    ['conf_ok: refused', "--- config\nnonesuch on;\n--- conf_ok\n",
     'nginx -t accepts it', 'nothing else is complained of'],

    ['peer: other bytes than it expects', <<'BLOCK', 'exchange', 'peer'],
--- repeat: 1
--- peer
expect "hallo"
--- request_parts
connect $TEST_PEER_PORT
send "hello"
expect "more"
BLOCK

    ['peer: nobody connects', "--- repeat: 1\n--- peer\naccept\n"
     . "--- response\nhello\n", 'peer'],

    ['peer: surplus', <<'BLOCK', 'peer'],
--- repeat: 1
--- peer
expect "hel"
--- request_parts
connect $TEST_PEER_PORT
send "hello"
BLOCK

    ['udp_peer: surplus', <<'BLOCK', 'udp_peer'],
--- repeat: 1
--- udp_peer
expect "one"
--- request_parts
U: connect udp:$TEST_UDP_PEER_PORT
U: send "one"
U: send "two"
BLOCK

    ['peer: unknown step', "--- repeat: 1\n--- peer\nnonesuch\n"
     . "--- response\nhello\n", 'peer'],

    ['peer: expect_no_connection', <<'BLOCK', 'peer'],
--- repeat: 1
--- peer
expect_no_connection 5
--- request_parts
connect $TEST_PEER_PORT
expect_close
BLOCK

    ['peer: the handshake is good', <<'BLOCK', 'peer'],
--- repeat: 1
--- peer
expect_tls_failure good
--- config
load_module $TEST_MODULES_DIR/ngx_stream_module.so;
events {}
stream { server {
    listen 127.0.0.1:$TEST_PORT;
    proxy_pass 127.0.0.1:$TEST_PEER_PORT;
    proxy_ssl on;
} }
--- request_parts
expect_close
BLOCK

    ['must_die: lives', "--- must_die\n", 'nginx refuses it'],
);

my $lib = 't/lib';
my $dir = tempdir(CLEANUP => 1);
$ENV{TEST_NGINX_TIMEOUT} = 3;
$ENV{TEST_NGINX_NO_SHUFFLE} = 1;
delete $ENV{$_} for qw(TEST_NGINX_USE_HUP TEST_SLOW TEST_NGINX_USE_VALGRIND
                       TEST_NGINX_BLOCK);

for my $case (@cases) {
    my ($name, $sections, @expected) = @$case;
    my @failed = failed_points($sections);
    is_deeply(\@failed, \@expected, $name);
}

SKIP: {
    skip 'no valgrind', 1 if system('valgrind --version >/dev/null 2>&1');

    # a library of ours in every process, taken for the module, that leaks
    my $leak = "$dir/leak.so";
    open my $cc, '|-', qw(cc -shared -fPIC -xc - -o), $leak
        or die "cannot run cc: $!\n";
    print $cc <<'SOURCE';
#include <stdlib.h>
static void *volatile p;
__attribute__((constructor)) static void lose(void) { p = malloc(8); p = 0; }
SOURCE
    close $cc or die "cannot build $leak\n";

    local @ENV{qw(TEST_NGINX_USE_VALGRIND TEST_NGINX_MODULE LD_PRELOAD)} =
        (1, $leak, $leak);
    is_deeply([failed_points("--- repeat: 1\n--- response\nhello\n")],
              ['nginx ends well'], 'valgrind: a leak of the module');
}

like(run_program("--- nonesuch: 1\n"), qr/unknown section "nonesuch"/,
     'unknown section');

like(run_program("--- response\nhello\n--- response\nhallo\n"),
     qr/two sections "response"/, 'a section that stands twice');

like(run_program("--- peers: nonesuch\n"), qr/no peer "nonesuch"/,
     'unknown peer');

# The new server's block fails, and its title says so.
is_deeply(
    [run_program(<<'BLOCK') =~ /^not ok \d+ - (.*)$/mg],
--- config
events {}
--- peers: nats
--- connect: $TEST_NATS_PORT
--- repeat: 1
--- request_parts
expect_like /^INFO .*"version":"2\.9.*\r\n/
BLOCK
    ['T (new) - exchange'], 'peers of two ages');

done_testing();


# The failed points of a program with this one block.
sub failed_points {
    my ($sections) = @_;
    my $tap = run_program($sections);
    my @failed = $tap =~ /^not ok \d+ - T - (.*)$/mg;
    push @failed, "no plan: $tap" if $tap !~ /^1\.\.\d+$/m;
    return @failed;
}


sub run_program {
    my ($sections) = @_;

    my $block = $sections =~ /^--- (?:main_)?config/m ? $sections
                                                      : $STREAM . $sections;
    open my $fh, '>', "$dir/case.t" or die "cannot write $dir/case.t: $!\n";
    print $fh "use Test::Nginx::TCP;\nrun_tests();\n__DATA__\n\n",
              "=== T\n$block";
    close $fh;

    my $tap = `$^X -I$lib $dir/case.t 2>&1`;
    remove_kept($tap);
    return $tap;
}


# A failed program keeps its servers' files for people to look at.
sub remove_kept {
    my ($tap) = @_;
    while ($tap =~ m{^# files: (\S*/servroot-\w+)/}mg) {
        File::Path::remove_tree($1);
    }
}
