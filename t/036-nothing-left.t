# Many connections that end in each state leave nothing behind: no descriptor,
# no memory of Lua, no connection of nginx.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== connections that end before the first byte
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in receive, with a part of it
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(10)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "part"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in receive of a line
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive("*l")
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "part"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in receive of everything
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive("*a")
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "part"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in sleep
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print("in")
        ngx.sleep(0.03)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'expect', "in"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in sleep, under check_client_abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.print("in")
        ngx.sleep(60)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'expect', "in"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in print
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(300000))
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect', 'rcvbuf=32768'],
     ["$c:", 'stop_reading'],
     ["$c:", 'send', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in print, under check_client_abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(300000))
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect', 'rcvbuf=32768'],
     ["$c:", 'stop_reading'],
     ["$c:", 'send', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end while output goes out at the end
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect', 'rcvbuf=4096'],
     ["$c:", 'stop_reading'],
     ["$c:", 'send', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end parked
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print(ngx.receive(1))
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "a"],
     ["$c:", 'expect', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end parked with output queued
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print(("x"):rep(24000))
        ngx.print(("x"):rep(15000))
        ngx.wait_next_request()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect', 'rcvbuf=4096'],
     ["$c:", 'stop_reading'],
     ["$c:", 'send', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in a user coroutine's receive
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        local co = coroutine.wrap(function() ngx.receive(10) end) co()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "part"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in a user coroutine's sleep, under check_client_abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        local co = coroutine.wrap(function() ngx.print("in") ngx.sleep(60) end) co()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'expect', "in"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset half_close))[$_ % 3];
    ["$c:", $end]
} 1 .. $n;
push @ends, (map { ["C$_:", 'close'] } 1 .. $n);
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in a coroutine that a coroutine resumed, under check_client_abort
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    lua_check_client_abort on;
    process_by_lua_block {
        local co = coroutine.create(function() coroutine.wrap(function() ngx.print("in") ngx.sleep(60) end)() end) coroutine.resume(co)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'expect', "in"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end in pcall in pcall
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        pcall(pcall, function() ngx.print("in") ngx.receive(5) end)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'expect', "in"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end lingering
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print("bye")
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "unread"],
     ["$c:", 'expect', "bye"],
     ["$c:", 'expect_eof'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end by an error
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        ngx.print("x") error({})
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "a"],
     ["$c:", 'expect', "x"],
     ["$c:", 'expect_eof'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close))[$_ % 1];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end by an error in a user coroutine
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1) ngx.print("x") coroutine.wrap(function() ngx.sleep(0.001) error("boom") end)()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "a"],
     ["$c:", 'expect', "x"],
     ["$c:", 'expect_eof'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close))[$_ % 1];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end by ngx.exit() in a user coroutine
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1) ngx.print("x") coroutine.wrap(function() ngx.sleep(0.001) ngx.exit() end)()
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "a"],
     ["$c:", 'expect', "x"],
     ["$c:", 'expect_eof'])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close))[$_ % 1];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]


=== connections that end with ngx.ctx and globals
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
init_by_lua_block { require "worker" }
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.ctx.x = ("x"):rep(1000)
        big = {("y"):rep(1000)}
        ngx.print(ngx.receive(1))
        ngx.receive(1)
    }
}
--- tcp_server_config2
process_by_lua_file left.lua;
--- user_files
>>> left.lua
local worker = require "worker"
ngx.receive(1)
-- The first round made what is kept for the next.
local first = package.loaded.first
local fds, since = worker.fds(), 0
for i = 1, 200 do
    -- The first has nothing to compare with: until none closes for a while.
    if first and fds <= first.fds or since > 20 then break end
    ngx.sleep(0.02)
    local now = worker.fds()
    since = (first or now < fds) and 0 or since + 1
    fds = now
end
local memory = worker.memory()
package.loaded.first = first or {fds = fds, memory = memory}
if not first then
    ngx.print("first")
elseif fds ~= first.fds then
    ngx.print(fds - first.fds, " descriptors more")
elseif memory > first.memory + 24 then
    ngx.print(memory - first.memory, " KiB more")
else
    ngx.print("nothing left")
end
--- repeat: 1
--- request_parts eval
my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 2 : 20;
my @round = map {
    my $c = "C$_";
    (["$c:", 'connect'],
     ["$c:", 'send', "a"],
     ["$c:", 'expect', "a"])
} 1 .. $n;
my @ends = map {
    my $c = "C$_";
    my $end = (qw(close reset))[$_ % 2];
    ["$c:", $end]
} 1 .. $n;
my $watch = sub {
    my ($i, $text) = @_;
    return (["W$i:", connect => '$TEST_PORT2'], ["W$i:", send => 'x'],
            ["W$i:", expect => $text], ["W$i:", 'expect_eof']);
};
[
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 2),
    $watch->(1, 'first'),
    (map { (@round, ['sync'], @ends, ['sync'], [pause => 0.05]) } 1 .. 5),
    [pause => 0.2],
    $watch->(2, 'nothing left'),
]
--- no_error_log
[alert]
