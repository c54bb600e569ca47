# An nginx that was built without PCRE2: ngx.re says what is missing.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== no PCRE2: every function says so
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `ldd \$(command -v $nginx)` =~ /libpcre2/ && "nginx has PCRE2"
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    show(ngx.re.match("a", "a"))
    show(ngx.re.find("a", "a"))
    show(ngx.re.gmatch("a", "a"))
    show(ngx.re.sub("a", "a", "b"))
    show(ngx.re.gsub("a", "a", function() end, "jo"))
}
--- response
2: nilno PCRE2 support
3: nilnilno PCRE2 support
2: nilno PCRE2 support
3: nilnilno PCRE2 support
3: nilnilno PCRE2 support
--- no_error_log
[error]
