-- sock:receive_http(): one HTTP response, head and body.

local native = ...

local receiveany = native.tcp_receiveany
local receive_until = native.tcp_receive_until
local error, floor, select = error, math.floor, select
local find, lower, match = string.find, string.lower, string.match
local sub = string.sub
local tonumber, type = tonumber, type

-- The largest piece of a body.
local PIECE = 16384
-- A chunk's size has no more digits than a number can have, its line is short.
local MAX_CHUNK_LINE = 1024

-- A line without its end, of what `left` bytes can hold; what is left then. Or
-- nil and what is wrong.
local function line(sock, left, too_big)
    local data, ended = receive_until(sock, "\n", true, left + 1)
    if not data then
        return nil, ended
    elseif not ended or #data > left then
        return nil, too_big
    end
    local last = #data - 1
    if last > 0 and sub(data, last, last) == "\r" then
        return sub(data, 1, last - 1), left - last - 1
    end
    return sub(data, 1, last), left - last - 1
end

-- Reads the head into `reply`; an error, or nil, and what its fields say of the
-- body: whether it is chunked, its length.
local function head(sock, reply, max)
    local text, left = line(sock, max, "err header too big")
    if not text then
        return left
    end
    local code, reason = match(text, "^HTTP/%d+%.%d+ +(%d%d%d)(.*)$")
    if not code or not (reason == "" or find(reason, "^ ")) then
        return "err status line"
    end
    reply.code = tonumber(code)
    reply.info = match(code .. reason, "^(.-)%s*$")
    local headers, chunked, length = {}, false, nil
    reply.headers = headers
    while true do
        text, left = line(sock, left, "err header too big")
        if not text then
            return left
        elseif text == "" then
            return nil, chunked, length
        elseif find(text, "%z") then
            return "err headers"
        end
        local name, value = match(text, "^([^:]*):%s*(.-)%s*$")
        if not name then
            name, value = text, ""
        end
        headers[name] = value
        local low = lower(name)
        if low == "content-length" then
            local n = match(value, "^%d+$") and tonumber(value)
            if not n or length and n ~= length then
                return "err headers"
            end
            length = n
        elseif low == "transfer-encoding" then
            chunked = find(lower(value), "chunked", 1, true) ~= nil
        end
    end
end

-- Reads `length` bytes; an error, or nil.
local function pieces(sock, body, length)
    while length > 0 do
        local size = length < PIECE and length or PIECE
        local data, err, partial = receiveany(sock, size)
        if not data then
            if partial then
                body[#body + 1] = partial
            end
            return err
        end
        body[#body + 1] = data
        length = length - #data
    end
end

local function chunks(sock, body, max_head, max)
    local total = 0
    while true do
        local text, err = line(sock, MAX_CHUNK_LINE, "err body")
        if not text then
            return err
        end
        local digits = match(text, "^(%x+)%s*$") or match(text, "^(%x+)%s*;")
        local n = digits and #digits <= 13 and tonumber(digits, 16)
        if not n then
            return "err body"
        elseif n == 0 then
            break
        end
        total = total + n
        if total > max then
            return "err body too big"
        end
        err = pieces(sock, body, n)
        if err then
            return err
        end
        local ending
        ending, err = line(sock, 2, "err body")
        if ending ~= "" then
            return ending and "err body" or err
        end
    end
    local left = max_head
    while true do
        local text
        text, left = line(sock, left, "err header too big")
        if not text then
            return left
        elseif text == "" then
            return
        end
    end
end

local function has_no_body(code)
    return code < 200 or code == 204 or code == 304
end

local function read(sock, reply, max_head, max_body)
    local err, chunked, length = head(sock, reply, max_head)
    if err then
        return err
    elseif has_no_body(reply.code) then
        return
    elseif chunked then
        reply.body = {}
        return chunks(sock, reply.body, max_head, max_body)
    elseif length and length > 0 then
        reply.body = {}
        if length > max_body then
            return "err body too big"
        end
        return pieces(sock, reply.body, length)
    end
end

local function limit(value)
    local n = tonumber(value)
    if not n then
        error("expecting number parameter!", 3)
    elseif n <= 0 or n ~= n then
        error("bad argument <= 0", 3)
    end
    return floor(n)
end

return function(sock, ...)
    local n = select("#", ...)
    if n ~= 2 then
        error("expecting 3 arguments (including the object), but got "
            .. n + 1, 2)
    elseif type(sock) ~= "table" then
        error("bad argument #1 to 'receive_http' (socket expected, got "
            .. type(sock) .. ")", 2)
    end
    local max_head, max_body = ...
    max_head, max_body = limit(max_head), limit(max_body)
    if not native.tcp_getreusedtimes(sock) then
        return nil, "closed"
    end
    local reply = {}
    local err = read(sock, reply, max_head, max_body)
    if err then
        native.tcp_close(sock)
    end
    return reply, err
end
