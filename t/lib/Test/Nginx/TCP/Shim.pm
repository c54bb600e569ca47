package Test::Nginx::TCP::Shim;

# What nginx is to run with out of t/preload/, and where it lies.  Called by
# the server for TEST_SLOW=1 and TEST_NGINX_PRELOAD.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::TCP::Compiler qw(compiled);

our @EXPORT_OK = qw(shim_path);


# NAME of t/preload/NAME.c
sub shim_path {
    my ($name) = @_;
    return compiled("target/preload/$name.so", "t/preload/$name.c",
                    [qw(-shared -fPIC)], ['-ldl']);
}


1;
