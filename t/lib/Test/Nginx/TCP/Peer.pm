package Test::Nginx::TCP::Peer;

# A server that the module talks to, as a process of ours: its files are below
# one directory, its output is in "log" there.  The classes in Peer/ say how
# each kind is set up, when it serves, and how it is emptied.

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::IP;
use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(wait_until);
use Test::Nginx::TCP::Ports qw(peer_ports);
use Test::Nginx::TCP::Process;

# Seconds that a start may take, on a machine with much else to do.
my $PATIENCE = 60;


# name; dir: for its files, new at each start; prefix: of its variables.
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;
    my @names = $self->port_names;
    my @ports = peer_ports(scalar @names);
    $self->{port} = { map { $names[$_] => $ports[$_] } 0 .. $#names };
    return $self;
}


# Its ports by name; "" is the one that $TEST_PREFIX_PORT stands for.
sub port_names { return ('') }

sub port {
    my ($self, $name) = @_;
    return $self->{port}{$name // ''};
}


sub variables {
    my ($self) = @_;
    return map {
        (join('_', 'TEST', $self->{prefix}, length $_ ? $_ : (), 'PORT')
         => $self->{port}{$_})
    } $self->port_names;
}


# What a class has to say: prepare writes files before the start; command is
# the program and its arguments; is_ready that it serves; clean empties it;
# brought_by is what installs it.
sub prepare    { }
sub command    { die "no command\n" }
sub is_ready   { die "no is_ready\n" }
sub clean      { }
sub brought_by { return 'scripts/install-packages peers' }


sub start {
    my ($self) = @_;

    return if $self->{process} && $self->{process}->is_running;
    remove_tree($self->{dir});
    make_path($self->{dir});
    $self->prepare;
    $self->{process} = $self->spawn($self->command);
    $self->until_ready(sub { $self->is_ready });
}


sub stop {
    my ($self) = @_;
    $self->{process}->kill if $self->{process};
}


# A program whose output goes to the log.
sub spawn {
    my ($self, @command) = @_;
    return Test::Nginx::TCP::Process->start(
        command => \@command, output => "$self->{dir}/log");
}


sub until_ready {
    my ($self, $ready) = @_;
    wait_until($PATIENCE, sub {
        return $ready->() || !$self->{process}->is_running;
    });
    return if $self->{process}->is_running && $ready->();
    $self->give_up;
}


# Runs a program to its end, which must be good.
sub run_to_end {
    my ($self, @command) = @_;
    my $process = $self->spawn(@command);
    my $status = $process->wait($PATIENCE);
    return if defined $status && $status == 0;
    $process->kill;
    $self->give_up;
}


sub give_up {
    my ($self) = @_;
    $self->stop;
    my $log = Test::Nginx::TCP::Log->new("$self->{dir}/log")->tail(0, 40);
    die "peer $self->{name} did not start "
        . '(' . $self->brought_by . " brings it):\n$log";
}


# What it answers: the first bytes after a connect and a request, '' if none.
sub ask {
    my ($self, $request, $enough) = @_;

    my $s = IO::Socket::IP->new(
        PeerHost => '127.0.0.1', PeerPort => $self->port, Timeout => 5)
        or return '';
    local $SIG{PIPE} = 'IGNORE';
    syswrite $s, $request;
    my $answer = '';
    while ($answer !~ $enough && IO::Select->new($s)->can_read(5)) {
        sysread $s, $answer, 65536, length $answer or last;
    }
    return $answer;
}


# Programs refuse to be root's, or take another user, unless they are told.
sub is_root { return $> == 0 }


1;
