package Test::Nginx::TCP::StepParser;

# The text of a request_parts section to a list of steps.  A step is a line:
# an optional client name, a verb, arguments.  Arguments are words, "strings"
# (which may be repeated by x N, and joined by standing side by side), and
# /patterns/.  Knows the syntax only; the verbs are in Steps.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(parse_steps unescape);

my %ESCAPE = (n => "\n", r => "\r", t => "\t", 0 => "\0", e => "\e",
              a => "\a", f => "\f", b => "\b");


# Returns steps { client, verb, args, text }.  After an eval filter the input
# is a list of [verb => args...], the client's name in front as "A:".
sub parse_steps {
    my ($input) = @_;
    return map { _from_list($_) } @$input if ref $input eq 'ARRAY';

    my @steps;
    for my $line (split /\n/, $input) {
        next if $line =~ /^\s*(?:#|$)/;
        my ($client, $verb, $rest) =
            $line =~ /^\s*(?:([A-Z]\w*):\s+)?([a-z]\w*)(?:\s+(.*?))?\s*$/
            or die "bad step: $line\n";
        push @steps, {
            client => defined $client ? $client : '',
            verb   => $verb,
            args   => [_arguments(defined $rest ? $rest : '', $line)],
            text   => $line =~ s/^\s+//r,
        };
    }
    return @steps;
}


# The escapes of Perl's double quotes, without its variables.
sub unescape {
    my ($text) = @_;
    $text =~ s{\\(?:x([0-9a-fA-F]{2})|(.))}
              {defined $1 ? chr hex $1
               : exists $ESCAPE{$2} ? $ESCAPE{$2} : $2}gsex;
    return $text;
}


sub _from_list {
    my ($item) = @_;
    die "a step must be a list [verb => arguments]\n"
        unless ref $item eq 'ARRAY';
    my @item = @$item;
    my $client = $item[0] =~ /^([A-Z]\w*):\z/ ? do { shift @item; $1 } : '';
    my ($verb, @args) = @item;
    return { client => $client, verb => $verb, args => \@args,
             text => "$verb ..." };
}


sub _arguments {
    my ($text, $line) = @_;

    my @args;
    my $join = 0;      # the argument before is a string, another one joins it
    pos $text = 0;

    while ($text !~ /\G\s*\z/gc) {
        if ($text =~ /\G\s*"((?:[^"\\]|\\.)*)"(?:\s+x\s+(\d+))?/gc) {
            my $string = unescape($1) x (defined $2 ? $2 : 1);
            if ($join) {
                $args[-1] .= $string;
            } else {
                push @args, $string;
            }
            $join = 1;
            next;
        }
        $join = 0;

        if ($text =~ m{\G\s*/((?:[^/\\]|\\.)*)/([imsx]*)}gc) {
            my ($pattern, $flags) = ($1, $2);
            push @args, qr/(?$flags:$pattern)/;

        } elsif ($text =~ /\G\s*=>/gc) {
            next;

        } elsif ($text =~ /\G\s*([^\s"]+)/gc) {
            push @args, $1;

        } else {
            die "bad arguments: $line\n";
        }
    }
    return @args;
}


1;
