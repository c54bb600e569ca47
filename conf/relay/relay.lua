-- A light thread for each direction: it waits for bytes of one side and sends
-- them to the other. Nothing is read before what was read last is sent, so a
-- slow side slows the other down instead of filling the memory.

local IDLE = 600000    -- ms without a byte in one direction

local client = ngx.req.socket(true)
local server = ngx.socket.tcp()

server:settimeouts(5000, 60000, IDLE)
client:settimeouts(5000, 60000, IDLE)

local ok, why = server:connect(upstream[1], upstream[2])
if not ok then
    ngx.log(ngx.ERR, "relay: ", upstream[1], ":", upstream[2], ": ", why)
    return
end


local bytes = {up = 0, down = 0}


-- To the end of what one side sends; that end is passed on, and the other
-- direction may go on.
local function pump(from, to, direction)
    while true do
        local data, err = from:receiveany(65536)
        if not data then
            if err ~= "closed" then
                return direction, err
            end
            to:shutdown("send")
            return direction
        end

        local n
        n, err = to:send(data)
        if not n then
            return direction, err
        end
        bytes[direction] = bytes[direction] + n
    end
end


local up = ngx.thread.spawn(pump, client, server, "up")
local down = ngx.thread.spawn(pump, server, client, "down")

-- A side that fails takes the other direction with it.
local _, ended, failure = ngx.thread.wait(up, down)
local other = ended == "up" and down or up
if failure then
    ngx.thread.kill(other)
else
    _, _, failure = ngx.thread.wait(other)
end

ngx.log(ngx.NOTICE, "relay: ", bytes.up, " bytes up, ", bytes.down, " down",
        failure and ", " .. failure or "")
