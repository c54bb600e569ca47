# The real peers, asked by programs that come with them: TLS with each of the
# certificates, MariaDB's users, redis by TLS; and that no process is left of
# them, however the test program ends.

use strict;
use warnings;

use lib 't/lib';
use File::Temp qw(tempdir);
use Test::More;
use Test::Nginx::TCP::Cert qw(cert_dir);
use Test::Nginx::TCP::Options qw(repo_root wait_until);
use Test::Nginx::TCP::Peer::Http;
use Test::Nginx::TCP::Peer::MariaDB;
use Test::Nginx::TCP::Peer::Redis;

my $root = tempdir('servroot-XXXXXX', DIR => repo_root() . '/t', CLEANUP => 1);
my $cert = cert_dir();

# port, options of s_client; what it says
my $NAME = '-servername test.example -verify_hostname test.example';
my @TLS = (
    ['',           $NAME,                    'Verify return code: 0 (ok)'],
    ['',           '-verify_ip 127.0.0.1',   'Verify return code: 0 (ok)'],
    ['ECDSA',      $NAME,                    'Verify return code: 0 (ok)'],
    ['CHAIN',      $NAME,                    'Verify return code: 0 (ok)'],
    ['EXPIRED',    $NAME,                    'certificate has expired'],
    ['FUTURE',     $NAME,                    'certificate is not yet valid'],
    ['WRONG',      $NAME,                    'hostname mismatch'],
    ['SELF_SIGNED', $NAME,                   'self-signed certificate'],
    ['NO_CHAIN',   $NAME,      'unable to get local issuer certificate'],
    ['REVOKED',    $NAME,                    'Verify return code: 0 (ok)'],
    ['REVOKED',    "-CRL $cert/crl.pem -crl_check", 'certificate revoked'],
    ['WILDCARD',   '-verify_hostname a.wild.example',
                                             'Verify return code: 0 (ok)'],
    ['TLS12',      '',                       'New, TLSv1.2'],
    ['TLS13',      '',                       'New, TLSv1.3'],
    ['TLS13',      '-tls1_2',                'alert protocol version'],
    ['CLIENT',     '',                       '400 Bad Request'],
    ['CLIENT',     client('client'),         'TLSv1.3 . - SUCCESS'],
    ['CLIENT',     client('client-ec'),      'TLSv1.3 . - SUCCESS'],
    ['CLIENT',     client('client-other'),   '400 Bad Request'],
    ['CLIENT',     client('client-expired'), '400 Bad Request'],
    ['CLIENT_OPTIONAL', '',                  'TLSv1.3 . - NONE'],
    ['SNI',        '-noservername',          'CN = test.example'],
    ['SNI',        '-servername other.example', 'TLSv1.3 . other.example NONE'],
    ['SNI',        '-servername other.example', 'CN = other.example'],
    ['SNI',        '-servername a.wild.example', 'CN = wild.example'],
    ['SNI',        '-servername refuse.example', 'unrecognized name'],
);

# user, options; what it says
my @USERS = (
    ['tcp',    'secret', '',                                   'is 7'],
    ['tcp',    'wrong',  '',                                   'Access denied'],
    ['old',    'secret', '',                                   'is 7'],
    ['nopass', '',       '',                                   'is 7'],
    ['tls',    'secret', '',                                   'is 7'],
    ['tls',    'secret', '--skip-ssl',                         'Access denied'],
    ['x509',   'secret', '',                                   'Access denied'],
    ['x509',   'secret', "--ssl-cert=$cert/client.pem --ssl-key=$cert/client.key",
                                                               'is 7'],
    ['tcp',    'secret', "--ssl-verify-server-cert --ssl-ca=$cert/ca.pem",
                                                               'is 7'],
    ['tcp',    'secret', "--ssl-verify-server-cert --ssl-ca=$cert/other-ca.pem",
                                                               'ERROR 2026'],
);

my $https = start('Http', 'https', prefix => 'HTTPS', tls => 1);
for (@TLS) {
    my ($name, $options, $expected) = @$_;
    my $port = $https->port($name);
    my $said = output(
        "printf 'GET /tls HTTP/1.0\\r\\n\\r\\n' | openssl s_client -ign_eof "
        . "-connect 127.0.0.1:$port -CAfile $cert/ca.pem $options");
    like($said, qr/\Q$expected\E/, "https $name $options: $expected");
}
like(output("openssl verify -CAfile $cert/ca.pem -CRLfile $cert/all-crl.pem "
            . "-crl_check_all -untrusted $cert/chain.pem $cert/chain.pem"),
     qr/OK$/, 'revocation lists of both authorities');

my $mariadb = start('MariaDB', 'mariadb_tls', prefix => 'MARIADB_TLS',
                    tls => 1);
for (@USERS) {
    my ($user, $password, $options, $expected) = @$_;
    my $port = $mariadb->port;
    my $said = output(
        "mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port=$port "
        . "--ssl --user=$user --password=$password $options test "
        . "--execute='SELECT concat(\"is \", 3 + 4)'");
    like($said, qr/\Q$expected\E/, "mariadb $user $options: $expected");
}
my $mysql = "mariadb --no-defaults --socket=$root/mariadb_tls/socket "
          . '--user=tcp --password=secret test --batch --execute=';
output("${mysql}'CREATE TABLE t (n int)'");
like(output("${mysql}'SHOW TABLES'"), qr/^t$/m, 'mariadb: a table');
$mariadb->clean;
is(output("${mysql}'SHOW TABLES'"), '', 'mariadb: none after clean');

my $redis = start('Redis', 'redis', prefix => 'REDIS');
like(output("redis-cli --tls -p " . $redis->port('TLS')
            . " --cacert $cert/ca.pem ping"), qr/PONG/, 'redis by TLS');

# A program of its own, whose peers are ended with it.
my $program = <<'PROGRAM';
use Test::Nginx::TCP;
run_tests();
__DATA__

=== all peers
--- config
events {}
--- peers: redis memcached mariadb http dns udp nats_new nats_py
--- peer
accept
--- timeout: 60
--- request_parts
Here: listen unix:$TEST_ROOT/here
Here: accept
PROGRAM

for my $signal (qw(INT TERM KILL)) {
    my $file = "$root/$signal.t";
    open my $fh, '>', $file or die "cannot write $file: $!\n";
    print $fh $program =~ s/\$TEST_ROOT/$root/r;
    close $fh;

    unlink "$root/here";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDOUT, '>', "$root/$signal.out";
        open STDERR, '>&', \*STDOUT;
        exec $^X, '-It/lib', $file;
    }
    my $up = wait_until(60, sub { -e "$root/here" });
    ok($up, "$signal: the program waits")
        or diag(output("cat $root/$signal.out"));
    my @processes = family($pid);
    cmp_ok(scalar @processes, '>=', 10, "$signal: has all its processes");
    my ($servroot) = map { m{(/\S+/servroot-\w+)/peers} } commands(@processes);

    kill $signal => $pid;
    waitpid $pid, 0;
    my @left;
    wait_until(20, sub { !(@left = grep { kill 0 => $_ } @processes) });
    is("@left", '', "$signal: none is left");
    File::Path::remove_tree($servroot) if $servroot;
}

done_testing();


sub start {
    my ($class, $name, %arg) = @_;
    my $peer = "Test::Nginx::TCP::Peer::$class"->new(
        name => $name, dir => "$root/$name", %arg);
    $peer->start;
    return $peer;
}


sub output {
    my ($command) = @_;
    return scalar `($command) 2>&1`;
}


sub client {
    my ($name) = @_;
    return "-cert $cert/$name.pem -key $cert/$name.key";
}


# The processes that descend from this one.
sub family {
    my ($pid) = @_;
    my %parent;
    for (map { m{(\d+)} } glob '/proc/[0-9]*') {
        open my $fh, '<', "/proc/$_/stat" or next;
        $parent{$_} = $1 if (readline($fh) // '') =~ /^\d+ \(.*\) \S (\d+)/;
    }
    my @found = my @next = ($pid);
    while (@next) {
        my %of = map { $_ => 1 } @next;
        @next = grep { $of{ $parent{$_} } } keys %parent;
        push @found, @next;
    }
    return @found;
}


# Their command lines.
sub commands {
    my @commands;
    for my $pid (@_) {
        open my $fh, '<', "/proc/$pid/cmdline" or next;
        push @commands, join ' ', split /\0/, readline($fh) // '';
    }
    return @commands;
}
