-- Answers each frame with a frame of the same bytes in upper case. Clients may
-- send many frames at once: they are answered in order, and what the answers
-- have in common is written together.

local bit = require "bit"

local MAX = 65536


local function pack(n)
    return string.char(bit.band(bit.rshift(n, 24), 255),
                       bit.band(bit.rshift(n, 16), 255),
                       bit.band(bit.rshift(n, 8), 255),
                       bit.band(n, 255))
end


local function unpack(s)
    local a, b, c, d = s:byte(1, 4)
    return ((a * 256 + b) * 256 + c) * 256 + d
end


while true do
    local head = ngx.receive(4)
    if not head then
        return
    end

    local size = unpack(head)
    if size == 0 or size > MAX then
        ngx.log(ngx.WARN, "frame of ", size, " bytes")
        return
    end

    local body = ngx.receive(size)
    if not body then
        return
    end

    ngx.print(pack(size), body:upper())
    ngx.wait_next_request()
end
