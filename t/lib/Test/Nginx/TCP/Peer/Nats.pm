package Test::Nginx::TCP::Peer::Nats;

# nats-server: Debian's ("old") or the one of scripts/nats-python ("new"), which
# behave differently here and there. Each kind is a server of its own, as users,
# TLS and limits are a whole server's. It keeps nothing that had to be emptied.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_dir cert_files);
use Test::Nginx::TCP::Conf qw(write_file);
use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(repo_root);

# kind => what its configuration has beside the ports
my %KIND = (
    plain     => sub { '' },
    auth      => \&_users,
    token     => sub { "authorization { token: sesame, timeout: 60 }\n" },
    tls       => sub { _tls() },
    mtls      => sub { _tls('verify: true') },
    tls_first => sub { _tls('handshake_first: true') },
    ping      => sub { "ping_interval: \"1s\"\nping_max: 4\n" },
    limits    => sub { "max_payload: 1024\nmax_connections: 4\n"
                       . "max_subscriptions: 3\n" },
);


sub port_names { return ('', 'MONITOR') }


sub variables {
    my ($self) = @_;
    return ($self->SUPER::variables,
            "TEST_$self->{prefix}_LOG" => "$self->{dir}/log");
}


sub prepare {
    my ($self) = @_;

    my ($port, $monitor) = map { $self->port($_) } $self->port_names;
    write_file("$self->{dir}/conf", <<"CONF" . $KIND{ $self->{kind} }->());
server_name: $self->{name}
listen: 127.0.0.1:$port
http: 127.0.0.1:$monitor
CONF
}


sub command {
    my ($self) = @_;
    my $program = 'nats-server';
    $program = nats_python($program) if $self->{age} eq 'new';
    return ($program, '-c', "$self->{dir}/conf");
}


sub is_ready {
    my ($self) = @_;
    return Test::Nginx::TCP::Log->new("$self->{dir}/log")->text(0)
        =~ /Server is ready/;
}


sub brought_by {
    my ($self) = @_;
    return $self->{age} eq 'old' ? $self->SUPER::brought_by
                                 : 'scripts/nats-python';
}


# A program of the environment that scripts/nats-python makes.
sub nats_python {
    my ($program) = @_;
    return repo_root() . "/target/nats/bin/$program";
}


# All have the password "secret"; tcp may do everything.
sub _users {
    return <<'CONF';
authorization {
    timeout: 60
    users: [
        { user: tcp, password: secret }
        { user: limited, password: secret, permissions: {
            publish: ["open.>", "_INBOX.>"]
            subscribe: ["open.>", "_INBOX.>"]
        } }
        { user: deny, password: secret, permissions: {
            publish: { deny: ["closed.>"] }
            subscribe: { deny: ["closed.>"] }
        } }
    ]
}
CONF
}


sub _tls {
    my (@more) = @_;
    my ($cert, $key) = cert_files('good');
    my $ca = cert_dir() . '/ca.pem';
    return join '', map { "$_\n" }
        'tls {', "    cert_file: \"$cert\"", "    key_file: \"$key\"",
        "    ca_file: \"$ca\"", '    timeout: 60', (map { "    $_" } @more),
        '}';
}


1;
