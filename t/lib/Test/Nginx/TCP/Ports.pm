package Test::Nginx::TCP::Ports;

# TCP ports for one test process, below the ephemeral range (32768), so that
# neither another prove process nor an outgoing connection takes them.  A slot
# is sixteen ports in a row; a process owns it as long as it holds the flock
# of the slot's file.  Called once by Test::Nginx::TCP.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock O_CREAT O_RDWR);
use File::Spec;
use Socket;

our @EXPORT_OK = qw(test_ports);

my $FIRST_PORT = 20000;
my $PORTS      = 16;
my $SLOTS      = 700;

my $lock;     # open as long as the process lives


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

        $lock = $fh;
        return @ports;
    }
    die "no free slot of test ports in $dir\n";
}


sub _is_free {
    my ($port) = @_;
    socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
    return bind $s, sockaddr_in($port, INADDR_ANY);
}


1;
