# ngx.escape_uri, ngx.unescape_uri, ngx.quote_sql_str.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== escape_uri: letters, digits and - . _ ~ ! ' ( ) * stay
--- tcp_server_config
process_by_lua_block {
    local all = {}
    for c = 0, 255 do
        if ngx.escape_uri(string.char(c)) == string.char(c) then
            all[#all + 1] = string.char(c)
        end
    end
    ngx.say(table.concat(all))
}
--- response
!'()*-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~
--- no_error_log
[error]


=== escape_uri: other bytes become %XX in upper case
--- tcp_server_config
process_by_lua_block {
    for c = 0, 255 do
        local s = ngx.escape_uri(string.char(c))
        assert(#s == 1 or s == ("%%%02X"):format(c))
    end
    ngx.say(ngx.escape_uri("a b\0\255/\"&"))
}
--- response
a%20b%00%FF%2F%22%26
--- no_error_log
[error]


=== escape_uri: the bytes that the original left as they were
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.escape_uri("$,@`|")) }
--- response
%24%2C%40%60%7C
--- no_error_log
[error]


=== escape_uri: types 0 to 6
--- tcp_server_config
process_by_lua_block {
    for n = 0, 6 do
        ngx.say(n, " ", ngx.escape_uri("a b#%?&+\"'/\255", n))
    end
}
--- response eval
"0 a%20b%23%25%3F&+\"'/%FF
1 a%20b%23%25%3F&%2B\"'/%FF
2 a%20b%23%25%3F%26%2B%22'%2F%FF
3 a%20b%23%25?&+%22%27/%FF
4 a%20b#%25?&+%22%27/%FF
5 a%20b#%25?&+\"'/\xff
6 a%20b#%25?&+\"'/\xff
"
--- no_error_log
[error]


=== escape_uri: nil is an empty string, numbers are text, nil as type is 2
--- tcp_server_config
process_by_lua_block {
    ngx.say("[", ngx.escape_uri(nil), ngx.escape_uri(1.5),
            ngx.escape_uri("", 2), ngx.escape_uri(" ", nil),
            ngx.escape_uri(" ", "0"), "]")
}
--- response
[1.5%20%20]
--- no_error_log
[error]


=== escape_uri: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.escape_uri() end))
    ngx.say(err(function() ngx.escape_uri("a", 1, 2) end))
    ngx.say(err(function() ngx.escape_uri({}) end))
    ngx.say(err(function() ngx.escape_uri(true) end))
    ngx.say(err(function() ngx.escape_uri("a", "x") end))
    ngx.say(err(function() ngx.escape_uri("a", 7) end))
    ngx.say(err(function() ngx.escape_uri("a", -1) end))
}
--- response
3: expecting one or two arguments
4: expecting one or two arguments
5: bad argument #1 to 'escape_uri' (string expected, got table)
6: bad argument #1 to 'escape_uri' (string expected, got boolean)
7: bad argument #2 to 'escape_uri' (number expected, got string)
8: bad argument #2 to 'escape_uri' ("type" 7 out of range)
9: bad argument #2 to 'escape_uri' ("type" -1 out of range)
--- no_error_log
[error]


=== unescape_uri: %XX and + are decoded, the rest stays
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.unescape_uri("a%20b+c%2fd%2Fe"))
    ngx.say(ngx.unescape_uri("%"), ngx.unescape_uri("%4"),
            ngx.unescape_uri("%zz"), ngx.unescape_uri("100%%41"))
    ngx.say(#ngx.unescape_uri("%00%ff"), ngx.unescape_uri(""),
            ngx.unescape_uri(nil), ngx.unescape_uri(42))
}
--- response
a b c/d/e
%%4%zz100%A
242
--- no_error_log
[error]


=== unescape_uri undoes escape_uri
--- tcp_server_config
process_by_lua_block {
    local all = {}
    for c = 0, 255 do all[c + 1] = string.char(c) end
    all = table.concat(all)
    ngx.say(ngx.unescape_uri(ngx.escape_uri(all)) == all)
}
--- response
true
--- no_error_log
[error]


=== unescape_uri: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.unescape_uri() end))
    ngx.say(err(function() ngx.unescape_uri("a", 1) end))
    ngx.say(err(function() ngx.unescape_uri({}) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: bad argument #1 to 'unescape_uri' (string expected, got table)
--- no_error_log
[error]


=== quote_sql_str: quotes, backslashes and control characters
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.quote_sql_str("it's \"a\\b\""))
    ngx.say(ngx.quote_sql_str("\0\b\t\n\r\26"))
    ngx.say(ngx.quote_sql_str(""), ngx.quote_sql_str(1.5),
            ngx.quote_sql_str("%_;--"))
}
--- response
'it\'s \"a\\b\"'
'\0\b\t\n\r\Z'
'''1.5''%_;--'
--- no_error_log
[error]


=== quote_sql_str: other bytes stay
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for c = 0, 255 do
        local s = string.char(c)
        if ngx.quote_sql_str(s) == "'" .. s .. "'" then n = n + 1 end
    end
    ngx.say(n)
}
--- response
247
--- no_error_log
[error]


=== quote_sql_str: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.quote_sql_str() end))
    ngx.say(err(function() ngx.quote_sql_str("a", "b") end))
    ngx.say(err(function() ngx.quote_sql_str(nil) end))
    ngx.say(err(function() ngx.quote_sql_str({}) end))
    ngx.say(err(function() ngx.quote_sql_str(ngx.null) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: bad argument #1 to 'quote_sql_str' (string expected, got nil)
6: bad argument #1 to 'quote_sql_str' (string expected, got table)
7: bad argument #1 to 'quote_sql_str' (string expected, got userdata)
--- no_error_log
[error]


=== escape_uri, unescape_uri, quote_sql_str: everywhere
--- tcp_config
init_by_lua_block {
    in_init = ngx.escape_uri(" ") .. ngx.unescape_uri("+")
        .. ngx.quote_sql_str("x")
}
init_worker_by_lua_block {
    in_worker = ngx.escape_uri(" ") .. ngx.unescape_uri("+")
        .. ngx.quote_sql_str("x")
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init, "|", in_worker)
    ngx.say(coroutine.wrap(function() return ngx.escape_uri("/") end)())
    ngx.say(pcall(ngx.escape_uri, "/"))
    ngx.say(pcall(ngx.escape_uri, {}))
    ngx.say((("a b"):gsub(" ", ngx.escape_uri)))
}
--- response
%20 'x'|%20 'x'
%2F
true%2F
falsebad argument #1 to '?' (string expected, got table)
a%20b
--- no_error_log
[error]


=== escape_uri: megabytes
--- tcp_server_config
process_by_lua_block {
    local s = ngx.escape_uri((" "):rep(1000000))
    ngx.say(#s, " ", s == ("%20"):rep(1000000), " ",
            #ngx.unescape_uri(s))
}
--- response
3000000 true 1000000
--- no_error_log
[error]
