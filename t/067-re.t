# ngx.re: match, find, gmatch, sub, gsub; lua_regex_cache_max_entries and
# lua_regex_match_limit.

use lib 't/lib';
use Test::Nginx::TCP;

# What a table of captures holds, for use in init_by_lua.
our $SHOW = <<'LUA';
init_by_lua_block {
    function show(found, err)
        if not found then
            return tostring(found) .. " " .. tostring(err)
        end
        local keys = {}
        for key in pairs(found) do
            keys[#keys + 1] = key
        end
        table.sort(keys, function(a, b)
            return (type(a) == type(b) and a < b) or type(a) < type(b)
        end)
        local out = {}
        for _, key in ipairs(keys) do
            local value = found[key]
            if type(value) == "table" then
                value = "{" .. table.concat(value, ",") .. "}"
            end
            out[#out + 1] = key .. "=" .. tostring(value)
        end
        return table.concat(out, " ")
    end
}
LUA

# Calls that Debian's http-lua, which has PCRE 8, answers as we do.
our $SAME = <<'LUA';
local function text(...)
    local out = {}
    for i = 1, 3 do
        local value = select(i, ...)
        if type(value) == "table" then
            value = show(value)
        end
        out[i] = tostring(value)
    end
    return table.concat(out, "|")
end
local subjects = {
    "", "a", "hello, 1234", "aaa", "a b  c", "x=1;y=22;z=", "a\0b\0", "ABab",
    "one\ntwo\n", "http://host:80/path", "\195\164\195\182", "0:0:1::0:0",
}
local patterns = {
    "", "a", "a*", "\\d+", "(\\w)(\\w)?", "(?<k>\\w)=(?<v>\\d+)?", "^\\w+$",
    "b|$", "[^a]", "(a)|(b)", "\\s*", ".", "(?:\\0)", "(a)(?=a)", "\\b",
    "(?<n>a)|(?<m>b)",
}
local n = 0
for _, opts in ipairs { "", "o", "jo", "i", "m", "s", "a", "x", "u", "ijo" } do
    for _, p in ipairs(patterns) do
        for _, s in ipairs(subjects) do
            local out = {text(ngx.re.match(s, p, opts))}
            -- Within a character the numbers of the errors differ, and behind an
            -- empty match PCRE 8 is there.
            if opts ~= "u" or s:byte() ~= 195 then
                out[#out + 1] = text(ngx.re.find(s, p, opts, {pos = #s}, 1))
                for found in ngx.re.gmatch(s, p, opts) do
                    out[#out + 1] = show(found)
                end
                out[#out + 1] = text(ngx.re.sub(s, p, "<$0$$${1}>", opts))
                out[#out + 1] = text(ngx.re.gsub(s, p, "[$0|$1]", opts))
                out[#out + 1] = text(ngx.re.gsub(s, p, function(m)
                    return "(" .. m[0] .. ")"
                end, opts))
            end
            n = n + 1
            ngx.say(n, " ", ngx.escape_uri(table.concat(out, "/")))
        end
    end
end
LUA

run_tests();

__DATA__

=== match: the whole match and groups
--- tcp_config eval: $main::SHOW
--- tcp_server_config
process_by_lua_block {
    ngx.say(show(ngx.re.match("hello, 1234", "[0-9]+")))
    ngx.say(show(ngx.re.match("hello, 1234", "([0-9])([0-9]+)")))
    ngx.say(show(ngx.re.match("hello", "(h)(x)?(e)(y)?")))
    ngx.say(show(ngx.re.match("hello", "z")))
    ngx.say(show(ngx.re.match(1234, 23)))
    ngx.say(show(ngx.re.match(true, "r.")))
    ngx.say(show(ngx.re.match("", "")))
    ngx.say(#ngx.re.match("a\0b", "a\0b")[0])
}
--- response
0=1234
0=1234 1=1 2=234
0=he 1=h 2=false 3=e 4=false
nil nil
0=23
0=ru
0=
3
--- no_error_log
[error]


=== match: named groups, and D for lists
--- tcp_config eval: $main::SHOW
--- tcp_server_config
process_by_lua_block {
    ngx.say(show(ngx.re.match("ab", "(?<x>a)(?<y>b)(?<z>c)?")))
    ngx.say(show(ngx.re.match("ab", "(?<x>a)(?<y>b)(?<x>c)?", "D")))
    ngx.say(show(ngx.re.match("abc", "(?<x>a)(?<y>b)(?<x>c)?", "D")))
    ngx.say(show(ngx.re.match("abcd",
        "(?<a>z)?(?<n>a)(?<m>z)?(?<n>b)(?<o>c)(?<n>d)", "D")))
    ngx.say((select(2, ngx.re.match("a", "(?<x>a)(?<x>b)"))))
}
--- response
0=ab 1=a 2=b 3=false x=a y=b z=false
0=ab 1=a 2=b 3=false x={a} y={b}
0=abc 1=a 2=b 3=c x={a,c} y={b}
0=abcd 1=false 2=a 3=false 4=b 5=c 6=d n={a,b,d} o={c}
pcre2_compile() failed: two named subpatterns have the same name (PCRE2_DUPNAMES not set) in "(?<x>a)(?<x>b)" at "b)"
--- no_error_log
[error]


=== match: options
--- tcp_config eval: $main::SHOW
--- tcp_server_config
process_by_lua_block {
    for _, case in ipairs {
        {"HELLO", "hello", ""}, {"HELLO", "hello", "i"},
        {"a\nb", "^b", ""}, {"a\nb", "^b", "m"},
        {"a\nb", "a.b", ""}, {"a\nb", "a.b", "s"},
        {"ab", "a b", ""}, {"ab", "a b # c", "x"},
        {"ab", "b", "a"}, {"ab", "a", "a"},
        {"\195\164", "^.$", ""}, {"\195\164", "^.$", "u"},
        {"\195\164", "^.$", "U"},
        {"hello", "(hell|hello)", ""}, {"hello", "(hell|hello)", "d"},
        {"a]", "[]a]+", ""}, {"a]", "[]a]", "J"},
        {"abc", "b", "jo"}, {"abc", "b", "jo"}, {"aBc", "b", "aDijJmosuUx"},
    } do
        local found = ngx.re.match(unpack(case))
        ngx.say(case[3], " ", found and #found[0])
    end
}
--- response eval
" nil\ni 5\n nil\nm 1\n nil\ns 3\n nil\nx 2\na nil\na 1\n nil\nu 2\nU 2\n"
. " 4\nd 5\n 2\nJ nil\njo 1\njo 1\naDijJmosuUx nil\n"
--- no_error_log
[error]


=== match: ctx.pos says where to begin, and where the match has ended
--- tcp_server_config
process_by_lua_block {
    local ctx = {}
    for _ = 1, 4 do
        local found = ngx.re.match("1 22 333", "\\d+", "", ctx)
        ngx.say(found and found[0], " ", ctx.pos)
    end
    for _, pos in ipairs {-1, 0, 1, 2, 3, 4, 100, "2"} do
        ctx = {pos = pos}
        local found, err = ngx.re.match("ab", "\\w?", "jo", ctx)
        ngx.say(pos, ": ", found and found[0], " ", err, " ", ctx.pos)
    end
}
--- response
1 2
22 5
333 9
nil 9
-1: a nil 2
0: a nil 2
1: a nil 2
2: b nil 3
3:  nil 3
4: nil nil 4
100: nil nil 100
2: b nil 3
--- no_error_log
[error]


=== match: fills a table that it is given
--- tcp_config eval: $main::SHOW
--- tcp_server_config
process_by_lua_block {
    local res = {[0] = 1, 2, 3, 4, kept = 5}
    local found = ngx.re.match("ab", "(?<x>a)(c)?", "", nil, res)
    ngx.say(found == res, " ", show(res))
    ngx.say((ngx.re.match("ab", "c", "", nil, res)))
}
--- response
true 0=a 1=a 2=false 3=4 kept=5 x=a
nil
--- no_error_log
[error]


=== find: from and to, of a group too
--- tcp_server_config
process_by_lua_block {
    local function say(...)
        ngx.say(table.concat({tostring((...)), tostring((select(2, ...))),
                              tostring((select(3, ...)))}, " "))
    end
    say(ngx.re.find("hello, 1234", "([0-9])([0-9]+)", "jo"))
    say(ngx.re.find("hello, 1234", "([0-9])([0-9]+)", "jo", nil, 2))
    say(ngx.re.find("hello, 1234", "([0-9])(x)?", "jo", nil, 2))
    say(ngx.re.find("hello, 1234", "([0-9])", "jo", nil, 2))
    say(ngx.re.find("hello, 1234", "([0-9])", "jo", nil, -1))
    say(ngx.re.find("hello", "x"))
    say(ngx.re.find("hello", ""))
    local ctx = {pos = 4}
    say(ngx.re.find("hello", "l", "", ctx))
    ngx.say(ctx.pos)
}
--- response
8 11 nil
9 11 nil
nil nil nil
nil nil nth out of bound
8 8 nil
nil nil nil
1 0 nil
4 4 nil
5
--- no_error_log
[error]


=== gmatch: all matches, empty ones too
--- tcp_server_config
process_by_lua_block {
    local function all(...)
        local out = {}
        for found in assert(ngx.re.gmatch(...)) do
            out[#out + 1] = found[0]
        end
        ngx.say(#out, ": ", table.concat(out, "|"))
    end
    all("hello, world", "[a-z]+", "i")
    all("hello, world", "[a-z]*", "jo")
    all("", "")
    all("", "a")
    all("\195\164\195\182", "", "u")
    all("\195\164\195\182", "")
    all("aXbX", "(?=X)")
    local again = ngx.re.gmatch("a", "a")
    again()
    ngx.say(again(), " ", again())
}
--- response
2: hello|world
5: hello|||world|
1: 
0: 
3: ||
5: ||||
2: |
nil nil
--- no_error_log
[error]


=== sub, gsub: templates
--- tcp_server_config
process_by_lua_block {
    local function say(text, n, err) ngx.say(text, " ", n, " ", err) end
    say(ngx.re.sub("hello, 1234", "([0-9])[0-9]", "[$0][$1]"))
    say(ngx.re.sub("hello, 1234", "[0-9]", "${0}00"))
    say(ngx.re.sub("hello, 1234", "[0-9]", "$$"))
    say(ngx.re.gsub("hello, world", "([a-z])[a-z]+", "[$0,$1]", "i"))
    say(ngx.re.gsub("abc", "", "-"))
    say(ngx.re.gsub("abc", "(x)?b", "<$1$7>"))
    say(ngx.re.gsub("abc", "x", "y"))
    say(ngx.re.gsub("\195\164", "", "-", "u"))
    say(ngx.re.gsub("a1b2", "\\d", 7, "jo"))
    say(ngx.re.gsub("ab", "a\\Kb", "x"))
    for _, template in ipairs {"$", "$a", "${1", "${a}"} do
        say(ngx.re.sub("a", "a", template))
    end
}
--- response eval
"hello, [12][1]34 1 nil\nhello, 100234 1 nil\nhello, \$234 1 nil
[hello,h], [world,w] 2 nil\n-a-b-c- 4 nil\na<>c 1 nil\nabc 0 nil
-\xc3\xa4- 2 nil\na7b7 2 nil\nax 1 nil\n"
. "nil nil failed to compile the replacement template\n" x 4
--- no_error_log
[error]


=== sub, gsub: functions, which may use ngx.re, wait and fail
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.re.sub("a1b2", "\\d", function(m) return m[0] + 1 end))
    ngx.say(ngx.re.gsub("a1b2", "(?<n>\\d)", function(m)
        return "<" .. m.n .. m[1] .. ">"
    end, "jo"))
    ngx.say(ngx.re.gsub("ab cd", "\\w+", function(m)
        ngx.sleep(0.001)
        return (ngx.re.gsub(m[0], "\\w", function(c)
            return c[0] .. assert(ngx.re.match("x1", "\\d"))[0]
        end))
    end))
    ngx.say(ngx.re.gsub("ab", "", function() return "$0" end))
    ngx.say(ngx.re.gsub("ab", "a", function() end))
    for _ = 1, 100 do
        assert(not pcall(ngx.re.gsub, "ab", ".", function() error("x") end))
    end
    ngx.say(pcall(ngx.re.gsub, "ab", ".", function() error("no", 0) end))
    ngx.say(ngx.re.gsub("ab", "x", function() error("never") end))
}
--- response
a2b21
a<11>b<22>2
a1b1 c1d12
$0a$0b$03
nilb1
falseno
ab0
--- no_error_log
[error]


=== errors: patterns that do not compile
--- tcp_server_config
process_by_lua_block {
    ngx.say(select(2, ngx.re.match("a", "(ab")))
    ngx.say(select(3, ngx.re.find("a", "a**b[", "jo")))
    ngx.say(select(2, ngx.re.gmatch("a", "(")))
    ngx.say(select(3, ngx.re.sub("a", "[", "b")))
    ngx.say(select(3, ngx.re.gsub("a", "[", function() end)))
    ngx.say(select(2, ngx.re.match("a", "\255", "u")):match("^.-failed: UTF"))
}
--- response
pcre2_compile() failed: missing closing parenthesis in "(ab"
pcre2_compile() failed: quantifier does not follow a repeatable item in "a**b[" at "*b["
pcre2_compile() failed: missing closing parenthesis in "("
pcre2_compile() failed: missing terminating ] for character class in "["
pcre2_compile() failed: missing terminating ] for character class in "["
pcre2_compile() failed: UTF
--- no_error_log
[error]


=== errors: arguments
--- tcp_server_config
process_by_lua_block {
    local re = ngx.re
    for _, f in ipairs {
        function() local x = re.match("a", "a", "zi") return x end,
        function() local x = re.gsub("a", "a", "b", "ij-") return x end,
        function() local x = re.match("a") return x end,
        function() local x = re.find("a", {}) return x end,
        function() local x = re.gmatch("a", nil) return x end,
        function() local x = re.match("a", "a", 1) return x end,
        function() local x = re.sub("a", "a", "b", {}) return x end,
        function() local x = re.match("a", "a", "", 1) return x end,
        function() local x = re.match("a", "a", "", {pos = {}}) return x end,
        function() local x = re.match("a", "a", "", nil, 1) return x end,
        function() local x = re.find("a", "a", "", nil, {}) return x end,
    } do
        local _, err = pcall(f)
        ngx.say((err:gsub("^.-:%d+: ", "L: ")),
            err:find("^process_by_lua") and "" or " " .. err)
    end
}
--- response
L: unknown flag "z" (flags "zi")
L: unknown flag "-" (flags "ij-")
L: bad argument #2 to 'match' (string expected, got nil)
L: bad argument #2 to 'find' (string expected, got table)
L: bad argument #2 to 'gmatch' (string expected, got nil)
L: bad argument #3 to 'match' (string expected, got number)
L: bad argument #4 to 'sub' (string expected, got table)
L: bad argument #4 to 'match' (table expected, got number)
L: bad "pos" field in argument #4 to 'match' (number expected, got table)
L: bad argument #5 to 'match' (table expected, got number)
L: bad argument #5 to 'find' (number expected, got table)
--- no_error_log
[error]


=== UTF-8: u refuses what is none, U does not match it
--- tcp_server_config
process_by_lua_block {
    ngx.say(select(2, ngx.re.match("a\255b", "b", "u")))
    ngx.say(select(2, ngx.re.match("a\255b", "b", "uj")))
    ngx.say(select(3, ngx.re.gsub("a\255b", "b", "x", "u")))
    ngx.say(ngx.re.match("a\255b", "b", "U")[0])
    ngx.say(#ngx.re.match("a\255b", "a.*", "U")[0])
    ngx.say(#ngx.re.gsub(("\255\195"):rep(100), "", "-", "Uj") > 0)
    local ctx = {pos = 2}
    ngx.say(select(2, ngx.re.match("\195\164", "", "u", ctx)))
    ngx.say(ngx.re.gsub(("\195\164"):rep(3), "\\C", "x", "u"))
}
--- response_like eval
qr{\Apcre_exec\(\) failed: -\d+\npcre_exec\(\) failed: -\d+\npcre_exec\(\) failed: -\d+
b\n1\ntrue\npcre_exec\(\) failed: -36\n(?:nilnil\S.*|x+\d)\n\z}
--- no_error_log
[alert]


=== hostile: odd positions, patterns, functions and tables
--- tcp_server_config
process_by_lua_block {
    local function show(...)
        local out = {}
        for i = 1, select("#", ...) do
            out[i] = tostring((select(i, ...)))
        end
        ngx.say(table.concat(out, " "))
    end
    for _, pos in ipairs {math.huge, -math.huge, 0 / 0, 1.5, 2 ^ 53} do
        show(ngx.re.find("ab", "b", "jo", {pos = pos}))
    end
    show(ngx.re.find("ab", "b", "jo", nil, math.huge))
    show(ngx.re.find("ab", "b", "jo", nil, 0 / 0))
    show(ngx.re.match(("a"):rep(10), "(*NO_JIT)a", "jo")[0])
    show(ngx.re.match("\255", "(*UTF).", "jo"))
    show(ngx.re.match("ab", "(?C1)a", "jo")[0])
    show(ngx.re.match("a\0b", "\\0(?<q>b)", "jo").q)
    show(#ngx.re.sub("\0\0", "\0", "$0$0"))
    show(ngx.re.match("ab", "a", ("jo"):rep(20))[0])
    show(ngx.re.gsub("aXb", ".", function() return nil end, "d"))
    show(pcall(ngx.re.gsub, "ab", ".", coroutine.wrap(function(m)
        while true do m = coroutine.yield(m[0] .. "!") end
    end)))
    show(ngx.re.match(setmetatable({}, {
        __tostring = function() return "meta" end,
    }), "m.t", "jo")[0])
    local res = setmetatable({}, {__newindex = function() error("no") end})
    show(ngx.re.match("a", "(?<n>a)", "jo", nil, res) == res, res.n)
}
--- response_like eval
qr{\Anil nil\n2 2\n2 2\n2 2\nnil nil\nnil nil nth out of bound\n2 2\na
nil pcre_exec\(\) failed: -\d+\na\nb\n3\na\nnilnilnil 3\ntrue a!b! 2\nmet\ntrue a\n\z}
--- no_error_log
[error]


=== lua_regex_match_limit: ends patterns that go back too often
--- tcp_config
lua_regex_match_limit 1000;
--- tcp_server_config
process_by_lua_block {
    local subject = ("a"):rep(100) .. "!"
    ngx.say(select(2, ngx.re.match(subject, "^(a+)+$")))
    ngx.say(select(2, ngx.re.match(subject, "^(a+)+$", "jo")))
    ngx.say(select(3, ngx.re.find(subject, "^(a+)+$")))
    ngx.say(select(3, ngx.re.gsub(subject, "^(a+)+$", "")))
    local next_match = ngx.re.gmatch(subject, "^(a+)+$")
    ngx.say(select(2, next_match()))
    ngx.say(next_match())
    ngx.say(ngx.re.match(subject, "^a+!$")[0] == subject)
}
--- response
pcre_exec() failed: -47
pcre_exec() failed: -47
pcre_exec() failed: -47
pcre_exec() failed: -47
pcre_exec() failed: -47
nil
true
--- no_error_log
[error]


=== lua_regex_match_limit: PCRE2's own without it
--- tcp_server_config
process_by_lua_block {
    local subject = ("a"):rep(100) .. "!"
    ngx.say(select(2, ngx.re.match(subject, "^(a+)+$")))
}
--- response
pcre_exec() failed: -47
--- no_error_log
[error]


=== hostile: large subjects, many groups, deep recursion
--- tcp_server_config
process_by_lua_block {
    local large = ("ab"):rep(500000)
    -- more than the JIT's stack holds
    local found = assert(ngx.re.match(large:sub(1, 200000),
        "^(?:(a)|(b))*$", "jo"))
    ngx.say(found and #found[0])
    found = ngx.re.match(large, "(?:.)*", "d")
    ngx.say(#found[0], " ", #found)
    ngx.say(#(ngx.re.gsub(large, "a", "")))
    local groups = ("(a)?"):rep(5000)
    found = assert(ngx.re.match("aa", groups, "jo"))
    ngx.say(#found, " ", found[2], " ", found[3], " ", found[5000])
    local text = ("("):rep(100000)
    ngx.say(select(2, ngx.re.match("a", text)):sub(1, 22))
    local ok, err = ngx.re.match(("("):rep(50000), "^(\\((?1)?x?)*$")
    ngx.say(type(ok), " ", type(err))
}
--- response_like eval
qr{\A200000\n1000000 0\n500000\n5000 a false false\npcre2_compile\(\) failed
(?:table nil|nil (?:nil|string))\n\z}
--- no_error_log
[alert]


=== lua_regex_cache_max_entries: one warning, and patterns are compiled again
--- skip_mode: hup: each worker warns once
--- tcp_config
lua_regex_cache_max_entries 2;
--- tcp_server_config
process_by_lua_block {
    for i = 1, 100 do
        assert(ngx.re.match("a" .. i, "a" .. i, "jo")[0] == "a" .. i)
        assert(not ngx.re.match("a", "b" .. i, "o"))
    end
    ngx.say("ok")
}
--- response
ok
--- grep_error_log
~ lua exceeding regex cache max entries \(\d+\)
--- grep_error_log_out eval
["lua exceeding regex cache max entries (2)\n", ""]
--- no_error_log
[error]


=== lua_regex_cache_max_entries: 0 keeps none
--- tcp_config
lua_regex_cache_max_entries 0;
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.re.gsub("a1", "\\d", "x", "o"))
}
--- response
ax1
--- no_error_log
[error]


=== gmatch, gsub: a hundred patterns at once
--- tcp_server_config
process_by_lua_block {
    local iterators = {}
    for i = 1, 100 do
        iterators[i] = ngx.re.gmatch("a" .. i .. "a" .. i, "a" .. i)
    end
    local n = 0
    for _ = 1, 3 do
        for i = 1, 100 do
            local found = iterators[i]()
            n = n + (found and #found[0] - #tostring(i) or 0)
        end
    end
    ngx.say(n)
}
--- response
200
--- no_error_log
[error]


=== init_by_lua: patterns may be compiled there; finalizers use ngx.re, too
--- tcp_config
init_by_lua_block { first = ngx.re.match("a1", "\\d", "jo")[0] }
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i = 1, 2000 do
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = function()
            n = n + #ngx.re.match("xyz" .. i, "(?<a>x)(y)(z)", "jo")
        end
        proxy = nil
        local found = ngx.re.match("k" .. i .. "=v" .. i, "(?<k>k\\d+)=(\\w+)")
        assert(found[0] == "k" .. i .. "=v" .. i and found.k == "k" .. i
               and found[2] == "v" .. i)
    end
    collectgarbage()
    ngx.say(first, " ", n > 0)
}
--- response
1 true
--- no_error_log
[error]


=== lua_regex_cache_max_entries: twice
--- tcp_config
lua_regex_cache_max_entries 1;
lua_regex_cache_max_entries 2;
--- conf_error
"lua_regex_cache_max_entries" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_regex_cache_max_entries: no number
--- tcp_config
lua_regex_cache_max_entries x;
--- conf_error
"lua_regex_cache_max_entries" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_regex_cache_max_entries: negative
--- tcp_config
lua_regex_cache_max_entries -1;
--- conf_error
"lua_regex_cache_max_entries" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_regex_cache_max_entries: not in a server
--- tcp_server_config
lua_regex_cache_max_entries 1;
process_by_lua_block { }
--- conf_error
"lua_regex_cache_max_entries" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_regex_match_limit: twice
--- tcp_config
lua_regex_match_limit 1;
lua_regex_match_limit 2;
--- conf_error
"lua_regex_match_limit" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_regex_match_limit: no number
--- tcp_config
lua_regex_match_limit x;
--- conf_error
"lua_regex_match_limit" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_regex_match_limit: negative
--- tcp_config
lua_regex_match_limit -1;
--- conf_error
"lua_regex_match_limit" directive invalid number in $TEST_DIR/conf/nginx.conf:


=== lua_regex_match_limit: not in a server
--- tcp_server_config
lua_regex_match_limit 1;
process_by_lua_block { }
--- conf_error
"lua_regex_match_limit" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== memory: patterns that are used once, iterators that are left
--- skip_mode: valgrind: it has its own allocator
--- tcp_config
lua_regex_cache_max_entries 10;
--- tcp_server_config
process_by_lua_block {
    local function rss()
        collectgarbage()
        local file = assert(io.open("/proc/self/statm"))
        local pages = file:read("*l"):match("^%d+ (%d+)")
        file:close()
        return pages * 4
    end
    local function use(first, last)
        for i = first, last do
            local options = i % 2 == 0 and "jo" or ""
            local text = "x" .. i .. "y"
            assert(ngx.re.gmatch(text, "(x" .. i .. ")", options))()
            assert(ngx.re.match(text, "(?<n>" .. i .. ")", "u").n)
            assert(not pcall(ngx.re.gsub, text, i, function() error("x") end))
            assert(ngx.re.match(text, "(", options) == nil)
        end
    end
    -- Collects often: what Lua's heap has grown to stays with the process.
    local before
    for i = 0, 59 do
        use(i * 1000 + 1, i * 1000 + 1000)
        local now = rss()
        before = i < 20 and now or before
    end
    local grown = rss() - before
    ngx.say(grown < 8192 and "ok" or grown)
}
--- response
ok
--- no_error_log
[error]


=== the same as Debian's http-lua, which has PCRE 8
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config eval
"load_module \$TEST_MODULES_DIR/ndk_http_module.so;
load_module \$TEST_MODULES_DIR/ngx_http_lua_module.so;
load_module \$TEST_MODULE;
events {}
http {
    access_log off;
    $main::SHOW
    server {
        listen 127.0.0.1:\$TEST_PORT2;
        location / { content_by_lua_block { $main::SAME } }
    }
}
tcp {
    $main::SHOW
    server {
        listen 127.0.0.1:\$TEST_PORT;
        process_by_lua_block {
            local theirs = {}
            do
                local s = ngx.socket.tcp()
                -- Under valgrind on a busy machine it takes a minute.
                s:settimeout(300000)
                assert(s:connect('127.0.0.1', \$TEST_PORT2))
                assert(s:send('GET / HTTP/1.0\\r\\n\\r\\n'))
                local all = assert(s:receive('*a'))
                for n, line in all:gmatch('(%d+) ([^\\n]*)\\n') do
                    theirs[tonumber(n)] = line
                end
            end
            local calls, different = 0, 0
            local say = ngx.say
            local function compare(n, _, line)
                calls = calls + 1
                if theirs[n] ~= line then
                    different = different + 1
                    say(n, ': ', theirs[n], ' <> ', line)
                end
            end
            local run = function()
                $main::SAME
            end
            local ngx_here = setmetatable({say = compare}, {__index = ngx})
            setfenv(run, setmetatable({ngx = ngx_here}, {__index = _G}))
            run()
            say(calls, ' ', different)
        }
    }
}
"
--- response
1920 0
--- no_error_log
[error]
