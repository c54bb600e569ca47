-- What a server answers to a query: an OK packet, an error, or the columns and
-- rows of a result set, as Lua tables.

local packet = require "tcp_lua.mysql_packet"

local byte, sub = string.byte, string.sub
local tonumber = tonumber
local null = ngx.null
local read_length, read_string = packet.read_length, packet.read_string
local read_uint16 = packet.read_uint16

local has_new, new_table = pcall(require, "table.new")
if not has_new then
    new_table = function() return {} end
end

local OK, LOCAL_INFILE, EOF, ERR = 0x00, 0xfb, 0xfe, 0xff
local IN_TRANSACTION, MORE_RESULTS = 0x0001, 0x0008
-- A row that is expected but not known of.
local FEW = 4

local MALFORMED = "malformed packet"

-- Column types whose values fit into a Lua number. bigint (8) does not and
-- stays a string, as do dates and times, bit, enum, set, blobs and texts.
local is_number = {
    [0x00] = true,    -- decimal
    [0x01] = true,    -- tinyint
    [0x02] = true,    -- smallint
    [0x03] = true,    -- int
    [0x04] = true,    -- float
    [0x05] = true,    -- double
    [0x09] = true,    -- mediumint
    [0x0d] = true,    -- year
    [0xf6] = true,    -- decimal since 5.0
}

local result = {}

-- An error packet: its text, number and SQL state, for after a nil.
function result.error(data)
    local errno = read_uint16(data, 2)
    if not errno then
        return MALFORMED
    end
    if byte(data, 4) == 35 then
        return sub(data, 10), errno, sub(data, 5, 9)
    end
    return sub(data, 4), errno, nil
end

-- An OK packet.
function result.ok(data)
    local affected_rows, insert_id, server_status, warning_count
    local at
    affected_rows, at = read_length(data, 2)
    if not affected_rows then
        return nil, MALFORMED
    end
    insert_id, at = read_length(data, at)
    server_status = insert_id and read_uint16(data, at)
    warning_count = server_status and read_uint16(data, at + 2)
    if not warning_count then
        return nil, MALFORMED
    end
    -- Servers put its length in front, unless they are very old.
    local message, stop = read_string(data, at + 4)
    if not message or stop <= #data then
        message = sub(data, at + 4)
    end
    return {
        affected_rows = affected_rows,
        insert_id = insert_id,
        server_status = server_status,
        warning_count = warning_count,
        message = message ~= "" and message or nil,
    }
end

function result.has_more(server_status)
    return server_status % (2 * MORE_RESULTS) >= MORE_RESULTS
end

function result.in_transaction(server_status)
    return server_status % (2 * IN_TRANSACTION) >= IN_TRANSACTION
end


-- The name of the column that a packet defines, and whether it is a number.
local function read_column(data)
    local name
    local at = 1
    -- Catalog, schema, table, the table's own name; the column, its own name.
    for i = 1, 6 do
        local text
        text, at = read_string(data, at)
        if not text then
            return nil
        elseif i == 5 then
            name = text
        end
    end
    -- What follows has 12 bytes: character set, length, type, flags, decimals.
    local kind = byte(data, at + 7)
    if not kind then
        return nil
    end
    return name, is_number[kind] or false
end


local function read_columns(stream, n)
    local names, numbers = new_table(n, 0), new_table(n, 0)
    for i = 1, n do
        local data, err = stream:receive()
        if not data then
            return nil, err
        end
        names[i], numbers[i] = read_column(data)
        if not names[i] then
            return nil, MALFORMED
        end
    end
    local data, err = stream:receive()
    if not data then
        return nil, err
    elseif byte(data) ~= EOF then
        return nil, MALFORMED
    end
    return names, numbers
end


-- The row that is in `data` from `at` to `limit`.
local function read_row(data, at, limit, n, names, numbers, is_compact)
    local row = is_compact and new_table(n, 0) or new_table(0, n)
    for i = 1, n do
        if at > limit then
            return nil
        end
        local size = byte(data, at)
        local value
        if size == 251 then
            value, at = null, at + 1
        else
            if size < 251 then
                at = at + 1
            else
                size, at = read_length(data, at)
            end
            local last = size and at + size - 1
            if not last or last > limit then
                return nil
            end
            value = sub(data, at, last)
            at = last + 1
            if numbers[i] then
                value = tonumber(value)
            end
        end
        if is_compact then
            row[i] = value
        else
            row[names[i]] = value
        end
    end
    return row
end


-- Reads a result set of `n` columns: its rows, and the server's status; or nil
-- and the error, with errno and SQL state if it is one that the server tells of
-- and the connection is as good as before.
local function read_set(stream, n, expected, is_compact)
    local names, numbers = read_columns(stream, n)
    if not names then
        return nil, numbers
    end
    local rows, count = new_table(expected or FEW, 0), 0
    while true do
        local data, from, last = stream:view()
        if not data then
            return nil, from
        end
        local first = byte(data, from)
        if first == EOF and last - from < 8 then
            if last - from < 4 then
                return nil, MALFORMED
            end
            return rows, read_uint16(data, from + 3)
        elseif first == ERR then
            return nil, result.error(sub(data, from, last))
        end
        local row = read_row(data, from, last, n, names, numbers, is_compact)
        if not row then
            return nil, MALFORMED
        end
        count = count + 1
        rows[count] = row
    end
end


-- Reads the answer to a query: a table and the server's status, or nil and the
-- error, as read_set().
function result.read(stream, expected, is_compact)
    local data, err = stream:receive()
    if not data then
        return nil, err
    end
    local first = byte(data)
    if first == OK then
        local res
        res, err = result.ok(data)
        return res, res and res.server_status or err
    elseif first == ERR then
        return nil, result.error(data)
    elseif first == LOCAL_INFILE then
        -- Nobody has offered a file.
        return nil, "the server asks for a local file"
    end
    local n, at = read_length(data, 1)
    if not n or n == 0 or at <= #data then
        return nil, MALFORMED
    end
    return read_set(stream, n, expected, is_compact)
end

return result
