package Test::Nginx::TCP::Datagram;

# A UDP socket of the test, with the words of Client as far as datagrams have
# use for them.  It answers whoever sent the last one.  Called by the steps.

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use Socket qw(SOCK_DGRAM);
use Test::Nginx::TCP::Client;


# Receives on an address: PORT, ADDRESS:PORT or [ADDRESS]:PORT.
sub bind { return _new(LocalAddr => @_) }

# Talks to an address.
sub connect { return _new(PeerAddr => @_) }


sub received { return $_[0]{in} }
sub is_open  { return defined $_[0]{socket} }

# What a connection has and datagrams have not.
sub ended      { return }
sub read_all   { return }
sub half_close { }


# All that has come and no step has looked at.
sub unseen {
    my ($self) = @_;
    my $unseen = '';
    while (defined(my $datagram = $self->_next(0))) {
        $unseen .= $datagram;
    }
    return $unseen;
}


sub send {
    my ($self, $bytes) = @_;
    my $socket = $self->_socket;
    my $to = $self->{from};
    die "nobody has sent a datagram yet\n"
        unless defined $to || $socket->connected;
    defined($socket->connected ? CORE::send($socket, $bytes, 0)
                               : CORE::send($socket, $bytes, 0, $to))
        or die "send: $!\n";
}


# The next datagram is this one.
sub expect {
    my ($self, $bytes, $seconds) = @_;
    my $got = $self->_next($seconds);
    _fail('"' . Test::Nginx::TCP::Client::shorten($bytes) . '"', $got)
        if !defined $got || $got ne $bytes;
}


sub expect_like {
    my ($self, $pattern, $seconds) = @_;
    my $got = $self->_next($seconds);
    _fail("/$pattern/", $got) if !defined $got || $got !~ $pattern;
    return %+;
}


sub expect_bytes {
    my ($self, $count, $seconds) = @_;
    my $got = $self->_next($seconds);
    _fail("$count bytes", $got) if !defined $got || length $got != $count;
}


sub expect_nothing {
    my ($self, $seconds) = @_;
    my $got = $self->_next($seconds);
    _fail('nothing', $got) if defined $got;
}


# Who sends to the port is told that nobody is there.
sub close {
    my ($self) = @_;
    CORE::close($self->{socket}) if $self->{socket};
    $self->{socket} = undef;
}


sub _new {
    my ($side, $class, $address) = @_;
    my $socket = IO::Socket::IP->new(
        $side => $address =~ /^\d+\z/ ? "127.0.0.1:$address" : $address,
        Type => SOCK_DGRAM)
        or die "cannot use $address: $@\n";
    return bless { socket => $socket, in => '' }, $class;
}


sub _socket { return $_[0]{socket} || die "the socket is closed\n" }


sub _next {
    my ($self, $seconds) = @_;
    return unless IO::Select->new($self->_socket)->can_read($seconds);
    my $from = $self->{socket}->recv(my $datagram, 65536);
    defined $from or die "receive: $!\n";
    $self->{from} = $from;
    $self->{in} .= $datagram;
    return $datagram;
}


sub _fail {
    my ($wanted, $got) = @_;
    $got = defined $got ? '"' . Test::Nginx::TCP::Client::shorten($got) . '"'
                        : 'nothing';
    die "expected $wanted, got $got\n";
}


1;
