# require "mysql": against MariaDB, against a server of caching_sha2_password
# made of Lua and the openssl program, and against a peer that says what no
# server should.

use lib 't/lib';
use Test::Nginx::TCP;

my $NONCE = 'abcdefghijklmnopqrst';


# A packet.
sub packet {
    my ($sequence, $payload) = @_;
    return substr(pack('V', length $payload), 0, 3) . chr($sequence) . $payload;
}


# What a server says first: its capabilities, the plugin of its challenge.
sub greeting {
    my (%with) = @_;
    my $flags = $with{flags} // 0xc1fff7ff;
    return packet(0, "\x0a" . ($with{version} // '8.0.99') . "\0"
        . pack('V', 7) . substr($NONCE, 0, 8) . "\0"
        . pack('v', $flags & 0xffff) . "\xff" . pack('v', 2)
        . pack('v', $flags >> 16) . chr(21) . "\0" x 10
        . substr($NONCE, 8) . "\0"
        . ($with{plugin} // 'mysql_native_password') . "\0");
}


sub ok_packet {
    my ($sequence, $status) = @_;
    return packet($sequence, "\0\0\0" . pack('vv', $status // 2, 0));
}


sub eof_packet {
    my ($sequence, $status) = @_;
    return packet($sequence, "\xfe" . pack('vv', 0, $status // 2));
}


sub column {
    my ($sequence, $name, $type) = @_;
    return packet($sequence, join('', map { pack 'C/a*', $_ }
        'def', 'db', 't', 't', $name, $name)
        . "\x0c" . pack('vVCvC', 33, 100, $type, 0, 0) . "\0\0");
}


# A result set of one column and one row, from this sequence number on.
sub one_row {
    my ($n, $value, $status) = @_;
    return packet($n, "\1") . column($n + 1, 'v', 253) . main::eof_packet($n + 2)
        . packet($n + 3, pack 'C/a*', $value) . main::eof_packet($n + 4, $status);
}


# A server that knows users of several plugins, all with the password "secret"
# but for "empty". What it is sent it checks with the openssl program.
sub sha2_server {
    my $key = `openssl genrsa 2048 2>/dev/null`;
    open my $fh, '|-', 'openssl rsa -pubout -out t/servroot-key.pem 2>/dev/null'
        or die "openssl: $!\n";
    print $fh $key;
    close $fh;
    open $fh, '<', 't/servroot-key.pem' or die "openssl: $!\n";
    my $public = join '', <$fh>;
    close $fh;
    unlink 't/servroot-key.pem';
    return ">>> rsa.key\n$key>>> rsa.pem\n$public>>> server.lua\n" . <<'LUA';
local DIR = "$TEST_DIR"
local bit = require "bit"
local nonce = "abcdefghijklmnopqrst"
local sequence = 0

local function send(payload)
    local n = #payload
    ngx.print(string.char(n % 256, math.floor(n / 256) % 256,
        math.floor(n / 65536), sequence), payload)
    sequence = sequence + 1
end

local function receive()
    local head = ngx.receive(4)
    if not head then
        ngx.exit()
    end
    local a, b, c, d = head:byte(1, 4)
    sequence = d + 1
    local n = a + b * 256 + c * 65536
    return n > 0 and ngx.receive(n) or ""
end

local function openssl(arguments, input)
    local name = DIR .. "/" .. tostring({}):gsub("%W", "")
    local f = assert(io.open(name, "wb"))
    f:write(input)
    f:close()
    local pipe = io.popen("openssl " .. arguments .. " < " .. name)
    local output = pipe:read("*a")
    pipe:close()
    os.remove(name)
    return output
end

local function sha256(text)
    return openssl("dgst -sha256 -binary", text)
end

local function xor(a, b)
    local i = 0
    return (a:gsub(".", function(c)
        i = i + 1
        return string.char(bit.bxor(c:byte(), b:byte((i - 1) % #b + 1)))
    end))
end

local function denied()
    send("\255\21\4#28000Access denied")
    ngx.exit()
end

-- Sends the public key, and opens what comes back with the private one.
local function password_by_key()
    local f = assert(io.open(DIR .. "/rsa.pem"))
    send("\1" .. f:read("*a"))
    f:close()
    local secret = openssl("pkeyutl -decrypt -inkey " .. DIR
        .. "/rsa.key -pkeyopt rsa_padding_mode:oaep", receive())
    return xor(secret, nonce)
end

send("\10" .. "8.0.99\0" .. "\1\0\0\0" .. nonce:sub(1, 8) .. "\0"
    .. "\255\247" .. "\255" .. "\2\0" .. "\255\193" .. "\21" .. ("\0"):rep(10)
    .. nonce:sub(9) .. "\0" .. "caching_sha2_password\0")
local data = receive()
local user, at = data:match("^(%Z*)%z()", 33)
local proof = data:sub(at + 1, at + data:byte(at))

if user == "empty" then
    if proof ~= "" then denied() end
elseif user == "fast" or user == "full" then
    local once = sha256("secret")
    if proof ~= xor(once, sha256(sha256(once) .. nonce)) then denied() end
    send(user == "fast" and "\1\3" or "\1\4")
    if user == "full" then
        local by_key = receive()
        if by_key == "\2" then
            by_key = password_by_key()
        else
            by_key = xor(openssl("pkeyutl -decrypt -inkey " .. DIR
                .. "/rsa.key -pkeyopt rsa_padding_mode:oaep", by_key), nonce)
        end
        if by_key ~= "secret\0" then denied() end
    end
elseif user == "sha256" then
    nonce = nonce:reverse()
    send("\254sha256_password\0" .. nonce .. "\0")
    if receive() ~= "\1" or password_by_key() ~= "secret\0" then denied() end
else
    denied()
end
repeat
    send("\0\0\0\2\0\0\0")
until receive():byte() ~= 3
LUA
}


run_tests();

__DATA__

=== mysql: connect, query, pool
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    for _ = 1, 2 do
        local db, err = mysql.new()
        db:set_timeout(10000)
        ngx.say(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
            user = "tcp", password = "secret", database = "test" })
        ngx.say(db:get_reused_times() > 0, " ", db:server_ver():match("MariaDB"))
        local rows, err, errno, sqlstate =
            db:query("SELECT 1 AS one, 'two' AS two, NULL AS none")
        ngx.say(#rows, " ", rows[1].one, " ", type(rows[1].one), " ",
                rows[1].two, " ", rows[1].none == ngx.null)
        ngx.say(err, errno, sqlstate)
        ngx.say(db:set_keepalive(10000, 5))
        ngx.say(db:query("SELECT 1"))
    end
}
--- response_like
^1
(true|false) MariaDB
1 1 number two true
nilnilnil
1
nilcannot send query in the current context: nil
1
true MariaDB
1 1 number two true
nilnilnil
1
nilcannot send query in the current context: nil
$
--- no_error_log
[error]


=== mysql: the original's way, with globals and three timeouts
--- peers: mariadb
--- tcp_config
init_by_lua_block { mysql = require "mysql" }
--- tcp_server_config
process_by_lua_block {
    local db = mysql:new()
    db:set_timeout(10000, 10000, 10000)
    local res, err, errno, sqlstate = db:connect({
        host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
        password = "secret", database = "test", pool = "my pool",
        max_packet_size = 1024 * 1024, compact_arrays = true,
    })
    if not res then
        ngx.say(err)
        ngx.exit()
    end
    ngx.say(db.sock[2])
    local bytes = db:send_query("select 'a', 2")
    ngx.say(bytes)
    ngx.say(db:read_result()[1])
    db:set_compact_arrays(false)
    ngx.say(db:query("select 3 as three")[1].three)
    db:set_keepalive(0, 10)
}
--- response
my pool
18
a2
3
--- no_error_log
[error]


=== mysql: types
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", database = "test",
        charset = "utf8mb4" })
    assert(db:query [[CREATE TABLE types (
        a TINYINT, b SMALLINT, c MEDIUMINT, d INT UNSIGNED, e BIGINT, f FLOAT,
        g DOUBLE, h DECIMAL(10,2), i YEAR, j DATE, k TIME(3), l DATETIME,
        m CHAR(3), n VARCHAR(300), o BLOB, p TEXT, q ENUM('x','y'), r SET('x','y'),
        s BIT(9), t JSON, u INT(5) ZEROFILL, v BOOL, w INT) CHARACTER SET utf8mb4]])
    local res = assert(db:query [[INSERT INTO types VALUES (-1, -32768, 8388607,
        4294967295, -9223372036854775808, 1.5, -2.25e100, 12345678.90, 2026,
        '2026-02-28', '-12:34:56.789', '2026-02-28 12:34:56', 'abc', REPEAT('x', 300),
        'a\0b\r\n', 'ä€😀', 'y', 'x,y', b'100000001', '{"a": 1}', 42, TRUE, NULL)]])
    ngx.say(res.affected_rows)
    local row = db:query("SELECT * FROM types")[1]
    for c in ("abcdefghijklmnopqrstuvw"):gmatch(".") do
        local value = row[c]
        if value == ngx.null then value = "null" end
        if c == "n" then value = #value end
        if c == "o" or c == "s" then
            value = value:gsub("[%c\128-\255]",
                function(b) return ("<%d>"):format(b:byte()) end)
        end
        ngx.say(c, " ", type(row[c]), " ", value)
    end
    db:close()
}
--- response
1
a number -1
b number -32768
c number 8388607
d number 4294967295
e string -9223372036854775808
f number 1.5
g number -2.25e+100
h number 12345678.9
i number 2026
j string 2026-02-28
k string -12:34:56.789
l string 2026-02-28 12:34:56
m string abc
n string 300
o string a<0>b<13><10>
p string ä€😀
q string y
r string x,y
s string <1><1>
t string {"a": 1}
u number 42
v number 1
w userdata null
--- no_error_log
[error]


=== mysql: inserts, updates, many rows, no rows
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", database = "test" })
    local function say(res, err)
        ngx.say(res.affected_rows, " ", res.insert_id, " ", res.warning_count,
                " ", tostring(res.message), " ", tostring(err))
    end
    say(db:query("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)"))
    say(db:query("INSERT INTO t (a) VALUES (1), (2), (3)"))
    say(db:query("INSERT INTO t (a) VALUES (4)"))
    say(db:query("UPDATE t SET a = 1 WHERE a < 3"))
    say(db:query("DELETE FROM t WHERE a = 4"))
    ngx.say(#db:query("SELECT * FROM t WHERE a = 99"))
    say(db:query { "INSERT INTO t (a) SELECT seq FROM ", "seq_1_to_", 1000 })
    local rows = db:query("SELECT * FROM t ORDER BY id", 1003)
    ngx.say(#rows, " ", rows[1003].a)
    ngx.say(db:query("DO 1").affected_rows, " ", db:query("DO 0", 5).insert_id)
    db:close()
}
--- response_like
^0 0 0 nil nil
3 1 0 Records: 3  Duplicates: 0  Warnings: 0 nil
1 4 0 nil nil
2 0 0 Rows matched: 2  Changed: 1  Warnings: 0 nil
1 0 0 nil nil
0
1000 \d+ 0 Records: 1000  Duplicates: 0  Warnings: 0 nil
1003 1000
0 0
$
--- no_error_log
[error]


=== mysql: the server's errors, and what goes on after them
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local db = mysql.new()
    local opts = { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                   password = "secret", database = "test" }
    assert(db:connect(opts))
    local res, err, errno, sqlstate = db:query("SELEC 1")
    ngx.say(tostring(res), " ", err:match("error in your SQL syntax"), " ", errno,
            " ", sqlstate)
    ngx.say(db:query("SELECT * FROM nowhere"))
    assert(db:query("CREATE TABLE u (a INT PRIMARY KEY)"))
    assert(db:query("INSERT INTO u VALUES (1)"))
    ngx.say(db:query("INSERT INTO u VALUES (1)"))
    -- In the middle of the rows.
    res, err, errno = db:query("SELECT (SELECT 1 UNION SELECT seq) FROM seq_1_to_3")
    ngx.say(tostring(res), " ", errno)
    ngx.say(db:query("SELECT 1 AS a")[1].a)
    ngx.say(db:set_keepalive())
    opts.password = "wrong"
    ngx.say(db:connect(opts))
    opts.user, opts.password = "nobody", nil
    ngx.say(db:connect(opts))
    opts.user, opts.password, opts.database = "tcp", "secret", "nowhere"
    ngx.say(db:connect(opts))
    opts.database = nil
    ngx.say(db:connect(opts))
    ngx.say(db:query("SELECT DATABASE() AS d")[1].d == ngx.null)
    db:close()
}
--- response_like
^nil error in your SQL syntax 1064 42000
nilTable 'test\.nowhere' doesn't exist114642S02
nilDuplicate entry '1' for key 'PRIMARY'106223000
nil 1242
1
1
nilAccess denied for user 'tcp'@'[^']+' \(using password: YES\)104528000
nilAccess denied for user 'nobody'@'[^']+' \(using password: NO\)104528000
nilUnknown database 'nowhere'104942000
1
true
$
--- no_error_log
[error]


=== mysql: several results of one query
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", database = "test" })
    local function all(query)
        local res, err, errno = db:query(query)
        while true do
            ngx.print(res and (res[1] and res[1].a or "ok") or "failed", " ",
                      tostring(err):sub(1, 5), " ", tostring(errno), ", ")
            if err ~= "again" then break end
            res, err, errno = db:read_result()
        end
        ngx.say()
    end
    all("SELECT 1 AS a; DO 2; SELECT 3 AS a")
    all("SELECT 1 AS a; SELEC; SELECT 3 AS a")
    assert(db:query("CREATE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2 AS a; END"))
    all("CALL p()")
    assert(db:query("SELECT 1; SELECT 2"))
    ngx.say(db:query("SELECT 3"))
    ngx.say(db:set_keepalive())
    ngx.say(db:read_result()[1]["2"])
    ngx.say(db:read_result())
    ngx.say(db:set_keepalive())
}
--- response
1 again nil, ok again nil, 3 nil nil, 
1 again nil, failed You h 1064, 
1 again nil, 2 again nil, ok nil nil, 
nilcannot send query in the current context: 2
nilcannot be reused in the current connection state: 2
2
nilcannot read result in the current context: 1
1
--- no_error_log
[error]


=== mysql: packets of more than 16 MB, both ways
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", max_packet_size = 40000000 })
    local function echo(size)
        local value = ("0123456789abcdef"):rep(math.ceil(size / 16)):sub(1, size)
        local rows, err = db:query("SELECT '" .. value .. "' AS a")
        ngx.say(size, " ", rows and rows[1].a == value, " ", tostring(err))
    end
    -- The query is 14 bytes longer than the value, the row 9 at most.
    for _, size in ipairs { 17000000, 16777201 - 14, 16777215 - 14,
                            16777216 - 14, 16777215 - 4, 33554430 - 14,
                            33554430 - 9 } do
        echo(size)
    end
    db:close()
}
--- response
17000000 true nil
16777187 true nil
16777201 true nil
16777202 true nil
16777211 true nil
33554416 true nil
33554421 true nil
--- timeout: 20
--- repeat: 1
--- skip_mode: slow valgrind: 300 MB
--- no_error_log
[error]


=== mysql: an answer that is longer than max_packet_size
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", max_packet_size = 2000 })
    ngx.say(#db:query("SELECT REPEAT('x', 1990) AS a")[1].a)
    ngx.say(db:query("SELECT REPEAT('x', 1998) AS a"))
    ngx.say(db:query("SELECT 1"))
    ngx.say(db:set_keepalive())
    ngx.say(db:close())
}
--- response
1990
nilpacket size too big: 2001
nilcannot send query in the current context: nil
nilcannot be reused in the current connection state: nil
nilclosed
--- no_error_log
[error]


=== mysql: a unix socket
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    for _, path in ipairs { "$TEST_MARIADB_SOCKET", "unix:$TEST_MARIADB_SOCKET" } do
        local db = mysql.new()
        assert(db:connect { path = path, user = "tcp", password = "secret",
                            database = "test" })
        ngx.say(db:query("SELECT 1 AS a")[1].a)
        ngx.say(db:set_keepalive())
    end
    ngx.say(mysql.new():connect { path = "/nowhere/s", user = "tcp" })
}
--- response
1
1
1
1
nilfailed to connect: no such file or directory


=== mysql: a password of no length, and character sets
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local function try(charset)
        local db = mysql.new()
        local ok, err = db:connect { host = "127.0.0.1", user = "nopass",
            port = $TEST_MARIADB_PORT, charset = charset }
        if not ok then
            return ngx.say(err)
        end
        ngx.say(db:query("SELECT @@character_set_client AS c")[1].c)
        db:set_keepalive()
    end
    for _, charset in ipairs { "utf8mb4", "latin1", "gbk", "ascii", "utf8mb4",
                               "cp1251", "sjis", "euckr", "utf16", "nonsense" } do
        try(charset)
    end
}
--- response
utf8mb4
latin1
gbk
ascii
utf8mb4
cp1251
sjis
euckr
charset 'utf16' is not supported
charset 'nonsense' is not supported
--- no_error_log
[error]


=== mysql: client_ed25519
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local opts = { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                   password = "secret" }
    local db = mysql.new()
    assert(db:connect(opts))
    db:query("INSTALL SONAME 'auth_ed25519'")
    for i, password in ipairs { "secret", ("long"):rep(50), "p\228\246" } do
        local user = "ed" .. i
        assert(db:query("CREATE OR REPLACE USER " .. user .. "@'%' IDENTIFIED VIA "
            .. "ed25519 USING PASSWORD(" .. ngx.quote_sql_str(password) .. ")"))
        for _, given in ipairs { password, password .. "x" } do
            local other = mysql.new()
            ngx.say(other:connect { host = "127.0.0.1", user = user,
                port = $TEST_MARIADB_PORT, password = given } or "denied")
            other:close()
        end
        assert(db:query("DROP USER " .. user))
    end
    db:close()
}
--- response
1
denied
1
denied
1
denied
--- no_error_log
[error]


=== mysql: TLS
--- peers: mariadb_tls
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local function try(opts)
        local db = mysql.new()
        opts.host = opts.host or not opts.path and "127.0.0.1" or nil
        opts.port = $TEST_MARIADB_TLS_PORT
        opts.user, opts.password = "tls", "secret"
        local ok, err, errno = db:connect(opts)
        if not ok then
            return ngx.say("no ", tostring(errno), " ", (err:gsub(":.*", "")))
        end
        local version = db:query("SHOW STATUS LIKE 'Ssl_version'")[1].Value
        ngx.say(version:match("^TLSv1%.[23]$") and "TLS" or version, " ",
                db:get_reused_times())
        db:set_keepalive()
    end
    try {}
    try { ssl = true }
    try { ssl = true }
    try { ssl = true, ssl_verify = true, ssl_server_name = "test.example" }
    try { ssl = true, ssl_verify = true, ssl_server_name = "other.example" }
    try { ssl = true, ssl_verify = true, ssl_server_name = "test.example" }
    try { ssl = true, path = "$TEST_MARIADB_TLS_SOCKET" }
}
--- response_like
^no 1045 Access denied for user 'tls'@'[^']+' \(using password
TLS [02]
TLS [13]
TLS [02]
no nil failed to do ssl handshake
TLS [13]
TLS [01]
$


=== mysql: TLS that the server does not have
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    ngx.say(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
                         user = "tcp", password = "secret", ssl = true })
}
--- response
nilssl disabled on servernilnil
--- no_error_log
[error]


=== mysql: caching_sha2_password and sha256_password without TLS
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local function try(user, opts)
        opts.host, opts.port, opts.user = "127.0.0.1", $TEST_PORT2, user
        local db = mysql.new()
        db:set_timeout(20000)
        local ok, err, errno, sqlstate = db:connect(opts)
        if ok then
            ngx.say(user, " ", db:query("DO 1").server_status, " ",
                    db:server_ver())
        else
            ngx.say(user, " ", err, " ", tostring(errno), tostring(sqlstate))
        end
        db:close()
    end
    local f = io.open("$TEST_DIR/rsa.pem")
    local key = f:read("*a")
    f:close()
    for _, user in ipairs { "fast", "full", "sha256" } do
        try(user, { password = "secret" })
        try(user, { password = "wrong" })
    end
    try("empty", {})
    try("fast", {})
    try("full", { password = "secret", get_server_public_key = false })
    try("full", { password = "secret", server_public_key = key })
    try("full", { password = "secret", server_public_key = "nonsense" })
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua_file server.lua;
--- user_files eval: main::sha2_server()
--- response
fast 2 8.0.99
fast Access denied 104528000
full 2 8.0.99
full Access denied 104528000
sha256 2 8.0.99
sha256 Access denied 104528000
empty 2 8.0.99
fast Access denied 104528000
full authentication requires a secure connection nilnil
full 2 8.0.99
full the server's public key is of no use nilnil
--- timeout: 20
--- no_error_log
[error]


=== mysql: the server of the block above is one for MariaDB's own client, too
# Whoever asks is blocked meanwhile: the other worker is the server.
--- workers: 2
--- tcp_server_config
process_by_lua_block {
    for _, login in ipairs {
        "fast -psecret", "fast -pwrong", "sha256 -psecret", "sha256 -pwrong",
        "empty --password=", "empty -pwrong",
    } do
        local pipe = io.popen("mariadb --no-defaults --protocol=tcp -h127.0.0.1"
            .. " -P$TEST_PORT2 -u" .. login .. " -e 'DO 1' </dev/null 2>&1")
        ngx.say(login, ": ", pipe:read("*a") == "" and "ok" or "denied")
        pipe:close()
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua_file server.lua;
--- user_files eval: main::sha2_server()
--- response
fast -psecret: ok
fast -pwrong: denied
sha256 -psecret: ok
sha256 -pwrong: denied
empty --password=: ok
empty -pwrong: denied
--- timeout: 20
--- no_error_log
[error]


=== mysql: caching_sha2_password over TLS sends the password itself
--- peer eval
use Digest::SHA qw(sha256);
my $once = sha256('secret');
my $proof = $once ^ sha256(sha256($once) . 'abcdefghijklmnopqrst');
[
    ['accept'],
    [send => main::greeting(plugin => 'caching_sha2_password', flags => 0xc1ffffff)],
    [take_bytes => 36],
    [tls => 'good'],
    [expect_like => qr/\A...\x02.{32}me\x00\x20\Q$proof\Ecaching_sha2_password\0/s],
    [send => main::packet(3, "\1\4")],
    [expect => main::packet(4, "secret\0")],
    [send => main::ok_packet(5)],
    [expect => main::packet(0, "\1")],
    ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    ngx.say(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me",
                         password = "secret", ssl = true })
    ngx.say(db:close())
}
--- response
1
1
--- no_error_log
[error]


=== mysql: another plugin, another challenge
--- peer eval
use Digest::SHA qw(sha1);
my ($once, $nonce) = (sha1('secret'), 'ABCDEFGHIJKLMNOPQRST');
my $proof = $once ^ sha1($nonce . sha1($once));
[
    ['accept'],
    [send => main::greeting(plugin => 'nobody_knows_it')],
    [expect_like => qr/me\0\x14.{20}mysql_native_password\0\z/s],
    [send => main::packet(2, "\xfemysql_native_password\0$nonce\0")],
    [expect => main::packet(3, $proof)],
    [send => main::ok_packet(4)],
    [expect => main::packet(0, "\3DO 1")],
    [send => main::ok_packet(1)],
    [expect => main::packet(0, "\1")],
    ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    ngx.say(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me",
                         password = "secret" })
    ngx.say(db:query("DO 1").affected_rows)
    db:close()
}
--- response
1
0
--- no_error_log
[error]


=== mysql: servers that make no sense while one logs in
--- peer eval
my $answer = qr/mysql_native_password\0\z/;
my $n = 0;
my $case = sub {
    my ($first, @more) = @_;
    my $name = 'C' . ++$n . ':';
    return (["$name", 'accept'], [$name, send => $first],
            (map { ref $_ ? [$name, @$_] : ([$name, expect_like => $answer],
                                            [$name, send => $_]) } @more),
            [$name, 'expect_close']);
};
[
    $case->(main::packet(0, "\x09old\0" . 'x' x 60)),
    $case->(main::packet(0, "\x0a8.0")),
    $case->(main::packet(0, "\x0a8.0\0abc")),
    $case->(main::packet(1, "\x0a8.0\0abc")),
    $case->(main::packet(0, '')),
    $case->(main::packet(0, "\xff\x10\x04Too many connections")),
    $case->(main::greeting(), main::packet(2, "\xfe")),
    $case->(main::greeting(), main::packet(2, "\xfedialog\0question")),
    $case->(main::greeting(), main::packet(2, "\x07")),
    $case->(main::greeting(), main::packet(2, "\1\4")),
    $case->(main::greeting(), main::packet(2, "\0")),
    $case->(main::greeting(), main::packet(2, "\xff")),
]
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    for i = 1, 12 do
        local db = mysql.new()
        local _, err, errno, sqlstate = db:connect { host = "127.0.0.1",
            port = $TEST_PEER_PORT, user = "me", password = "secret" }
        ngx.say(i, " ", err, " ", tostring(errno), " ", tostring(sqlstate))
    end
}
--- response
1 unsupported protocol version: 9 nil nil
2 unsupported protocol version: 10 nil nil
3 unsupported protocol version: 10 nil nil
4 packets out of order nil nil
5 empty packet nil nil
6 Too many connections 1040 nil
7 old pre-4.1 authentication protocol not supported nil nil
8 unsupported authentication plugin: dialog nil nil
9 unexpected packet while authenticating nil nil
10 unexpected data while authenticating nil nil
11 malformed packet nil nil
12 malformed packet nil nil
--- no_error_log
[error]


=== mysql: what comes in front of the TLS handshake is not taken for encrypted
--- peer eval
[
    ['accept'], [send => main::greeting(flags => 0xc1ffffff) . main::ok_packet(2)],
    [expect_like => qr/\A\x20\x00\x00\x01.{32}/s], ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    ngx.say(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me",
                         password = "secret", ssl = true })
}
--- response
nildata in front of the TLS handshakenilnil
--- skip_mode: slow: there it comes after the handshake has begun
--- no_error_log
[error]


=== mysql: answers that make no sense close the connection
--- peer eval
my ($n, @steps) = (0);
for my $bytes (main::packet(2, "\0\0\0\2\0\0\0"), main::packet(1, "\0"),
               main::packet(1, "\xfbfile"), main::packet(1, "\xfb"),
               main::packet(1, "\xff\1"), main::packet(1, ''),
               main::packet(1, "\2x"), main::packet(1, "\xfe"),
               main::packet(1, "\1") . main::packet(2, "\3de"),
               main::packet(1, "\1") . main::column(2, 'v', 253)
                   . main::packet(3, "\0"),
               main::packet(1, "\1") . main::column(2, 'v', 253)
                   . main::eof_packet(3) . main::packet(4, "\5abc"),
               main::packet(1, "\1") . main::column(2, 'v', 253)
                   . main::eof_packet(3) . main::packet(4, "\xfd\xff\xff"),
               main::packet(1, "\1") . main::column(2, 'v', 253)
                   . main::eof_packet(3) . main::packet(4, "\xfe" . 'x' x 8 . 'y'),
               main::packet(1, "\1") . main::column(2, 'v', 253)
                   . main::eof_packet(3) . main::packet(4, "\xfe"),
               main::packet(1, "\xfc\xff")) {
    my $name = 'C' . ++$n . ':';
    push @steps, [$name, 'accept'], [$name, send => main::greeting()],
        [$name, expect_like => qr/mysql_native_password\0\z/],
        [$name, send => main::ok_packet(2)], [$name, expect => main::packet(0, "\3?")],
        [$name, send => $bytes], [$name, 'expect_close'];
}
\@steps
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    for i = 1, 15 do
        local db = mysql.new()
        assert(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT,
                            user = "me", password = "secret" })
        local res, err, errno = db:query("?")
        ngx.say(i, " ", tostring(res), " ", err, " ", tostring(errno))
        assert(not db:set_keepalive())
    end
}
--- response
1 nil packets out of order nil
2 nil malformed packet nil
3 nil the server asks for a local file nil
4 nil the server asks for a local file nil
5 nil malformed packet nil
6 nil empty packet nil
7 nil malformed packet nil
8 nil malformed packet nil
9 nil malformed packet nil
10 nil malformed packet nil
11 nil malformed packet nil
12 nil malformed packet nil
13 nil malformed packet nil
14 nil malformed packet nil
15 nil malformed packet nil
--- no_error_log
[error]


=== mysql: byte by byte
--- peer eval
[
    ['accept'], [drip => main::greeting()],
    [expect_like => qr/mysql_native_password\0\z/], [drip => main::ok_packet(2)],
    [expect => main::packet(0, "\3a")], [drip => main::one_row(1, 'hello')],
    [expect => main::packet(0, "\1")], ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me" })
    ngx.say(db:query("a")[1].v)
    db:close()
}
--- response
hello
--- no_error_log
[error]


=== mysql: after a timeout nothing of the old answer is taken for a new one
--- peer eval
[
    ['A:', 'accept'], ['A:', send => main::greeting()],
    ['A:', expect_like => qr/mysql_native_password\0\z/],
    ['A:', send => main::ok_packet(2)], ['A:', expect => main::packet(0, "\3one")],
    ['A:', send => substr main::one_row(1, 'one'), 0, 20],
    ['A:', 'expect_close'],
    ['B:', 'accept'], ['B:', send => main::greeting()],
    ['B:', expect_like => qr/mysql_native_password\0\z/],
    ['B:', send => main::ok_packet(2)], ['B:', expect => main::packet(0, "\3two")],
    ['B:', send => main::one_row(1, 'two')],
    ['B:', expect => main::packet(0, "\1")], ['B:', 'expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    local opts = { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me" }
    db:set_timeouts(10000, 10000, 10000)
    assert(db:connect(opts))
    db:set_timeout(nil, nil, 200)
    ngx.say(db:query("one"))
    ngx.say(db:query("two"))
    ngx.say(db:set_keepalive())
    db:set_timeouts(10000, 10000, 10000)
    assert(db:connect(opts))
    ngx.say(db:get_reused_times(), " ", db:query("two")[1].v)
    db:close()
}
--- response
nilfailed to receive packet body: timeout
nilcannot send query in the current context: nil
nilcannot be reused in the current connection state: nil
0 two
--- error_log
lua tcp socket read timed out


=== mysql: a server that goes away
--- peer eval
[
    ['A:', 'accept'], ['A:', 'half_close'],
    ['B:', 'accept'], ['B:', send => main::greeting()],
    ['B:', expect_like => qr/mysql_native_password\0\z/], ['B:', 'reset'],
    ['C:', 'accept'], ['C:', send => main::greeting()],
    ['C:', expect_like => qr/mysql_native_password\0\z/],
    ['C:', send => main::ok_packet(2)], ['C:', expect => main::packet(0, "\3one")],
    ['C:', send => main::packet(1, "\1")], ['C:', 'half_close'],
]
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local db = mysql.new()
    local opts = { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me" }
    ngx.say(db:connect(opts))
    ngx.say(db:connect(opts))
    assert(db:connect(opts))
    ngx.say(db:query("one"))
    opts.port = $TEST_CLOSED_PORT
    ngx.say(db:connect(opts))
}
--- response_like
^nilfailed to receive packet header: closed(?:nil)*
nilfailed to receive packet header: connection reset by peer(?:nil)*
nilfailed to receive packet header: closed
nilfailed to connect: connection refused
$


=== mysql: an open transaction does not go into the pool
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local opts = { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                   password = "secret", database = "test" }
    local db = mysql.new()
    assert(db:connect(opts))
    assert(db:query("CREATE TABLE money (n INT) ENGINE=InnoDB"))
    assert(db:query("START TRANSACTION"))
    assert(db:query("INSERT INTO money VALUES (1)"))
    ngx.say(db:set_keepalive())
    assert(db:connect(opts))
    ngx.say(db:get_reused_times() > 0)
    assert(db:query("COMMIT"))
    ngx.say(#db:query("SELECT * FROM money"))
    assert(db:query("START TRANSACTION"))
    assert(db:query("INSERT INTO money VALUES (1)"))
    assert(db:query("COMMIT"))
    ngx.say(db:set_keepalive())
    assert(db:connect(opts))
    ngx.say(#db:query("SELECT * FROM money"))
    db:close()
}
--- response
1
true
0
1
1
--- no_error_log
[error]


=== mysql: a packet that nobody asked for keeps a connection out of the pool
--- peer eval
[
    ['accept'], [send => main::greeting()],
    [expect_like => qr/mysql_native_password\0\z/], [send => main::ok_packet(2)],
    [expect => main::packet(0, "\3a")],
    [send => main::ok_packet(1) . main::packet(0, "\xff\x1d\x04#08S01Going down")],
    ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me" })
    ngx.say(db:query("a").affected_rows)
    ngx.say((db:set_keepalive()))
}
--- response
0
nil
--- skip_mode: slow: what the last read has not taken is seen when it would be handed out
--- no_error_log
[error]


=== mysql: so does one that comes a little later
--- peer eval
[
    ['accept'], [send => main::greeting()],
    [expect_like => qr/mysql_native_password\0\z/], [send => main::ok_packet(2)],
    [expect => main::packet(0, "\3a")],
    [send => main::ok_packet(1)], ['expect_nothing', 0.1],
    [send => main::packet(0, "\xff\x1d\x04#08S01Going down")],
    ['expect_close'],
]
--- tcp_server_config
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_PEER_PORT, user = "me" })
    ngx.say(db:query("a").affected_rows)
    ngx.sleep(1)
    ngx.say((db:set_keepalive()))
}
--- response
0
nil
--- no_error_log
[error]


=== mysql: pools by user, password, database
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local function reused(opts)
        local db = mysql.new()
        opts.host, opts.port = "127.0.0.1", $TEST_MARIADB_PORT
        opts.charset = opts.charset or "latin1"
        local ok, err, errno = db:connect(opts)
        if not ok then
            return ngx.say(errno)
        end
        ngx.say(db:get_reused_times() > 0)
        assert(db:set_keepalive(10000, 20))
    end
    local user = "tcp"
    reused { user = user, password = "secret", charset = "latin2" }
    reused { user = user, password = "secret", charset = "latin2" }
    reused { user = user, password = "wrong", charset = "latin2" }
    reused { user = user, password = "secret", charset = "latin2",
             database = "mysql" }
    reused { user = "old", password = "secret", charset = "latin2",
             database = "test" }
    reused { user = user, password = "secret", charset = "latin2", pool = "x" }
    reused { user = user, password = "secret", charset = "latin2", pool = "x" }
}
--- response eval
["false\ntrue\n1045\nfalse\nfalse\nfalse\ntrue\n",
 "true\ntrue\n1045\ntrue\ntrue\ntrue\ntrue\n"]
--- skip_mode: hup: its last runs are the first of a new worker
--- no_error_log
[error]


=== mysql: options that are missing or wrong
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local db = mysql.new()
    ngx.say(db:connect())
    ngx.say(db:connect {})
    ngx.say(db:connect { host = "h", user = 1 })
    ngx.say(db:connect { host = "h", user = "a\0b" })
    ngx.say(db:connect { host = "h", database = "a\0b" })
    ngx.say(db:connect { host = "h", password = {} })
    ngx.say(pcall(db.query, db, nil))
    ngx.say(pcall(function() db:send_query(true) end))
    local empty = setmetatable({}, { __index = mysql })
    for _, name in ipairs { "connect", "close", "set_timeout", "set_timeouts",
                            "set_keepalive", "get_reused_times", "read_result" } do
        ngx.say(empty[name](empty))
    end
    ngx.say(empty:query("x"))
}
--- response_like
^nilno options
nilno host
niluser is not a string
niluser has a zero byte
nildatabase has a zero byte
nilpassword is not a string
false.*bad argument #1 to 'query' \(string expected, got nil\)
falseprocess_by_lua_block\(nginx\.conf:\d+\):11: bad argument #1 to 'query' \(string expected, got boolean\)
(nilnot initialized
){8}$
--- no_error_log
[error]


=== mysql: clients that vanish in the middle of a query
--- peers: mariadb
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    local db = require("mysql").new()
    assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
        user = "tcp", password = "secret", database = "test" })
    if ngx.receive("*l") == "wait" then
        ngx.say("waiting")
        db:query("SELECT SLEEP(60)")
    else
        local rows = db:query("SELECT 1 AS a")
        ngx.say(rows[1].a)
        db:set_keepalive()
    end
}
--- request_parts
A: send "wait\n"
B: send "wait\n"
A: expect "waiting\n"
B: expect "waiting\n"
A: reset
B: close
C: send "go\n"
C: expect "1\n"
C: expect_eof
--- no_error_log
[error]
[alert]


=== mysql: two threads with a connection each
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local function sum(from)
        local db = mysql.new()
        assert(db:connect { host = "127.0.0.1", port = $TEST_MARIADB_PORT,
            user = "tcp", password = "secret", database = "test" })
        local total = 0
        for i = from, from + 9 do
            total = total + db:query("SELECT " .. i .. " AS a")[1].a
        end
        db:set_keepalive()
        return total
    end
    local a = ngx.thread.spawn(sum, 1)
    local b = ngx.thread.spawn(sum, 101)
    ngx.say(select(2, ngx.thread.wait(a)), " ", select(2, ngx.thread.wait(b)))
}
--- response
55 1055
--- no_error_log
[error]


=== mysql: many queries, memory stays
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local mysql = require "mysql"
    local opts = { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                   password = "secret", database = "test" }
    local function some(n)
        for _ = 1, n do
            local db = mysql.new()
            assert(db:connect(opts))
            assert(#db:query("SELECT seq, 'x' FROM seq_1_to_20") == 20)
            assert(db:set_keepalive(10000, 10))
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage("count")
    end
    local before = some(100)
    local after = some(500)
    ngx.say(after - before < 50)
}
--- response
true
--- skip_mode: slow valgrind: too many queries
--- no_error_log
[error]
