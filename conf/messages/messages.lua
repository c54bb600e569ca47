-- Each line is a command: "login NAME", "to NAME TEXT", "all TEXT", "quit".

local clients = ngx.clients

local name
local commands = {}


function commands.login(rest)
    if name then
        return "! you are " .. name
    end
    if rest == "" or rest:find("%s") then
        return "! login NAME"
    end
    -- Another connection with this name would lose it.
    if clients.exists(rest) then
        return "! come back with another name"
    end
    name = rest
    clients.set(name)
    return "* welcome, " .. name
end


function commands.to(rest)
    local other, text = rest:match("^(%S+) (.+)$")
    if not other then
        return "! to NAME TEXT"
    end
    -- Never waits: who does not read will not hold us up.
    local n, err = clients.send(other, name .. ": " .. text .. "\n")
    if n then
        return "* sent"
    elseif err == "EAGAIN error" then
        return "! " .. other .. " does not read"
    end
    return "! " .. other .. " is not here"
end


function commands.all(text)
    local n = 0
    for other in clients.keys_iter() do
        if other ~= name
            and clients.send(other, name .. " to all: " .. text .. "\n")
        then
            n = n + 1
        end
    end
    return "* sent to " .. n
end


function commands.quit()
    ngx.say("* bye")
    ngx.exit()
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end
    local word, rest = line:match("^(%S+) ?(.*)$")
    local command = commands[word]
    if not command then
        ngx.say("! login, to, all, quit")
    elseif not name and word ~= "login" and word ~= "quit" then
        ngx.say("! login NAME")
    else
        ngx.say(command(rest))
    end
    ngx.wait_next_request()
end
