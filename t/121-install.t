# scripts/install: where `make install` puts the module, and that nginx loads
# what it has put there.

use strict;
use warnings;

use lib 't/lib';
use File::Temp qw(tempdir);
use Test::More;
use Test::Nginx::TCP::Options qw(opt repo_root module_path);

my $name = 'ngx_tcp_lua_module.so';
my $dir  = tempdir(CLEANUP => 1);
my $path = opt('binary');
my $version = `$path -V 2>&1`;
my $modules = $version =~ /--modules-path=(\S+)/ ? $1
            : $version =~ /--prefix=(\S+)/       ? "$1/modules"
            :                                      '/usr/local/nginx/modules';

$ENV{NGINX_BINARY} = $path;
$ENV{NGINX_TCP_LUA_MODULE} = module_path();


sub run_install {
    my %env = @_;
    local @ENV{keys %env} = values %env;
    my $output = `@{[repo_root()]}/scripts/install 2>&1`;
    return ($?, $output);
}


my ($status, $output) = run_install(DESTDIR => $dir);
is($status, 0, 'installs') or diag($output);
ok(-f "$dir$modules/$name", 'in nginx\'s modules, below DESTDIR');
like($output, qr/^at the top of nginx\.conf:  load_module \Q$modules\E\/$name;$/m,
     'says how to load it');

($status, $output) = run_install(MODULES_PATH => "$dir/elsewhere");
is($status, 0, 'installs again') or diag($output);
my ($line) = $output =~ /(load_module .*;)/;
is($line, "load_module $dir/elsewhere/$name;", 'MODULES_PATH is another place');
is_deeply([sort map { s{.*/}{}r } glob "$dir/elsewhere/{*,.n*}"], [$name],
          'and nothing else is there');

mkdir "$dir/logs" or die;
open my $conf, '>', "$dir/nginx.conf" or die;
print $conf "$line\nevents {}\n"
            . "tcp { server { listen unix:$dir/sock; process_by_lua ' '; } }\n";
close $conf or die;
$output = `$path -t -p $dir/ -e stderr -c nginx.conf -g 'pid $dir/pid;' 2>&1`;
is($?, 0, 'nginx loads it from there') or diag($output);

($status, $output) = run_install(NGINX_TCP_LUA_MODULE => "$dir/nonesuch");
isnt($status, 0, 'without a module it fails');
like($output, qr/nonesuch is not there: make build/, 'and says what to do');

done_testing();
