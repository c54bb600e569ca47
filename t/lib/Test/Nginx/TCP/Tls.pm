package Test::Nginx::TCP::Tls;

# TLS by IO::Socket::SSL: the handshake as server on an accepted connection, as
# client on one of ours, and the two ways to end what is sent.  Called by Client.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::SSL;
use Net::SSLeay;
use Test::Nginx::TCP::Cert qw(cert_dir cert_files);

our @EXPORT_OK = qw(accept_tls start_tls close_notify was_notified);

my %VERSION = ('TLSv1.2' => 'TLSv1_2', 'TLSv1.3' => 'TLSv1_3');


# The handshake with this certificate; dies if it fails or takes too long.
# options: TLSv1.2 or TLSv1.3 alone, "verify" for a client certificate.
sub accept_tls {
    my ($socket, $seconds, $cert, @options) = @_;

    my ($pem, $key) = cert_files($cert);
    my %arg;
    for (@options) {
        if ($VERSION{$_}) {
            $arg{SSL_version} = $VERSION{$_};
        } elsif ($_ eq 'verify') {
            $arg{SSL_verify_mode} = SSL_VERIFY_PEER
                                    | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
            $arg{SSL_ca_file} = cert_dir() . '/ca.pem';
        } else {
            die "tls: unknown option $_\n";
        }
    }

    $socket->blocking(1);
    my $tls = IO::Socket::SSL->start_SSL(
        $socket, SSL_server => 1, SSL_cert_file => $pem, SSL_key_file => $key,
        SSL_verify_mode => SSL_VERIFY_NONE, SSL_startHandshake => 1,
        SSL_ca => [], Timeout => $seconds, %arg)
        or die 'TLS handshake: ' . ($IO::Socket::SSL::SSL_ERROR || $!) . "\n";
    $tls->blocking(0);
    return $tls;
}


# Contexts, with the sessions of clients, by the names that blocks give them.
my %contexts;
END { %contexts = () }


# The handshake as client; dies if it fails or takes too long.  options, besides
# the versions: name=NAME (SNI), cert=NAME, ciphers=LIST, alpn=NAME,NAME and
# session=NAME, by which a later handshake can go on with this one's.
sub start_tls {
    my ($socket, $seconds, @options) = @_;

    my %arg = (SSL_verify_mode => SSL_VERIFY_NONE, SSL_ca => []);
    my $session;
    for (@options) {
        my ($key, $value) = /^(\w+)=(.*)/s;
        if ($VERSION{$_}) {
            $arg{SSL_version} = $VERSION{$_};
        } elsif (($key // '') eq 'name') {
            $arg{SSL_hostname} = $value;
        } elsif (($key // '') eq 'cert') {
            @arg{qw(SSL_cert_file SSL_key_file)} = cert_files($value);
            $arg{SSL_use_cert} = 1;
        } elsif (($key // '') eq 'ciphers') {
            $arg{SSL_cipher_list} = $value;
        } elsif (($key // '') eq 'alpn') {
            $arg{SSL_alpn_protocols} = [split /,/, $value];
        } elsif (($key // '') eq 'session') {
            $session = $value;
        } else {
            die "start_tls: unknown option $_\n";
        }
    }

    if (defined $session) {
        # a session goes with its context
        $arg{SSL_reuse_ctx} = $contexts{$session} ||=
            IO::Socket::SSL::SSL_Context->new(%arg, SSL_session_cache_size => 8);
        $arg{SSL_session_key} = 'the server';
    }

    $socket->blocking(1);
    my $tls = IO::Socket::SSL->start_SSL(
        $socket, SSL_startHandshake => 1, SSL_hostname => '',
        Timeout => $seconds, %arg)
        or die 'TLS handshake: ' . ($IO::Socket::SSL::SSL_ERROR || $!) . "\n";
    $tls->blocking(0);
    return $tls;
}


# No more is sent, said in TLS; a connection without TLS has no word for it.
sub close_notify {
    my ($socket) = @_;
    return unless $socket->isa('IO::Socket::SSL');
    Net::SSLeay::shutdown($socket->_get_ssl_object || return);
}


# Whether the other side has said that it sends no more.
sub was_notified {
    my ($socket) = @_;
    return Net::SSLeay::get_shutdown($socket->_get_ssl_object) & 2;
}


1;
