package Test::Nginx::TCP::BlockRun;

# (Test::Base would take a class named ...::Block for its own.)
# The life of one block: its sections with their variables filled in, a server
# for it (its own, or the shared one brought to the block's configuration by a
# reload), its runs, the end of the server.  Called by Test::Nginx::TCP for each
# block; the traffic is Exchange's, the judgement Check's.

use strict;
use warnings;

use File::Path qw(remove_tree make_path);
use Test::Builder;
use Time::HiRes ();
use Test::Nginx::TCP::Check;
use Test::Nginx::TCP::Conf;
use Test::Nginx::TCP::Exchange qw(exchange);
use Test::Nginx::TCP::Log qw(patterns);
use Test::Nginx::TCP::Options qw(opt modes seconds);
use Test::Nginx::TCP::Server;

# Every section that a block may have; another name is a mistake.
my %KNOWN = map { $_ => 1 } qw(
    main_config events http_config tcp_config tcp_server_config
    tcp_server_config2 tcp_server_config3 config user_files workers
    master_process connect request request_parts shutdown clients response
    response_like error_log no_error_log grep_error_log grep_error_log_out
    start_log stop_log file_is file_like conf_error conf_ok must_die timeout
    wait signal stop repeat skip_mode skip_if no_reload
    ONLY LAST SKIP
);

my $shared;     # the server that lives over blocks in hup mode


# Dies if a block has a section that nobody would look at.
sub check_sections {
    my ($spec) = @_;
    for my $name (@{ $spec->{_section_order}[0] }) {
        die 'block "' . $spec->name . "\": unknown section \"$name\"\n"
            unless $KNOWN{$name};
    }
}


# number: of the block in its file; spec: the Test::Base block; root: the
# directory of this test program; ports: its ports; vars: variable => value.
sub new {
    my ($class, %arg) = @_;

    my $spec = $arg{spec};
    my $dir  = "$arg{root}/b$arg{number}";
    my $self = bless { title => $spec->name, %arg }, $class;

    for my $name (@{ $spec->{_section_order}[0] }) {
        my @value = @{ $spec->{$name} };
        $self->{sections}{$name} = @value > 1 ? [@value] : $value[0];
    }

    $self->{shared} = opt('hup') && $self->_may_share;
    $self->{dir} = $self->{shared} ? "$arg{root}/hup" : $dir;
    $self->{vars} = { %{ $arg{vars} }, TEST_DIR => $self->{dir} };
    $self->{sections} = $self->expand($self->{sections});
    return $self;
}


# Runs the block; true if all its points are good.
sub run {
    my ($self) = @_;

    my $reason = $self->_skip_reason;
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
        $server->set_conf($conf) unless $server->is_running;
        $conf->write($self->{dir});
        if (grep { defined $s->{$_} } qw(conf_error conf_ok must_die)) {
            $self->_try_configuration;
        } else {
            $self->_serve($conf);
        }
        1;
    };
    $self->{check}->ok(0, 'runs to its end', $@) unless $done;
    $self->_clean_up;
    return !$self->{check}->failed;
}


# Fills in $TEST_..., in texts and in lists and tables of texts.
sub expand {
    my ($self, $value, $more) = @_;

    return [map { $self->expand($_, $more) } @$value]
        if ref $value eq 'ARRAY';
    return { map { $_ => $self->expand($value->{$_}, $more) } keys %$value }
        if ref $value eq 'HASH';
    return $value if ref $value || !defined $value;

    my %vars = (%{ $self->{vars} }, %{ $more || {} });
    $value =~ s/\$(?:\{(TEST_\w+)\}|(TEST_\w+))/
                exists $vars{$+} ? $vars{$+} : $&/gex;
    return $value;
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


sub _may_share {
    my ($self) = @_;

    my $s = $self->{sections};
    return 0 if grep { defined $s->{$_} }
                qw(conf_error conf_ok must_die start_log stop_log stop
                   no_reload);
    return 0 if ($s->{signal} || '') =~ /QUIT|TERM|INT|KILL/
                || ($s->{request_parts} || '') =~ /^\s*signal\s+(?!USR1|HUP)/m;
    return Test::Nginx::TCP::Conf->new($s, $self->{ports})->reloadable;
}


sub _skip_reason {
    my ($self) = @_;
    my $s = $self->{sections};

    if (defined $s->{skip_mode}) {
        my ($skipped, $reason) =
            $s->{skip_mode} =~ /^((?:(?:hup|slow|valgrind)\b[\s,]*)+):?\s*(.+)/
            or die "block \"$self->{title}\": skip_mode: MODE... REASON\n";
        return $reason if grep { $skipped =~ /\b$_\b/ } modes();
    }
    if (defined $s->{skip_if}) {
        my $reason = eval $s->{skip_if};
        die "block \"$self->{title}\": skip_if: $@" if $@;
        return $reason if $reason;
    }
    return;
}


# The blocks that nginx is to refuse, or only to look at.
sub _try_configuration {
    my ($self) = @_;

    my $s = $self->{sections};
    my ($section) = grep { defined $s->{$_} } qw(conf_error conf_ok must_die);
    my $server = $self->{server};
    my ($status, $stderr) = $section eq 'must_die' ? $server->start_to_fail
                                                   : $server->test_conf;
    my $check = $self->{check};

    if ($section eq 'conf_ok') {
        $check->ok(defined $status && $status == 0, 'nginx -t accepts it',
                   $stderr);
    } else {
        $check->ok(defined $status && $status != 0, 'nginx refuses it',
                   defined $status ? 'status 0' : 'it runs on', $stderr);
        $check->none('nginx is not ended by a signal',
                     defined $status && $status & 127 ? $stderr : ());
    }

    my @patterns = patterns($s->{$section});
    my @lines = split /\n/, $stderr;
    for my $pattern (@patterns) {
        $check->ok(scalar(grep { $_ =~ $pattern } @lines),
                   "$section text", "no line matches $pattern", $stderr);
    }

    my @more = grep {
        my $line = $_;
        $line =~ / \[(?:emerg|alert|crit|error|warn)\] /
            && !grep { $line =~ $_ } @patterns;
    } @lines;
    $check->none('nothing else is complained of', @more)
        if @patterns || $section eq 'conf_ok';
}


sub _serve {
    my ($self, $conf) = @_;

    my ($server, $check) = @{$self}{qw(server check)};
    my $runs = $self->{sections}{repeat} || opt('repeat');

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
    my $no      = ++$self->{no};
    my $mark    = $server->log->size;
    my $sizes   = $check->file_sizes;
    my @workers = $server->workers;

    my %expected = map { $_ => _of_run($s->{$_}, $no) }
                   qw(response response_like);
    $expected{response_like} = _regex($expected{response_like});

    my @results = exchange(
        %expected, sections => $s, server => $server, mark => $mark,
        timeout => $self->{timeout}, expand => sub { $self->expand(@_) },
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

    for my $i (0 .. $#results) {
        my $who = @results > 1 ? ' to client ' . ($i + 1) : '';
        my $vars = { TEST_CLIENT => $i + 1 };
        $check->response("response$who$run", $results[$i]{received},
                         $self->expand($expected{response}, $vars))
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

    # a shared server works on in its directory, which main removes
    if ($failed && $self->{shared}) {
        rename $self->{dir}, "$self->{root}/b$self->{number}";
    } elsif (!$failed && !$self->{shared} && !opt('keep')) {
        remove_tree($self->{dir});
    }
}


# A section may have one value for each run.
sub _of_run {
    my ($value, $no) = @_;
    return ref $value eq 'ARRAY' ? $value->[$no - 1] // $value->[-1] : $value;
}


sub _regex {
    my ($value) = @_;
    return $value if !defined $value || ref $value eq 'Regexp';
    $value =~ s/\n\z//;
    return qr/$value/s;
}


1;
