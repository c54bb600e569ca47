# Debian's lua-nginx-string as it is: digests, AES and random bytes of OpenSSL,
# and nginx's own functions, all called by FFI from a script of ours.

use lib 't/lib';
use Test::Nginx::TCP;

my $installed = -e '/usr/share/lua/5.1/nginx/string.lua';

run_tests();


sub missing { return $installed ? '' : 'no lua-nginx-string' }

__DATA__

=== string: to_hex, atoi
--- tcp_server_config
process_by_lua_block {
    local str = require "nginx.string"
    ngx.say(str.to_hex("\0\1\254\255hello"))
    ngx.say(str.atoi("4711"))
    ngx.say(str.atoi("no number"))
}
--- request
--- response
0001feff68656c6c6f
4711
-1
--- skip_if: main::missing()
--- no_error_log
[error]


=== digests: the same as ours, in pieces
--- tcp_server_config
process_by_lua_block {
    local to_hex = require "nginx.string".to_hex
    for _, name in ipairs {"md5", "sha1", "sha224", "sha256", "sha384",
                           "sha512"} do
        local digest = require("nginx." .. name):new()
        digest:update("hel")
        digest:update("lo")
        local whole = digest:final()
        digest:reset()
        digest:update("hello")
        assert(digest:final() == whole)
        ngx.say(name, " ", to_hex(whole))
    end
    ngx.say(to_hex(ngx.md5_bin("hello")), " ", to_hex(ngx.sha1_bin("hello")))
}
--- request
--- response
md5 5d41402abc4b2a76b9719d911017c592
sha1 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d
sha224 ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193
sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
sha384 59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90125a3c79f90397bdf5f6a13de828684f
sha512 9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043
5d41402abc4b2a76b9719d911017c592 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d
--- skip_if: main::missing()
--- no_error_log
[error]


=== aes: the same as the openssl program's
--- tcp_server_config
process_by_lua_block {
    local aes = require "nginx.aes"
    local to_hex = require "nginx.string".to_hex
    local key, iv = "1234567890123456", {iv = "abcdefghabcdefgh"}
    ngx.say(to_hex(aes:new(key, nil, aes.cipher(128, "cbc"), iv)
                   :encrypt("hello")))
    ngx.say(to_hex(aes:new(key .. key, nil, aes.cipher(256, "cbc"), iv)
                   :encrypt("hello")))
    ngx.say(aes:new("short", nil, aes.cipher(128, "cbc"), iv))
}
--- request
--- response
95b7c2065e1d79037e1b66419d8b9e3e
42a8cf10ec4c4216da90d92dd66aba35
nilbad key length
--- skip_if: main::missing()
--- no_error_log
[error]


=== aes: a round trip
--- tcp_server_config
process_by_lua_block {
    local aes = require "nginx.aes"
    local crypt = aes:new("secret")
    local text = ngx.receive("*a")
    local encrypted = crypt:encrypt(text)
    ngx.say(#encrypted, " ", encrypted ~= text, " ",
            crypt:decrypt(encrypted) == text)
    ngx.say(crypt:decrypt(("x"):rep(17)))
}
--- request eval: "hello " x 1000
--- shutdown
--- response
6016 true true
nil
--- skip_if: main::missing()
--- no_error_log
[error]


=== random: bytes that are others each time
--- tcp_server_config
process_by_lua_block {
    local random = require "nginx.random"
    local seen = {}
    for i = 1, 100 do
        local bytes = random.bytes(16, i % 2 == 0)
        assert(#bytes == 16 and not seen[bytes])
        seen[bytes] = true
    end
    ngx.print("ok")
}
--- request
--- response chomp
ok
--- skip_if: main::missing()
--- no_error_log
[error]
