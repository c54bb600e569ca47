package Test::Nginx::TCP::Compiler;

# Builds a program or an object out of a C file of t/ into target/, when it is
# missing or older than its source.  Called by the shim and by peers.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::Nginx::TCP::Options qw(repo_root);

our @EXPORT_OK = qw(compiled);


# The path of what is made: its and the source's names, from the root, and the
# compiler's options before and libraries behind the source.
sub compiled {
    my ($made, $source, $options, $libraries) = @_;

    $_ = repo_root() . "/$_" for $made, $source;
    my $dir = dirname($made);
    make_path($dir);

    # one builder at a time; the others find it done
    open my $lock, '>', "$dir/lock" or die "cannot open $dir/lock: $!\n";
    flock $lock, LOCK_EX;

    return $made if -e $made && -M $made <= -M $source;

    system(qw(cc -std=gnu11 -Wall -O2), @$options, '-o', "$made.new",
           $source, @$libraries) == 0
        or die "cannot build $source\n";
    rename "$made.new", $made or die "cannot rename $made.new: $!\n";
    return $made;
}


1;
