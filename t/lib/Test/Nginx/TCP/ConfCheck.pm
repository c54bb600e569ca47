package Test::Nginx::TCP::ConfCheck;

# Blocks without traffic: nginx -t refuses or accepts the configuration, or
# nginx itself gives up.  The texts on stderr are compared as a whole: each
# expected one is there, and no other complaint.  Called by BlockRun.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Log qw(patterns);

our @EXPORT_OK = qw(is_conf_check try_configuration);

my @SECTIONS = qw(conf_error conf_ok must_die);


sub is_conf_check {
    my ($sections) = @_;
    return scalar grep { defined $sections->{$_} } @SECTIONS;
}


sub try_configuration {
    my ($sections, $server, $check) = @_;

    my ($section) = grep { defined $sections->{$_} } @SECTIONS;
    my ($status, $stderr) = $section eq 'must_die' ? $server->start_to_fail
                                                   : $server->test_conf;

    if ($section eq 'conf_ok') {
        $check->ok(defined $status && $status == 0, 'nginx -t accepts it',
                   $stderr);
    } else {
        $check->ok(defined $status && $status != 0, 'nginx refuses it',
                   defined $status ? 'status 0' : 'it runs on', $stderr);
        $check->none('nginx is not ended by a signal',
                     defined $status && $status & 127 ? $stderr : ());
    }

    my @patterns = patterns($sections->{$section});
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


1;
