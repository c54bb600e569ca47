package Test::Nginx::TCP::Peer::NatsC;

# nats.c, somebody else's NATS client, which does what the lines on its port
# tell it; t/lib/nats-peer.c is the program, and lists them.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_dir);
use Test::Nginx::TCP::Compiler qw(compiled);
use Test::Nginx::TCP::Log;


sub command {
    my ($self) = @_;
    my $program = compiled('target/peers/nats-peer', 't/lib/nats-peer.c',
                           [], [qw(-lnats -lpthread)]);
    return ($program, $self->port, cert_dir());
}


sub is_ready {
    my ($self) = @_;
    return Test::Nginx::TCP::Log->new("$self->{dir}/log")->text(0)
        =~ /^serves$/m;
}


1;
