package Test::Nginx::TCP::Shim;

# Builds what nginx is to run with out of t/preload/ into target/, when it is
# missing or older than its source, and says where it lies.  Called by the
# server for TEST_SLOW=1 and TEST_NGINX_PRELOAD.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use File::Path qw(make_path);
use Test::Nginx::TCP::Options qw(repo_root);

our @EXPORT_OK = qw(shim_path);


# NAME of t/preload/NAME.c
sub shim_path {
    my ($name) = @_;

    my $source = repo_root() . "/t/preload/$name.c";
    my $dir    = repo_root() . '/target/preload';
    my $object = "$dir/$name.so";

    make_path($dir);

    # one builder at a time; the others find it done
    open my $lock, '>', "$dir/lock" or die "cannot open $dir/lock: $!\n";
    flock $lock, LOCK_EX;

    return $object if -e $object && -M $object <= -M $source;

    system(qw(cc -std=gnu11 -Wall -O2 -shared -fPIC -o), "$object.new",
           $source, '-ldl') == 0
        or die "cannot build $source\n";
    rename "$object.new", $object or die "cannot rename $object.new: $!\n";
    return $object;
}


1;
