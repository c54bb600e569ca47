package Test::Nginx::TCP::Peer::MariaDB;

# MariaDB by TCP and by a unix socket, with TLS or without, on a data directory
# of its own.  What it writes is lost at its end: nothing waits for a disk.

use strict;
use warnings;

use parent 'Test::Nginx::TCP::Peer';
use Test::Nginx::TCP::Cert qw(cert_dir cert_files);
use Test::Nginx::TCP::Conf qw(write_file);
use Test::Nginx::TCP::Log;
use Test::Nginx::TCP::Options qw(repo_root);

# Of the bootstrap and of the server.
my @SMALL = qw(--innodb-log-file-size=4M --innodb-use-native-aio=0
               --skip-log-bin --skip-name-resolve);

# user, on what, with which password, and what else is asked of it
my @USERS = (
    [tcp    => '*.*',    'secret', ''],
    [old    => 'test.*', 'secret', ''],
    [nopass => '*.*',    '',       ''],
    [tls    => '*.*',    'secret', 'REQUIRE SSL'],
    [x509   => '*.*',    'secret', 'REQUIRE X509'],
);


sub variables {
    my ($self) = @_;
    return ($self->SUPER::variables,
            "TEST_$self->{prefix}_SOCKET" => $self->_socket);
}


sub prepare {
    my ($self) = @_;

    my $dir = $self->{dir};
    mkdir "$dir/tmp" or die "mkdir $dir/tmp: $!\n";
    $self->run_to_end(
        'mariadb-install-db', '--no-defaults', "--datadir=$dir/data",
        '--auth-root-authentication-method=normal', '--skip-test-db', @SMALL,
        $self->_tmpdir, $self->_user);

    my $sql = "CREATE DATABASE test;\n";
    for (@USERS) {
        my ($name, $on, $password, $require) = @$_;
        $sql .= "CREATE USER '$name'\@'%' IDENTIFIED VIA mysql_native_password"
              . " USING PASSWORD('$password') $require;\n"
              . "GRANT ALL ON $on TO '$name'\@'%';\n";
    }
    write_file("$dir/init.sql", $sql);
}


sub command {
    my ($self) = @_;

    my $dir = $self->{dir};
    my ($cert, $key) = cert_files('good');
    return (
        'mariadbd', '--no-defaults', "--datadir=$dir/data", @SMALL,
        $self->_tmpdir, $self->_user, '--bind-address=127.0.0.1',
        '--port=' . $self->port, '--socket=' . $self->_socket,
        "--pid-file=$dir/pid",
        "--init-file=$dir/init.sql", '--innodb-flush-log-at-trx-commit=0',
        '--innodb-buffer-pool-size=8M', '--performance-schema=off',
        '--max-allowed-packet=64M', $self->_plugins,
        $self->{tls} ? ("--ssl-cert=$cert", "--ssl-key=$key",
                        '--ssl-ca=' . cert_dir() . '/ca.pem') : (),
    );
}


sub is_ready {
    my ($self) = @_;
    return Test::Nginx::TCP::Log->new("$self->{dir}/log")->text(0)
        =~ /ready for connections/;
}


sub clean {
    my ($self) = @_;
    my $socket = $self->_socket;
    my $said = `mariadb --no-defaults --socket='$socket' --user=root \\
                --execute='DROP DATABASE IF EXISTS test;
                           CREATE DATABASE test' 2>&1`;
    $? == 0 or die "mariadb: cannot be emptied: $said\n";
}


# Where the plugins are that scripts/mariadb-plugin has fetched.
sub _plugins {
    my $dir = repo_root() . '/target/mariadb-plugin';
    return -d $dir ? "--plugin-dir=$dir" : ();
}


# Its own: a server that starts removes the temporary tables that it finds there,
# whose ever they are.
sub _tmpdir { return "--tmpdir=$_[0]{dir}/tmp" }

sub _user { return $_[0]->is_root ? '--user=root' : () }

sub _socket { return "$_[0]{dir}/socket" }


1;
