package Test::Nginx::TCP::Valgrind;

# nginx under memcheck: the command in front of nginx's own, and what memcheck
# found in the end.  Each process writes an XML file of its own; XML because it
# names the shared object of every frame, and only errors that have a frame of
# our module count.  Called by the server for TEST_NGINX_USE_VALGRIND=1.

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(basename);
use Test::Nginx::TCP::Options qw(opt repo_root);

our @EXPORT_OK = qw(valgrind_command valgrind_problems);


sub valgrind_command {
    my ($dir) = @_;
    return (qw(valgrind --tool=memcheck --leak-check=full --keep-debuginfo=yes
               --show-leak-kinds=definite --errors-for-leak-kinds=definite
               --num-callers=40 --xml=yes),
            "--xml-file=$dir/logs/valgrind.%p",
            '--suppressions=' . repo_root() . '/t/lib/valgrind.supp');
}


# One text for each error of our module; the files are read once.
sub valgrind_problems {
    my ($dir) = @_;

    my @problems;
    for my $file (glob "$dir/logs/valgrind.*") {
        next if $file =~ /\.read\z/;
        push @problems, _read($file);
        rename $file, "$file.read";
    }
    return @problems;
}


sub _read {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot open $file: $!\n";
    my $xml = do { local $/; <$fh> };

    my $module = basename(opt('module'));
    my @problems;

    while ($xml =~ m{<error>(.*?)</error>}gs) {
        my $error = $1;
        next if $error !~ m{<obj>[^<]*/\Q$module\E</obj>};
        push @problems, _text($error);
    }
    return @problems;
}


sub _text {
    my ($error) = @_;

    my ($what) = $error =~ m{<(?:text|what)>(.*?)</}s;
    my @frames;
    while ($error =~ m{<frame>(.*?)</frame>}gs) {
        my %of = $1 =~ m{<(fn|obj|file|line)>(.*?)</\1>}gs;
        push @frames, '    ' . join ' ', $of{fn} || '?',
            defined $of{file} ? "$of{file}:" . ($of{line} || '?')
                              : basename($of{obj} || '?');
    }
    return join "\n", "valgrind: " . ($what || 'error'), @frames;
}


1;
