-- What lua-nginx-dns and lua-nginx-websocket want of ngx.re, for as long as
-- there is none: their own patterns, by hand. For use in init_by_lua:
--   ngx.re = ngx.re or require "re"

local match, sub = {}, {}


match["^(wss?)://([^:/]+)(?::(\\d+))?(.*)"] = function(uri)
    local scheme, host, rest = uri:match("^(wss?)://([^:/]+)(.*)$")
    if not scheme then return nil end
    local port, path = rest:match("^:(%d+)(.*)$")
    return {[0] = uri, scheme, host, port or false, path or rest}
end


match["^\\s*HTTP/1\\.1\\s+"] = function(header)
    local found = header:match("^%s*HTTP/1%.1%s+")
    return found and {[0] = found}
end


sub["::"] = function(addr, replacement)
    return (addr:gsub("::", replacement, 1))
end


-- the first run of zeros: at the beginning, at the end or between
sub["^(0:)+|(:0)+$|:(0:)+"] = function(addr, replacement)
    local from, to
    if addr:find("^0:") then
        from, to = 1, 0
        while addr:find("^0:", to + 1) do to = to + 2 end
    else
        for i = 1, #addr do
            local tail = addr:sub(i)
            if tail:gsub("^:0", "") ~= tail and tail:gsub(":0", "") == "" then
                from, to = i, #addr
                break
            end
            if tail:find("^:0:") then
                from, to = i, i
                while addr:find("^0:", to + 1) do to = to + 2 end
                break
            end
        end
    end
    if not from then return addr end
    return addr:sub(1, from - 1) .. replacement .. addr:sub(to + 1)
end


sub["(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})"] =
    function(addr, template)
        local found = {addr:match("(%d+)%.(%d+)%.(%d+)%.(%d+)")}
        return (template:gsub("%$(%d)", function(n)
            return found[tonumber(n)]
        end))
    end


return {
    match = function(subject, pattern) return match[pattern](subject) end,
    sub = function(subject, pattern, replacement)
        return sub[pattern](subject, replacement)
    end,
}
