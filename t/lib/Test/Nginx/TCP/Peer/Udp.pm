package Test::Nginx::TCP::Peer::Udp;

# Sends datagrams back; t/lib/udp-server.pl is the program.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(repo_root);


sub command {
    my ($self) = @_;
    return udp_server(echo => $self->port);
}


sub is_ready {
    my ($self) = @_;
    return udp_serves("$self->{dir}/log");
}


# The program's command line; what it does is told by a word.
sub udp_server {
    my ($what, $port) = @_;
    return ($^X, repo_root() . '/t/lib/udp-server.pl', $what, $port);
}


sub udp_serves {
    my ($log) = @_;
    return Test::Nginx::TCP::Log->new($log)->text(0) =~ /^serves$/m;
}


1;
