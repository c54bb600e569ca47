-- Packets of the MySQL protocol: a stream that sends and receives them, with
-- those of more than 16 MB in their parts, and the integers and strings inside.
-- What has come is kept in a buffer, so that many small packets are one call of
-- the socket.

local byte, char, find, sub = string.byte, string.char, string.find, string.sub
local concat = table.concat
local floor, setmetatable = math.floor, setmetatable

-- So long a part can be; one that is as long is not the last.
local MAX_PART = 0xffffff
local READ = 16384
-- A packet up to this size is copied behind its header; a longer one is left
-- where it is.
local SMALL = 8192

local packet = {}

function packet.uint16(n)
    return char(n % 0x100, floor(n / 0x100) % 0x100)
end

local function uint24(n)
    return char(n % 0x100, floor(n / 0x100) % 0x100, floor(n / 0x10000) % 0x100)
end

function packet.uint32(n)
    return uint24(n) .. char(floor(n / 0x1000000) % 0x100)
end

function packet.read_uint16(data, at)
    local a, b = byte(data, at, at + 1)
    return b and a + b * 0x100
end

function packet.read_uint32(data, at)
    local a, b, c, d = byte(data, at, at + 3)
    return d and a + b * 0x100 + c * 0x10000 + d * 0x1000000
end

-- An integer of 1 to 9 bytes, and where the next thing is. No integer: nil for
-- NULL, false for what cannot be one.
local function read_length(data, at)
    local first = byte(data, at)
    if not first then
        return false
    elseif first < 251 then
        return first, at + 1
    elseif first == 251 then
        return nil, at + 1
    elseif first == 252 then
        local a, b = byte(data, at + 1, at + 2)
        return b and a + b * 0x100 or false, at + 3
    elseif first == 253 then
        local a, b, c = byte(data, at + 1, at + 3)
        return c and a + b * 0x100 + c * 0x10000 or false, at + 4
    elseif first == 255 then
        return false
    end
    local a, b, c, d, e, f, g, h = byte(data, at + 1, at + 8)
    if not h then
        return false
    end
    return a + b * 0x100 + c * 0x10000 + d * 0x1000000 + e * 2 ^ 32
        + f * 2 ^ 40 + g * 2 ^ 48 + h * 2 ^ 56, at + 9
end

packet.read_length = read_length

-- A string with its length in front, and where the next thing is; as above.
function packet.read_string(data, at)
    local size, from = read_length(data, at)
    if not size then
        return size, from
    end
    local last = from + size - 1
    if last > #data then
        return false
    end
    return sub(data, from, last), last + 1
end

-- A string up to a zero byte, and where the next thing is.
function packet.read_zero_string(data, at)
    local stop = find(data, "\0", at, true)
    if not stop then
        return nil
    end
    return sub(data, at, stop - 1), stop + 1
end


local stream = {}
local metatable = { __index = stream }

-- The packets on `sock`; none longer than `limit` is received.
function packet.stream(sock, limit)
    local self = {
        sock = sock,
        limit = limit,
        -- Of the packet that comes next, in either direction.
        sequence = 0,
        buffer = "",
        at = 1,
    }
    return setmetatable(self, metatable)
end


-- Sees to it that `size` bytes are in the buffer.
local function need(self, size)
    local at = self.at
    local missing = size - (#self.buffer - at + 1)
    if missing <= 0 then
        return true
    end
    local pieces, n = { sub(self.buffer, at) }, 1
    while missing > 0 do
        local data, err
        if missing > READ then
            data, err = self.sock:receive(missing)
        else
            data, err = self.sock:receiveany(READ)
        end
        if not data then
            return nil, err
        end
        n = n + 1
        pieces[n] = data
        missing = missing - #data
    end
    self.buffer, self.at = concat(pieces, "", 1, n), 1
    return true
end


-- One part of a packet: where it is in the buffer, and how long; nil and the
-- error.
local function receive_part(self)
    local ok, err = need(self, 4)
    if not ok then
        return nil, "failed to receive packet header: " .. err
    end
    local a, b, c, sequence = byte(self.buffer, self.at, self.at + 3)
    if sequence ~= self.sequence then
        return nil, "packets out of order"
    end
    self.sequence = (sequence + 1) % 0x100
    local size = a + b * 0x100 + c * 0x10000
    if size > self.limit then
        return nil, "packet size too big: " .. size
    end
    ok, err = need(self, 4 + size)
    if not ok then
        return nil, "failed to receive packet body: " .. err
    end
    local from = self.at + 4
    self.at = from + size
    return from, size
end


-- The rest of a packet whose first part is `first`.
local function receive_rest(self, first)
    local parts, n, total = { first }, 1, MAX_PART
    repeat
        local from, size = receive_part(self)
        if not from then
            return nil, size
        end
        n, total = n + 1, total + size
        if total > self.limit then
            return nil, "packet size too big: " .. total
        end
        parts[n] = sub(self.buffer, from, from + size - 1)
    until size < MAX_PART
    return concat(parts, "", 1, n)
end


-- The next packet where it lies: a string, and where in it the packet begins
-- and ends. So a row is not copied before its columns are. Nil and the error.
function stream.view(self)
    local from, size = receive_part(self)
    if not from then
        return nil, size
    elseif size == 0 then
        return nil, "empty packet"
    elseif size < MAX_PART then
        return self.buffer, from, from + size - 1
    end
    local whole, err = receive_rest(self, sub(self.buffer, from, self.at - 1))
    if not whole then
        return nil, err
    end
    return whole, 1, #whole
end

-- The next packet; nil and the error.
function stream.receive(self)
    local data, from, last = self:view()
    if not data then
        return nil, from
    end
    return sub(data, from, last)
end

-- Sends `payload` as the next packet of this exchange.
function stream.send(self, payload)
    local size, sequence = #payload, self.sequence
    if size <= SMALL then
        self.sequence = (sequence + 1) % 0x100
        return self.sock:send(uint24(size) .. char(sequence) .. payload)
    end
    local parts, n, at = {}, 0, 1
    repeat
        local part = size - at + 1
        if part > MAX_PART then
            part = MAX_PART
        end
        parts[n + 1] = uint24(part) .. char(sequence)
        parts[n + 2] = size < MAX_PART and payload
            or sub(payload, at, at + part - 1)
        n, at, sequence = n + 2, at + part, (sequence + 1) % 0x100
    until part < MAX_PART
    self.sequence = sequence
    return self.sock:send(parts)
end

-- Sends the first packet of a new exchange.
function stream.command(self, payload)
    self.sequence = 0
    return self:send(payload)
end

-- Whether the server has said more than was asked for.
function stream.has_more(self)
    return self.at <= #self.buffer
end

return packet
