package Test::Nginx::TCP::Exchange;

# One run of a block's traffic: the plain exchange (request, then the reply) or
# the steps of request_parts, by one client or by many at once.  Gives back what
# was received and what went wrong; whether that is right is Check's business.
# Called by BlockRun.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();
use Storable ();
use Test::Nginx::TCP::Options qw(modes seconds);
use Test::Nginx::TCP::StepParser qw(parse_steps);
use Test::Nginx::TCP::Steps;

our @EXPORT_OK = qw(exchange);

# How long to look for surplus bytes on a connection that the server keeps.
my $GRACE = 0.5;


# sections, server, mark, timeout, peer, expand (fills variables in), and what
# this run's reply should be: response, response_like (undef: to its end).
# Returns { received, problems => [...], server_ended, workers_changed }; with
# several clients a list of these.
sub exchange {
    my (%arg) = @_;
    my $n = $arg{sections}{clients};
    return _one(%arg, client_no => 1) unless defined $n;
    return _many($n, %arg);
}


sub _one {
    my (%arg) = @_;

    $arg{response} = _fill($arg{response}, %arg);
    my $run = Test::Nginx::TCP::Steps->new(
        tls => _fill($arg{sections}{tls}, %arg),
        map { $_ => $arg{$_} } qw(server mark timeout peer));
    my %result = (problems => []);

    eval {
        my $parts = $arg{sections}{request_parts};
        $run->run(defined $parts ? parse_steps(_fill($parts, %arg))
                                 : _request_steps(%arg));
        _finish($run, \%result, %arg);
        1;
    } or push @{ $result{problems} }, $@;

    my %clients = $run->clients;
    $result{received} = $clients{''} ? $clients{''}->received : '';
    $result{received_by} = { map { $_ => $clients{$_}->received }
                             keys %clients };
    $result{server_ended}    = $run->server_ended;
    $result{workers_changed} = $run->workers_changed;
    return \%result;
}


sub _request_steps {
    my (%arg) = @_;
    my $s = $arg{sections};
    return unless grep { defined $s->{$_} }
                  qw(request response response_like);

    my @steps = ([connect => $arg{peer}]);
    push @steps, [start_tls => split ' ', $s->{tls}] if defined $s->{tls};
    push @steps, [send => _fill($s->{request}, %arg)]
        if defined $s->{request} && length $s->{request};
    push @steps, ['half_close'] if defined $s->{shutdown};
    return parse_steps(\@steps);
}


# Receives the rest: up to the length or pattern that is expected, else to the
# end.  Then the client says that it sends no more and looks whether more comes
# than was expected.
sub _finish {
    my ($run, $result, %arg) = @_;

    my %clients = $run->clients;
    my $main = $clients{''};
    my $problems = $result->{problems};
    my $by_steps = defined $arg{sections}{request_parts};

    if (defined $arg{response} || defined $arg{response_like}) {
        push @$problems, "no client without a name for the response\n"
            unless $main;
        push @$problems, "the reply did not come in time\n"
            if $main && $main->is_open && !_read_response($main, %arg);

    } elsif ($main && !$by_steps && !$main->read_all($arg{timeout})) {
        push @$problems, "the server did not end the connection in time\n";
    }

    my @open = grep { $clients{$_}->is_open && !$clients{$_}->ended }
               sort keys %clients;
    $clients{$_}->half_close for @open;
    $clients{$_}->read_all(seconds($GRACE)) for @open;

    if (!$by_steps) {
        # Our last word of TLS may come when the server has just closed, which
        # reads byte by byte then, and so not all of it.
        my $excused = defined $arg{sections}{tls} && grep { $_ eq 'slow' } modes();
        push @$problems, "the server reset the connection\n"
            if $main && ($main->ended || '') eq 'reset' && !$excused;
        return;
    }

    for my $name (sort keys %clients) {
        my $client = $clients{$name};
        next if !$client->is_open || !length $client->unseen;
        next if $name eq '' && (defined $arg{response}
                                || defined $arg{response_like});
        push @$problems, "client $name received more than expected: \""
            . Test::Nginx::TCP::Client::shorten($client->unseen) . "\"\n";
    }
}


# False if neither all that is expected nor an end came in time.
sub _read_response {
    my ($client, %arg) = @_;

    my $length = defined $arg{response} ? length $arg{response} : undef;
    my $like   = $arg{response_like};
    my $enough = $client->read_until($arg{timeout}, sub {
        return defined $length ? length $_[0] >= $length : $_[0] =~ $like;
    });
    return $enough || $client->ended;
}


# The same exchange by n forked clients at once.
sub _many {
    my ($n, %arg) = @_;

    my @children;
    for my $no (1 .. $n) {
        pipe my $reader, my $writer or die "pipe: $!\n";
        my $pid = fork;
        die "fork: $!\n" unless defined $pid;
        if ($pid == 0) {
            my $result = _one(%arg, client_no => $no);
            Storable::store_fd($result, $writer);
            close $writer;
            POSIX::_exit(0);
        }
        close $writer;
        push @children, [$pid, $reader];
    }

    return map {
        my ($pid, $reader) = @$_;
        my $result = eval { Storable::fd_retrieve($reader) };
        waitpid $pid, 0;
        $result || { received => '', problems => ["client died\n"] };
    } @children;
}


# $TEST_CLIENT is the client's number.
sub _fill {
    my ($value, %arg) = @_;
    return $arg{expand}->($value, { TEST_CLIENT => $arg{client_no} });
}


1;
