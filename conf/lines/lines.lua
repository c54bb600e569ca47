-- TIME, ECHO text, MD5 text, COUNT and QUIT. One coroutine serves one
-- connection: what is local here is the connection's own.

local commands = {}
local count = 0


function commands.TIME()
    return ngx.utctime()
end


function commands.ECHO(text)
    return text
end


function commands.MD5(text)
    return ngx.md5(text)
end


function commands.COUNT()
    return tostring(count)
end


function commands.QUIT()
    ngx.say("+BYE")
    ngx.exit()
end


while true do
    local line, err = ngx.receive("*l")
    if not line then
        if err == "timeout" then
            ngx.say("-ERR timeout")
        end
        return
    end

    count = count + 1
    local name, text = line:match("^(%w+) ?(.*)$")
    local command = name and commands[name:upper()]
    if command then
        ngx.say("+", command(text))
    else
        ngx.say("-ERR unknown command")
    end

    -- The request ends here; the next one begins with the client's next byte.
    ngx.wait_next_request()
end
