# ngx.encode_base64, ngx.decode_base64, and both in the URL-safe alphabet.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== encode_base64: with and without padding
--- tcp_server_config
process_by_lua_block {
    for _, s in ipairs({ "", "f", "fo", "foo", "foob", "\251\255" }) do
        ngx.say(ngx.encode_base64(s), " ", ngx.encode_base64(s, true), " ",
                ngx.encode_base64(s, false), " ", ngx.encode_base64(s, nil))
    end
}
--- response eval
"   
Zg== Zg Zg== Zg==
Zm8= Zm8 Zm8= Zm8=
Zm9v Zm9v Zm9v Zm9v
Zm9vYg== Zm9vYg Zm9vYg== Zm9vYg==
+/8= +/8 +/8= +/8=
"
--- no_error_log
[error]


=== encode_base64: nil is an empty string, numbers are text
--- tcp_server_config
process_by_lua_block {
    ngx.say("[", ngx.encode_base64(nil), "] ", ngx.encode_base64(12.5))
}
--- response
[] MTIuNQ==
--- no_error_log
[error]


=== encode_base64: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.encode_base64() end))
    ngx.say(err(function() ngx.encode_base64("a", true, 1) end))
    ngx.say(err(function() ngx.encode_base64({}) end))
    ngx.say(err(function() ngx.encode_base64("a", 1) end))
}
--- response
3: expecting one or two arguments
4: expecting one or two arguments
5: bad argument #1 to 'encode_base64' (string expected, got table)
6: bad argument #2 to 'encode_base64' (boolean expected, got number)
--- no_error_log
[error]


=== decode_base64: with padding and without
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.decode_base64("Zm9vYg=="), " ", ngx.decode_base64("Zm9vYg"), " ",
            ngx.decode_base64("Zm9v"), " [", ngx.decode_base64(""), "] ",
            ngx.decode_base64("+/8=") == "\251\255")
}
--- response
foob foob foo [] true
--- no_error_log
[error]


=== decode_base64: what follows the padding is not looked at
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.decode_base64("YQ==!!"), " [", ngx.decode_base64("===="), "]")
}
--- response
a []
--- no_error_log
[error]


=== decode_base64: bad input gives nil
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.decode_base64("Y"))
    show(ngx.decode_base64("YQ \n=="))
    show(ngx.decode_base64("-_8="))
    show(ngx.decode_base64("Zm9vZ"))
}
--- response
1:nil
1:nil
1:nil
1:nil
--- no_error_log
[error]


=== decode_base64: takes strings only
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.decode_base64() end))
    ngx.say(err(function() ngx.decode_base64("YQ==", 1) end))
    ngx.say(err(function() ngx.decode_base64(1234) end))
    ngx.say(err(function() ngx.decode_base64(nil) end))
    ngx.say(err(function() ngx.decode_base64({}) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: bad argument #1 to 'decode_base64' (string argument only)
6: bad argument #1 to 'decode_base64' (string argument only)
7: bad argument #1 to 'decode_base64' (string argument only)
--- no_error_log
[error]


=== encode_base64url, decode_base64url: - and _, no padding
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.encode_base64url("\251\255"), " ", ngx.encode_base64url("f"),
            " [", ngx.encode_base64url(""), ngx.encode_base64url(nil), "] ",
            ngx.encode_base64url(12.5))
    ngx.say(ngx.decode_base64url("-_8") == "\251\255", " ",
            ngx.decode_base64url("-_8=") == "\251\255", " ",
            ngx.decode_base64url("Zg"), " ", ngx.decode_base64url("+/8"), " ",
            ngx.decode_base64url("Y"))
}
--- response
-_8 Zg [] MTIuNQ
true true f nil nil
--- no_error_log
[error]


=== encode_base64url, decode_base64url: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.encode_base64url() end))
    ngx.say(err(function() ngx.encode_base64url("a", true) end))
    ngx.say(err(function() ngx.encode_base64url({}) end))
    ngx.say(err(function() ngx.decode_base64url() end))
    ngx.say(err(function() ngx.decode_base64url("a", 1) end))
    ngx.say(err(function() ngx.decode_base64url(12) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: bad argument #1 to 'encode_base64url' (string expected, got table)
6: expecting one argument
7: expecting one argument
8: bad argument #1 to 'decode_base64url' (string argument only)
--- no_error_log
[error]


=== base64: there and back, all lengths
--- tcp_server_config
process_by_lua_block {
    local all = {}
    for c = 0, 255 do all[c + 1] = string.char(c) end
    all = table.concat(all)
    for n = 0, 256 do
        local s = all:sub(1, n)
        assert(ngx.decode_base64(ngx.encode_base64(s)) == s)
        assert(ngx.decode_base64(ngx.encode_base64(s, true)) == s)
        assert(ngx.decode_base64url(ngx.encode_base64url(s)) == s)
    end
    local long = all:rep(4000)
    ngx.say(ngx.decode_base64(ngx.encode_base64(long)) == long)
}
--- response
true
--- no_error_log
[error]


=== base64: everywhere
--- tcp_config
init_by_lua_block {
    in_init = ngx.encode_base64("f") .. ngx.decode_base64("Zg==")
        .. ngx.encode_base64url("f") .. ngx.decode_base64url("Zg")
}
init_worker_by_lua_block {
    in_worker = ngx.encode_base64("f") .. ngx.decode_base64("Zg==")
        .. ngx.encode_base64url("f") .. ngx.decode_base64url("Zg")
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init, " ", in_worker)
    ngx.say(coroutine.wrap(function() return ngx.encode_base64("f") end)())
    ngx.say(pcall(ngx.encode_base64, "f"))
    ngx.say(pcall(ngx.decode_base64, {}))
    ngx.say((("f"):gsub(".", function(c) return ngx.encode_base64(c) end)))
}
--- response
Zg==fZgf Zg==fZgf
Zg==
trueZg==
falsebad argument #1 to '?' (string argument only)
Zg==
--- no_error_log
[error]
