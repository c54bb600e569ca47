# require "netutil": integers in network byte order.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== packint16, packint32: the most significant byte first
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    ngx.print(netutil.packint16(0x4142), netutil.packint32(0x43444546))
    ngx.print(netutil.packint16(0), netutil.packint32(0))
    ngx.print(netutil.packint16(65535), netutil.packint32(4294967295))
}
--- response eval
"ABCDEF" . "\0" x 6 . "\xff" x 6
--- no_error_log
[error]


=== packint16, packint32: negative, too large and broken numbers, and strings
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    ngx.print(netutil.packint16(-2), netutil.packint32(-2))
    ngx.print(netutil.packint16(0x14142), netutil.packint32(0x143444546))
    ngx.print(netutil.packint16("16706"), netutil.packint16(16706.9))
}
--- response eval
"\xff\xfe\xff\xff\xff\xfe" . "ABCDEF" . "ABAB"
--- no_error_log
[error]


=== unpackint16, unpackint32: unsigned, from where one wants
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    ngx.say(netutil.unpackint16("AB"), " ", netutil.unpackint16("\255\255"))
    ngx.say(netutil.unpackint32("\0\0\1\2"), " ",
            netutil.unpackint32("\255\255\255\254"))
    ngx.say(netutil.unpackint16("xxABx", 3), " ",
            netutil.unpackint32("x\0\0\0\7and more", 2))
}
--- response
16706 65535
258 4294967294
16706 7
--- no_error_log
[error]


=== pack and unpack: what goes in comes out
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    for _, n in ipairs { 0, 1, 255, 256, 32767, 32768, 65535 } do
        assert(netutil.unpackint16(netutil.packint16(n)) == n)
    end
    local n = 1
    for i = 0, 31 do
        for _, m in ipairs { n - 1, n, n + 1 } do
            assert(netutil.unpackint32(netutil.packint32(m)) == m)
        end
        n = n * 2
    end
    ngx.say("ok")
}
--- response
ok
--- no_error_log
[error]


=== htons and its kin: the value stays, as in the original
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    ngx.say(netutil.htons(0x1234) == 0x1234, " ",
            netutil.ntohs(0x1234) == 0x1234, " ",
            netutil.htonl(0x12345678) == 0x12345678, " ",
            netutil.ntohl(0x12345678) == 0x12345678)
    ngx.say(netutil.htons(-1), " ", netutil.ntohl(-1), " ",
            netutil.htonl(2 ^ 32 + 5), " ", netutil.ntohs("7"))
    ngx.say(netutil.packint32(netutil.htonl(100)) == "\0\0\0d")
    ngx.say(netutil.ntohl(netutil.unpackint32("\0\0\0d")))
    ngx.say(type(netutil.LITTLE_ENDIAN))
}
--- response
true true true true
65535 4294967295 5 7
true
100
boolean
--- no_error_log
[error]


=== netutil: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local netutil = require "netutil"
    local function err(f, ...)
        local ok, e = pcall(function(...) return f(...), nil end, ...)
        ngx.say((e:gsub("^.-%):", "")))
    end
    err(netutil.packint16, "x")
    err(netutil.packint32)
    err(netutil.packint32, 0/0)
    err(netutil.packint32, 1/0)
    err(netutil.htonl, {})
    err(netutil.htons, true)
    err(netutil.ntohl, "x")
    err(netutil.ntohs)
    err(netutil.unpackint16, "x")
    err(netutil.unpackint32, "abc")
    err(netutil.unpackint32, "abcdef", 4)
    err(netutil.unpackint16, "abcdef", 0)
    err(netutil.unpackint32, nil)
}
--- response_like
^4: bad argument #1 to 'packint16' \(number expected, got string\)
4: bad argument #1 to 'packint32' \(number expected, got nil\)
4: bad argument #1 to 'packint32' \(number expected, got -?nan\)
4: bad argument #1 to 'packint32' \(number expected, got inf\)
4: bad argument #1 to 'htonl' \(number expected, got table\)
4: bad argument #1 to 'htons' \(number expected, got boolean\)
4: bad argument #1 to 'ntohl' \(number expected, got string\)
4: bad argument #1 to 'ntohs' \(number expected, got nil\)
4: bad argument #1 to 'unpackint16' \(2 bytes expected from 1 on, got a string of 1\)
4: bad argument #1 to 'unpackint32' \(4 bytes expected from 1 on, got a string of 3\)
4: bad argument #1 to 'unpackint32' \(4 bytes expected from 4 on, got a string of 6\)
4: bad argument #1 to 'unpackint16' \(2 bytes expected from 0 on, got a string of 6\)
4: bad argument #1 to 'unpackint32' \(string expected, got nil\)
$
--- no_error_log
[error]


=== netutil: frames with a length in front, as users' scripts make them
--- tcp_config
init_by_lua_block { netutil = require "netutil" }
--- tcp_server_config
process_by_lua_block {
    while true do
        local head = ngx.receive(4)
        if not head then
            ngx.exit()
        end
        local size = netutil.unpackint32(string.sub(head, 1, 4))
        local data = ngx.receive(size - 4)
        local reply = string.reverse(data)
        ngx.print(netutil.packint32(netutil.htonl(#reply + 4)) .. reply)
        ngx.wait_next_request()
    end
}
--- request_parts
send "\0\0\0\x09hello\0\0\x01\x04"
send "x" x 256
expect "\0\0\0\x09olleh\0\0\x01\x04"
expect "x" x 256
half_close
expect_eof
--- no_error_log
[error]
