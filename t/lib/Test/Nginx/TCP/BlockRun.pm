package Test::Nginx::TCP::BlockRun;

# The life of one block: a server for it (its own, or the shared one brought to
# the block's configuration by a reload), its peers, its runs, the end of the
# server.  Called by Test::Nginx::TCP for each block; the traffic is Exchange's
# and PeerScript's, the judgement Check's.  (Test::Base would take a class
# ...::Block for its own.)

use strict;
use warnings;

use File::Path qw(remove_tree);
use Test::Builder;
use Time::HiRes ();
use Test::Nginx::TCP::Check;
use Test::Nginx::TCP::Conf;
use Test::Nginx::TCP::ConfCheck qw(is_conf_check try_configuration);
use Test::Nginx::TCP::Exchange qw(exchange);
use Test::Nginx::TCP::Options qw(opt seconds);
use Test::Nginx::TCP::PeerScript qw(peer_sections);
use Test::Nginx::TCP::Peers qw(bring_up clean_up of_age peer_variables
                               peers_of);
use Test::Nginx::TCP::Sections qw(expand may_reload of_run sections_of
                                  skip_reason whole_pattern);
use Test::Nginx::TCP::Server;

my $shared;     # the server that lives over blocks in hup mode


# number: of the run of a block in its file; spec: the Test::Base block; age: of
# its peers, where they have one; root: the directory of this test program;
# ports: its ports; vars: variable => value.
sub new {
    my ($class, %arg) = @_;

    my $spec = $arg{spec};
    my $dir  = "$arg{root}/b$arg{number}";
    my $self = bless { title => title($spec, $arg{age}), %arg }, $class;

    my $raw = sections_of($spec);
    of_age($arg{age});
    $self->{shared} = opt('hup') && may_reload($raw, $self->{ports});
    $self->{dir} = $self->{shared} ? "$arg{root}/hup" : $dir;
    $self->{vars} = { %{ $arg{vars} }, peer_variables(peers_of($raw)),
                      TEST_DIR => $self->{dir} };
    $self->{sections} = expand($raw, $self->{vars});
    return $self;
}


# Its name, and which peers it runs with.
sub title {
    my ($spec, $age) = @_;
    return $spec->name . (length $age ? " ($age)" : '');
}


# Runs the block; true if all its points are good.
sub run {
    my ($self) = @_;

    my $reason = skip_reason($self->{title}, $self->{sections});
    if (defined $reason) {
        Test::Builder->new->skip("$self->{title}: $reason");
        return 1;
    }

    my $s = $self->{sections};
    $self->{timeout} = seconds($s->{timeout} || opt('timeout'));
    stop_shared() unless $self->{shared};

    my $server = $self->{shared} && $shared
                 ? $shared : Test::Nginx::TCP::Server->new($self->{dir});
    $self->{server} = $server;
    $self->{check} = Test::Nginx::TCP::Check->new(
        title => $self->{title}, sections => $s, dir => $self->{dir},
        log => $server->log, log_from => $server->log->size);

    my $done = eval {
        my $conf = Test::Nginx::TCP::Conf->new($s, $self->{ports});
        $self->{conf} = $conf;
        $server->set_conf($conf) unless $server->is_running;
        $conf->write($self->{dir});
        if (is_conf_check($s)) {
            try_configuration($s, $server, $self->{check});
        } else {
            $self->_serve($conf);
        }
        1;
    };
    $self->{check}->ok(0, 'runs to its end', $@) unless $done;
    $self->_clean_up;
    return !$self->{check}->failed;
}


# Ends the shared server; true if nothing is wrong with its end.
sub stop_shared {
    return 1 unless $shared;

    my $check = Test::Nginx::TCP::Check->new(
        title => 'all reloaded blocks', sections => {}, dir => $shared->dir,
        log => $shared->log, log_from => $shared->log->size);
    $check->none('the shared nginx ends well', $shared->stop);
    $check->no_bad_lines;
    undef $shared;
    return !$check->failed;
}


sub _serve {
    my ($self, $conf) = @_;

    my ($server, $check) = @{$self}{qw(server check)};
    my $runs = $self->{sections}{repeat} || opt('repeat');

    bring_up(peers_of($self->{sections}));
    $self->_bring_up($conf);
    $check->log_section('start_log', $self->{check}{log_from},
                        $self->{timeout});

    $self->{no} = 0;
    for my $no (1 .. $runs) {
        $self->_run_once($runs > 1 ? " (run $no)" : '');
        return $check->no_bad_lines if $self->{ended};
        $self->_signal if $no == 1 && defined $self->{sections}{signal};
        return $check->no_bad_lines if $self->{ended};
    }

    if ($self->{shared}) {
        # the files and the configuration as they were at the beginning
        $conf->write($self->{dir});
        $server->reload;
        $self->_run_once(' (after reload)') unless $self->{sections}{repeat};
    } else {
        my $mark = $server->log->size;
        $check->none('nginx ends well',
                     $server->stop($self->{sections}{stop}));
        $check->log_section('stop_log', $mark, $self->{timeout});
    }
    $check->no_bad_lines;
}


# A start, or a reload of the shared server with the block's configuration.
sub _bring_up {
    my ($self, $conf) = @_;

    my $server = $self->{server};
    if ($server->is_running) {
        $server->set_conf($conf);
        $server->reload;
        die "an old worker does not end after the reload\n"
            unless $server->wait_old_workers;
        return;
    }
    $server->start;
    $shared = $server if $self->{shared};
}


sub _run_once {
    my ($self, $run) = @_;

    my ($server, $check, $s) = @{$self}{qw(server check sections)};
    clean_up(peers_of($s));
    my $no      = ++$self->{no};
    my $mark    = $server->log->size;
    my $sizes   = $check->file_sizes;
    my @workers = $server->workers;

    my %expected = map { $_ => of_run($s->{$_}, $no) }
                   qw(response response_like);
    $expected{response_like} = whole_pattern($expected{response_like});

    my %script = map {
        $_ => Test::Nginx::TCP::PeerScript->start(
            section => $_, steps => $s->{$_}, server => $server,
            mark => $mark, timeout => $self->{timeout})
    } peer_sections($s);
    my @results = exchange(
        %expected, sections => $s, server => $server, mark => $mark,
        timeout => $self->{timeout},
        expand => sub { expand($_[0], { %{ $self->{vars} }, %{ $_[1] } }) },
        peer => defined $s->{connect} ? $s->{connect} : $self->{ports}[0]);

    Time::HiRes::sleep($s->{wait}) if $s->{wait};
    $self->{ended} = grep { $_->{server_ended} } @results;
    $server->barrier unless $self->{ended};

    my @problems = map { @{ $_->{problems} } } @results;
    push @problems, map {
        'received by ' . (length $_ ? $_ : 'the client') . ': "'
        . Test::Nginx::TCP::Client::shorten($results[0]{received_by}{$_})
        . '"'
    } sort keys %{ $results[0]{received_by} || {} } if @problems;
    $check->none("exchange$run", @problems);
    $check->none("$_$run", $script{$_}->finish) for sort keys %script;

    for my $i (0 .. $#results) {
        my $who = @results > 1 ? ' to client ' . ($i + 1) : '';
        my $vars = { %{ $self->{vars} }, TEST_CLIENT => $i + 1 };
        $check->response("response$who$run", $results[$i]{received},
                         expand($expected{response}, $vars))
            if defined $expected{response};
        $check->response_like("response_like$who$run", $results[$i]{received},
                              $expected{response_like})
            if defined $expected{response_like};
    }

    $check->log_lines($run, $mark, $self->{timeout}, $no);
    $check->files($run, $sizes, $self->{timeout});
    $self->_same_workers($run, @workers)
        unless $self->{ended} || grep { $_->{workers_changed} } @results;
}


sub _same_workers {
    my ($self, $run, @before) = @_;
    my @after = $self->{server}->workers;
    $self->{check}->ok("@before" eq "@after", "no worker died$run",
                       "workers before: @before, after: @after");
}


# The signal between two runs.
sub _signal {
    my ($self) = @_;

    my $server = $self->{server};
    my $name = $self->{sections}{signal};

    if ($name eq 'HUP') {
        $server->reload;

    } elsif ($name eq 'USR1') {
        $server->barrier;

    } else {
        my $mark = $server->log->size;
        $self->{check}->none("nginx ends well by $name",
                             $server->stop($name));
        $self->{check}->log_section('stop_log', $mark, $self->{timeout});
        $self->{ended} = 1;
    }
}


sub _clean_up {
    my ($self) = @_;

    my $failed = $self->{check}->failed;
    if ($failed || !$self->{shared}) {
        $self->{server}->kill;
        undef $shared if $shared && $shared == $self->{server};
    }

    if ($self->{shared}) {
        # a good server works on in its directory, without the block's files
        rename $self->{dir}, "$self->{root}/b$self->{number}" if $failed;
        $self->{conf}->remove_files($self->{dir}) if !$failed;
    } elsif (!$failed && !opt('keep')) {
        remove_tree($self->{dir});
    }
}


1;
