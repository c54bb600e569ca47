-- Reads one response from a socket, whatever ends it (RFC 9112, section 6.3):
-- the kind of request and the status, Transfer-Encoding, Content-Length, or the
-- end of the connection. Bytes are taken as they come and looked at here, so
-- that a small response is one call of the socket.

local byte, find, lower, match = string.byte, string.find, string.lower,
    string.match
local gmatch, sub = string.gmatch, string.sub
local concat = table.concat
local next, setmetatable, tonumber, type = next, setmetatable, tonumber, type
-- Tables with room: headers one by one would make them grow four times.
local new_table = require "table.new"

local READ = 8192
-- Of the line in front of a chunk, with what may follow the size.
local MAX_CHUNK_LINE = 1024
-- Interim responses before the one that counts.
local MAX_INTERIM = 32

-- Lines as most are, whole and in the buffer, are read by the module. Whatever
-- else there may be is read here, and so is all in a copy of this file that is
-- not the module's own.
local _, native = ...
local function unusual() end
local usual_status = native and native.http_status or unusual
local usual_headers = native and native.http_headers or unusual

-- The headers that decide where the message ends, as they are usually written.
local FRAMING = {
    ["content-length"] = "content-length",
    ["Content-Length"] = "content-length",
    ["transfer-encoding"] = "transfer-encoding",
    ["Transfer-Encoding"] = "transfer-encoding",
    ["connection"] = "connection",
    ["Connection"] = "connection",
}

-- A header is found by its name in any case; the table has it as it was sent.
local headers_metatable = {
    __index = function(headers, name)
        if type(name) ~= "string" then
            return nil
        end
        name = lower(name)
        for sent, value in next, headers do
            if lower(sent) == name then
                return value
            end
        end
        return nil
    end,
}


-- Reads more into the buffer.
local function fill(self)
    local data, err, partial = self.sock:receiveany(READ)
    if not data then
        if partial and partial ~= "" then
            self.buffer, self.at = sub(self.buffer, self.at) .. partial, 1
        end
        return nil, err or "closed"
    end
    if self.at <= #self.buffer then
        data = sub(self.buffer, self.at) .. data
    end
    self.buffer, self.at = data, 1
    return true
end


-- The next line: where in the buffer it begins and ends, without its end; nil
-- and the error, or nil and `too_long`.
local function line(self, limit, too_long)
    local from = self.at
    while true do
        local at = self.at
        local stop = find(self.buffer, "\n", from, true)
        local size = (stop or #self.buffer) - at + 1
        if size > limit then
            return nil, too_long
        end
        if stop then
            self.at = stop + 1
            self.taken = self.taken + size
            local last = stop - 1
            if last >= at and byte(self.buffer, last) == 13 then
                last = last - 1
            end
            return at, last
        end
        local ok, err = fill(self)
        if not ok then
            return nil, err
        end
        from = self.at + size
    end
end


-- Whether nothing from `from` to `last` is a control character, but for tabs.
local function is_clean(text, from, last)
    local at = match(text, "^%C*()", from)
    while at <= last do
        if byte(text, at) ~= 9 then
            return false
        end
        at = match(text, "^%C*()", at + 1)
    end
    return true
end


local function status_line(self, response)
    local at = self.at
    local code, info, next_line = usual_status(self.buffer, at, self.max_head)
    if code then
        response.code, response.info = code, info
        self.taken, self.at = next_line - at, next_line
        -- The digit in HTTP/1.1.
        return byte(self.buffer, at + 7) - 48
    end
    local from, last = line(self, self.max_head, "err header too big")
    if not from then
        return nil, last
    end
    local buffer = self.buffer
    local minor
    minor, code = match(buffer, "^HTTP/1%.(%d) ([1-9]%d%d)", from)
    at = from + 12
    if not minor or at <= last and byte(buffer, at) ~= 32
        or not is_clean(buffer, from, last)
    then
        return nil, "err status line"
    end
    response.code = tonumber(code)
    response.info = at >= last and code or code .. sub(buffer, at, last)
    return tonumber(minor)
end


-- Whether the list `value` has the word.
local function has_word(value, word)
    value = lower(value)
    if value == word then
        return true
    end
    for item in gmatch(value, "[^%s,;]+") do
        if item == word then
            return true
        end
    end
    return false
end


-- A number of digits alone, or nil.
local function whole_number(text)
    for i = 1, #text do
        local c = byte(text, i)
        if c < 48 or c > 57 then
            return nil
        end
    end
    return tonumber(text)
end


-- Takes a header of framing to heart; nil if it is nonsense.
local function note(framing, name, value)
    local size = #name
    if size ~= 14 and size ~= 17 and size ~= 10 then
        return true
    end
    local known = FRAMING[name] or lower(name)
    if known == "content-length" then
        local length = whole_number(value)
        if not length then
            return nil
        end
        if framing.length and framing.length ~= length then
            return nil
        end
        framing.length = length
    elseif known == "transfer-encoding" then
        local before = framing.encoding
        framing.encoding = before and before .. "," .. value or value
    elseif known == "connection" then
        if value == "keep-alive" then
            framing.keep = true
            return true
        end
        framing.close = framing.close or has_word(value, "close")
        framing.keep = framing.keep or has_word(value, "keep-alive")
    end
    return true
end


-- The text from `from` to `last` without the blanks around it.
local function trimmed(text, from, last)
    local c = byte(text, from)
    while from <= last and (c == 32 or c == 9) do
        from = from + 1
        c = byte(text, from)
    end
    c = byte(text, last)
    while from <= last and (c == 32 or c == 9) do
        last = last - 1
        c = byte(text, last)
    end
    return sub(text, from, last)
end


-- A line that goes on with the header before it, `name`. What it adds to one of
-- framing would come too late.
local function continue(headers, name, text)
    if not name or FRAMING[lower(name)] then
        return nil
    end
    headers[name] = headers[name] .. " " .. text
    return true
end


-- Any other line than the empty one, behind the header `name`; nil if it is
-- nonsense, and the header that it is, or goes on with.
local function header_line(buffer, from, last, headers, framing, name)
    local first = byte(buffer, from)
    if not is_clean(buffer, from, last) then
        return nil
    elseif first == 32 or first == 9 then
        return continue(headers, name, trimmed(buffer, from, last)), name
    end
    -- Without a colon it is a name all the same.
    local colon = find(buffer, ":", from, true)
    if not colon or colon > last then
        colon = last + 1
    end
    name = sub(buffer, from, colon - 1)
    local value = trimmed(buffer, colon + 1, last)
    headers[name] = value
    return name ~= "" and not find(name, "[ \t]")
        and note(framing, name, value), name
end


-- Reads to the empty line. `framing` is what becomes of the body.
local function header_lines(self, headers, framing)
    local name
    while true do
        local at, left = self.at, self.max_head - self.taken
        local next_line, first, value, second, other =
            usual_headers(self.buffer, at, left)
        if first then
            self.taken, self.at = self.taken + next_line - at, next_line
            name = second or first
            headers[first] = value
            local ok = note(framing, first, value)
            if ok and second then
                headers[second] = other
                ok = note(framing, second, other)
            end
            if not ok then
                return nil, "err headers"
            end
        end
        if not second then
            -- The next line is another one, or not all of it is there.
            local from, last = line(
                self, self.max_head - self.taken, "err header too big")
            if not from then
                return nil, last
            elseif last < from then
                return true
            end
            local ok
            ok, name = header_line(
                self.buffer, from, last, headers, framing, name)
            if not ok then
                return nil, "err headers"
            end
        end
    end
end


-- `size` bytes of the body onto its pieces.
local function take(self, size)
    local pieces, at = self.pieces, self.at
    local have = #self.buffer - at + 1
    if have >= size then
        pieces[#pieces + 1] = sub(self.buffer, at, at + size - 1)
        self.at = at + size
        return true
    end
    if have > 0 then
        pieces[#pieces + 1] = sub(self.buffer, at)
    end
    self.buffer, self.at = "", 1
    local data, err, partial = self.sock:receive(size - have)
    pieces[#pieces + 1] = data or partial
    if not data then
        return nil, err
    end
    return true
end


-- The line end behind a chunk; nothing else may be there.
local function end_of_chunk(self)
    local c
    repeat
        if self.at > #self.buffer then
            local ok, err = fill(self)
            if not ok then
                return nil, err
            end
        end
        local before = c
        c = byte(self.buffer, self.at)
        if c ~= 10 and (c ~= 13 or before) then
            return nil, "err body"
        end
        self.at = self.at + 1
    until c == 10
    return true
end


-- The number in front of a chunk; nil if there is none.
local function chunk_size(text)
    local digits = match(text, "^%x+$") or match(text, "^(%x+)[ \t]*;")
        or match(text, "^(%x+)[ \t]*$")
    if not digits then
        return nil
    end
    digits = match(digits, "^0*(.*)")
    return #digits > 12 and 2 ^ 53 or tonumber(digits, 16) or 0
end


local function chunks(self)
    local total = 0
    while true do
        local from, last = line(self, MAX_CHUNK_LINE, "err body")
        if not from then
            return nil, last
        end
        local size = chunk_size(sub(self.buffer, from, last))
        if not size then
            return nil, "err body"
        end
        if size == 0 then
            break
        end
        total = total + size
        if total > self.max_body then
            return nil, "err body too big"
        end
        local ok, err = take(self, size)
        if not ok then
            return nil, err
        end
        ok, err = end_of_chunk(self)
        if not ok then
            return nil, err
        end
    end
    -- What comes after the last chunk is of no use here.
    self.taken = 0
    repeat
        local from, last =
            line(self, self.max_head - self.taken, "err header too big")
        if not from then
            return nil, last
        end
    until last < from
    return true
end


local function to_the_end(self)
    local pieces, total = self.pieces, 0
    while true do
        local have = #self.buffer - self.at + 1
        if have > 0 then
            total = total + have
            if total > self.max_body then
                return nil, "err body too big"
            end
            pieces[#pieces + 1] = sub(self.buffer, self.at)
            self.at = #self.buffer + 1
        end
        local ok, err = fill(self)
        if not ok and err ~= "closed" then
            return nil, err
        elseif not ok and self.at > #self.buffer then
            return true
        end
    end
end


-- Reads the body as `framing` says, and whether the connection can be used
-- again.
local function read_body(self, method, response, framing, minor)
    local reusable = not framing.close and (minor > 0 or framing.keep)
    local code, encoding = response.code, framing.encoding
    if method == "HEAD" or code == 204 or code == 304 then
        return true, nil, reusable
    end
    local length, at = framing.length, self.at
    if length and not encoding and length > 0 and length <= self.max_body
        and length <= #self.buffer - at + 1
    then
        -- The usual one: it came with the head.
        response.body = sub(self.buffer, at, at + length - 1)
        self.at = at + length
        return true, nil, reusable
    end
    self.pieces = {}
    local ok, err
    if encoding then
        -- Two lengths are a sign of somebody who wants them to disagree, and a
        -- server of HTTP/1.0 does not know what it sends.
        reusable = reusable and not length and minor > 0
        local coding = match(lower(encoding), "([^,%s]+)[,%s]*$")
        if coding == "chunked" then
            ok, err = chunks(self)
        else
            reusable = false
            ok, err = to_the_end(self)
        end
    elseif length then
        if length > self.max_body then
            return nil, "err body too big"
        elseif length == 0 then
            return true, nil, reusable
        end
        ok, err = take(self, length)
    else
        reusable = false
        ok, err = to_the_end(self)
    end
    response.body = #self.pieces == 1 and self.pieces[1] or concat(self.pieces)
    return ok, err, reusable
end


-- What a new reader has. A table of constants would be copied from a template,
-- which costs twice as much as to make it.
local NO_BYTES, FIRST, NOTHING, NONE = "", 1, 0, nil

-- Reads the response to a request of `method`: a table; the error, if it is
-- not whole; whether the connection can carry another request; whether nothing
-- at all has come.
return function(sock, method, max_head, max_body)
    local self = {
        sock = sock,
        max_head = max_head,
        max_body = max_body,
        buffer = NO_BYTES,
        at = FIRST,
        -- Bytes of the head so far.
        taken = NOTHING,
        pieces = NONE,
    }
    local response, framing, minor, err, ok
    for _ = 1, MAX_INTERIM do
        response, framing = new_table(0, 4), new_table(0, 2)
        self.taken = 0
        minor, err = status_line(self, response)
        if not minor then
            return response, err, false, self.buffer == ""
        end
        response.headers = setmetatable(new_table(0, 8), headers_metatable)
        ok, err = header_lines(self, response.headers, framing)
        if not ok then
            return response, err, false, false
        end
        if response.code >= 200 then
            break
        end
        if response.code == 101 then
            break
        end
    end
    if response.code < 200 then
        return response, "err status line", false, false
    end
    local reusable
    ok, err, reusable = read_body(self, method, response, framing, minor)
    if not ok then
        return response, err, false, false
    end
    -- Nobody has asked for what is left.
    return response, nil, reusable and self.at > #self.buffer, false
end
