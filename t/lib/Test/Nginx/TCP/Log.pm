package Test::Nginx::TCP::Log;

# A log file that grows: the text after an offset, waiting for a line in it,
# its tail for a failure report; and the patterns that sections name lines by.
# Used by the server (process states), the steps and the checks.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Options qw(wait_until);

our @EXPORT_OK = qw(patterns);


sub new {
    my ($class, $path) = @_;
    return bless { path => $path }, $class;
}


sub size {
    my ($self) = @_;
    return -s $self->{path} || 0;
}


# Text from the offset on, whole lines only: nginx writes a line in one
# write(), but a reader may come between two.
sub text {
    my ($self, $from) = @_;

    open my $fh, '<:raw', $self->{path} or return '';
    seek $fh, $from || 0, 0;
    local $/;
    my $text = <$fh>;
    return defined $text ? $text =~ s/[^\n]+\z//r : '';
}


sub lines {
    my ($self, $from) = @_;
    return split /\n/, $self->text($from);
}


# True when the pattern matches count lines (1) within the time.
sub wait_for {
    my ($self, $pattern, $from, $seconds, $count) = @_;
    $count ||= 1;
    return wait_until($seconds, sub {
        my @found = grep { $_ =~ $pattern } $self->lines($from);
        return @found >= $count;
    });
}


sub tail {
    my ($self, $from, $max) = @_;
    my @lines = grep { !/ \[debug\] / } $self->lines($from);
    splice @lines, 0, @lines - $max, '...' if @lines > $max;
    return join '', map { "$_\n" } @lines;
}


# A section's patterns: every line is a substring, or a regex after "~ ";
# after an eval filter also a list of strings and qr//.
sub patterns {
    my @patterns;
    for my $item (map { ref $_ eq 'ARRAY' ? @$_ : $_ } @_) {
        next unless defined $item;
        if (ref $item eq 'Regexp') {
            push @patterns, $item;
            next;
        }
        for my $line (grep { /\S/ } split /\n/, $item) {
            push @patterns, $line =~ /^~ +(.*)/ ? qr/$1/ : qr/\Q$line\E/;
        }
    }
    return @patterns;
}


1;
