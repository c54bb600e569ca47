package Test::Nginx::TCP::Peers;

# The real servers that blocks name in "peers": which there are, the variables
# they bring, and that they run when a block begins.  One of each lives as long
# as the test program.  A name may stand for an old and a new server, each of
# which the block is for: it runs with the one and then with the other.  Called
# by Test::Nginx::TCP, BlockRun and the steps; how a server is started is the
# business of its class in Peer/.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Options qw(opt);
use Test::Nginx::TCP::Peer::Dns;
use Test::Nginx::TCP::Peer::Http;
use Test::Nginx::TCP::Peer::MariaDB;
use Test::Nginx::TCP::Peer::Memcached;
use Test::Nginx::TCP::Peer::Nats;
use Test::Nginx::TCP::Peer::NatsC;
use Test::Nginx::TCP::Peer::NatsPy;
use Test::Nginx::TCP::Peer::OpenSsl;
use Test::Nginx::TCP::Peer::Redis;
use Test::Nginx::TCP::Peer::Udp;
use Test::Nginx::TCP::Sections qw(sections_of);

our @EXPORT_OK = qw(prepare_peers peers_of ages_of of_age peer_variables
                    bring_up clean_up peer stop_peers);

# name in "peers" => [class, arguments to its new]
my %KIND = (
    redis       => ['Redis',     prefix => 'REDIS'],
    redis_auth  => ['Redis',     prefix => 'REDIS_AUTH', password => 'sesame'],
    memcached   => ['Memcached', prefix => 'MEMCACHED'],
    mariadb     => ['MariaDB',   prefix => 'MARIADB'],
    mariadb_tls => ['MariaDB',   prefix => 'MARIADB_TLS', tls => 1],
    http        => ['Http',      prefix => 'HTTP'],
    https       => ['Http',      prefix => 'HTTPS', tls => 1],
    dns         => ['Dns',       prefix => 'DNS'],
    (map { ("openssl_$_" => ['OpenSsl', prefix => uc "openssl_$_",
                             kind => $_]) } qw(tls12 tls13 client)),
    udp         => ['Udp',       prefix => 'UDP'],
    nats_py     => ['NatsPy',    prefix => 'NATS_PY'],
    nats_c      => ['NatsC',     prefix => 'NATS_C'],
    # which Debian's cannot be
    nats_tls_first => ['Nats', prefix => 'NATS_TLS_FIRST', age => 'new',
                       kind => 'tls_first'],
);

# name => 1 if it stands for name_old and name_new
my %AGED = map { $_ => 1 } qw(nats nats_auth nats_token nats_tls nats_mtls
                              nats_ping nats_limits);

for my $name (keys %AGED) {
    my ($kind) = $name =~ /_(.*)/;
    $KIND{"${name}_$_"} = ['Nats', prefix => uc $name, age => $_,
                           kind => $kind // 'plain'] for qw(old new);
}

my %peer;      # name => object, of all that a block of this file names
my $age = '';  # of the block that runs: which server such a name stands for


# The peers that the blocks name, below root; returns the variables of all.
sub prepare_peers {
    my ($root, @blocks) = @_;

    for my $name (map { _every_age(peers_of(sections_of($_))) } @blocks) {
        next if $peer{$name};
        my ($class, %arg) = @{ $KIND{$name} || die "no peer \"$name\"\n" };
        $peer{$name} = "Test::Nginx::TCP::Peer::$class"->new(
            name => $name, dir => "$root/peers/$name", %arg);
    }
    return peer_variables(keys %peer);
}


sub peers_of {
    my ($sections) = @_;
    return split ' ', $sections->{peers} // '';
}


# The ages that a block is to run with: "old" and "new", or one that is ''.
# Under valgrind the time is but for one of them.
sub ages_of {
    my ($sections) = @_;
    return '' unless grep { $AGED{$_} } peers_of($sections);
    return opt('valgrind') ? (qw(old new))[rand 2] : qw(old new);
}


# From now on names mean the servers of this age.
sub of_age { ($age) = @_ }


sub peer_variables {
    my (@names) = @_;
    return map { peer($_)->variables } @names;
}


# They run; each that does not yet is started.
sub bring_up {
    my (@names) = @_;
    peer($_)->start for @names;
}


# They are as if they had just been started.
sub clean_up {
    my (@names) = @_;
    for (@names) {
        peer($_)->start;
        peer($_)->clean;
    }
}


sub peer {
    my ($name) = @_;
    $name .= "_$age" if $AGED{$name};
    return $peer{$name} || die "no block has \"$name\" in its peers\n";
}


sub stop_peers {
    $_->stop for values %peer;
}


sub _every_age {
    return map { $AGED{$_} ? ("${_}_old", "${_}_new") : $_ } @_;
}


1;
