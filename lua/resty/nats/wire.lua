-- The protocol's framing in Lua, behind the interface of the native functions.

local concat, find, gmatch, gsub = table.concat, string.find, string.gmatch, string.gsub
local lower, match, sub, upper = string.lower, string.match, string.sub, string.upper
local setmetatable, tonumber, tostring, type = setmetatable, tonumber, tostring, type
local pairs = pairs

local states = setmetatable({}, { __mode = "k" })
local infos = {}

local function state(sock)
    local st = states[sock]
    if not st or st.id ~= sock[1] then
        st = { id = sock[1], out = {}, n = 0, size = 0, line = "", part = nil }
        states[sock] = st
    end
    return st
end

local function flush(sock)
    local st = states[sock]
    if st and st.n > 0 then
        local out = concat(st.out, "", 1, st.n)
        st.n, st.size = 0, 0
        st.out = {}
        local ok, err = sock:send(out)
        if not ok then
            return nil, err == "timeout" and err or err == "deadline" and err
                or "closed"
        end
    end
    return true
end

local function push(sock, bytes)
    if not sock[1] then
        return nil, "closed"
    end
    local st = state(sock)
    local n = st.n + 1
    st.out[n], st.n = bytes, n
    st.size = st.size + #bytes
    if st.size >= 65536 then
        return flush(sock)
    end
    return true
end

local function bad(subject)
    return subject == "" or find(subject, "[%z \t\r\n]")
        or find(subject, "..", 1, true) or sub(subject, 1, 1) == "."
        or sub(subject, -1) == "."
end

local function publish(sock, subject, reply, payload, headers)
    if not sock[1] then
        return nil, "closed"
    end
    if type(subject) ~= "string" or bad(subject) then
        return nil, "invalid subject"
    end
    if reply and (type(reply) ~= "string" or bad(reply)) then
        return nil, "invalid reply subject"
    end
    payload = payload == nil and "" or tostring(payload)
    if headers then
        return push(sock, "HPUB " .. subject .. (reply and " " .. reply or "")
            .. " " .. #headers .. " " .. #headers + #payload .. "\r\n"
            .. headers .. payload .. "\r\n")
    end
    return push(sock, "PUB " .. subject .. (reply and " " .. reply or "") .. " "
        .. #payload .. "\r\n" .. payload .. "\r\n")
end

local function receive(sock, limit, what)
    local was = sock[5]
    if limit then
        sock[5] = limit < 1 and 1 or limit
    end
    local data, err, partial = sock:receive(what)
    sock[5] = was
    return data, err, partial
end

local function protocol_error(sock, what)
    sock:close()
    return nil, "protocol error: " .. what
end

local function read(sock, limit)
    if not sock[1] then
        return nil, "closed"
    end
    local st = state(sock)
    if st.n > 0 then
        local ok, err = flush(sock)
        if not ok then
            return nil, err
        end
    end
    while true do
        local head = st.head
        if not head then
            local line, err, partial = receive(sock, limit, "*l")
            if not line then
                st.line = st.line .. (partial or "")
                return nil, err
            end
            if st.line ~= "" then
                line, st.line = st.line .. line, ""
            end
            line = gsub(line, "\r$", "")
            local verb, rest = match(line, "^(%S+)[ \t]*(.*)$")
            verb = verb and upper(verb) or ""
            if verb == "MSG" then
                local subject, sid, reply, n = match(rest,
                    "^(%S+)[ \t]+(%S+)[ \t]+(%S+)[ \t]+(%d+)$")
                if not subject then
                    subject, sid, n = match(rest,
                        "^(%S+)[ \t]+(%S+)[ \t]+(%d+)$")
                end
                if not subject then
                    return protocol_error(sock, "bad MSG")
                end
                head = { subject, sid, reply, 0, tonumber(n) }
                st.head, st.part = head, ""
            elseif verb == "HMSG" then
                local subject, sid, reply, h, n = match(rest, "^(%S+)[ \t]+"
                    .. "(%S+)[ \t]+(%S+)[ \t]+(%d+)[ \t]+(%d+)$")
                if not subject then
                    subject, sid, h, n = match(rest,
                        "^(%S+)[ \t]+(%S+)[ \t]+(%d+)[ \t]+(%d+)$")
                end
                if not subject or tonumber(h) > tonumber(n) then
                    return protocol_error(sock, "bad HMSG")
                end
                head = { subject, sid, reply, tonumber(h), tonumber(n) }
                st.head, st.part = head, ""
            elseif verb == "PING" then
                push(sock, "PONG\r\n")
                flush(sock)
            elseif verb == "PONG" then
                return 3
            elseif verb == "INFO" then
                infos[sock[2]] = rest
                return 2, rest
            elseif verb == "-ERR" then
                return 4, (gsub(rest, "^'(.*)'%s*$", "%1"))
            elseif verb ~= "+OK" then
                return protocol_error(sock, "unknown verb")
            end
        end
        if head then
            local body, err, partial = receive(sock, limit,
                head[5] + 2 - #st.part)
            if not body then
                st.part = st.part .. (partial or "")
                return nil, err
            end
            body = st.part .. body
            st.head = nil
            if sub(body, -2) ~= "\r\n" then
                return protocol_error(sock, "no line end")
            end
            local h = head[4]
            return 1, head[1], head[2], head[3], sub(body, h + 1, -3),
                h > 0 and sub(body, 1, h) or nil
        end
    end
end

local function decode(text, at)
    at = find(text, "%S", at)
    local c = sub(text, at, at)
    if c == "{" then
        local t = {}
        at = find(text, "%S", at + 1)
        while sub(text, at, at) ~= "}" do
            local key, value
            key, at = decode(text, at)
            at = find(text, ":", at, true) + 1
            value, at = decode(text, at)
            t[key] = value
            at = find(text, "%S", at)
            if sub(text, at, at) == "," then
                at = find(text, "%S", at + 1)
            end
        end
        return t, at + 1
    elseif c == "[" then
        local t = {}
        at = find(text, "%S", at + 1)
        while sub(text, at, at) ~= "]" do
            t[#t + 1], at = decode(text, at)
            at = find(text, "%S", at)
            if sub(text, at, at) == "," then
                at = find(text, "%S", at + 1)
            end
        end
        return t, at + 1
    elseif c == '"' then
        local close = find(text, '"', at + 1, true)
        return sub(text, at + 1, close - 1), close + 1
    end
    local word = match(text, "^[%w.+-]+", at)
    at = at + #word
    if word == "true" then
        return true, at
    elseif word == "false" then
        return false, at
    elseif word == "null" then
        return nil, at
    end
    return tonumber(word), at
end

local function quote(s)
    return '"' .. gsub(s, '[%z\1-\31"\\]', function(c)
        return ("\\u%04x"):format(c:byte())
    end) .. '"'
end

local counter = 0

return {
    nats_read = read,
    nats_publish = publish,
    nats_push = push,
    nats_flush = flush,
    nats_queue = function() end,
    nats_close = function(sock)
        flush(sock)
        return sock:close()
    end,
    nats_info = function(sock) return infos[sock[2]] end,
    nats_timeout = function(sock, i) return sock[i] or 60000 end,
    msec = function() return ngx.now() * 1000 end,
    json_decode = function(text)
        local ok, t = pcall(decode, text, 1)
        if ok then return t end
        return nil, "bad JSON"
    end,
    json_encode = function(t)
        local out = {}
        for k, v in pairs(t) do
            out[#out + 1] = quote(k) .. ":"
                .. (type(v) == "string" and quote(v) or tostring(v))
        end
        return "{" .. concat(out, ",") .. "}"
    end,
    random_token = function(n)
        counter = counter + 1
        return sub(ngx.md5(ngx.now() .. ngx.worker.pid() .. counter), 1, n)
    end,
}
