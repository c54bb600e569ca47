package Test::Nginx::TCP::Sections;

# The sections of a block as plain values: their names, the variables in them,
# one value for each run, and what they say of skipping and reloading.  Called
# by Test::Nginx::TCP and BlockRun; knows no server.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Conf;
use Test::Nginx::TCP::Options qw(modes);

our @EXPORT_OK = qw(check_sections sections_of expand of_run whole_pattern
                    skip_reason may_reload);

# Every section that a block may have; another name is a mistake.
my %KNOWN = map { $_ => 1 } qw(
    main_config events http_config tcp_config tcp_server_config
    tcp_server_config2 tcp_server_config3 config user_files workers
    master_process connect request request_parts shutdown clients response
    response_like error_log no_error_log grep_error_log grep_error_log_out
    start_log stop_log file_is file_like conf_error conf_ok must_die timeout
    wait signal stop peers peer peer2 peer3 udp_peer udp_peer2 repeat
    skip_mode skip_if no_reload tls
    ONLY LAST SKIP
);


# Dies if a block has a section that nobody would look at: one of an unknown
# name, or the first of two, of which Test::Base keeps the last.
sub check_sections {
    my ($spec) = @_;
    my %seen;
    for my $name (@{ $spec->{_section_order}[0] }) {
        die 'block "' . $spec->name . "\": unknown section \"$name\"\n"
            unless $KNOWN{$name};
        die 'block "' . $spec->name . "\": two sections \"$name\"\n"
            if $seen{$name}++;
    }
}


# Name => value of a Test::Base block; a filter may have made a list of it.
sub sections_of {
    my ($spec) = @_;
    return { map {
        my @value = @{ $spec->{$_} };
        $_ => @value > 1 ? [@value] : $value[0];
    } @{ $spec->{_section_order}[0] } };
}


# Fills in $TEST_..., in texts and in lists and tables of texts.
sub expand {
    my ($value, $vars) = @_;

    return [map { expand($_, $vars) } @$value] if ref $value eq 'ARRAY';
    return { map { $_ => expand($value->{$_}, $vars) } keys %$value }
        if ref $value eq 'HASH';
    return $value if ref $value || !defined $value;

    $value =~ s/\$(?:\{(TEST_\w+)\}|(TEST_\w+))/
                exists $vars->{$+} ? $vars->{$+} : $&/gex;
    return $value;
}


# The value for a run, counted from 1; the last one stays.
sub of_run {
    my ($value, $no) = @_;
    return ref $value eq 'ARRAY' ? $value->[$no - 1] // $value->[-1] : $value;
}


# A section as one pattern, in which . matches line feeds.
sub whole_pattern {
    my ($value) = @_;
    return $value if !defined $value || ref $value eq 'Regexp';
    $value =~ s/\n\z//;
    return qr/$value/s;
}


# Why the block is not to run now, or undef.
sub skip_reason {
    my ($title, $s) = @_;

    if (defined $s->{skip_mode}) {
        my ($skipped, $reason) =
            $s->{skip_mode} =~ /^((?:(?:hup|slow|valgrind)\b[\s,]*)+):?\s*(.+)/
            or die "block \"$title\": skip_mode: MODE... REASON\n";
        return $reason if grep { $skipped =~ /\b$_\b/ } modes();
    }
    if (defined $s->{skip_if}) {
        my $reason = eval $s->{skip_if};
        die "block \"$title\": skip_if: $@" if $@;
        return $reason if $reason;
    }
    return;
}


# Whether a running nginx can be brought to the block by a reload, and be used
# after it.
sub may_reload {
    my ($s, $ports) = @_;

    return 0 if grep { defined $s->{$_} }
                qw(conf_error conf_ok must_die start_log stop_log stop
                   no_reload);
    return 0 if ($s->{signal} || '') =~ /QUIT|TERM|INT|KILL/
                || ($s->{request_parts} || '') =~ /^\s*signal\s+(?!USR1|HUP)/m;
    return Test::Nginx::TCP::Conf->new($s, $ports)->reloadable;
}


1;
