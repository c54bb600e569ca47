# ngx.md5, md5_bin, sha1_bin, hmac_sha1, crc32_short, crc32_long.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== md5, md5_bin: RFC 1321
--- tcp_server_config
process_by_lua_block {
    for _, s in ipairs({ "", "a", "message digest" }) do
        ngx.say(ngx.md5(s), " ", (ngx.md5_bin(s):gsub(".", function(c)
            return ("%02x"):format(c:byte())
        end)) == ngx.md5(s), " ", #ngx.md5_bin(s))
    end
}
--- response
d41d8cd98f00b204e9800998ecf8427e true 16
0cc175b9c0f1b6a831c399e269772661 true 16
f96b697d7cb7938d525a2f31aaf161d0 true 16
--- no_error_log
[error]


=== sha1_bin: RFC 3174
--- tcp_server_config
process_by_lua_block {
    for _, s in ipairs({ "", "abc" }) do
        ngx.say((ngx.sha1_bin(s):gsub(".", function(c)
            return ("%02x"):format(c:byte())
        end)))
    end
}
--- response
da39a3ee5e6b4b0d3255bfef95601890afd80709
a9993e364706816aba3e25717850c26c9cd0d89d
--- no_error_log
[error]


=== hmac_sha1: RFC 2202
--- tcp_server_config
process_by_lua_block {
    local function hex(s)
        return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
    end
    ngx.say(hex(ngx.hmac_sha1("Jefe", "what do ya want for nothing?")))
    ngx.say(hex(ngx.hmac_sha1(("\170"):rep(80), "Test Using Larger Than "
        .. "Block-Size Key - Hash Key First")))
    ngx.say(hex(ngx.hmac_sha1("", "")))
}
--- response
effcdf6ae5eb2fa2d27416d5f184df9c259a7c79
aa4ae5e15272d00e95705637ce8a3b55ed402112
fbdb1d1b18aa6c08324b7d64b71fb76370690e1d
--- no_error_log
[error]


=== crc32_short, crc32_long: the same number
--- tcp_server_config
process_by_lua_block {
    for _, s in ipairs({ "", "a", "123456789", ("x"):rep(100000) }) do
        ngx.say(("%.0f %.0f"):format(ngx.crc32_short(s), ngx.crc32_long(s)))
    end
}
--- response
0 0
3904355907 3904355907
3421780262 3421780262
4261876081 4261876081
--- no_error_log
[error]


=== hashes: nil is an empty string, numbers are text
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.md5(nil) == ngx.md5(""), ngx.md5_bin(nil) == ngx.md5_bin(""),
            ngx.sha1_bin(nil) == ngx.sha1_bin(""),
            ngx.crc32_short(nil) == 0, ngx.crc32_long(nil) == 0,
            ngx.hmac_sha1(nil, nil) == ngx.hmac_sha1("", ""))
    ngx.say(ngx.md5(1.5) == ngx.md5("1.5"),
            ngx.md5_bin(7) == ngx.md5_bin("7"),
            ngx.sha1_bin(7) == ngx.sha1_bin("7"),
            ngx.crc32_short(7) == ngx.crc32_short("7"),
            ngx.crc32_long(7) == ngx.crc32_long("7"),
            ngx.hmac_sha1(1, 2) == ngx.hmac_sha1("1", "2"))
}
--- response
truetruetruetruetruetrue
truetruetruetruetruetrue
--- no_error_log
[error]


=== hashes: a wrong number of arguments raises at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.md5() end))
    ngx.say(err(function() ngx.md5("a", "b") end))
    ngx.say(err(function() ngx.md5_bin() end))
    ngx.say(err(function() ngx.sha1_bin() end))
    ngx.say(err(function() ngx.crc32_short() end))
    ngx.say(err(function() ngx.crc32_long("a", "b") end))
    ngx.say(err(function() ngx.hmac_sha1("a") end))
    ngx.say(err(function() ngx.hmac_sha1("a", "b", "c") end))
}
--- response
3: expecting one argument
4: expecting one argument
5: expecting one argument
6: expecting one argument
7: expecting one argument, but got 0
8: expecting one argument, but got 2
9: expecting 2 arguments, but got 1
10: expecting 2 arguments, but got 3
--- no_error_log
[error]


=== hashes: arguments of other types raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.md5({}) end))
    ngx.say(err(function() ngx.md5_bin(true) end))
    ngx.say(err(function() ngx.sha1_bin(ngx.null) end))
    ngx.say(err(function() ngx.crc32_short(err) end))
    ngx.say(err(function() ngx.crc32_long({}) end))
    ngx.say(err(function() ngx.hmac_sha1({}, "b") end))
    ngx.say(err(function() ngx.hmac_sha1("a", {}) end))
}
--- response
3: bad argument #1 to 'md5' (string expected, got table)
4: bad argument #1 to 'md5_bin' (string expected, got boolean)
5: bad argument #1 to 'sha1_bin' (string expected, got userdata)
6: bad argument #1 to 'crc32_short' (string expected, got function)
7: bad argument #1 to 'crc32_long' (string expected, got table)
8: bad argument #1 to 'hmac_sha1' (string expected, got table)
9: bad argument #2 to 'hmac_sha1' (string expected, got table)
--- no_error_log
[error]


=== hashes: everywhere
--- tcp_config
init_by_lua_block {
    in_init = ngx.md5("a"):sub(1, 4) .. #ngx.md5_bin("a") .. #ngx.sha1_bin("a")
        .. ngx.crc32_short("a") .. ngx.crc32_long("a") .. #ngx.hmac_sha1("", "")
}
init_worker_by_lua_block {
    in_worker = ngx.md5("a"):sub(1, 4) .. #ngx.md5_bin("a") .. #ngx.sha1_bin("a")
        .. ngx.crc32_short("a") .. ngx.crc32_long("a") .. #ngx.hmac_sha1("", "")
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init, " ", in_worker)
    ngx.say(coroutine.wrap(function() return ngx.crc32_short("a") end)())
    ngx.say(pcall(ngx.crc32_long, "a"))
    ngx.say(pcall(ngx.md5))
    ngx.say((("a"):gsub(".", function(c) return ngx.crc32_short(c) end)))
}
--- response
0cc116203904355907390435590720 0cc116203904355907390435590720
3904355907
true3904355907
falseexpecting one argument
3904355907
--- no_error_log
[error]
