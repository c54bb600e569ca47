package Test::Nginx::TCP::Peer::OpenSsl;

# openssl s_server: one connection at a time, and each line comes back reversed.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_dir cert_files);
use Test::Nginx::TCP::Log;

# kind => options
my %KIND = (
    tls12  => ['-tls1_2'],
    tls13  => ['-tls1_3'],
    client => ['-Verify', 2, '-verify_return_error'],
);


sub command {
    my ($self) = @_;
    my ($cert, $key) = cert_files('good');
    return ('openssl', 's_server', '-rev', '-accept',
            '127.0.0.1:' . $self->port, '-cert', $cert, '-key', $key,
            '-CAfile', cert_dir() . '/ca.pem', @{ $KIND{ $self->{kind} } });
}


# What it says before it accepts.
sub is_ready {
    my ($self) = @_;
    my $log = Test::Nginx::TCP::Log->new("$self->{dir}/log");
    return $log->tail(0, 40) =~ /^ACCEPT/m;
}


1;
