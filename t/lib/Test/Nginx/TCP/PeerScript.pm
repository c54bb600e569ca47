package Test::Nginx::TCP::PeerScript;

# The sections peer, peer2, peer3, udp_peer, udp_peer2: the side that the
# module connects to, played by steps in a process of its own while the clients
# do their exchange.  It listens before that begins and tells in the end what
# did not come true.  Called by BlockRun, once a section and run.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use POSIX ();
use Storable ();
use Test::Nginx::TCP::Options qw(seconds);
use Test::Nginx::TCP::Ports qw(peer_ports);
use Test::Nginx::TCP::Process;
use Test::Nginx::TCP::StepParser qw(parse_steps);
use Test::Nginx::TCP::Steps;

our @EXPORT_OK = qw(peer_script_variables peer_sections);

my @SECTIONS = qw(peer peer2 peer3 udp_peer udp_peer2);

my %port;     # section => its port


# Section peer2 is found on $TEST_PEER2_PORT.
sub peer_script_variables {
    my @ports = peer_ports(scalar @SECTIONS);
    @port{@SECTIONS} = @ports;
    return map { (_variable($_) => $port{$_}) } @SECTIONS;
}


sub peer_sections {
    my ($sections) = @_;
    return grep { defined $sections->{$_} } @SECTIONS;
}


# section; steps: as in request_parts, with all variables filled in; server,
# mark, timeout: for Steps.  Listens, and begins with the steps.
sub start {
    my ($class, %arg) = @_;

    my @steps = parse_steps($arg{steps});
    my $run = Test::Nginx::TCP::Steps->new(
        peer => $port{ $arg{section} },
        map { $_ => $arg{$_} } qw(server mark timeout));

    if ($arg{section} =~ /^udp/) {
        $run->bind('', $port{ $arg{section} });
    } elsif (!@steps || $steps[0]{verb} ne 'listen') {
        $run->listen('', $port{ $arg{section} });
    }
    $run->run(shift @steps)
        while @steps && $steps[0]{verb} =~ /^(?:listen|fill_backlog)\z/;

    pipe my $result, my $result_end or die "pipe: $!\n";
    pipe my $over_end, my $over or die "pipe: $!\n";
    my $pid = fork;
    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        Test::Nginx::TCP::Process::die_with_parent();
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        my @problems = _play($run, $over_end, @steps);
        Storable::store_fd(\@problems, $result_end);
        close $result_end;
        POSIX::_exit(0);
    }
    return bless { pid => $pid, result => $result, over => $over,
                   timeout => $arg{timeout} }, $class;
}


# The exchange is over.  Returns the problems, when the steps are done.
sub finish {
    my ($self) = @_;

    syswrite $self->{over}, '.';
    my $patience = $self->{timeout} + seconds(5);
    my $problems = IO::Select->new($self->{result})->can_read($patience)
        ? eval { Storable::fd_retrieve($self->{result}) } || ['it died']
        : ["it is not through its steps, long after the exchange is over\n"];
    $self->_end;
    return @$problems;
}


sub DESTROY { $_[0]->_end }


sub _end {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    local $?;
    kill KILL => $pid;
    waitpid $pid, 0;
}


# In the child.  What is open at the end of the steps stays so until the
# exchange is over, and must not have brought more than the steps expect.
sub _play {
    my ($run, $over, @steps) = @_;

    eval { $run->run(@steps); 1 } or return $@;
    sysread $over, my $word, 1;

    my %clients = $run->clients;
    my @problems;
    for my $name (sort keys %clients) {
        my $client = $clients{$name};
        next if !$client->is_open;
        $client->read_all(0.01);
        my $more = $client->unseen;
        push @problems, "connection $name received more than expected: \""
            . Test::Nginx::TCP::Client::shorten($more) . "\"\n" if length $more;
    }
    return @problems;
}


sub _variable {
    my ($section) = @_;
    return 'TEST_' . uc($section) . '_PORT';
}


1;
