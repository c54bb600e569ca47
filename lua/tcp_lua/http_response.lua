-- Reads one response from a socket, whatever ends it (RFC 9112, section 6.3):
-- the kind of request and the status, Transfer-Encoding, Content-Length, or the
-- end of the connection. Bytes are taken as they come and looked at here, so
-- that a small response is one call of the socket.

local byte, find, lower, match = string.byte, string.find, string.lower,
    string.match
local gmatch, sub = string.gmatch, string.sub
local concat = table.concat
local next, setmetatable, tonumber, type = next, setmetatable, tonumber, type

local READ = 8192
-- Of the line in front of a chunk, with what may follow the size.
local MAX_CHUNK_LINE = 1024
-- Interim responses before the one that counts.
local MAX_INTERIM = 32

-- The headers that decide where the message ends.
local FRAMING = {
    ["content-length"] = true,
    ["transfer-encoding"] = true,
    ["connection"] = true,
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
    self.buffer, self.at = sub(self.buffer, self.at) .. data, 1
    return true
end


-- The next line, without its end; nil and the error, or nil and `too_long`.
local function line(self, limit, too_long)
    local from = self.at
    while true do
        local stop = find(self.buffer, "\n", from, true)
        local size = (stop or #self.buffer) - self.at + 1
        if size > limit then
            return nil, too_long
        end
        if stop then
            local last = stop - 1
            if byte(self.buffer, last) == 13 and last >= self.at then
                last = last - 1
            end
            local text = sub(self.buffer, self.at, last)
            self.at = stop + 1
            self.taken = self.taken + size
            return text
        end
        local ok, err = fill(self)
        if not ok then
            return nil, err
        end
        from = self.at + size
    end
end


local function status_line(self, response)
    local text, err = line(self, self.max_head, "err header too big")
    if not text then
        return nil, err
    end
    local minor, code, reason = match(text,
        "^HTTP/1%.(%d) ([1-9]%d%d)([^%z\1-\8\10-\31\127]*)$")
    if not minor or reason ~= "" and byte(reason) ~= 32 then
        return nil, "err status line"
    end
    response.code = tonumber(code)
    response.info = reason == " " and code or code .. reason
    return tonumber(minor)
end


-- Whether the list `value` has the word.
local function has_word(value, word)
    for item in gmatch(lower(value), "[^%s,;]+") do
        if item == word then
            return true
        end
    end
    return false
end


-- Takes a header of framing to heart; nil if it is nonsense.
local function note(framing, name, value)
    local size = #name
    if size ~= 14 and size ~= 17 and size ~= 10 then
        return true
    end
    local known = lower(name)
    if known == "content-length" then
        if not find(value, "^%d+$") then
            return nil
        end
        local length = tonumber(value)
        if framing.length and framing.length ~= length then
            return nil
        end
        framing.length = length
    elseif known == "transfer-encoding" then
        local before = framing.encoding
        framing.encoding = before and before .. "," .. value or value
    elseif known == "connection" then
        framing.close = framing.close or has_word(value, "close")
        framing.keep = framing.keep or has_word(value, "keep-alive")
    end
    return true
end


-- Reads to the empty line. `framing` is what becomes of the body.
local function header_lines(self, headers, framing)
    local last
    while true do
        local text, err =
            line(self, self.max_head - self.taken, "err header too big")
        if not text then
            return nil, err
        end
        if text == "" then
            return true
        end
        if find(text, "[%z\1-\8\10-\31\127]") then
            return nil, "err headers"
        end
        local name, value = match(text, "^([^%s:]+):[ \t]*(.-)[ \t]*$")
        local first = byte(text)
        if not name then
            if first == 32 or first == 9 then
                -- A line that goes on. What it adds comes too late for
                -- note(), so those headers must not.
                if not last or FRAMING[lower(last)] then
                    return nil, "err headers"
                end
                headers[last] = headers[last] .. " " .. match(text,
                    "^[ \t]*(.-)[ \t]*$")
            elseif find(text, "[ \t:]") then
                return nil, "err headers"
            else
                name, value = text, ""
            end
        end
        if name then
            headers[name] = value
            last = name
            if not note(framing, name, value) then
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


local function chunks(self)
    local total = 0
    while true do
        local text, err = line(self, MAX_CHUNK_LINE, "err body")
        if not text then
            return nil, err
        end
        local digits = match(text, "^0*(%x*)[ \t]*;")
            or match(text, "^0*(%x*)[ \t]*$")
        if not digits or not find(text, "^%x") then
            return nil, "err body"
        end
        local size = #digits > 12 and 2 ^ 53 or tonumber(digits, 16) or 0
        if size == 0 then
            break
        end
        total = total + size
        if total > self.max_body then
            return nil, "err body too big"
        end
        local ok
        ok, err = take(self, size)
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
        local text, err =
            line(self, self.max_head - self.taken, "err header too big")
        if not text then
            return nil, err
        end
    until text == ""
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
    self.pieces = {}
    local ok, err
    if encoding then
        -- Two lengths are a sign of somebody who wants them to disagree, and a
        -- server of HTTP/1.0 does not know what it sends.
        reusable = reusable and not framing.length and minor > 0
        local coding = match(lower(encoding), "([^,%s]+)[,%s]*$")
        if coding == "chunked" then
            ok, err = chunks(self)
        else
            reusable = false
            ok, err = to_the_end(self)
        end
    elseif framing.length then
        if framing.length > self.max_body then
            return nil, "err body too big"
        elseif framing.length == 0 then
            return true, nil, reusable
        end
        ok, err = take(self, framing.length)
    else
        reusable = false
        ok, err = to_the_end(self)
    end
    response.body = concat(self.pieces)
    return ok, err, reusable
end


-- Reads the response to a request of `method`: a table; the error, if it is
-- not whole; whether the connection can carry another request; whether nothing
-- at all has come.
return function(sock, method, max_head, max_body)
    local self = {
        sock = sock,
        max_head = max_head,
        max_body = max_body,
        buffer = "",
        at = 1,
        -- Bytes of the head so far.
        taken = 0,
        pieces = nil,
    }
    local response, framing, minor, err, ok
    for _ = 1, MAX_INTERIM do
        response, framing = {}, {}
        self.taken = 0
        minor, err = status_line(self, response)
        if not minor then
            return response, err, false, self.buffer == ""
        end
        response.headers = setmetatable({}, headers_metatable)
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
