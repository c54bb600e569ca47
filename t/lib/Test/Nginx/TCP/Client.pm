package Test::Nginx::TCP::Client;

# One end of a connection: the side of the test.  It sends without blocking on
# a peer that sends too, keeps everything it received, and remembers how far a
# test has looked at it.  Each expectation is bounded in time and dies with
# what came instead.  Called by the steps and by the plain exchange.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EPIPE ECONNRESET EINPROGRESS);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(:all);
use Time::HiRes ();

# Test::Nginx::TCP::Tls is loaded by the first that needs it: it wants a module
# that is not perl's own.

$SIG{PIPE} = 'IGNORE';


# peer: PORT, ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH.
sub connect {
    my ($class, $peer, %arg) = @_;

    my $socket = $peer =~ /^unix:(.*)/s
        ? IO::Socket::UNIX->new(Peer => $1)
        : IO::Socket::IP->new(_peer($peer), Type => SOCK_STREAM,
                              $arg{rcvbuf} ? (Sockopts => [
                                  # a string would be taken for the bytes of the int
                                  [SOL_SOCKET, SO_RCVBUF, 0 + $arg{rcvbuf}],
                              ]) : ());
    die "cannot connect to $peer: " . ($@ || $!) . "\n" unless $socket;
    return $class->from_socket($socket);
}


sub from_socket {
    my ($class, $socket) = @_;
    $socket->blocking(0);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1
        unless $socket->isa('IO::Socket::UNIX');
    return bless {
        socket  => $socket,
        in      => '',         # all that was received
        seen    => 0,          # of it, what an expectation has covered
        ended   => undef,      # how the peer ended it: eof or reset
        reading => 1,
    }, $class;
}


# The handshake as server, which becomes the way all later bytes go.
sub accept_tls {
    my ($self, $seconds, @arguments) = @_;
    require Test::Nginx::TCP::Tls;
    $self->{socket} = Test::Nginx::TCP::Tls::accept_tls(
        $self->_socket, $seconds, @arguments);
}


# The same as client.
sub start_tls {
    my ($self, $seconds, @arguments) = @_;
    require Test::Nginx::TCP::Tls;
    $self->{socket} = Test::Nginx::TCP::Tls::start_tls(
        $self->_socket, $seconds, @arguments);
}


sub received { return $_[0]{in} }
sub ended    { return $_[0]{ended} }
sub unseen   { return substr $_[0]{in}, $_[0]{seen} }
sub is_open  { return defined $_[0]{socket} }

sub stop_reading  { $_[0]{reading} = 0 }
sub start_reading { $_[0]{reading} = 1 }


# Sends all, receiving meanwhile what comes.  A connection that the peer has
# closed swallows the rest, as a write() before the reset would.
sub send {
    my ($self, $bytes, $seconds) = @_;

    my $deadline = Time::HiRes::time() + $seconds;
    my $offset = 0;
    while ($offset < length $bytes) {
        $self->_wait($deadline, 1)
            or die "sent $offset of " . length($bytes) . " bytes, then no "
                   . "room in time\n";
        my $n = syswrite $self->_socket, $bytes, 262144, $offset;
        if (defined $n) {
            $offset += $n;
        } elsif ($! == EPIPE || $! == ECONNRESET) {
            return;
        } elsif ($! != EAGAIN && $! != EINTR) {
            die "send: $!\n";
        }
    }
}


# Exactly these bytes come next.
sub expect {
    my ($self, $bytes, $seconds) = @_;

    my $want = length $bytes;
    $self->_receive_until($seconds, sub {
        my $got = $self->unseen;
        my $n = length $got < $want ? length $got : $want;
        return 1 if substr($got, 0, $n) ne substr($bytes, 0, $n);
        return $n == $want;
    });

    my $got = substr $self->unseen, 0, $want;
    $self->_fail('"' . shorten($bytes) . '"') if $got ne $bytes;
    $self->{seen} += $want;
}


# What comes next matches; the bytes up to the end of the match are seen.
# What comes next matches, and is seen up to the end of the match; returns its
# named groups.
sub expect_like {
    my ($self, $pattern, $seconds) = @_;

    my ($end, %group);
    $self->_receive_until($seconds, sub {
        my $got = $self->unseen;
        return 0 unless $got =~ $pattern;
        ($end, %group) = ($+[0], %+);
        return 1;
    });
    $self->_fail("/$pattern/") unless defined $end;
    $self->{seen} += $end;
    return %group;
}


# Any bytes, so many, and no more of them are taken off the socket: what
# follows may be a handshake.
sub take_bytes {
    my ($self, $count, $seconds) = @_;
    local $self->{up_to} = length($self->{in}) - length($self->unseen) + $count;
    $self->expect_bytes($count, $seconds);
}


sub expect_bytes {
    my ($self, $count, $seconds) = @_;
    $self->_receive_until($seconds, sub { length $self->unseen >= $count });
    $self->_fail("$count bytes") if length $self->unseen < $count;
    $self->{seen} += $count;
}


sub expect_nothing {
    my ($self, $seconds) = @_;
    $self->_receive_until($seconds, sub { length $self->unseen });
    $self->_fail('nothing') if length $self->unseen || $self->{ended};
}


# The peer ends the connection, by one of the ways, and sends no more before.
sub expect_end {
    my ($self, $seconds, @ways) = @_;
    $self->_receive_until($seconds, sub { length $self->unseen });
    my $how = $self->{ended} || '';
    $self->_fail(join ' or ', @ways)
        if length $self->unseen || !grep { $how eq $_ } @ways;
}


# The peer ends it with an alert of TLS whose text matches.
sub expect_alert {
    my ($self, $pattern, $seconds) = @_;
    $self->_receive_until($seconds, sub { length $self->unseen });
    $self->_fail("alert /$pattern/")
        if length $self->unseen
           || ($self->{ended} || '') !~ /^alert: .*$pattern/s;
}


# The peer ends it, and says so by TLS.
sub expect_notify {
    my ($self, $seconds) = @_;
    $self->expect_end($seconds, 'eof');
    Test::Nginx::TCP::Tls::was_notified($self->_socket)
        or die "there was no close_notify\n";
}


# Bytes that do not go through TLS.
sub send_plain {
    my ($self, $bytes) = @_;
    my $n = POSIX::write(fileno $self->_socket, $bytes, length $bytes);
    die "send: $!\n" unless ($n // 0) == length $bytes;
}


# FIN in TLS alone: the socket stays as it is.
sub notify {
    my ($self) = @_;
    Test::Nginx::TCP::Tls::close_notify($self->_socket);
}


# Receives until the peer ends it; false if it does not in time.
sub read_all {
    my ($self, $seconds) = @_;
    $self->_receive_until($seconds, sub { 0 });
    return $self->{ended};
}


# Receives until the predicate on all received bytes holds; false if not.
sub read_until {
    my ($self, $seconds, $predicate) = @_;
    return $self->_receive_until($seconds, sub { $predicate->($self->{in}) });
}


sub see_all { $_[0]{seen} = length $_[0]{in} }


# The bytes, and the FIN in the same packet.
sub send_fin {
    my ($self, $bytes, $seconds) = @_;
    setsockopt $self->_socket, IPPROTO_TCP, TCP_CORK, 1;
    $self->send($bytes, $seconds);
    $self->half_close;
}


sub half_close {
    my ($self) = @_;
    Test::Nginx::TCP::Tls::close_notify($self->_socket) if $self->_is_tls;
    $self->truncate;
}


# FIN alone: what a TLS connection must take for an attack.
sub truncate {
    my ($self) = @_;
    shutdown $self->_socket, SHUT_WR;
}


sub close {
    my ($self) = @_;
    my $socket = $self->{socket} or return;
    Test::Nginx::TCP::Tls::close_notify($socket) if $self->_is_tls;
    $self->_drop;
}


# Ends it with RST.
sub reset {
    my ($self) = @_;
    setsockopt $self->_socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->_drop;
}


# Bytes for people: escaped, and long ones cut in the middle.
sub shorten {
    my ($bytes) = @_;
    my $length = length $bytes;
    substr $bytes, 100, $length - 200, "...[$length bytes]..."
        if $length > 240;
    my %name = ("\n" => '\n', "\r" => '\r', "\t" => '\t', '"' => '\"');
    return $bytes =~ s/([^ !#-~])/$name{$1} || sprintf '\x%02x', ord $1/ger;
}


sub _socket { return $_[0]{socket} || die "the client is closed\n" }

sub _is_tls { return $_[0]{socket} && $_[0]{socket}->isa('IO::Socket::SSL') }


sub _drop {
    my ($self) = @_;
    if ($self->_is_tls) {
        $self->{socket}->close(SSL_no_shutdown => 1);
    } else {
        CORE::close($self->{socket});
    }
    $self->{socket} = undef;
}


sub _peer {
    my ($peer) = @_;
    return (PeerHost => '127.0.0.1', PeerPort => $peer) if $peer =~ /^\d+\z/;
    my ($host, $port) = $peer =~ /^\[?(.*?)\]?:(\d+)\z/
        or die "bad address \"$peer\"\n";
    return (PeerHost => $host, PeerPort => $port);
}


# Receives until the predicate holds (true), or the end or the deadline.
sub _receive_until {
    my ($self, $seconds, $predicate) = @_;

    my $deadline = Time::HiRes::time() + $seconds;
    while (!$predicate->()) {
        return if $self->{ended};
        $self->_wait($deadline, 0) or return;
    }
    return 1;
}


# Waits for bytes to read, taking them, or for room to write if asked to;
# false at the deadline.
sub _wait {
    my ($self, $deadline, $for_room) = @_;

    my $socket = $self->_socket;
    my $left = $deadline - Time::HiRes::time();
    return if $left <= 0;

    my $set = IO::Select->new($socket);
    my $read = $self->{reading} && !$self->{ended};
    # what the kernel has handed out already, in whole records
    if ($read && $self->_is_tls && $socket->pending) {
        $self->_receive;
        return 1;
    }
    my ($readable, $writable) =
        IO::Select->select($read ? $set : undef, $for_room ? $set : undef,
                           undef, $left);
    return 1 if !defined $readable && $! == EINTR;
    return if !@{ $readable || [] } && !@{ $writable || [] };

    $self->_receive if @{ $readable || [] };
    return 1;
}


sub _receive {
    my ($self) = @_;

    my $have = length $self->{in};
    my $size = $self->{up_to} ? $self->{up_to} - $have : 262144;
    my $n = sysread $self->{socket}, $self->{in}, $size, $have;
    if (defined $n && $n == 0 && $self->_is_tls
        && Net::SSLeay::ERR_error_string(Net::SSLeay::ERR_get_error())
           =~ /(alert .*)/) {
        $self->{ended} = "alert: $1";
    } elsif (defined $n) {
        $self->{ended} = 'eof' if $n == 0;
    } elsif ($! == ECONNRESET) {
        $self->{ended} = 'reset';
    } elsif ($! == EPIPE) {
        # OpenSSL has a word to say about a FIN without close_notify.
        $self->{ended} = 'eof';
    } elsif ($! != EAGAIN && $! != EINTR) {
        die "receive: $!\n";
    }
}


sub _fail {
    my ($self, $wanted) = @_;
    my $got = $self->unseen;
    my $end = $self->{ended} ? ", then $self->{ended}" : '';
    die "expected $wanted, got "
        . (length $got ? '"' . shorten($got) . '"' : 'nothing') . "$end\n";
}


1;
