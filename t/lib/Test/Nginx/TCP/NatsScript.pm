package Test::Nginx::TCP::NatsScript;

# A filter for the steps of a scripted NATS server: what each connection begins
# with is one line.
#
#     --- peer nats
#     A: serve
#     A: serve "max_payload":100,"ldm":false
#
# accepts, sends INFO, has CONNECT and PING come, sends PONG. What is in the
# INFO beside the usual may be said.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(nats info);

my $USUAL = '"server_id":"SCRIPT","version":"2.9.10","proto":1,"headers":true,'
          . '"max_payload":1048576,"client_id":7';


sub nats {
    my ($text) = @_;
    $text =~ s/^((?:\w+: )?)serve\b *(.*)$/_served($1, $2)/mge;
    return $text;
}


# The line with these fields beside the usual ones; the later of two counts.
sub info {
    my ($more) = @_;
    return 'INFO {' . join(',', $USUAL, length $more ? $more : ()) . "} \r\n";
}


sub _served {
    my ($who, $more) = @_;
    my $info = info($more) =~ s/(["\\])/\\$1/gr =~ s/\r\n\z/\\r\\n/r;
    return join "\n", "${who}accept", "${who}send \"$info\"",
        "${who}expect_like /^CONNECT (?<connect>[^\\r\\n]*)\\r\\nPING\\r\\n/",
        "${who}send \"PONG\\r\\n\"";
}


1;
