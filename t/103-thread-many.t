# Very many threads: 30,000 in one connection, deep nesting, and thousands of
# connections whose threads end in all ways and leave nothing behind.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== 30,000 alive at once, each is woken and waited for
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require("ngx.semaphore").new()
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            assert(sem:wait(1000))
            return i
        end)
    end
    ngx.say(sem:count())
    sem:post(n)
    local sum = 0
    for i = 1, n do
        local ok, value = ngx.thread.wait(threads[i])
        assert(ok and value == i)
        sum = sum + value
    end
    ngx.say(sum == n * (n + 1) / 2, " ", sem:count())
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "-$n\ntrue 0\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 asleep at once
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local threads, awake = {}, 0
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            ngx.sleep(0.5 + (i * 31 % 97) / 1000)
            awake = awake + 1
        end)
    end
    for i = n, 1, -1 do assert(ngx.thread.wait(threads[i])) end
    ngx.say(awake)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "$n\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 asleep at once, and the client gets its answers
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    for i = 1, n do ngx.thread.spawn(ngx.sleep, 1000) end
    ngx.say("ready")
    while true do
        local line = ngx.receive("*l")
        if line == "quit" then ngx.exit() end
        ngx.thread.wait(ngx.thread.spawn(ngx.say, line))
    end
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[
    [send => "$n\n"], [expect => "ready\n"],
    (map { ([send => "$_\n"], [expect => "$_\n"]) } 1 .. 20),
    [send => "quit\n"], ['expect_eof'],
]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 that yield, 10 times each, all in turn
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local round = {}
    local function run()
        for i = 1, 10 do
            round[i] = (round[i] or 0) + 1
            -- Nobody is two rounds ahead.
            assert(i < 3 or round[i - 2] == n)
            coroutine.yield()
        end
    end
    local threads = {}
    for i = 1, n do threads[i] = ngx.thread.spawn(run) end
    for i = 1, n do assert(ngx.thread.wait(threads[i])) end
    ngx.say(round[1], " ", round[10])
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 30_000;
[[send => "$n\n"], [expect => "$n $n\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 one after the other
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sum = 0
    for i = 1, n do
        local t = ngx.thread.spawn(function(value)
            if i % 2 == 0 then coroutine.yield() end
            return value
        end, i)
        local ok, value = ngx.thread.wait(t)
        sum = sum + value
    end
    ngx.say(sum == n * (n + 1) / 2)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "true\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 one after the other, beside 30,000 that are alive
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local threads = {}
    for i = 1, n do threads[i] = ngx.thread.spawn(ngx.sleep, 1000) end
    for i = 1, n do
        ngx.thread.wait(ngx.thread.spawn(function()
            if i % 2 == 0 then coroutine.yield() end
        end))
    end
    for i = 1, n do assert(ngx.thread.kill(threads[i])) end
    ngx.say("done")
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "done\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 zombies, each still has its result
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function() return i, {} end)
    end
    collectgarbage()
    for i = n, 1, -7 do
        local ok, value, t = ngx.thread.wait(threads[i])
        assert(value == i and type(t) == "table")
    end
    ngx.say("done")
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "done\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 die of an error
--- tcp_server_config
error_log off.log crit;
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            if i % 2 == 0 then coroutine.yield() end
            error(i, 0)
        end)
    end
    local sum = 0
    for i = 1, n do
        local ok, err = ngx.thread.wait(threads[i])
        if not ok then sum = sum + err end
    end
    ngx.say(sum == n * (n + 1) / 2)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 30_000;
[[send => "$n\n"], [expect => "true\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== 30,000 in user coroutines
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require("ngx.semaphore").new()
    local threads = {}
    for i = 1, n do
        threads[i] = ngx.thread.spawn(function()
            return coroutine.wrap(function()
                assert(sem:wait(1000))
                return i
            end)()
        end)
    end
    sem:post(n)
    local sum = 0
    for i = 1, n do sum = sum + select(2, ngx.thread.wait(threads[i])) end
    ngx.say(sum == n * (n + 1) / 2, " ", sem:count())
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 300 : 30_000;
[[send => "$n\n"], [expect => "true 0\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== one waits for thousands, again and again
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local live = {}
    for i = 1, n do live[i] = ngx.thread.spawn(ngx.sleep, 1000) end
    for i = 1, 100 do
        live[n + 1] = ngx.thread.spawn(function()
            coroutine.yield()
            return i
        end)
        local ok, value = ngx.thread.wait(unpack(live))
        assert(ok and value == i)
    end
    ngx.say("done")
    ngx.exit()
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 3_000;
[[send => "$n\n"], [expect => "done\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== deep: 200 user coroutines around each wait of a thread
--- tcp_server_config
process_by_lua_block {
    local sem = require("ngx.semaphore").new()
    local ch = ngx.channel.new(1)
    local function nest(n, f, ...)
        if n == 0 then return f(...) end
        return coroutine.wrap(nest)(n - 1, f, ...)
    end
    local function run(...) return ngx.thread.spawn(nest, 200, ...) end
    local threads = {
        run(ngx.sleep, 0.01), run(ngx.receive, 1), run(sem.wait, sem, 1000),
        run(ch.receive, ch), run(ngx.select, { timeout = 0.01 }),
        run(ngx.deadline, 0.01, ngx.sleep, 1000),
        run(function()
            return ngx.thread.wait(ngx.thread.spawn(nest, 20, ngx.sleep, 0.01))
        end),
        run(coroutine.running),
    }
    ngx.say("ready")
    sem:post()
    ch:send("value")
    for i, t in ipairs(threads) do
        local ok, a, b = ngx.thread.wait(t)
        ngx.say(i, " ", ok, " ", type(a) == "thread" and "thread" or a, " ", b)
    end
}
--- request_parts
expect "ready\n"
send "x"
expect "1 true nil nil\n2 true x nil\n3 true true nil\n4 true value nil\n"
expect "5 true nil timeout\n6 true nil deadline\n7 true true nil\n"
expect "8 true thread nil\n"
expect_eof
--- no_error_log
[error]


=== deep: killed in 200 user coroutines
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then return ngx.receive(1) end
        return coroutine.wrap(nest)(n - 1)
    end
    for i = 1, 20 do
        local t = ngx.thread.spawn(nest, 200)
        assert(ngx.thread.kill(t))
    end
    ngx.say("killed")
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "killed\n"
send "x"
expect "x\n"
expect_eof
--- no_error_log
[error]


=== deep: an error in 200 user coroutines of a thread
--- tcp_server_config
process_by_lua_block {
    local e = setmetatable({}, { __tostring = function() return "deep" end })
    local function nest(n)
        if n == 0 then ngx.sleep(0.001) error(e) end
        return (coroutine.wrap(nest)(n - 1))
    end
    local ok, err = ngx.thread.wait(ngx.thread.spawn(nest, 200))
    ngx.say(ok, " ", err == e)
}
--- response
false true
--- error_log
lua user thread aborted: runtime error: deep
coroutine 5:


=== deep: spawn in spawn, 500 deep, each waits for its child
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then return 0 end
        local ok, depth = ngx.thread.wait(ngx.thread.spawn(nest, n - 1))
        assert(ok, depth)
        return depth + 1
    end
    ngx.say(nest(500))
    ngx.sleep(0.001)
    ngx.say(nest(500))
}
--- response
500
500
--- no_error_log
[error]


=== deep: spawn in spawn, 10,000 deep
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then ngx.sleep(0.001) return 0 end
        local ok, depth = ngx.thread.wait(ngx.thread.spawn(nest, n - 1))
        assert(ok, depth)
        return depth + 1
    end
    ngx.say(nest(tonumber(ngx.receive("*l"))))
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 600 : 10_000;
[[send => "$n\n"], [expect => "$n\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== deep: spawn in spawn, the innermost has its arguments and its turn
--- tcp_server_config
process_by_lua_block {
    local at_once, later, sum = 0, 0, 0
    local function nest(n, a, b)
        assert(a == nil and b == n * 2)
        sum = sum + n
        if n == 1 then return end
        local t = ngx.thread.spawn(nest, n - 1, nil, (n - 1) * 2)
        if coroutine.status(t) == "zombie" then
            at_once = at_once + 1
        else
            later = later + 1
        end
    end
    nest(500, nil, 1000)
    local now = at_once
    for _ = 1, 1000 do
        if at_once + later == 499 then break end
        ngx.sleep(0.01)
    end
    ngx.say(sum, " ", at_once + later, " ", now >= 179, " ", later > 0, " ",
            later < 5)
}
--- response
125250 499 true true true
--- no_error_log
[error]


=== deep: a chain of 100,000, each spawned by the one before, which ends
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local ran = 0
    local function at_once(left)
        ran = ran + 1
        if left > 1 then ngx.thread.spawn(at_once, left - 1) end
    end
    at_once(n)
    while ran < n do ngx.sleep(0.01) end
    local function later(left)
        coroutine.yield()
        ran = ran + 1
        if left > 1 then ngx.thread.spawn(later, left - 1) end
        coroutine.yield()
    end
    later(n)
    while ran < 2 * n do ngx.sleep(0.01) end
    ngx.say(ran)
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 1_000 : 100_000;
[[send => "$n\n"], [expect => 2 * $n . "\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== deep: a chain of 30,000 that wait, each for the next, ends with ngx.exit
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local ran = 0
    local function nest(left)
        ran = ran + 1
        if left == 1 then ngx.sleep(1000) end
        ngx.thread.wait(ngx.thread.spawn(nest, left - 1))
    end
    ngx.thread.spawn(nest, n)
    while ran < n do ngx.sleep(0.01) end
    ngx.say(ran)
    ngx.exit()
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "$n\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== deep: a chain of 30,000, each returns the next, ended or not
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    local sem = require("ngx.semaphore").new()
    local ran, ended = 0, 0
    local function nest(left)
        ran = ran + 1
        local t = left > 1 and ngx.thread.spawn(nest, left - 1)
        sem:wait(1000)
        ended = ended + 1
        return t
    end
    local first = ngx.thread.spawn(nest, n)
    while ran < n do ngx.sleep(0.01) end
    sem:post(n)
    while ended < n do ngx.sleep(0.01) end
    ngx.say(ended, " ", coroutine.status(first))
}
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 500 : 30_000;
[[send => "$n\n"], [expect => "$n zombie\n"], ['expect_eof']]
--- timeout: 60
--- no_error_log
[error]


=== deep: spawn and user coroutines in turn, 150 deep
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then
            ngx.sleep(0.001)
            return "deep"
        elseif n % 2 == 0 then
            return select(2, ngx.thread.wait(ngx.thread.spawn(nest, n - 1)))
        else
            return coroutine.wrap(nest)(n - 1)
        end
    end
    ngx.say(nest(150))
    ngx.say(nest(150))
}
--- response
deep
deep
--- no_error_log
[error]


=== deep: spawn in nested coroutines in spawn, works or ends with an error
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then
            ngx.sleep(0.001)
            return "deep"
        elseif n % 100 == 0 then
            local ok, value = ngx.thread.wait(ngx.thread.spawn(nest, n - 1))
            return value
        else
            local ok, value = coroutine.resume(coroutine.create(nest), n - 1)
            return value
        end
    end
    local value = tostring(nest(3000))
    ngx.say((value == "deep" or value:find("C stack overflow")) and "fine"
            or value)
    ngx.say(ngx.receive(1))
}
--- request chomp
x
--- response
fine
x
--- no_error_log
[alert]


=== deep: endless user coroutines in a thread end it, not the worker
--- tcp_server_config
process_by_lua_block {
    local function nest() return (coroutine.wrap(nest_again)()) end
    nest_again = nest
    local ok, err = ngx.thread.wait(ngx.thread.spawn(nest))
    ngx.say(ok, " ", err:match("C stack overflow"))
    ngx.say(ngx.receive(1))
}
--- request chomp
x
--- response
false C stack overflow
x
--- error_log
lua user thread aborted: runtime error


=== deep: threads in the callbacks of C functions, one in the other
--- tcp_server_config
process_by_lua_block {
    local done = 0
    local function nest(n)
        if n == 0 then return end
        string.gsub("x", "x", function()
            ngx.thread.spawn(nest, n - 1)
        end)
        ngx.sleep(0.001)
        done = done + 1
    end
    nest(60)
    ngx.sleep(0.1)
    ngx.say(done)
}
--- response
60
--- no_error_log
[error]


=== deep: endless callbacks and threads end with an error, not the worker
--- tcp_server_config
process_by_lua_block {
    local deepest = 0
    local function nest(n)
        deepest = math.max(deepest, n)
        if n >= 3000 then return end
        string.gsub("x", "x", function()
            pcall(ngx.thread.spawn, nest, n + 1)
        end)
    end
    pcall(nest, 1)
    ngx.sleep(0.05)
    ngx.say(deepest > 50, " ", ngx.receive(1))
}
--- request chomp
x
--- response
true x
--- no_error_log
[alert]


=== many: connections whose threads end by client abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        require("threads").start()
        ngx.print("ready")
        ngx.sleep(1000)
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[error]


=== many: connections whose threads end by client abort, after the script's end
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        require("threads").start()
        ngx.print("ready")
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[error]


=== many: connections whose threads end by a half-close while one is parked
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        require("threads").start()
        ngx.print("ready")
        ngx.thread.spawn(function() ngx.wait_next_request() end)
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    (["$c:", 'half_close'], ["$c:", 'expect_eof'], ["$c:", 'close'])
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[error]


=== many: connections whose threads end by ngx.exit in one of them
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        require("threads").start()
        ngx.print("ready")
        ngx.thread.spawn(function()
            ngx.receive(1)
            coroutine.wrap(function() pcall(ngx.exit) end)()
        end)
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    (["$c:", send => 'x'], ["$c:", 'expect_eof'], ["$c:", 'close'])
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[error]


=== many: connections whose threads end by an error of the script
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        require("threads").start()
        ngx.print("ready")
        ngx.receive(1)
        error("ends here")
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    (["$c:", send => 'x'], ["$c:", 'expect_eof'], ["$c:", 'close'])
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[alert]


=== many: connections whose threads end by an error in one, and kills
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local threads = require("threads").start()
        ngx.print("ready")
        ngx.thread.wait(ngx.thread.spawn(function()
            ngx.receive(1)
            error("ends here")
        end))
        -- Their own threads sleep on.
        for _, t in ipairs(threads) do ngx.thread.kill(t) end
        ngx.exit()
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    (["$c:", send => 'x'], ["$c:", 'expect_eof'], ["$c:", 'close'])
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[alert]


=== many: connections whose threads end in receive and print, when the client resets
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        require("threads").start()
        ngx.thread.spawn(function()
            ngx.print("ready")
            ngx.print(("x"):rep(200000))
            ngx.print("x")
        end)
        ngx.receive(10)
        ngx.flush(true)
        ngx.exit()
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", connect => 'rcvbuf=32768'], ["$c:", expect => "ready"],
     ["$c:", 'stop_reading'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    ["$c:", 'reset']
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[alert]


=== many: connections whose threads end by themselves, a hundred in each
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local sum = 0
        for i = 1, 100 do
            ngx.thread.spawn(function()
                if i % 2 == 0 then coroutine.yield() end
                if i % 3 == 0 then coroutine.wrap(function()
                    ngx.deadline(1000, ngx.sleep, 0.001)
                end)() end
                sum = sum + i
            end)
        end
        ngx.print("ready")
        ngx.receive(1)
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 100;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'], ["$c:", expect => "ready"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    (["$c:", send => 'x'], ["$c:", 'expect_eof'], ["$c:", 'close'])
} 1 .. $n;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
[
    map {
        my $i = $_;
        ((map { (@round, @ends, ['sync']) } 1 .. 3), $watch->($i, $i == 12))
    } 1 .. 12
]
--- timeout: 30
--- no_error_log
[error]


=== many: 30,000 of one connection end by client abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "left" }
init_worker_by_lua_block { require "threads" }
server {
    listen 127.0.0.1:$TEST_PORT;
    lua_check_client_abort on;
    process_by_lua_block {
        local n = tonumber(ngx.receive("*l"))
        local threads = require "threads"
        local all = {}
        for i = 1, n / 20 do all[i] = threads.start() end
        ngx.print("ready")
        ngx.sleep(1000)
    }
}
--- tcp_server_config2
process_by_lua_block {
    local last = ngx.receive(1) == "l"
    ngx.print(require("left").check(last), " ", require("threads").counts())
}
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 100 : 30_000;
my $watch = sub {
    my ($i, $last) = @_;
    my $text = $last ? 'nothing left' : 'counted';
    return (['sync'], ["W$i:", connect => '$TEST_PORT2'],
            ["W$i:", send => $last ? 'l' : '.'],
            ["W$i:", expect => "$text 0 0 1"], ["W$i:", 'expect_eof']);
};
my $round = sub {
    my ($n, $end) = @_;
    return (['C:', 'connect'], ['C:', send => "$n\n"], ['C:', expect => 'ready'],
            ['C:', $end], [wait_log => 'client prematurely closed', $_[2]]);
};
[
    map { ($round->($n, $_ % 2 ? 'close' : 'reset', $_), $watch->($_, $_ == 5)) }
        1 .. 5
]
--- timeout: 60
--- no_error_log
[error]
