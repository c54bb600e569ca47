package Test::Nginx::TCP::Peers;

# The real servers that blocks name in "peers": which there are, the variables
# they bring, and that they run when a block begins.  One of each lives as long
# as the test program.  Called by Test::Nginx::TCP, BlockRun and the steps; how
# a server is started is the business of its class in Peer/.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Peer::Dns;
use Test::Nginx::TCP::Peer::Http;
use Test::Nginx::TCP::Peer::MariaDB;
use Test::Nginx::TCP::Peer::Memcached;
use Test::Nginx::TCP::Peer::Redis;
use Test::Nginx::TCP::Peer::Udp;
use Test::Nginx::TCP::Sections qw(sections_of);

our @EXPORT_OK = qw(prepare_peers peers_of bring_up clean_up peer stop_peers);

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
    udp         => ['Udp',       prefix => 'UDP'],
);

my %peer;     # name => object, of all that a block of this file names


# The peers that the blocks name, below root; returns their variables.
sub prepare_peers {
    my ($root, @blocks) = @_;

    for my $name (map { peers_of(sections_of($_)) } @blocks) {
        next if $peer{$name};
        my ($class, %arg) = @{ $KIND{$name} || die "no peer \"$name\"\n" };
        $peer{$name} = "Test::Nginx::TCP::Peer::$class"->new(
            name => $name, dir => "$root/peers/$name", %arg);
    }
    return map { $_->variables } values %peer;
}


sub peers_of {
    my ($sections) = @_;
    return split ' ', $sections->{peers} // '';
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
    return $peer{$name} || die "no block has \"$name\" in its peers\n";
}


sub stop_peers {
    $_->stop for values %peer;
}


1;
