package Test::Nginx::TCP::Steps;

# The verbs of request_parts and their run in the written order, over any
# number of named clients.  A step that does not come true in time dies; the
# text says which step and what was seen.  Called by Exchange and PeerScript;
# works on Client, Datagram, Server and Log.

use strict;
use warnings;

use Errno qw(EAGAIN);
use Fcntl qw(F_SETFL O_NONBLOCK);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use IPC::Open2 ();
use Socket qw(SOCK_STREAM sockaddr_family);
use Test::Nginx::TCP::Client;
use Test::Nginx::TCP::Conf qw(write_file);
use Test::Nginx::TCP::Datagram;
use Test::Nginx::TCP::Log qw(patterns);
use Test::Nginx::TCP::Options qw(seconds wait_until);
use Test::Nginx::TCP::Peers qw(peer);

# verb => [arguments at least, at most, code]; code gets the run, the step's
# client name and the arguments.
my %VERB = (
    connect        => [0, 2, \&_connect],
    tls            => [1, 3, \&_tls],
    expect_tls_failure => [1, 3, \&_expect_tls_failure],
    start_tls      => [0, 6, sub { $_[0]->plain_client($_[1])->start_tls($_[0]{timeout}, @_[2 .. $#_]) }],
    expect_alert   => [1, 7, \&_expect_alert],
    expect_notify  => [0, 0, sub { $_[0]->client($_[1])->expect_notify($_[0]{timeout}) }],
    plain          => [1, 1, sub { $_[0]->client($_[1])->send_plain($_[2]) }],
    notify         => [0, 0, sub { $_[0]->client($_[1])->notify }],
    s_client       => [3, 3, \&_s_client],
    send           => [1, 1, sub { $_[0]->client($_[1])->send($_[2], $_[0]{timeout}) }],
    send_fin       => [1, 1, sub { $_[0]->client($_[1])->send_fin($_[2], $_[0]{timeout}) }],
    drip           => [1, 2, \&_drip],
    expect         => [1, 1, sub { $_[0]->client($_[1])->expect($_[2], $_[0]{timeout}) }],
    expect_like    => [1, 1, \&_expect_like],
    expect_bytes   => [1, 1, sub { $_[0]->client($_[1])->expect_bytes($_[2], $_[0]{timeout}) }],
    take_bytes     => [1, 1, sub { $_[0]->client($_[1])->take_bytes($_[2], $_[0]{timeout}) }],
    expect_nothing => [1, 1, sub { $_[0]->client($_[1])->expect_nothing($_[2]) }],
    expect_eof     => [0, 0, sub { $_[0]->client($_[1])->expect_end($_[0]{timeout}, 'eof') }],
    expect_reset   => [0, 0, sub { $_[0]->client($_[1])->expect_end($_[0]{timeout}, 'reset') }],
    expect_close   => [0, 0, sub { $_[0]->client($_[1])->expect_end($_[0]{timeout}, 'eof', 'reset') }],
    read_all       => [0, 0, \&_read_all],
    stop_reading   => [0, 0, sub { $_[0]->client($_[1])->stop_reading }],
    start_reading  => [0, 0, sub { $_[0]->client($_[1])->start_reading }],
    half_close     => [0, 0, sub { $_[0]->client($_[1])->half_close }],
    truncate       => [0, 0, sub { $_[0]->client($_[1])->truncate }],
    close          => [0, 0, sub { $_[0]->client($_[1])->close }],
    reset          => [0, 0, sub { $_[0]->client($_[1])->reset }],
    listen         => [1, 2, sub { $_[0]->listen($_[1], @_[2 .. $#_]) }],
    accept         => [0, 0, \&_accept],
    expect_no_connection => [1, 1, \&_expect_no_connection],
    fill_backlog   => [0, 0, \&_fill_backlog],
    unlisten       => [0, 0, sub { delete $_[0]{listeners}{$_[1]} }],
    pause          => [1, 1, sub { Time::HiRes::sleep($_[2]) }],
    wait_log       => [1, 2, \&_wait_log],
    wait_port      => [1, 1, \&_wait_port],
    wait_file      => [1, 2, \&_wait_file],
    sync           => [0, 0, sub { $_[0]{server}->barrier }],
    stop_peer      => [1, 1, sub { peer($_[2])->stop }],
    start_peer     => [1, 1, sub { peer($_[2])->start }],
    signal         => [1, 1, \&_signal],
    signal_worker  => [1, 1, \&_signal_worker],
    reload         => [0, 0, \&_reload],
    wait_workers   => [0, 0, \&_wait_old_workers],
    wait_exit      => [0, 0, \&_wait_exit],
    write_file     => [2, 2, sub { write_file($_[0]{server}->dir . "/$_[2]", $_[3]) }],
    edit_file      => [3, 3, \&_edit_file],
);


# peer: where clients connect; tls: undef, or the options of the handshake that
# those who are not told to connect begin with; mark: the log's size when this run began;
# timeout: seconds each step may take.
sub new {
    my ($class, %arg) = @_;
    return bless { clients => {}, listeners => {}, groups => {}, %arg }, $class;
}


sub run {
    my ($self, @steps) = @_;

    for my $step (@steps) {
        my $verb = $VERB{ $step->{verb} }
            or die "unknown step: $step->{text}\n";
        my ($least, $most, $code) = @$verb;
        my @args = map { $self->_fill($_) } @{ $step->{args} };
        die "wrong number of arguments: $step->{text}\n"
            if @args < $least || @args > $most;

        eval { $code->($self, $step->{client}, @args); 1 }
            or die 'step "' . Test::Nginx::TCP::Client::shorten($step->{text})
                   . "\": $@";
    }
}


# The client of this name; if it is not there yet it connects now, or accepts
# if it listens.
sub client {
    my ($self, $name) = @_;
    if (!$self->{clients}{$name} && !$self->_listener($name)) {
        $self->plain_client($name);
        $self->{clients}{$name}->start_tls($self->{timeout},
                                           split ' ', $self->{tls})
            if defined $self->{tls};
    }
    return $self->plain_client($name);
}


# The same, which begins without TLS.
sub plain_client {
    my ($self, $name) = @_;
    if (!$self->{clients}{$name}) {
        if ($self->_listener($name)) {
            $self->_accept($name);
        } else {
            $self->_do_connect($name, $self->{peer});
        }
    }
    return $self->{clients}{$name};
}


# expect_alert [OPTION...] /RE/: the handshake, or what comes behind it, ends with
# an alert.  With TLS 1.3 a client is through before the server is.
sub _expect_alert {
    my ($self, $name, @options) = @_;
    my $pattern = pop @options;
    my $client = $self->plain_client($name);
    if (!$client->_is_tls) {
        if (!eval { $client->start_tls($self->{timeout}, @options); 1 }) {
            die $@ unless $@ =~ /^TLS handshake: .*$pattern/s;
            $client->close;
            return;
        }
    }
    $client->expect_alert($pattern, $self->{timeout});
    $client->close;
}


# s_client "ARGUMENTS" => "INPUT" => /RE/: openssl s_client, until what it says
# matches.
sub _s_client {
    my ($self, undef, $arguments, $input, $pattern) = @_;
    my ($port) = $self->{peer} =~ /(\d+)\z/;
    my $command = "openssl s_client -connect 127.0.0.1:$port $arguments 2>&1";
    my $pid = IPC::Open2::open2(my $out, my $in, "exec $command");
    binmode $_ for $out, $in;
    local $SIG{PIPE} = 'IGNORE';
    $in->autoflush(1);
    print $in $input;
    my ($text, $select) = ('', IO::Select->new($out));
    my $deadline = Time::HiRes::time() + $self->{timeout};
    while ($select->can_read($deadline - Time::HiRes::time())) {
        last unless sysread $out, $text, 65536, length $text;
        last if $text =~ $pattern;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    die "s_client: $text\n" unless $text =~ $pattern;
}


# Listens on ADDRESS, with "backlog=N" connections waiting at most.
sub listen {
    my ($self, $name, $address, $backlog) = @_;

    ($backlog) = ($backlog // 'backlog=64') =~ /^backlog=(\d+)\z/
        or die "bad backlog\n";
    my $listener = $address =~ /^unix:(.*)/s
        ? _listen_unix($1, $backlog)
        : IO::Socket::IP->new(
              LocalAddr => $address =~ /^\d+\z/ ? "127.0.0.1:$address"
                                                : $address,
              Listen => $backlog || 1, ReuseAddr => 1);
    die "cannot listen on $address: " . ($@ || $!) . "\n" unless $listener;

    # for IO::Socket 0 is no backlog at all
    CORE::listen($listener, 0) if $backlog == 0;
    $self->{listeners}{$name} = $listener;
}


# A socket for datagrams on ADDRESS, which is the client of this name.
sub bind {
    my ($self, $name, $address) = @_;
    $self->{clients}{$name} = Test::Nginx::TCP::Datagram->bind($address);
}


# Name => Client of those that are connected.
sub clients { return %{ $_[0]{clients} } }

# The master was told to end and did; no server is left to check.
sub server_ended { return $_[0]{server_ended} }

# The workers are others than when the run began, and may be.
sub workers_changed { return $_[0]{workers_changed} }


sub _do_connect {
    my ($self, $name, $peer, %arg) = @_;
    # without a word of goodbye its session would be of no use any more
    my $before = $self->{clients}{$name};
    $before->close if $before && $before->can('start_tls') && $before->_is_tls;
    $self->{clients}{$name} = $peer =~ /^udp:(.*)/s
        ? Test::Nginx::TCP::Datagram->connect($1)
        : Test::Nginx::TCP::Client->connect($peer, %arg);
}


# connect [ADDRESS] [rcvbuf=BYTES]
sub _connect {
    my ($self, $name, @args) = @_;
    my %arg = map { /^(rcvbuf)=(\d+)$/ ? ($1, $2) : () } @args;
    my ($peer) = grep { !/^rcvbuf=/ } @args;
    $self->_do_connect($name, defined $peer ? $peer : $self->{peer}, %arg);
}


# expect_like /(?<name>RE)/: ${name} stands for it in the steps that follow
sub _expect_like {
    my ($self, $name, $pattern) = @_;
    my %group = $self->client($name)->expect_like($pattern, $self->{timeout});
    $self->{groups} = { %{ $self->{groups} }, %group };
}


sub _fill {
    my ($self, $argument) = @_;
    return $argument if ref $argument;
    my $groups = $self->{groups};
    return $argument =~ s/\$\{(\w+)\}/$groups->{$1} \/\/ $&/ger;
}


# drip BYTES [SECONDS]: each byte in a packet of its own
sub _drip {
    my ($self, $name, $bytes, $pause) = @_;
    for my $byte (split //, $bytes) {
        $self->client($name)->send($byte, $self->{timeout});
        Time::HiRes::sleep(defined $pause ? $pause : 0.002);
    }
}


sub _read_all {
    my ($self, $name) = @_;
    my $client = $self->client($name);
    my $end = $client->read_all($self->{timeout}) || 'no end in time';
    die "$end after \"" . Test::Nginx::TCP::Client::shorten($client->unseen)
        . "\"\n" if $end ne 'eof';
    $client->see_all;
}


# accept: the client is then the server side of a connection
sub _accept {
    my ($self, $name) = @_;
    my $listener = $self->_listener($name) or die "does not listen\n";
    IO::Select->new($listener)->can_read($self->{timeout})
        or die "nobody connected in time\n";
    $self->{clients}{$name} =
        Test::Nginx::TCP::Client->from_socket(scalar $listener->accept);
}


# A name of its own, or that of all connections that have none.
sub _listener {
    my ($self, $name) = @_;
    return $self->{listeners}{$name} || $self->{listeners}{''};
}


# A path may be left from the last run; an abstract one (@...) is never.
sub _listen_unix {
    my ($path, $backlog) = @_;
    unlink $path;
    $path =~ s/^\@/\0/;
    return IO::Socket::UNIX->new(Local => $path, Listen => $backlog || 1);
}


sub _expect_no_connection {
    my ($self, $name, $seconds) = @_;
    my $listener = $self->_listener($name) or die "does not listen\n";
    die "somebody connected\n"
        if IO::Select->new($listener)->can_read($seconds);
}


# Connects to itself until a connect does not come through any more: the kernel
# lets nobody else in.
sub _fill_backlog {
    my ($self, $name) = @_;

    my $listener = $self->_listener($name) or die "does not listen\n";
    my $address = getsockname $listener;
    for (1 .. 100) {
        socket my $s, sockaddr_family($address), SOCK_STREAM, 0
            or die "socket: $!\n";
        fcntl $s, F_SETFL, O_NONBLOCK;
        push @{ $self->{filling} }, $s;
        next if CORE::connect($s, $address);
        return if $! == EAGAIN;                       # a unix socket's way
        next if IO::Select->new($s)->can_write(0.5);
        return;
    }
    die "there is always room for one more\n";
}


# tls CERTIFICATE [TLSv1.2|TLSv1.3] [verify]: the handshake as server
sub _tls {
    my ($self, $name, @arguments) = @_;
    $self->client($name)->accept_tls($self->{timeout}, @arguments);
}


sub _expect_tls_failure {
    my ($self, $name, @arguments) = @_;
    my $client = $self->client($name);
    die "the handshake succeeded\n"
        if eval { $client->accept_tls($self->{timeout}, @arguments); 1 };
    die $@ unless $@ =~ /^TLS handshake: /;
    $client->close;
}


# wait_log PATTERN [COUNT]: in what was logged since the run began
sub _wait_log {
    my ($self, undef, $pattern, $count) = @_;
    my ($regex) = patterns($pattern);
    $self->{server}->log->wait_for($regex, $self->{mark}, $self->{timeout},
                                   $count)
        or die "no such line in time\n";
}


sub _wait_port {
    my ($self, undef, $port) = @_;
    wait_until($self->{timeout}, sub {
        return IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                   PeerPort => $port);
    }) or die "nobody listens in time\n";
}


# wait_file NAME [PATTERN]: below the prefix
sub _wait_file {
    my ($self, undef, $name, $pattern) = @_;
    my ($regex) = defined $pattern ? patterns($pattern) : qr//;
    my $file = Test::Nginx::TCP::Log->new($self->{server}->dir . "/$name");
    wait_until($self->{timeout}, sub {
        return -e $file->{path} && $file->text(0) =~ $regex;
    }) or die "not in time\n";
}


sub _signal {
    my ($self, undef, $name) = @_;
    $self->{workers_changed} = 1 if $name ne 'USR1';
    $self->{server}->signal($name);
}


sub _signal_worker {
    my ($self, undef, $name) = @_;
    $self->{workers_changed} = 1;
    kill $name, $self->{server}->workers;
}


sub _reload {
    my ($self) = @_;
    $self->{workers_changed} = 1;
    $self->{server}->reload;
}


sub _wait_old_workers {
    my ($self) = @_;
    $self->{server}->wait_old_workers or die "not in time\n";
}


sub _wait_exit {
    my ($self) = @_;
    $self->{server_ended} = 1;
    my @problems = $self->{server}->wait_exit;
    die "@problems\n" if @problems;
}


# edit_file NAME FROM => TO
sub _edit_file {
    my ($self, undef, $name, $from, $to) = @_;
    my $path = $self->{server}->dir . "/$name";
    my $text = Test::Nginx::TCP::Log->new($path)->text(0);
    $text =~ s/\Q$from\E/$to/ or die "no such text in $name\n";
    write_file($path, $text);
}


1;
