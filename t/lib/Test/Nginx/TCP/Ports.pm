package Test::Nginx::TCP::Ports;

# Ports for one test process, TCP and UDP, below the ephemeral range (32768),
# so that neither another prove process nor an outgoing connection takes them.
# A slot is sixteen ports in a row; a process owns it as long as it holds the
# flock of the slot's file.  Called by Test::Nginx::TCP for the variables, and
# by the peers.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock O_CREAT O_RDWR);
use File::Spec;
use Socket;

our @EXPORT_OK = qw(test_ports peer_ports);

my $FIRST_PORT = 20000;
my $PORTS      = 16;
my $SLOTS      = 700;

my @locks;     # open as long as the process lives
my @rest;      # of a slot that peer_ports has begun


# Returns the ports of a slot of our own.
sub test_ports {
    my $dir = File::Spec->tmpdir . "/ngx-tcp-lua-ports-$>";
    mkdir $dir, 0700;

    # start at different slots, so that a slot whose ports linger in
    # CLOSE_WAIT somewhere is not the first choice of everyone
    for my $i (0 .. $SLOTS - 1) {
        my $slot = ($$ + $i) % $SLOTS;
        sysopen my $fh, "$dir/slot-$slot", O_CREAT | O_RDWR, 0600
            or die "cannot open $dir/slot-$slot: $!\n";
        next unless flock $fh, LOCK_EX | LOCK_NB;

        my $base = $FIRST_PORT + $slot * $PORTS;
        my @ports = ($base .. $base + $PORTS - 1);
        next if grep { !_is_free($_) } @ports;

        push @locks, $fh;
        return @ports;
    }
    die "no free slot of test ports in $dir\n";
}


# So many ports beside those of test_ports.
sub peer_ports {
    my ($count) = @_;
    push @rest, test_ports() while @rest < $count;
    return splice @rest, 0, $count;
}


sub _is_free {
    my ($port) = @_;
    for my $type (SOCK_STREAM, SOCK_DGRAM) {
        socket my $s, PF_INET, $type, 0 or die "socket: $!\n";
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1 if $type == SOCK_STREAM;
        bind $s, sockaddr_in($port, INADDR_ANY) or return 0;
    }
    return 1;
}


1;
