-- The headers of messages: a block of text to and from a table. In a table a
-- key has a string, or an array of strings where it comes more than once; its
-- case is kept.

local concat = table.concat
local find, gmatch, match = string.find, string.gmatch, string.match
local ipairs, next, tonumber, type = ipairs, next, tonumber, type

-- The first line, where it has a status.
local STATUS = "^NATS/1%.0[ \t]+(%d+)[ \t]*([^\r\n]*)"

local headers = {}


-- A header's value as text, or nil.
local function text_of(value)
    if type(value) == "number" then
        return "" .. value
    elseif type(value) == "string" and not find(value, "[\r\n]") then
        return value
    end
end


local function append(lines, n, key, value)
    local text = text_of(value)
    if not text then
        return nil
    end
    lines[n + 1], lines[n + 2] = key, ": "
    lines[n + 3], lines[n + 4] = text, "\r\n"
    return n + 4
end


-- The block of a table of headers; nil, err for what cannot be sent.
function headers.encode(fields)
    if type(fields) ~= "table" then
        return nil, "invalid header"
    end
    local lines, n = { "NATS/1.0\r\n" }, 1
    for key, value in next, fields do
        if type(key) ~= "string" or not find(key, "^[!-9;-~]+$") then
            return nil, "invalid header"
        end
        if type(value) == "table" then
            for _, each in ipairs(value) do
                n = n and append(lines, n, key, each)
            end
        else
            n = append(lines, n, key, value)
        end
        if not n then
            return nil, "invalid header"
        end
    end
    lines[n + 1] = "\r\n"
    return concat(lines)
end


-- The table of a block, and the status and its description where the first line
-- has them. What is no header is passed over.
function headers.decode(block)
    local status, description = match(block, STATUS)
    local fields = {}
    for key, value in gmatch(block, "\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
        value = match(value, "^(.-)[ \t]*$")
        local known = fields[key]
        if known == nil then
            fields[key] = value
        elseif type(known) == "table" then
            known[#known + 1] = value
        else
            fields[key] = { known, value }
        end
    end
    description = description and match(description, "^(.-)[ \t]*$")
    return fields, tonumber(status), description ~= "" and description or nil
end


return headers
