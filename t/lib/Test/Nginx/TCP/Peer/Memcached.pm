package Test::Nginx::TCP::Peer::Memcached;

# memcached by TCP.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';


sub command {
    my ($self) = @_;
    return ('memcached', '-l', '127.0.0.1', '-p', $self->port, '-U', 0,
            '-m', 64, $self->is_root ? ('-u', 'root') : ());
}


sub is_ready {
    my ($self) = @_;
    return $self->ask("version\r\n", qr/\n/) =~ /^VERSION /;
}


sub clean {
    my ($self) = @_;
    $self->ask("flush_all\r\n", qr/\n/) eq "OK\r\n"
        or die "memcached: cannot be emptied\n";
}


1;
