package Test::Nginx::TCP::Peer::Redis;

# redis-server, by TCP, by a unix socket and by TLS.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_files);


sub port_names { return ('', 'TLS') }


sub variables {
    my ($self) = @_;
    return ($self->SUPER::variables,
            "TEST_$self->{prefix}_SOCKET" => $self->_socket);
}


sub command {
    my ($self) = @_;
    my ($cert, $key) = cert_files('good');
    return (
        'redis-server', '--daemonize', 'no', '--dir', $self->{dir},
        '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
        '--port', $self->port, '--unixsocket', $self->_socket,
        '--tls-port', $self->port('TLS'), '--tls-cert-file', $cert,
        '--tls-key-file', $key, '--tls-auth-clients', 'no',
        '--tls-ca-cert-file', $cert,
        defined $self->{password} ? ('--requirepass', $self->{password}) : (),
    );
}


sub is_ready {
    my ($self) = @_;
    return -S $self->_socket
        && $self->ask($self->_auth . "PING\r\n", qr/PONG\r\n/) =~ /PONG/;
}


sub clean {
    my ($self) = @_;
    my $answer = $self->ask($self->_auth . "FLUSHALL\r\nPING\r\n",
                            qr/PONG\r\n/);
    $answer =~ /\+OK\r\n\+PONG/ or die "redis: cannot be emptied: $answer\n";
}


sub _auth {
    my ($self) = @_;
    return defined $self->{password} ? "AUTH $self->{password}\r\n" : '';
}


sub _socket { return "$_[0]{dir}/socket" }


1;
