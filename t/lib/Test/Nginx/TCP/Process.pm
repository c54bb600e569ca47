package Test::Nginx::TCP::Process;

# A process that we start, wait for and end, by its pid alone.  All that still
# run are ended when the test program does, also by die, SIGINT or SIGTERM;
# if it is killed outright the kernel ends them (prctl).  Called by Server and
# by the peers.

use strict;
use warnings;

use POSIX qw(:sys_wait_h);
use Test::Nginx::TCP::Options qw(seconds wait_until);

# prctl(2) by architecture, for PR_SET_PDEATHSIG
my %PRCTL = (x86_64 => 157, aarch64 => 167);
my $PR_SET_PDEATHSIG = 1;

my %running;      # pid => object
my $owner = $$;   # forked clients leave the processes alone

$SIG{INT} = $SIG{TERM} = sub { kill_all(); exit 130 };

END { local $?; kill_all() }


# command => [...], output => file for stdout and stderr, env => {...}
sub start {
    my ($class, %arg) = @_;

    my $pid = fork;
    die "fork: $!\n" unless defined $pid;
    _exec(%arg) if $pid == 0;

    my $self = bless { pid => $pid }, $class;
    return $running{$pid} = $self;
}


sub pid { return $_[0]{pid} }


sub is_running {
    my ($self) = @_;

    return 0 if defined $self->{status};
    return CORE::kill(0, $self->{pid}) if $$ != $owner;   # not our child there
    return 1 if waitpid($self->{pid}, WNOHANG) != $self->{pid};

    $self->{status} = $?;
    delete $running{ $self->{pid} };
    return 0;
}


# The wait status, or undef if it still runs when the time is over.
sub wait {
    my ($self, $seconds) = @_;
    wait_until($seconds, sub { !$self->is_running });
    return $self->{status};
}


# Ends it with SIGKILL, and the given pids of its children.
sub kill {
    my ($self, @children) = @_;

    CORE::kill(KILL => $self->{pid}) if $self->is_running;
    CORE::kill(KILL => @children);
    $self->wait(seconds(5));
}


# A pid in an old log may be somebody else's by now: true if the process has
# this file open.
sub has_open {
    my ($pid, $path) = @_;
    return scalar grep { (readlink($_) // '') eq $path } glob "/proc/$pid/fd/*";
}


sub kill_all {
    return if $$ != $owner;
    for my $self (values %running) {
        $self->kill($self->_children);
    }
}


sub _children {
    my ($self) = @_;

    my @children;
    for my $pid (map { m{(\d+)} } glob '/proc/[0-9]*') {
        open my $fh, '<', "/proc/$pid/stat" or next;     # gone by now
        my ($parent) = (readline($fh) // '') =~ /^\d+ \(.*\) \S (\d+)/;
        push @children, $pid if defined $parent && $parent == $self->{pid};
    }
    return @children;
}


# For a child: its end comes with that of its parent.
sub die_with_parent {
    my $machine = (POSIX::uname())[4];
    syscall $PRCTL{$machine}, $PR_SET_PDEATHSIG, POSIX::SIGTERM()
        if $PRCTL{$machine};
}


sub _exec {
    my (%arg) = @_;

    die_with_parent();
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>>', $arg{output};
    open STDERR, '>&', \*STDOUT;
    $ENV{$_} = $arg{env}{$_} for keys %{ $arg{env} || {} };

    { no warnings 'exec'; exec { $arg{command}[0] } @{ $arg{command} } }
    print STDERR "cannot run $arg{command}[0]: $!\n";
    POSIX::_exit(127);
}


1;
