package Test::Nginx::TCP::Cert;

# Keys and certificates for the tests, made by t/cert/make when they are first
# wanted and kept in target/, in a directory named after what made them: good
# until 9999, and new ones come with a change of the script. Called by
# Test::Nginx::TCP, the peers and the TLS of steps.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Path qw(make_path remove_tree);
use Test::Nginx::TCP::Options qw(repo_root);

our @EXPORT_OK = qw(cert_dir cert_files);

my $dir;


# Where they lie: NAME.pem, NAME.key, ca.pem, ...
sub cert_dir {
    return $dir if $dir;

    my $source = repo_root() . '/t/cert';
    my $target = repo_root() . '/target/cert';
    my $hash = substr md5_hex(map { _slurp("$source/$_") }
                              qw(make openssl.cnf)), 0, 8;
    make_path($target);

    # one maker at a time; the others find them made
    open my $lock, '>', "$target/lock" or die "cannot open $target/lock: $!\n";
    flock $lock, LOCK_EX;

    my $made = "$target/$hash";
    if (!-e $made) {
        remove_tree("$made.new");
        system("$source/make", "$made.new") == 0
            or die "cannot make certificates: is openssl there? "
                   . "(scripts/install-packages peers)\n";
        rename "$made.new", $made or die "cannot rename $made.new: $!\n";
    }
    return $dir = $made;
}


# Certificate and key of this name.
sub cert_files {
    my ($name) = @_;
    my @files = map { cert_dir() . "/$name.$_" } qw(pem key);
    -e $files[0] or die "no certificate \"$name\"\n";
    return @files;
}


sub _slurp {
    my ($path) = @_;
    open my $fh, '<:raw', $path or die "cannot open $path: $!\n";
    local $/;
    return scalar <$fh>;
}


1;
