# A server of datagrams on 127.0.0.1, for the peers udp and dns:
#   perl udp-server.pl echo PORT        sends back what comes
#   perl udp-server.pl servfail PORT    answers each DNS query with SERVFAIL

use strict;
use warnings;

use IO::Socket::IP;
use Socket qw(SOCK_DGRAM);

my ($what, $port) = @ARGV;

my %ANSWERS = (echo => \&echo, servfail => \&servfail);
my $answers = $ANSWERS{$what} or die "no such server: $what\n";

my $socket = IO::Socket::IP->new(
    LocalAddr => '127.0.0.1', LocalPort => $port, Type => SOCK_DGRAM)
    or die "cannot bind port $port: $@\n";
$| = 1;
print "serves\n";

while (1) {
    defined(my $from = recv $socket, my $datagram, 65536, 0) or next;
    send $socket, $_, 0, $from for $answers->($datagram);
}


# drop...: no answer; twice...: two; big N: N bytes; empty: an empty one; else
# what came.
sub echo {
    my ($datagram) = @_;
    return ()                       if $datagram =~ /^drop/;
    return ($datagram, $datagram)   if $datagram =~ /^twice/;
    return ('x' x $1)               if $datagram =~ /^big (\d+)/;
    return ('')                     if $datagram eq 'empty';
    return ($datagram);
}


# The query with the bits of a response, recursion available and code 2
# (RFC 1035, 4.1.1).
sub servfail {
    my ($datagram) = @_;
    return () if length $datagram < 12;
    substr $datagram, 2, 2, pack 'n', unpack('n', substr $datagram, 2, 2)
                                      & 0x7910 | 0x8082;
    return ($datagram);
}
