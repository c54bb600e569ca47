# Beside lua-nginx-module in one nginx: each has its VM, in one libluajit.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== http-lua: loaded first
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
load_module $TEST_MODULE;
events {}
http {
    access_log off;
    init_by_lua_block { who = "http" }
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block {
                ngx.sleep(0.001)
                ngx.say(who, " ", ngx.config.subsystem, " ",
                        tostring(ngx.req.get_method))
            }
        }
    }
}
tcp {
    init_by_lua_block { who = "tcp" }
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            ngx.sleep(0.001)
            ngx.say(who, " ", ngx.config.subsystem, " ",
                    ngx.receive(1), " ", type(ngx.location))
        }
    }
}
--- request_parts
A: send "a"
A: expect "tcp tcp a nil\n"
A: expect_eof
B: connect $TEST_PORT2
B: send "GET / HTTP/1.0\r\n\r\n"
B: expect_like /\r\n\r\nhttp http \S*function: builtin: \S+\n|\r\n\r\nhttp http function: \S+\n/
B: expect_eof
C: send "c"
C: expect "tcp tcp c nil\n"
C: expect_eof
--- no_error_log
[error]


=== http-lua: loaded last
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULE;
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            ngx.sleep(0.001)
            ngx.say(ngx.config.subsystem, " ", ngx.receive(1))
        }
    }
}
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block { ngx.sleep(0.001) ngx.say(ngx.config.subsystem) }
        }
    }
}
--- request_parts
A: send "a"
A: expect "tcp a\n"
A: expect_eof
B: connect $TEST_PORT2
B: send "GET / HTTP/1.0\r\n\r\n"
B: expect_like /\r\n\r\nhttp\n/
B: expect_eof
--- no_error_log
[error]


=== http-lua: one calls the other over the wire, both in coroutines
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULE;
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
worker_processes 1;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            for line in coroutine.wrap(function()
                while true do
                    coroutine.yield(ngx.receive("*l"))
                    ngx.wait_next_request()
                end
            end) do
                ngx.sleep(0.001)
                ngx.say("tcp got ", line)
            end
        }
    }
}
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block {
                local sock = ngx.socket.tcp()
                assert(sock:connect("127.0.0.1", $TEST_PORT))
                local get = coroutine.wrap(function()
                    for i = 1, 3 do
                        sock:send("line " .. i .. "\n")
                        coroutine.yield(sock:receive("*l"))
                    end
                end)
                for line in get do ngx.say(line) end
                sock:setkeepalive(10000, 10)
            }
        }
    }
}
--- clients: 4
--- connect: $TEST_PORT2
--- request eval
"GET / HTTP/1.0\r\n\r\n"
--- response_like
\r\n\r\ntcp got line 1\ntcp got line 2\ntcp got line 3\n$
--- no_error_log
[error]


=== http-lua: errors and garbage of one do not touch the other
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULE;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            for i = 1, 1000 do local t = { {}, "x" .. i } end
            collectgarbage()
            local ok, err = pcall(error, {})
            ngx.receive(1)
            coroutine.wrap(function() error("tcp boom") end)()
        }
    }
}
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block {
                for i = 1, 1000 do local t = { {}, "x" .. i } end
                collectgarbage()
                coroutine.wrap(function() error("http boom") end)()
            }
        }
    }
}
--- request_parts
A: sync
B: connect $TEST_PORT2
B: send "GET / HTTP/1.0\r\n\r\n"
B: read_all
A: send "x"
A: expect_eof
C: connect $TEST_PORT2
C: send "GET / HTTP/1.0\r\n\r\n"
C: read_all
--- error_log
tcp boom
http boom


=== http-lua: a script that compiles to machine code in both
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            local n = 0
            for i = 1, 1e6 do n = n + i % 7 end
            ngx.say(n)
        }
    }
}
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / {
            content_by_lua_block {
                local n = 0
                for i = 1, 1e6 do n = n + i % 7 end
                ngx.say(n)
            }
        }
    }
}
--- request_parts
A: expect "2999998\n"
A: expect_eof
B: connect $TEST_PORT2
B: send "GET / HTTP/1.0\r\n\r\n"
B: expect_like /\r\n\r\n2999998\n/
B: expect_eof
--- no_error_log
[error]


=== http-lua: reloads, with both
--- skip_if: -e '$TEST_MODULES_DIR/ngx_http_lua_module.so' ? '' : 'no http-lua module'
--- config
load_module $TEST_MODULES_DIR/ndk_http_module.so;
load_module $TEST_MODULES_DIR/ngx_http_lua_module.so;
load_module $TEST_MODULE;
events {}
tcp {
    init_by_lua_block { loads = "tcp 1" }
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block { ngx.say(loads) ngx.wait_next_request() }
    }
}
http {
    access_log off;
    init_by_lua_block { loads = "http 1" }
    server {
        listen 127.0.0.1:$TEST_PORT2;
        location / { content_by_lua_block { ngx.say(loads) } }
    }
}
--- repeat: 1
--- request_parts
A: expect "tcp 1\n"
edit_file conf/nginx.conf "tcp 1" => "tcp 2"
edit_file conf/nginx.conf "http 1" => "http 2"
reload
A: expect_eof
B: expect "tcp 2\n"
C: connect $TEST_PORT2
C: send "GET / HTTP/1.0\r\n\r\n"
C: expect_like /\r\n\r\nhttp 2\n/
C: expect_eof
B: half_close
B: expect_eof
wait_workers
--- no_error_log
[error]
