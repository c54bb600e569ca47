package Test::Nginx::TCP::Options;

# What the environment asks for: which nginx, which module, which mode, how
# often, how patient.  Everybody reads it, it calls nobody.  The variables are
# listed in the manual at the head of Test/Nginx/TCP.pm.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Spec;
use Time::HiRes ();

our @EXPORT_OK = qw(opt modes seconds wait_until repo_root module_path);

# How much slower the machine is under a mode: valgrind interprets, the shim
# makes a loop turn of every byte.
my %SLOWDOWN = (valgrind => 10, slow => 4);

my $root = abs_path(dirname(__FILE__) . '/../../../../..');

my %opt = (
    binary    => _env(TEST_NGINX_BINARY       => 'nginx'),
    module    => _env(TEST_NGINX_MODULE       =>
                      "$root/target/release/libngx_tcp_lua_module.so"),
    repeat    => _env(TEST_NGINX_REPEAT       => 2),
    seed      => _env(TEST_NGINX_SEED         => ($$ ^ time) & 0xffffff),
    timeout   => _env(TEST_NGINX_TIMEOUT      => 5),
    log_level => _env(TEST_NGINX_LOG_LEVEL    => 'info'),
    block     => _env(TEST_NGINX_BLOCK        => ''),
    in_order  => _env(TEST_NGINX_NO_SHUFFLE   => 0),
    keep      => _env(TEST_NGINX_KEEP         => 0),
    hup       => _env(TEST_NGINX_USE_HUP      => 0),
    valgrind  => _env(TEST_NGINX_USE_VALGRIND => 0),
    slow      => _env(TEST_SLOW               => 0),
    preload   => _env(TEST_NGINX_PRELOAD      => ''),
);


sub opt { return $opt{$_[0]} }

sub repo_root { return $root }

# The modes that are on, by the names that skip_mode uses.
sub modes { return grep { $opt{$_} } qw(hup slow valgrind) }


# The module's absolute path; nginx would look below its prefix otherwise.
sub module_path {
    my $path = File::Spec->rel2abs($opt{module}, $root);
    die "no module at $path: build it or set TEST_NGINX_MODULE\n"
        unless -e $path;
    return $path;
}


# Patience under the present mode: base seconds times the slowdown.
sub seconds {
    my ($base) = @_;
    for my $mode (modes()) {
        $base *= $SLOWDOWN{$mode} || 1;
    }
    return $base;
}


# Calls the predicate until it is true or the time is over; returns its value.
sub wait_until {
    my ($seconds, $predicate) = @_;

    my $deadline = Time::HiRes::time() + $seconds;
    while (1) {
        my $value = $predicate->();
        return $value if $value;
        return if Time::HiRes::time() > $deadline;
        Time::HiRes::sleep(0.004);
    }
}


sub _env {
    my ($name, $default) = @_;
    return defined $ENV{$name} && length $ENV{$name} ? $ENV{$name} : $default;
}


1;
