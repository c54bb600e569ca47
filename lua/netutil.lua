-- Integers in network byte order, as strings and as numbers.
--
-- packint16() and packint32() write the most significant byte first whatever
-- the machine is. htonl() and its kin therefore leave the value as it is:
-- packint32(htonl(n)) and packint32(n) are the same bytes, which is what
-- scripts of the original count on.

local char, byte = string.char, string.byte
local error, floor, tonumber = error, math.floor, tonumber
local tostring, type = tostring, type


-- `n` as an integer from 0 to `limit` - 1: negative numbers count from the end,
-- as in two's complement.
local function unsigned(n, limit, name)
    local number = tonumber(n)
    -- Neither infinity nor NaN is 0 here.
    if not number or number - number ~= 0 then
        error("bad argument #1 to '" .. name .. "' (number expected, got "
            .. (number and tostring(number) or type(n)) .. ")", 3)
    end
    return floor(number) % limit
end


local function refuse_bytes(s, at, size, name)
    if type(s) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got "
            .. type(s) .. ")", 3)
    end
    error("bad argument #1 to '" .. name .. "' (" .. size .. " bytes expected"
        .. " from " .. at .. " on, got a string of " .. #s .. ")", 3)
end


local netutil = {
    LITTLE_ENDIAN = require("ffi").abi("le"),
}

function netutil.packint16(n)
    n = unsigned(n, 0x10000, "packint16")
    return char(floor(n / 0x100), n % 0x100)
end

function netutil.packint32(n)
    n = unsigned(n, 0x100000000, "packint32")
    return char(floor(n / 0x1000000), floor(n / 0x10000) % 0x100,
        floor(n / 0x100) % 0x100, n % 0x100)
end

function netutil.unpackint16(s, at)
    at = at or 1
    if type(s) ~= "string" or #s < at + 1 or at < 1 then
        refuse_bytes(s, at, 2, "unpackint16")
    end
    local a, b = byte(s, at, at + 1)
    return a * 0x100 + b
end

function netutil.unpackint32(s, at)
    at = at or 1
    if type(s) ~= "string" or #s < at + 3 or at < 1 then
        refuse_bytes(s, at, 4, "unpackint32")
    end
    local a, b, c, d = byte(s, at, at + 3)
    return a * 0x1000000 + b * 0x10000 + c * 0x100 + d
end

-- In parentheses: no tail calls, so that errors have the caller's line.
function netutil.htons(n)
    return (unsigned(n, 0x10000, "htons"))
end

function netutil.ntohs(n)
    return (unsigned(n, 0x10000, "ntohs"))
end

function netutil.htonl(n)
    return (unsigned(n, 0x100000000, "htonl"))
end

function netutil.ntohl(n)
    return (unsigned(n, 0x100000000, "ntohl"))
end

return netutil
