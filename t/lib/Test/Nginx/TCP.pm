package Test::Nginx::TCP;

# Tests of the module in a real nginx, written as blocks of Test::Base.  This
# file owns the manual (below), the order of the blocks and the directory of
# the test program; a block's life is Test::Nginx::TCP::BlockRun's.

use strict;
use warnings;

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use List::Util qw(shuffle);
use Test::Base -base;
use Test::Nginx::TCP::BlockRun;
use Test::Nginx::TCP::Cert qw(cert_dir);
use Test::Nginx::TCP::Options qw(opt modes repo_root);
use Test::Nginx::TCP::PeerScript qw(peer_script_variables peer_sections);
use Test::Nginx::TCP::Peers qw(ages_of prepare_peers stop_peers);
use Test::Nginx::TCP::Ports qw(test_ports);
use Test::Nginx::TCP::Sections qw(check_sections sections_of);

our @EXPORT = qw(run_tests);

# The last port of the slot is never listened on.
my $CLOSED = 15;


sub run_tests {
    my $builder = Test::Builder->new;
    plan('no_plan');

    my $seed = opt('seed');
    srand $seed;
    my $heading = join ' ', "TEST_NGINX_SEED=$seed", map { "mode: $_" } modes();
    $builder->note($heading);

    check_sections($_) for blocks();
    my $root  = tempdir('servroot-XXXXXX', DIR => repo_root() . '/t');
    # for workers of another user, which reopen logs in it
    chmod 0755, $root;
    my @ports = test_ports();
    my %vars  = (_variables(@ports), _peer_variables($root));

    my $number = 0;
    my @blocks = map {
        my $spec = $_;
        map { [++$number, $spec, $_] } ages_of(sections_of($spec));
    } blocks();
    @blocks = shuffle @blocks unless opt('in_order');
    my $only = opt('block');
    @blocks = grep {
        Test::Nginx::TCP::BlockRun::title(@$_[1, 2]) =~ /$only/
    } @blocks if length $only;

    my $failed = 0;
    for (@blocks) {
        my ($no, $spec, $age) = @$_;
        my $block = Test::Nginx::TCP::BlockRun->new(
            number => $no, spec => $spec, age => $age, root => $root,
            ports => \@ports, vars => \%vars);
        $failed++ unless $block->run;
    }
    $failed++ unless Test::Nginx::TCP::BlockRun::stop_shared();
    stop_peers();

    $builder->diag("$heading, blocks failed: $failed") if $failed;
    remove_tree($root) unless $failed || opt('keep');
}


sub _variables {
    my (@ports) = @_;

    my %vars = (
        TEST_PORT        => $ports[0],
        TEST_CLOSED_PORT => $ports[$CLOSED],
        TEST_MODULE      => File::Spec->rel2abs(opt('module'), repo_root()),
        TEST_ROOT        => repo_root(),
        TEST_MODULES_DIR => _modules_dir(),
        TEST_LUA_NGINX   => repo_root() . '/target/lua-nginx',
    );
    $vars{"TEST_PORT$_"} = $ports[$_ - 1] for 2 .. $CLOSED;
    return %vars;
}


# Of what the blocks of this file use, and of nothing else: certificates are
# made when they are first wanted.
sub _peer_variables {
    my ($root) = @_;

    my %vars = prepare_peers($root, blocks());
    my @texts = map { values %{ sections_of($_) } } blocks();
    $vars{TEST_CERT_DIR} = cert_dir()
        if grep { defined && /\$\{?TEST_CERT_DIR\b/ } @texts;
    %vars = (%vars, peer_script_variables())
        if grep { peer_sections(sections_of($_)) } blocks();
    return %vars;
}


# Where the binary's own dynamic modules lie.
sub _modules_dir {
    my $binary = opt('binary');
    my $text = `$binary -V 2>&1`;
    return $text =~ /--modules-path=(\S+)/ ? $1
         : $text =~ /--prefix=(\S+)/       ? "$1/modules" : '';
}


1;

__END__

=encoding utf-8

=head1 NAME

Test::Nginx::TCP - test blocks for a module that serves TCP

=head1 SYNOPSIS

    use lib 't/lib';
    use Test::Nginx::TCP;

    run_tests();

    __DATA__

    === receive: five bytes are echoed
    --- tcp_server_config
    process_by_lua_block {
        ngx.print(ngx.receive(5))
    }
    --- request chomp
    hello
    --- response chomp
    hello
    --- no_error_log
    [error]

Run with C<prove -It/lib -j2 t/*.t>.

Blocks run in random order; each starts nginx, runs its exchange twice on it,
and ends it with SIGQUIT. Besides what it says, a block fails if error.log has
a line of level alert, crit or emerg that the block does not expect (so also
"open socket left" and "exited on signal"), if a worker died, if nginx does not
end in time or ends with another status than 0. Then the end of error.log is
shown and the server's directory t/servroot-XXXXXX/bN stays.

=head1 SECTIONS

Filters come after the name, as in Test::Base: C<chomp> takes the last line
feed away, C<eval> takes the text as Perl. C<--- name: value> is a section of
one line without line feed. C<--- ONLY>, C<--- LAST>, C<--- SKIP> work. A
section with an unknown name is an error.

In all sections C<$TEST_PORT>, C<$TEST_PORT2> ... C<$TEST_PORT15> are free
ports, C<$TEST_CLOSED_PORT> is one that nobody listens on, C<$TEST_DIR> is
nginx's prefix, C<$TEST_ROOT> the source tree, C<$TEST_MODULE> the module,
C<$TEST_MODULES_DIR> the directory of nginx's own modules, C<$TEST_CLIENT> (in
request, response and steps) the number of the client, C<$TEST_CERT_DIR> the
certificates, C<$TEST_LUA_NGINX> the directory of Debian's lua-nginx-* modules;
peers bring more. C<${TEST_PORT}> works too.

=head2 Configuration

=over

=item tcp_server_config, tcp_server_config2, tcp_server_config3

The inside of a C<server {}>. C<listen 127.0.0.1:$TEST_PORT> (PORT2, PORT3) is
added if the text has no C<listen>, and C<protocol tcp_lua> if it has no
C<protocol>. To leave either out write the server in C<tcp_config>.

=item tcp_config

Text in C<tcp {}> before the servers.

=item main_config, http_config

Text at top level before C<events {}>, and after it. The harness itself adds
C<load_module>, C<user root> when run as root, C<pid>, C<daemon off> and
C<error_log logs/error.log info>.

=item events, workers, master_process

Text in C<events {}>; C<workers: 2>; C<master_process: off>.

=item config

The whole nginx.conf in place of all the above, also without C<load_module>
(C<load_module $TEST_MODULE;>). The harness still adds pid, error_log, daemon
and user on the command line.

=item user_files

Files below the prefix: a line C<< >>> path/name >> and then the text, any
number of times.

=back

=head2 Traffic

=over

=item request

The client connects, sends these bytes and reads the reply: up to the length
of C<response> or a match of C<response_like>, otherwise to its end. Then it
half-closes and looks for more. A reply that ends with a reset fails. May be
left out if there is a response (the server speaks first).

=item shutdown

Half-close at once after the request.

=item response, response_like

The whole reply, or a pattern (C<.> matches line feeds). After C<eval> a list
gives one for each run.

=item request_parts

Steps, see below. With C<response> all that the client without a name received
is compared in the end; otherwise all that came must have been expected by a
step.

=item connect

Where to connect: a port, C<address:port>, C<[::1]:port>, C<unix:path>.

=item tls

The clients speak TLS, with these options of C<start_tls> (or none). Those that
C<connect> names in steps do not, before C<start_tls>.

=item clients

C<clients: 20> runs the exchange by so many clients at once; C<$TEST_CLIENT> is
1, 2, ...

=item timeout, wait

C<timeout: 10> seconds for each wait in the block (5; more under slow and
valgrind). C<wait: 0.5> seconds between the exchange and the checks; better
wait for something in a step.

=item repeat, signal, stop

C<repeat: 1> where a second run makes no sense. C<signal: HUP> (USR1, QUIT,
TERM) between the first and second run; HUP waits for the new workers, QUIT and
TERM for the end of nginx, and there is no second run then. C<stop: TERM> ends
nginx otherwise than by QUIT.

=back

=head2 Peers

What the module under test connects to.

=over

=item peers

Names of real servers, see L</PEERS>: C<peers: redis dns>. They run when the
block begins. With a name that stands for an old and a new server the block
runs twice (under valgrind once, with either), and its title has "(old)" and
"(new)" behind it.

=item peer, peer2, peer3

Steps, played by a process of its own beside the clients, once each run, on
127.0.0.1 and C<$TEST_PEER_PORT>, C<$TEST_PEER2_PORT>, C<$TEST_PEER3_PORT>. It
listens before the clients begin. A connection is accepted by C<accept> or by
the first step that needs it; names tell several apart. What is open at the end
of the steps stays so until the clients are through, and must not have received
what no step expects.

=item udp_peer, udp_peer2

The same with datagrams, on C<$TEST_UDP_PEER_PORT>, C<$TEST_UDP_PEER2_PORT>:
send (to whom the last one came from), expect, expect_like, expect_bytes (each
the whole next datagram), expect_nothing, close.

=back

=head2 Checks

=over

=item error_log, no_error_log

Each line is a substring of a log line that must (not) come during the run. A
line C<~ regex> is a pattern; C<eval> may give a list of strings and C<qr//>.

=item grep_error_log, grep_error_log_out

All matches of the pattern, each with a line feed, compared as a whole. The
output may be a list with C<eval>, one for each run.

=item start_log, stop_log

As error_log, for the time of nginx's start and of its end.

=item file_is, file_like

C<< >>> path/name >> below the prefix, then the text (or pattern) that a run
adds to the file.

=item conf_error, conf_ok, must_die

No traffic. C<nginx -t> must fail, must succeed, nginx itself must fail to
start; each line (or C<~ regex>) must be in a line of its stderr, and lines of
level warn and higher that no line matches fail the block (an empty conf_ok
means no warnings).

=item skip_mode, skip_if, no_reload

C<skip_mode: slow valgrind: REASON> (also hup). C<skip_if: PERL> skips if the
expression gives a reason. C<no_reload: REASON> restarts nginx for this block
in hup mode.

=back

=head1 STEPS

One a line: C<[CLIENT:] verb arguments>. A client's name begins with a capital
letter (C<A: send "x">); steps without one are the nameless client's. The first
step that needs it connects. Strings are in double quotes, with C<\r \n \t \0
\xHH \\ \">; C<"ab" x 1000> repeats, strings side by side are joined. Patterns
are C</regex/imsx>. C<#> begins a comment line. After C<eval> a list:
C<[send =E<gt> $bytes], ['A:', expect =E<gt> "x"]> in one array reference.

    connect [ADDRESS] [rcvbuf=N]
                             connect (again), elsewhere, with a small window;
                             udp:PORT sends datagrams
    send BYTES               all of them, receiving meanwhile
    send_fin BYTES           the same, and the FIN with the last of them
    drip BYTES [SECONDS]     byte by byte, each in a packet
    expect BYTES             exactly these come next
    expect_like /RE/         what comes next matches; seen up to its end; in
                             later steps ${name} is what (?<name>...) matched
    expect_bytes N           any N bytes
    take_bytes N             the same, and what follows is not read yet: before
                             tls on a connection that was plain
    expect_nothing SECONDS   nothing and no end for so long
    expect_eof  expect_reset  expect_close
                             the end (FIN, RST, either), nothing before it
    read_all                 whatever comes, to a FIN
    stop_reading  start_reading
                             be a slow reader
    half_close  close  reset send FIN; close; send RST
    listen ADDRESS [backlog=N]  accept  unlisten
                             be an upstream: the client's name is then the
                             accepted connection
    expect_no_connection SECONDS
                             nobody connects for so long
    fill_backlog             no connect comes through any more (begin with
                             listen $TEST_PEER_PORT backlog=0)
    tls CERT [TLSv1.2|TLSv1.3] [verify]
                             handshake as server, with a certificate of
                             t/cert; only this version; a client certificate
                             is required
    expect_tls_failure CERT [...]
                             the same, and it fails
    start_tls [name=SNI] [cert=CERT] [TLSv1.2|TLSv1.3] [ciphers=LIST]
              [alpn=NAME,NAME] [session=NAME]
                             handshake as client, which goes on with the session
                             of this name if there is one
    expect_alert [OPTION...] /RE/
                             the same, or what comes behind it, ends with an
                             alert whose text matches
    s_client "ARGUMENTS" => "INPUT" => /RE/
                             openssl s_client, until what it says matches
    expect_notify            expect_eof, with TLS's word for it
    plain BYTES              past TLS
    notify                   TLS's word for the end, without FIN
    truncate                 FIN without TLS's word for it
    pause SECONDS            only to tell two packets apart
    wait_log PATTERN [N]     "substring" or /RE/, N times since the run began
    wait_port PORT           somebody listens
    wait_file NAME [PATTERN] below the prefix
    stop_peer NAME  start_peer NAME
                             end one of "peers", and start it anew
    sync                     each worker has handled all that came before
    signal NAME              to the master, without waiting
    signal_worker NAME       to the workers
    reload                   SIGHUP, and the new workers serve
    wait_workers             the old workers are gone
    wait_exit                nginx is gone, with status 0
    write_file NAME TEXT     below the prefix
    edit_file NAME FROM => TO
                             first occurrence; conf/nginx.conf, then reload

At the end of the steps connections that are still open half-close, and what
comes then counts as received; end with C<close> to prevent it.

=head1 PEERS

Real servers on 127.0.0.1. One of each is started with the first block that
names it and lives until the end of the test program; at the beginning of each
run it is empty. When it does not start its log is shown; its files are below
t/servroot-XXXXXX/peers.

=over

=item redis

C<$TEST_REDIS_PORT>, C<$TEST_REDIS_SOCKET> (a path), C<$TEST_REDIS_TLS_PORT>
(certificate "good").

=item redis_auth

C<$TEST_REDIS_AUTH_PORT>, also _SOCKET, _TLS_PORT; the password is "sesame".

=item memcached

C<$TEST_MEMCACHED_PORT>.

=item mariadb, mariadb_tls

C<$TEST_MARIADB_PORT>, C<$TEST_MARIADB_SOCKET>, C<$TEST_MARIADB_TLS_PORT>,
C<$TEST_MARIADB_TLS_SOCKET>; the database "test". Users, all with
mysql_native_password and the password "secret": tcp, old (database test only),
nopass (empty password), tls (TLS required), x509 (client certificate
required).

=item http, https

nginx, C<$TEST_HTTP_PORT> or C<$TEST_HTTPS_PORT>. It has

    /hello /big /huge        6, 1000000, 32 M bytes with a length (hello, x, \0)
    /chunked /chunked-big    the first two in chunks
    /204 /empty /404 /500 /redirect
    /slow                    3000 bytes, 1000 each second
    /connection              "N M": the connection, its requests
    /close /idle             closed at once; after a second
    /duplicate /headers      a header twice; 60 of 100 bytes
    /method                  "METHOD HOST"
    /echo                    the body of the request, a line
    /tls                     "VERSION REUSED NAME VERIFIED"

With TLS there is a port for each of these certificates,
C<$TEST_HTTPS_ECDSA_PORT> and so on: ECDSA, EXPIRED, FUTURE, WRONG,
SELF_SIGNED, CHAIN, NO_CHAIN, REVOKED, WILDCARD; that of good is
C<$TEST_HTTPS_PORT>. TLS12 and TLS13 have but this version, CLIENT and
CLIENT_OPTIONAL ask for a certificate by ca.pem, SNI has test.example (good),
other.example (wrong), a.wild.example (wildcard), refuse.example (no
handshake), else ecdsa.

=item dns

dnsmasq, C<$TEST_DNS_PORT>: the table is in Test/Nginx/TCP/Peer/Dns.pm.
silent.test is never answered, servfail.test and names outside of test fail.
C<$TEST_DNS_SILENT_PORT> never answers, C<$TEST_DNS_SERVFAIL_PORT> always fails.

=item openssl_tls12, openssl_tls13, openssl_client

openssl s_server, C<$TEST_OPENSSL_TLS12_PORT> and so on, with the certificate
"good": serves one connection after the other, and sends each line back
reversed. The first two have but this version, the third requires a client
certificate by ca.pem.

=item udp

C<$TEST_UDP_PORT> sends datagrams back, but not "drop...", "twice..." two
times, for "big N" N bytes, for "empty" an empty one.

=item nats, nats_auth, nats_token, nats_tls, nats_mtls, nats_ping, nats_limits

nats-server, Debian's and then the newer one of scripts/nats-python:
C<$TEST_NATS_PORT>, C<$TEST_NATS_AUTH_PORT> and so on; also _MONITOR_PORT
(HTTP: /connz and the like) and _LOG (a path). C<nats_old>, C<nats_auth_new>
are one of them, on the same variables. nats_auth has users with the password
"secret": tcp, limited (subjects open.> and _INBOX.>), deny (not closed.>); the
token of nats_token is "sesame". nats_tls has the certificate "good", nats_mtls
asks for one by ca.pem, too. nats_ping sends PING each second, and gives up
when four were not answered; nats_limits takes 1024 bytes of payload, 3
subscriptions, 4 connections.

=item nats_tls_first

C<$TEST_NATS_TLS_FIRST_PORT>, the newer server alone: TLS comes before INFO.

=item nats_py

nats-py, which does what lines sent to C<$TEST_NATS_PY_PORT> say; they are in
t/lib/nats-peer.py.

=item nats_c

nats.c (libnats), which does what lines sent to C<$TEST_NATS_C_PORT> say; they
are in t/lib/nats-peer.c.

=back

C<$TEST_CERT_DIR> has NAME.pem (and its chain) and NAME.key, made by
t/cert/make, and good-secret.key, with the password "sesame"; short is of 1024
bits. For the names test.example, localhost, 127.0.0.1, ::1: good (RSA), ecdsa,
expired, future, self-signed, chain (by an intermediate CA), no-chain (that CA
is not in the file), revoked; wrong is for other.example, wildcard for
*.wild.example. Clients: client, client-ec, client-expired, client-revoked,
client-chain (by the intermediate CA), client-other (by other-ca.pem). ca.pem,
crl.pem (of ca.pem), all-crl.pem (of the intermediate, too).

=head1 ENVIRONMENT

    TEST_NGINX_BINARY         nginx
    TEST_NGINX_MODULE         target/release/libngx_tcp_lua_module.so
    TEST_NGINX_REPEAT         runs of an exchange on one server (2)
    TEST_NGINX_SEED           seed of the order; printed, repeat it with this
    TEST_NGINX_NO_SHUFFLE     1: in the order of the file
    TEST_NGINX_BLOCK          regex: only blocks whose title matches
    TEST_NGINX_TIMEOUT        seconds of patience for a wait (5)
    TEST_NGINX_LOG_LEVEL      of error.log (info; debug for a close look)
    TEST_NGINX_KEEP           1: keep t/servroot-XXXXXX
    TEST_NGINX_USE_HUP        1: one nginx, blocks come by SIGHUP
    TEST_SLOW                 1: one byte a call and EAGAIN, t/preload
    TEST_NGINX_PRELOAD        system_files: nginx finds hosts, resolv.conf and
                              dns_port (for port 53) in etc/ below its prefix
    TEST_NGINX_USE_VALGRIND   1: under memcheck; errors and definite leaks with
                              a frame of our module fail the block

In hup mode a block that a reload cannot bring (conf_error, conf_ok, must_die,
start_log, stop_log, stop, master_process off, directives that need a restart,
signals that end nginx) has a nginx of its own, and the others run once more
after a reload of the same configuration.

=cut
