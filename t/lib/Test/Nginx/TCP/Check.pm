package Test::Nginx::TCP::Check;

# The test points of a block: compares what a run gave with what the block
# says, and reports.  When a point fails it tells, once a block, the end of
# error.log and where the server's files are kept.  Called by BlockRun.

use strict;
use warnings;

use Test::Builder;
use Test::Nginx::TCP::Client;
use Test::Nginx::TCP::Log qw(patterns);

my $TAIL = 40;      # lines of error.log in a report

my $builder = Test::Builder->new;


# title: the block's; sections; log, dir: of its server.
sub new {
    my ($class, %arg) = @_;
    return bless { failed => 0, %arg }, $class;
}


sub failed { return $_[0]{failed} }


sub ok {
    my ($self, $good, $what, @why) = @_;

    local $Test::Builder::Level = 20;     # the block's title says where
    return 1 if $builder->ok($good, "$self->{title} - $what");

    $builder->diag(_text($_)) for @why;
    if (!$self->{failed}++ && $self->{log}) {
        my $tail = $self->{log}->tail($self->{log_from} || 0, $TAIL);
        $builder->diag("error.log:\n$tail") if length $tail;
        $builder->diag("files: $self->{dir}");
    }
    return 0;
}


# Nothing is wrong; else each problem is told.
sub none {
    my ($self, $what, @problems) = @_;
    return $self->ok(!@problems, $what, @problems);
}


# The whole reply.
sub response {
    my ($self, $what, $got, $expected) = @_;
    return $self->ok($got eq $expected, $what, _difference($got, $expected));
}


sub response_like {
    my ($self, $what, $got, $pattern) = @_;
    return $self->ok(scalar($got =~ $pattern), $what,
        '     got: "' . Test::Nginx::TCP::Client::shorten($got) . '"',
        "expected: /$pattern/");
}


# What was logged since mark, by the sections error_log, no_error_log and
# grep_error_log.  Lines that are expected may come late: wait says how long.
sub log_lines {
    my ($self, $run, $mark, $wait, $no) = @_;

    my $s = $self->{sections};
    for my $pattern (patterns($s->{error_log})) {
        $self->ok(scalar $self->{log}->wait_for($pattern, $mark, $wait),
                  "error_log$run", "no line matches $pattern");
    }

    my @lines = $self->{log}->lines($mark);
    for my $pattern (patterns($s->{no_error_log})) {
        $self->none("no_error_log$run", grep { $_ =~ $pattern } @lines);
    }

    if (defined $s->{grep_error_log}) {
        my $out = $s->{grep_error_log_out};
        $out = $out->[$no - 1] if ref $out eq 'ARRAY';
        $out = '' unless defined $out;
        my ($pattern) = patterns($s->{grep_error_log});
        my $got = join '', map { "$_\n" }
                  map { my @m; push @m, $& while /$pattern/g; @m } @lines;
        $self->response("grep_error_log$run", $got, $out);
    }
}


# The lines of start_log or stop_log came after mark.
sub log_section {
    my ($self, $section, $mark, $wait) = @_;
    for my $pattern (patterns($self->{sections}{$section})) {
        $self->ok(scalar $self->{log}->wait_for($pattern, $mark, $wait),
                  $section, "no line matches $pattern");
    }
}


# What the run added to other files: file_is and file_like, both ">>> name"
# and text or pattern.
sub files {
    my ($self, $run, $sizes, $wait) = @_;

    for my $kind (qw(file_is file_like)) {
        my $section = $self->{sections}{$kind};
        next unless defined $section;
        my (undef, @parts) = split /^>>> +(\S+)[^\n]*\n/m, $section, -1;

        while (my ($name, $expected) = splice @parts, 0, 2) {
            my $file = Test::Nginx::TCP::Log->new("$self->{dir}/$name");
            my $from = $sizes->{$name} || 0;
            my $like = $expected =~ s/\n\z//r;
            my $pattern = $kind eq 'file_is' ? qr/\A\Q$expected\E\z/
                                             : qr/$like/;
            Test::Nginx::TCP::Options::wait_until(
                $wait, sub { $file->text($from) =~ $pattern });
            my $got = $file->text($from);
            if ($kind eq 'file_is') {
                $self->response("$kind $name$run", $got, $expected);
            } else {
                $self->response_like("$kind $name$run", $got, $pattern);
            }
        }
    }
}


# Sizes of the files that the block looks at, before a run.
sub file_sizes {
    my ($self) = @_;
    my $text = join '', map { defined $self->{sections}{$_}
                              ? $self->{sections}{$_} : () }
                        qw(file_is file_like);
    return { map { $_ => -s "$self->{dir}/$_" || 0 }
             $text =~ /^>>> +(\S+)/mg };
}


# From the start to the end of the block's server nothing serious was logged
# that the block does not expect.
sub no_bad_lines {
    my ($self) = @_;

    my $s = $self->{sections};
    my @expected = patterns(map { $s->{$_} }
                            qw(error_log start_log stop_log));
    my @bad = grep {
        my $line = $_;
        $line =~ / \[(?:alert|crit|emerg)\] |exited on signal/
            && !grep { $line =~ $_ } @expected;
    } $self->{log}->lines($self->{log_from});
    return $self->none('no alert, crit or emerg in error.log', @bad);
}


sub _difference {
    my ($got, $expected) = @_;
    return if $got eq $expected;

    if (length $got < 2000 && length $expected < 2000 && $expected =~ /\n./s
        && eval { require Text::Diff; 1 })
    {
        return Text::Diff::diff(\$expected, \$got);
    }

    # ^ on strings is a bytewise xor: its first non-zero byte is the place
    my $at = ($got ^ $expected) =~ /[^\0]/ ? $-[0] : 0;
    my $from = $at > 40 ? $at - 40 : 0;
    return map {
        my ($name, $text) = @$_;
        sprintf '%8s: %d bytes, from %d: "%s"', $name, length $text, $from,
            Test::Nginx::TCP::Client::shorten(
                length $text > $from ? substr $text, $from, 160 : '');
    } [got => $got], [expected => $expected];
}


sub _text {
    my ($text) = @_;
    return length $text > 4000 ? substr($text, 0, 4000) . '...' : $text;
}


1;
