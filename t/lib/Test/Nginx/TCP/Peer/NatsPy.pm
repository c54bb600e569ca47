package Test::Nginx::TCP::Peer::NatsPy;

# nats-py, somebody else's NATS client, which does what the lines on its port
# tell it; t/lib/nats-peer.py is the program, and lists them.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_dir);
use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(repo_root);
use Test::Nginx::TCP::Peer::Nats;


sub command {
    my ($self) = @_;
    return (Test::Nginx::TCP::Peer::Nats::nats_python('python'),
            repo_root() . '/t/lib/nats-peer.py', $self->port, cert_dir());
}


sub is_ready {
    my ($self) = @_;
    return Test::Nginx::TCP::Log->new("$self->{dir}/log")->text(0)
        =~ /^serves$/m;
}


sub brought_by { return 'scripts/nats-python' }


1;
