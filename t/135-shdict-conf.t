# lua_shared_dict: what it takes, and what becomes of the contents when the
# configuration is loaded again; dictionaries in every phase.

use lib 't/lib';
use Test::Nginx::TCP;

our $PATH = 'lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";';

run_tests();

__DATA__

=== lua_shared_dict: sizes
--- tcp_config
lua_shared_dict dogs 100k;
lua_shared_dict cats 1m;
lua_shared_dict birds 2M;
lua_shared_dict fish 65536;
lua_shared_dict "name with spaces, {}" 64k;
--- tcp_server_config
process_by_lua_block {
    for _, name in ipairs{ "dogs", "cats", "birds", "fish", "name with spaces, {}" } do
        local dict = ngx.shared[name]
        ngx.say(dict:capacity(), " ", dict:set("k", 1), " ", dict:get("k"))
    end
}
--- response
102400 true 1
1048576 true 1
2097152 true 1
65536 true 1
65536 true 1
--- no_error_log
[error]


=== lua_shared_dict: an empty name
--- tcp_config
lua_shared_dict "" 1m;
--- conf_error
invalid lua shared dict name "" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size below 8k
--- tcp_config
lua_shared_dict dogs 4k;
--- conf_error
invalid lua shared dict size "4k" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size of 8191
--- tcp_config
lua_shared_dict dogs 8191;
--- conf_error
invalid lua shared dict size "8191" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size of nothing
--- tcp_config
lua_shared_dict dogs 0;
--- conf_error
invalid lua shared dict size "0" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size that is no number
--- tcp_config
lua_shared_dict dogs x;
--- conf_error
invalid lua shared dict size "x" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a negative size
--- tcp_config
lua_shared_dict dogs -1m;
--- conf_error
invalid lua shared dict size "-1m" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size beyond all numbers
--- tcp_config
lua_shared_dict dogs 99999999999999999999m;
--- conf_error
invalid lua shared dict size "99999999999999999999m" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a size that no machine has
--- tcp_config
lua_shared_dict dogs 8000000000000m;
--- tcp_server_config
process_by_lua ' ';
--- conf_error
~ mmap\(.*\) failed|shared memory|invalid lua shared dict size


=== lua_shared_dict: without a size
--- tcp_config
lua_shared_dict dogs;
--- conf_error
invalid number of arguments in "lua_shared_dict" directive in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: with something after the size
--- tcp_config
lua_shared_dict dogs 1m 2m;
--- conf_error
invalid number of arguments in "lua_shared_dict" directive in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: the same name twice
--- tcp_config
lua_shared_dict dogs 1m;
lua_shared_dict dogs 1m;
--- conf_error
lua_shared_dict "dogs" is already defined as "dogs" in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: the same name twice, with other sizes
--- tcp_config
lua_shared_dict dogs 1m;
lua_shared_dict dogs 2m;
--- conf_error
~ lua_shared_dict "dogs" is already defined as "dogs"|the size \d+ of shared memory zone "dogs" conflicts


=== lua_shared_dict: not in a server
--- tcp_server_config
lua_shared_dict dogs 1m;
process_by_lua ' ';
--- conf_error
"lua_shared_dict" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: not outside of tcp
--- http_config
lua_shared_dict dogs 1m;
--- conf_error
"lua_shared_dict" directive is not allowed here in $TEST_DIR/conf/nginx.conf:


=== lua_shared_dict: a name that another module's zone has
--- http_config
http {
    limit_req_zone $binary_remote_addr zone=dogs:1m rate=1r/s;
}
--- tcp_config
lua_shared_dict dogs 1m;
--- conf_error
~ the shared memory zone "dogs" is already declared for a different use|is already bound to


=== lua_shared_dict: 8k starts, and says what it has become
--- tcp_config
lua_shared_dict dogs 8k;
--- tcp_server_config
process_by_lua_block {
    local dogs = ngx.shared.dogs
    dogs:flush_all()
    dogs:flush_expired()
    ngx.say(dogs:capacity() >= 8192, " ", dogs:free_space() > 8192)
    ngx.say(dogs:set("Tom", "Bernese"), " ", dogs:get("Tom"))
    ngx.say(dogs:rpush("list", 1), " ", dogs:llen("list"), " ", dogs:lpop("list"))
    for i = 1, 1000 do
        if not dogs:set("key" .. i, i) then ngx.say("not set: ", i) end
    end
    ngx.say(dogs:get("key1000"))
}
--- response
true true
true Bernese
1 1 1
1000
--- start_log
~ \[notice\] .*dogs
--- no_error_log
[error]


=== lua_shared_dict: sizes that no page divides
--- tcp_config
lua_shared_dict a 8192;
lua_shared_dict b 8193;
lua_shared_dict c 12287;
lua_shared_dict d 12288;
lua_shared_dict e 16385;
lua_shared_dict f 33333;
lua_shared_dict g 65535;
--- tcp_server_config
process_by_lua_block {
    for _, name in ipairs{ "a", "b", "c", "d", "e", "f", "g" } do
        local dict = ngx.shared[name]
        local free = dict:free_space()
        local text = ("t"):rep(100)
        for i = 1, 2000 do
            if not dict:set("key" .. i % 700, text) then
                ngx.say(name, ": not set: ", i)
                break
            end
        end
        ngx.say(name, " ", dict:get("key" .. 2000 % 700) == text, " ",
                free < dict:capacity(), " ", dict:free_space() <= free)
        dict:flush_all()
        dict:flush_expired()
        if dict:free_space() ~= free then ngx.say(name, ": not all free") end
    end
}
--- response
a true true true
b true true true
c true true true
d true true true
e true true true
f true true true
g true true true
--- no_error_log
[error]


=== lua_shared_dict: many of them
--- tcp_config eval
CORE::join "", map { "lua_shared_dict dict$_ 64k;\n" } 1 .. 100
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for name, dict in pairs(ngx.shared) do
        n = n + 1
        dict:set("name", name)
    end
    local wrong = 0
    for i = 1, 100 do
        if ngx.shared["dict" .. i]:get("name") ~= "dict" .. i then
            wrong = wrong + 1
        end
    end
    ngx.say(n, " ", wrong)
}
--- response
100 0
--- no_error_log
[error]


=== lua_shared_dict: after the servers that use it
--- config
load_module $TEST_MODULE;
events { }
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block { ngx.say(ngx.shared.dogs:incr("n", 1, 0)) }
    }
    init_by_lua_block { ngx.shared.dogs:set("n", 10) }
    lua_shared_dict dogs 64k;
}
--- no_reload: each start sets it
--- response eval
["11nilfalse\n", "12nilfalse\n"]
--- no_error_log
[error]


=== in init_by_lua and in every later phase
--- tcp_config
lua_shared_dict dogs 64k;
init_by_lua_block {
    local dogs = ngx.shared.dogs
    dogs:set("init", ngx.get_phase() .. " " .. tostring(dogs:get("none")))
    dogs:delete("worker")
    dogs:delete("timer")
}
init_worker_by_lua_block {
    local dogs = ngx.shared.dogs
    dogs:set("worker", ngx.get_phase() .. " after " .. dogs:get("init"))
    ngx.timer.at(0, function(premature)
        dogs:add("timer", ngx.get_phase() .. " after " .. dogs:get("worker"))
    end)
}
exit_worker_by_lua_block {
    local dogs = ngx.shared.dogs
    ngx.log(ngx.WARN, "in ", ngx.get_phase(), ": ", dogs:get("process"))
}
--- tcp_server_config
process_by_lua_block {
    local dogs = ngx.shared.dogs
    for _ = 1, 500 do
        if dogs:get("timer") then break end
        ngx.sleep(0.01)
    end
    dogs:set("process", "from process")
    ngx.say(dogs:get("timer"))
}
--- response
timer after init_worker after init nil
--- stop_log
in exit_worker: from process
--- no_error_log
[error]


=== in coroutines, threads, timers and finalizers
--- tcp_config
lua_shared_dict dogs 64k;
--- tcp_server_config
process_by_lua_block {
    local dogs = ngx.shared.dogs
    dogs:set("n", 0)
    local function count() return dogs:incr("n", 1) end
    count()
    coroutine.wrap(function()
        count()
        coroutine.yield()
        count()
    end)()
    ngx.thread.wait(ngx.thread.spawn(count))
    local sem = require "ngx.semaphore".new()
    ngx.timer.at(0, function()
        count()
        sem:post()
    end)
    sem:wait(10)
    pcall(count)
    string.gsub("abc", "%a", count)
    table.sort({ 1, 2 }, function(a, b) count() return a < b end)
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = count
    getmetatable(proxy).__index = count
    count(proxy.x)
    proxy = nil
    collectgarbage()
    collectgarbage()
    ngx.say(dogs:get("n") >= 11)
}
--- response
true
--- no_error_log
[error]


=== reload: contents stay where name and size stay
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- request_parts
send "dogs:flush_all()\ndogs:set('string', 'text', 0, 7)\ndogs:set('number', 0.5, 1000)\n"
expect "\ntrue nil false\ntrue nil false\n"
send "dogs:rpush('list', 'a')\ndogs:rpush('list', 2)\ndogs:set('short', 1, 0.001)\n"
expect "1\n2\ntrue nil false\n"
half_close
expect_eof
reload
A: send "dogs:get('string')\ndogs:get('number')\ndogs:ttl('number') > 800\n"
A: expect "text 7\n0.5\ntrue\n"
A: send "dogs:llen('list')\ndogs:lpop('list')\ndogs:rpop('list')\ndogs:get('short')\n"
A: expect "2\na\n2\nnil\n"
A: send "dogs:set('string', 'new')\n"
A: expect "true nil false\n"
A: half_close
A: expect_eof
reload
B: send "dogs:get('string')\n#dogs:get_keys()\n"
B: expect "new\n2\n"
B: half_close
B: expect_eof
--- no_error_log
[error]


=== reload: old and new workers share the contents
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- request_parts
Old: send "dogs:set('k', 'old')\n"
Old: expect "true nil false\n"
reload
New: send "dogs:get('k')\ndogs:set('k', 'new')\n"
New: expect "old\ntrue nil false\n"
Old: send "dogs:get('k')\ndogs:set('n', 1)\n"
Old: expect "new\ntrue nil false\n"
New: send "dogs:incr('n', 1)\n"
New: expect "2\n"
Old: send "dogs:incr('n', 1)\n"
Old: expect "3\n"
Old: half_close
Old: expect_eof
New: send "dogs:get('n')\n"
New: expect "3\n"
New: half_close
New: expect_eof
wait_workers
--- no_error_log
[error]


=== reload: with another size it begins anew, and the other one stays
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\nlua_shared_dict cats 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- repeat: 1
--- no_reload: its configuration changes
--- request_parts
send "dogs:set('k', 'dog')\ncats:set('k', 'cat')\ndogs:capacity()\n"
expect "true nil false\ntrue nil false\n307200\n"
edit_file conf/nginx.conf "dogs 300k" => "dogs 400k"
reload
A: send "dogs:get('k')\ncats:get('k')\ndogs:capacity()\n"
A: expect "nil\ncat\n409600\n"
A: send "dogs:set('k', 'new dog')\n"
A: expect "true nil false\n"
# The old worker has the old dictionary.
send "dogs:get('k')\ncats:get('k')\ncats:set('k', 'old cat')\n"
expect "dog\ncat\ntrue nil false\n"
A: send "cats:get('k')\ndogs:get('k')\n"
A: expect "old cat\nnew dog\n"
half_close
expect_eof
A: half_close
A: expect_eof
--- no_error_log
[error]


=== reload: one goes, another comes
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- repeat: 1
--- no_reload: its configuration changes
--- request_parts
send "dogs:set('k', 'dog')\ncats\n"
expect "true nil false\nnil\n"
edit_file conf/nginx.conf "dogs 300k" => "cats 300k"
reload
A: send "dogs\ncats:get('k')\ncats:set('k', 'cat')\n"
A: expect "nil\nnil\ntrue nil false\n"
send "dogs:get('k')\n"
expect "dog\n"
half_close
expect_eof
A: half_close
A: expect_eof
edit_file conf/nginx.conf "cats 300k" => "dogs 300k"
reload
wait_workers
B: send "dogs:get('k')\ncats\n"
B: expect "nil\nnil\n"
B: half_close
B: expect_eof
--- no_error_log
[error]


=== reload: a configuration that is refused leaves the contents alone
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- repeat: 1
--- no_reload: its configuration gets broken
--- request_parts
send "dogs:set('k', 'dog')\n"
expect "true nil false\n"
edit_file conf/nginx.conf "dogs 300k" => "dogs 1k"
signal HUP
wait_log "invalid lua shared dict size"
send "dogs:get('k')\n"
expect "dog\n"
edit_file conf/nginx.conf "dogs 1k" => "dogs 300k"
reload
A: send "dogs:get('k')\n"
A: expect "dog\n"
half_close
expect_eof
A: half_close
A: expect_eof
--- error_log
~ \[emerg\] .*invalid lua shared dict size "1k"


=== reload: a refusal by the script of init_by_lua, which has changed something
--- tcp_config eval
$main::PATH . <<'END'
lua_shared_dict dogs 300k;
init_by_lua_file init.lua;
END
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- user_files
>>> init.lua
ngx.shared.dogs:incr("loads", 1, 0)
--- repeat: 1
--- no_reload: its script gets broken
--- request_parts
send "dogs:get('loads')\n"
expect_like /[1-9]\n/
write_file init.lua "ngx.shared.dogs:set('loads', 'seen') error('refused')"
signal HUP
wait_log "refused"
send "dogs:set('k', 1)\ndogs:get('k')\n"
expect "true nil false\n1\n"
half_close
expect_eof
--- error_log
refused


=== reload: twenty times, contents and free space the same each time
--- tcp_config eval
$main::PATH . <<'END'
lua_shared_dict dogs 300k;
init_by_lua_block { ngx.shared.dogs:set("loaded", "at load") }
END
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- repeat: 1
--- timeout: 20
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 20;
[
    ['S:', send => "dogs:flush_all()\ndogs:flush_expired()\ndogs:set('n', 0)\n"
                 . "dogs:set('loaded', 'at load')\ndogs:set('free', '')\n"],
    ['S:', expect_like => qr/\n\d+\n(?:true nil false\n){3}/],
    ['S:', 'close'],
    (map { (
        ['reload'],
        ["C$_:", send => "dogs:incr('n', 1)\ndogs:get('loaded')\n"
                       . "dogs:lpush('list', $_)\ndogs:rpop('list')\n"
                       . "dogs:get('free') == '' and dogs:set('free', dogs:free_space())"
                       . " or dogs:get('free') - dogs:free_space() < 200\n"],
        ["C$_:", expect_like => qr/$_\nat load\n1\n$_\ntrue.*\n/],
        ["C$_:", 'half_close'], ["C$_:", 'expect_eof'],
    ) } 1 .. $n),
]
--- no_error_log
[error]


=== several workers see the same
--- workers: 4
--- tcp_config eval
$main::PATH . "\nlua_shared_dict dogs 300k;\n"
--- tcp_server_config
process_by_lua_block { require "dict".serve() }
--- request_parts eval
[
    ['S:', send => "dogs:flush_all()\n"], ['S:', expect => "\n"],
    (map { ["C$_:", send => "dogs:set('k$_', $_)\n"] } 1 .. 20),
    (map { ["C$_:", expect => "true nil false\n"] } 1 .. 20),
    (map { ["C$_:", send => "dogs:get('k" . (21 - $_) . "')\n#dogs:get_keys()\n"] } 1 .. 20),
    (map { ["C$_:", expect => (21 - $_) . "\n20\n"] } 1 .. 20),
    (map { (["C$_:", 'half_close'], ["C$_:", 'expect_eof']) } 1 .. 20),
    ['S:', 'close'],
]
--- no_error_log
[error]


=== no master: a dictionary as ever
--- master_process: off
--- tcp_config
lua_shared_dict dogs 64k;
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.shared.dogs:incr("n", 1, 0))
}
--- response eval
["1nilfalse\n", "2nilfalse\n"]
--- no_error_log
[error]


=== beside http-lua: each module has its own dictionaries
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- main_config
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
--- http_config
http {
    access_log off;
    lua_shared_dict birds 300k;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block {
                ngx.shared.birds:set("k", "http")
                ngx.say(tostring(ngx.shared.dogs), " ", ngx.shared.birds:get("k"))
            }
        }
    }
}
--- tcp_config
lua_shared_dict dogs 300k;
--- tcp_server_config
process_by_lua_block {
    ngx.shared.dogs:set("k", "tcp")
    ngx.say(tostring(ngx.shared.birds), " ", ngx.shared.dogs:get("k"))
}
--- request_parts
H: connect $TEST_PORT2
H: send "GET / HTTP/1.0\r\n\r\n"
H: expect_like /\r\n\r\nnil http\n/
H: expect_eof
A: expect "nil tcp\n"
A: expect_eof
--- no_error_log
[error]
