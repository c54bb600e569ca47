-- Says who the client is, and then what it has said.

local ssl = require "ngx.ssl"

local subject = ssl.var("ssl_client_s_dn")
local name = subject and subject:match("CN=([^,]+)") or "guest"

ngx.say("hello ", name, ", by ", ssl.get_tls1_version_str())
while true do
    ngx.wait_next_request()
    local line = ngx.receive("*l")
    if not line then
        return
    end
    ngx.say(name, " says: ", line)
end
