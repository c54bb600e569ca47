package Test::Nginx::TCP::Peer::Http;

# The nginx under test as an HTTP server, without our module: plain, or with
# TLS on a port for each certificate and each way to ask for one.  A single
# process, so that its end takes all with it.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use File::Path qw(make_path);
use Test::Nginx::TCP::Cert qw(cert_dir cert_files);
use Test::Nginx::TCP::Conf qw(write_file);
use Test::Nginx::TCP::Options qw(opt);

my $HUGE = 32 << 20;

# port name => [certificate, more directives]
my %TLS = (
    ''              => ['good'],
    ECDSA           => ['ecdsa'],
    EXPIRED         => ['expired'],
    FUTURE          => ['future'],
    WRONG           => ['wrong'],
    SELF_SIGNED     => ['self-signed'],
    CHAIN           => ['chain'],
    NO_CHAIN        => ['no-chain'],
    REVOKED         => ['revoked'],
    WILDCARD        => ['wildcard'],
    TLS12           => ['good', 'ssl_protocols TLSv1.2;'],
    TLS13           => ['good', 'ssl_protocols TLSv1.3;'],
    CLIENT          => ['good', 'ssl_verify_client on;'],
    CLIENT_OPTIONAL => ['good', 'ssl_verify_client optional;'],
    SNI             => ['ecdsa'],
);

# On port SNI: name => certificate; none at all refuses the handshake.
my %SNI = (
    'test.example'   => 'good',
    'other.example'  => 'wrong',
    'a.wild.example' => 'wildcard',
    'refuse.example' => undef,
);


sub port_names {
    my ($self) = @_;
    return $self->{tls} ? sort keys %TLS : '';
}


sub prepare {
    my ($self) = @_;

    my $dir = $self->{dir};
    make_path("$dir/logs", map { "$dir/tmp/$_" } 1 .. 5);
    write_file("$dir/html/hello",   "hello\n");
    write_file("$dir/html/chunked", "hello\n");
    write_file("$dir/html/slow",    'x' x 3000);
    write_file("$dir/html/$_",      'x' x 1_000_000) for qw(big chunked-big);
    write_file("$dir/html/huge",    '');
    truncate "$dir/html/huge", $HUGE or die "cannot write $dir/html/huge: $!\n";
    write_file("$dir/locations.conf", $self->_locations);
    write_file("$dir/nginx.conf",     $self->_conf);
}


sub command {
    my ($self) = @_;
    return (opt('binary'), '-p', "$self->{dir}/", '-c',
            "$self->{dir}/nginx.conf", '-e', "$self->{dir}/logs/error.log");
}


sub is_ready {
    my ($self) = @_;
    # it binds all ports before it writes its pid
    return -s "$self->{dir}/logs/nginx.pid";
}


sub give_up {
    my ($self) = @_;
    my $dir = $self->{dir};
    rename "$dir/logs/error.log", "$dir/log";
    return $self->SUPER::give_up;
}


sub _conf {
    my ($self) = @_;

    my $dir  = $self->{dir};
    my $user = $self->is_root ? "user root;\n" : '';
    my ($n, @temp) = (0);
    push @temp, "${_}_temp_path $dir/tmp/" . ++$n . ';'
        for qw(client_body proxy fastcgi uwsgi scgi);

    my $servers = $self->{tls} ? $self->_tls_servers
                               : _server($self->port);
    return <<"CONF";
${user}daemon off;
master_process off;
pid $dir/logs/nginx.pid;
error_log $dir/logs/error.log info;
events { worker_connections 4096; }
http {
    access_log off;
    default_type text/plain;
    ssl_protocols TLSv1.2 TLSv1.3;
    keepalive_requests 1000000;
    lingering_close off;
    @temp
    map \$ssl_server_name \$sni { "" -; default \$ssl_server_name; }
    server {
        listen unix:$dir/back;
        location / { return 200 \$http_x_body; }
    }
$servers}
CONF
}


sub _tls_servers {
    my ($self) = @_;

    my $servers = '';
    for my $name (sort keys %TLS) {
        my ($cert, $more) = @{ $TLS{$name} };
        $servers .= _server($self->port($name) . ' ssl default_server',
                            _certificate($cert), $more // ());
    }
    for my $name (sort keys %SNI) {
        my $how = defined $SNI{$name} ? _certificate($SNI{$name})
                                      : 'ssl_reject_handshake on;';
        $servers .= _server($self->port('SNI') . ' ssl',
                            "server_name $name;", $how);
    }
    return $servers;
}


sub _server {
    my ($listen, @more) = @_;
    return "    server { listen 127.0.0.1:$listen; @more "
           . "include locations.conf; }\n";
}


sub _certificate {
    my ($name) = @_;
    my ($cert, $key) = cert_files($name);
    return "ssl_certificate $cert; ssl_certificate_key $key; "
           . 'ssl_client_certificate ' . cert_dir() . '/ca.pem;';
}


sub _locations {
    my ($self) = @_;

    my $headers = join '', map { "    add_header X-Long-$_ " . 'y' x 90 . ";\n" }
                           1 .. 60;
    return <<"CONF";
root $self->{dir}/html;
location / { }
location = /chunked     { ssi on; ssi_types *; }
location = /chunked-big { ssi on; ssi_types *; }
location = /slow        { limit_rate 1000; }
location = /empty       { return 200 ""; }
location = /204         { return 204; }
location = /500         { return 500; }
location = /redirect    { return 302 /hello; }
location = /connection  { return 200 "\$connection \$connection_requests\\n"; }
location = /close       { keepalive_timeout 0; return 200 "hello\\n"; }
location = /idle        { keepalive_timeout 1s; return 200 "hello\\n"; }
location = /method      { return 200 "\$request_method \$host\\n"; }
location = /duplicate {
    add_header X-Twice 1;
    add_header X-Twice 2;
    return 200 "hello\\n";
}
location = /headers {
$headers    return 200 "hello\\n";
}
location = /echo {
    proxy_set_header X-Body \$request_body;
    proxy_pass http://unix:$self->{dir}/back;
}
location = /tls {
    return 200 "\$ssl_protocol \$ssl_session_reused \$sni \$ssl_client_verify\\n";
}
CONF
}


1;
