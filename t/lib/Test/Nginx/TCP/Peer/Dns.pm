package Test::Nginx::TCP::Peer::Dns;

# dnsmasq with the zone "test", and for the names that fail servers that it
# forwards to: one never answers, the other always says SERVFAIL.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use IO::Socket::IP;
use Socket qw(SOCK_DGRAM);
use Test::Nginx::TCP::Conf qw(write_file);
use Test::Nginx::TCP::Peer::Udp;
use Test::Nginx::TCP::Process;

my $ZONE = <<'CONF';
local=/test/
host-record=one.test,127.0.0.1
host-record=two.test,127.0.0.1
host-record=two.test,127.0.0.2
host-record=six.test,::1
host-record=both.test,127.0.0.1,::1
host-record=four.test,127.0.0.1
host-record=dead.test,127.0.0.9
host-record=short.test,127.0.0.1,1
cname=alias.test,one.test
txt-record=text.test,some text
mx-host=mail.test,one.test,10
srv-host=_tcp._tcp.test,one.test,53,1,2
host-record=test.example,127.0.0.1,::1
host-record=other.example,127.0.0.1
host-record=a.wild.example,127.0.0.1
CONF


sub port_names { return ('', 'SILENT', 'SERVFAIL') }


sub prepare {
    my ($self) = @_;

    my ($port, $silent, $servfail) = map { $self->port($_) }
                                     $self->port_names;
    # no-daemon, unlike keep-in-foreground, has it keep all its rights, and so
    # what is to happen when its parent dies
    my $conf = $ZONE;
    $conf .= "host-record=many.test,127.0.1.$_\n" for 1 .. 20;
    # more than fits into a datagram
    $conf .= "host-record=huge.test,127.0.2.$_\n" for 1 .. 100;
    $conf .= 'txt-record=long.test,' . 'x' x 200 . "\n" for 1 .. 20;
    $conf .= <<"CONF";
port=$port
listen-address=127.0.0.1
bind-interfaces
no-daemon
pid-file=$self->{dir}/pid
no-resolv
no-hosts
no-negcache
cache-size=0
dns-forward-max=10000
local-ttl=3600
server=/silent.test/127.0.0.1#$silent
server=/servfail.test/127.0.0.1#$servfail
CONF
    write_file("$self->{dir}/dnsmasq.conf", $conf);

    # what comes stays unread
    $self->{silent} ||= IO::Socket::IP->new(
        LocalAddr => '127.0.0.1', LocalPort => $silent, Type => SOCK_DGRAM)
        or die "cannot bind port $silent: $@\n";
    $self->{servfail}->kill if $self->{servfail};
    $self->{servfail} = Test::Nginx::TCP::Process->start(
        command => [Test::Nginx::TCP::Peer::Udp::udp_server(
            servfail => $servfail)],
        output => "$self->{dir}/servfail.log");
}


sub command {
    my ($self) = @_;
    return ('dnsmasq', "--conf-file=$self->{dir}/dnsmasq.conf");
}


sub is_ready {
    my ($self) = @_;
    return Test::Nginx::TCP::Peer::Udp::udp_serves(
               "$self->{dir}/servfail.log")
        && IO::Socket::IP->new(PeerHost => '127.0.0.1',
                               PeerPort => $self->port);
}


sub stop {
    my ($self) = @_;
    $self->{servfail}->kill if $self->{servfail};
    $self->SUPER::stop;
}


1;
