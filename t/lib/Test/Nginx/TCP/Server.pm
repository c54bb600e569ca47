package Test::Nginx::TCP::Server;

# One nginx below one prefix: configuration test, start, signals, reload,
# stop.  What the processes do is read off error.log (the command line adds one
# at level info), so each wait ends with a fact and not with a sleep.  Called by
# Test::Nginx::TCP::BlockRun and by the steps; calls Process to fork and exec.

use strict;
use warnings;

use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(opt seconds wait_until);
use Test::Nginx::TCP::Process;
use Test::Nginx::TCP::Shim qw(shim_path);
use Test::Nginx::TCP::Valgrind qw(valgrind_command valgrind_problems);


# dir is the prefix; conf/nginx.conf stands in it.
sub new {
    my ($class, $dir) = @_;
    return bless {
        dir  => $dir,
        log  => Test::Nginx::TCP::Log->new("$dir/logs/error.log"),
        conf => {},
    }, $class;
}

sub dir { return $_[0]{dir} }
sub log { return $_[0]{log} }

# The Conf that a start or reload makes real.
sub set_conf {
    my ($self, $conf) = @_;
    $self->{conf} = $conf;
}


# nginx -t; returns its exit status and what it wrote to stderr.
sub test_conf {
    my ($self) = @_;
    return $self->_run_to_end($self->_nginx('-t'));
}


# Starts nginx where it is expected to give up; returns its exit status, undef
# if it goes on to run, and what it wrote to stderr.
sub start_to_fail {
    my ($self) = @_;
    return $self->_run_to_end($self->_nginx());
}


sub start {
    my ($self) = @_;

    $self->{since} = $self->{read_up_to} = $self->{log}->size;
    $self->{states} = {};
    unlink "$self->{dir}/logs/nginx.pid";
    my @command = $self->_nginx();
    unshift @command, valgrind_command($self->{dir}) if opt('valgrind');

    $self->{process} = Test::Nginx::TCP::Process->start(
        command => \@command, output => "$self->{dir}/logs/stderr.log",
        env     => $self->_environment);

    my $up = wait_until(seconds(opt('timeout')), sub {
        return 'dead' if !$self->{process}->is_running;
        return 'up'   if $self->_is_started;
    });
    if (!defined $up || $up eq 'dead') {
        $self->kill;
        die "nginx did not start:\n", $self->stderr;
    }
    $self->barrier;
}


sub is_running {
    my ($self) = @_;
    return $self->{process} && $self->{process}->is_running;
}


sub signal {
    my ($self, $name) = @_;
    my $pid = $self->{process}->pid;
    CORE::kill($name, $pid) or die "cannot send SIG$name to nginx: $!\n";

    # nginx without a master may have looked at its flags just before this one
    # was set, and wait for an event then; SIGIO, which means nothing to it,
    # ends the wait (ngx_single_process_cycle() in os/unix/ngx_process_cycle.c)
    if ($self->{conf}->single_process) {
        Time::HiRes::sleep(0.02);
        CORE::kill(IO => $pid) if $self->{process}->is_running;
    }
}


# SIGHUP, then waits until the new workers serve and none of the old ones
# accepts; these may still be there with their clients.
sub reload {
    my ($self) = @_;

    my %old  = map { $_ => 1 } $self->workers;
    my $mark = $self->{log}->size;
    $self->signal('HUP');

    my $end = wait_until(seconds(opt('timeout')), sub {
        return 'dead' if !$self->is_running;
        return 'refused'
            if grep { / \[emerg\] / } $self->{log}->lines($mark);
        return 'done' if $self->{conf}->single_process
                         && $self->{log}->text($mark) =~ /reconfiguring/;
        my @now = $self->workers;
        return 'done'
            if @now >= $self->{conf}->workers && !grep { $old{$_} } @now;
    });
    die "reload: " . ($end ? $end : "no new workers in time") . "\n"
        if !$end || $end ne 'done';
    $self->barrier;
}


# Waits until the workers that were told to shut down are gone; false if one
# stays.
sub wait_old_workers {
    my ($self) = @_;
    return wait_until(seconds(opt('timeout')), sub {
        return !grep { $_ eq 'quitting' } values %{ $self->_states };
    });
}


# Pids of the workers that accept connections.
sub workers {
    my ($self) = @_;
    return $self->{process}->pid if $self->{conf}->single_process;
    my $states = $self->_states;
    my @pids = sort grep { $states->{$_} eq 'running' } keys %$states;
    return @pids;
}


# Returns when each worker has handled all events that were there before the
# call: told to reopen its logs it says so after it has worked off its events.
# A worker that is busy for the whole timeout makes it die.
sub barrier {
    my ($self) = @_;

    return unless $self->is_running;
    my $mark = $self->{log}->size;
    my $next_signal = 0;
    my (%told, @silent);

    my $done = wait_until(seconds(opt('timeout')), sub {
        return 1 unless $self->is_running;
        my @workers = $self->workers;
        # once, but for a worker that has come since: the answer to a second
        # signal might come late, and be taken for that to the next barrier's
        if (Time::HiRes::time() > $next_signal
            || grep { !$told{$_} } @workers)
        {
            $self->signal('USR1');
            %told = map { $_ => 1 } @workers;
            $next_signal = Time::HiRes::time() + seconds(3);
        }
        my $text = $self->{log}->text($mark);
        @silent = grep { $text !~ /\] \Q$_\E#\d+: reopening logs/ } @workers;
        return !@silent;
    });
    die "worker @silent does not answer\n" unless $done;
}


# Ends nginx with the signal (QUIT) and returns what was wrong with its end.
sub stop {
    my ($self, $signal) = @_;

    return unless $self->{process};
    if ($self->is_running) {
        $self->signal($signal || 'QUIT');
    }
    return $self->wait_exit;
}


# Waits for the end of a master that was told to end; returns the problems.
sub wait_exit {
    my ($self) = @_;

    my $status = $self->{process}->wait(seconds(opt('timeout')));
    if (!defined $status) {
        my @left = $self->workers;
        $self->kill;
        return "nginx did not exit in time (workers left: @left)";
    }
    my @problems;
    push @problems, sprintf('nginx exited with status 0x%x', $status) if $status;
    push @problems, valgrind_problems($self->{dir}) if opt('valgrind');
    return @problems;
}


# The hard way, for the cleanup after a failure: master and workers by pid.
# A worker whose master is gone is known by its log.
sub kill {
    my ($self) = @_;
    return unless $self->{process};
    $self->{process}->kill(
        grep { Test::Nginx::TCP::Process::has_open($_, $self->{log}{path}) }
        keys %{ $self->_states });
}


sub stderr {
    my ($self) = @_;
    return Test::Nginx::TCP::Log->new("$self->{dir}/logs/stderr.log")->text(0);
}


# The command line.  Its -g text and -e hold for each configuration, so that a
# whole "config" of a block needs no pid, no error_log and no "daemon off".
sub _nginx {
    my ($self, @arguments) = @_;

    my $dir = $self->{dir};
    my $level = opt('log_level');
    my $global = "daemon off; pid $dir/logs/nginx.pid; "
                 . "error_log $dir/logs/error.log $level;";
    $global .= ' user root;' if $> == 0 && !$self->{conf}->has_user;

    return (opt('binary'), '-p', "$dir/", '-c', "$dir/conf/nginx.conf",
            '-e', "$dir/logs/error.log", '-g', $global, @arguments);
}


sub _environment {
    my ($self) = @_;

    my @shims = ((opt('slow') ? 'one_byte_io' : ()), opt('preload') || ());
    return {} if !@shims;
    return {
        LD_PRELOAD     => join(' ', map { shim_path($_) } @shims),
        TEST_NGINX_ETC => "$self->{dir}/etc",
    };
}


sub _run_to_end {
    my ($self, @command) = @_;

    my $output = "$self->{dir}/logs/stderr.log";
    unlink $output;
    my $process = Test::Nginx::TCP::Process->start(
        command => \@command, output => $output,
        env     => $self->_environment);
    my $status = $process->wait(seconds(opt('timeout')));
    if (!defined $status) {
        $self->{process} = $process;
        $self->kill;
        delete $self->{process};
    }
    return ($status, $self->stderr);
}


sub _is_started {
    my ($self) = @_;
    # a single process says nothing once its signal handlers are set, but
    # writes its pid after that (main() in core/nginx.c)
    return -s "$self->{dir}/logs/nginx.pid" if $self->{conf}->single_process;
    return $self->workers >= $self->{conf}->workers;
}


# Worker pid => running, quitting or gone, by what error.log says since start.
sub _states {
    my ($self) = @_;

    my $state = $self->{states};
    my $text  = $self->{log}->text($self->{read_up_to});
    $self->{read_up_to} += length $text;

    for (split /\n/, $text) {
        if (/: start worker process (\d+)$/) {
            $state->{$1} = 'running';

        } elsif (/\] (\d+)#\d+: (?:gracefully shutting down|exiting)$/) {
            $state->{$1} = 'quitting' if $state->{$1};

        } elsif (/: worker process (\d+) exited/) {
            $state->{$1} = 'gone';
        }
    }
    return $state;
}


1;
