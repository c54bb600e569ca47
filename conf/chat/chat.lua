-- The first line is the client's name, each other one goes to everybody else.
-- A thread reads from the client and never writes, another writes what others
-- have said and never reads; so neither holds up the other, and a client that
-- does not read holds up nobody.

local QUEUE = 100    -- lines that a client may be behind

local name = ngx.receive("*l")
if not name or name == "" or members[name] then
    ngx.say("! come back with another name")
    return
end

local mine = ngx.channel.new(QUEUE)
members[name] = mine


-- Puts a line into all queues but ours, and never waits. Who is too far behind
-- is sent away: the end of its queue ends its writer.
local function tell(line)
    for other, queue in pairs(members) do
        if queue ~= mine and not queue:try_send(line) then
            members[other] = nil
            queue:close()
        end
    end
end


local function read()
    while true do
        local line, err = ngx.receive("*l")
        if not line then
            return err
        end
        tell(name .. ": " .. line)
    end
end


local function write()
    while true do
        local line = mine:receive()
        if not line then
            return "sent away"
        end
        -- This waits for a client that reads slowly. One that has vanished
        -- without a word is found out by send_timeout.
        local n, err = ngx.say(line)
        if not n then
            return err
        end
    end
end


ngx.say("* welcome, ", name)
tell("* " .. name .. " is here")

local reader = ngx.thread.spawn(read)
local writer = ngx.thread.spawn(write)

-- Whichever ends first, the client is gone.
local _, why = ngx.thread.wait(reader, writer)

if members[name] == mine then
    members[name] = nil
end
tell("* " .. name .. " is gone: " .. why)

-- The connection ends when all its threads have. The reader might wait for
-- long; the writer still writes what the queue has.
ngx.thread.kill(reader)
mine:close()
