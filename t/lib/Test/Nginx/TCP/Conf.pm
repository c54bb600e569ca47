package Test::Nginx::TCP::Conf;

# From a block's sections to the text of nginx.conf and the files beside it,
# and what the rest must know of the configuration (workers, master process,
# may a reload bring it).  Called by Test::Nginx::TCP::BlockRun.

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::Nginx::TCP::Options qw(module_path);

our @EXPORT_OK = qw(write_file);

# What nginx takes over at a restart only.
my $NEEDS_RESTART = qr/^\s*(?:user|env|working_directory|use|lock_file
                           |pcre_jit|daemon)\s/mx;

# A socket on all addresses of a port: while it is open the next configuration
# cannot bind one of them.
my $WILDCARD = qr/\blisten\s+(?:\*:|0\.0\.0\.0:|\[::\]:)?
                  (?:\d+|\$\{?TEST_PORT\d*\}?)(?=[\s;])/x;


# block: the sections, with their variables filled in; ports: $TEST_PORT...
sub new {
    my ($class, $sections, $ports) = @_;
    my $self = bless { sections => $sections, ports => $ports }, $class;
    $self->{text} = $self->_text;
    return $self;
}


sub workers {
    my ($self) = @_;
    return $self->{text} =~ /^\s*worker_processes\s+(\d+)/m ? $1 : 1;
}

sub single_process { return $_[0]{text} =~ /^\s*master_process\s+off\s*;/m }

# The directive, not a line of Lua that begins like it.
sub has_user {
    return $_[0]{text} && $_[0]{text} =~ /^\s*user(?:\s+[^\s=;]+){1,2}\s*;/m;
}


sub reloadable {
    my ($self) = @_;
    my $s = $self->{sections};
    my $text = join "\n", map { defined $s->{$_} ? $s->{$_} : () }
                          qw(main_config events config);
    return !$self->single_process && $text !~ $NEEDS_RESTART
           && $self->{text} !~ $WILDCARD;
}


# Writes conf/nginx.conf and the user's files below the prefix.
sub write {
    my ($self, $dir) = @_;
    make_path("$dir/conf", "$dir/logs");
    write_file("$dir/conf/nginx.conf", $self->{text});

    my @files = $self->_files;
    while (my ($name, $text) = splice @files, 0, 2) {
        write_file("$dir/$name", $text);
    }
}


# Takes the user's files away again.
sub remove_files {
    my ($self, $dir) = @_;
    my %files = $self->_files;
    unlink map { "$dir/$_" } keys %files;
}


# Replaces a file in one step, so that nobody reads half of it.
sub write_file {
    my ($path, $text) = @_;
    make_path(dirname($path));
    open my $fh, '>:raw', "$path.new" or die "cannot write $path.new: $!\n";
    print $fh $text;
    close $fh or die "cannot write $path.new: $!\n";
    rename "$path.new", $path or die "cannot rename $path.new: $!\n";
}


sub _text {
    my ($self) = @_;
    my $s = $self->{sections};

    return $s->{config} if defined $s->{config};

    my $text = 'load_module ' . module_path() . ";\n";
    $text .= "worker_processes " . ($s->{workers} || 1) . ";\n"
        if ($s->{main_config} || '') !~ /^\s*worker_processes\s/m;
    $text .= "master_process $s->{master_process};\n"
        if defined $s->{master_process};
    $text .= _lines($s->{main_config}, 0);

    my $events = $s->{events} || '';
    $text .= "events {\n";
    $text .= "    worker_connections 256;\n"
        if $events !~ /worker_connections/;
    $text .= _lines($events, 4) . "}\n";
    $text .= _lines($s->{http_config}, 0);

    my @servers = map { _server($s->{$_->[0]}, $_->[1]) }
                  grep { defined $s->{$_->[0]} }
                  ([tcp_server_config  => $self->{ports}[0]],
                   [tcp_server_config2 => $self->{ports}[1]],
                   [tcp_server_config3 => $self->{ports}[2]]);
    if (@servers || defined $s->{tcp_config}) {
        $text .= "tcp {\n" . _lines($s->{tcp_config}, 4)
                 . join('', @servers) . "}\n";
    }
    return $text;
}


# Name and text of each user file.
sub _files {
    my ($self) = @_;
    my $files = $self->{sections}{user_files};
    return unless defined $files;
    my (undef, @parts) = split /^>>> +(\S+)[^\n]*\n/m, $files, -1;
    return @parts;
}


sub _server {
    my ($text, $port) = @_;

    my $server = "    server {\n";
    $server .= "        listen 127.0.0.1:$port;\n"
        if $text !~ /(?:^|[;{}])\s*listen\s/m;
    $server .= "        protocol tcp_lua;\n"
        if $text !~ /(?:^|[;{}])\s*protocol\b/m;
    return $server . _lines($text, 8) . "    }\n";
}


# A section as it stands, moved right only if nothing in it could be a Lua
# string over several lines: nginx and Lua both keep what they are given.
sub _lines {
    my ($text, $indent) = @_;
    return '' unless defined $text && length $text;
    $text .= "\n" if $text !~ /\n\z/;
    my $space = ' ' x $indent;
    $text =~ s/^(?=[^\n])/$space/gm if $text !~ /\[=*\[/;
    return $text;
}


1;
