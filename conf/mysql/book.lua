-- SET name number; GET name; DEL name; FIND beginning. A line each, and a line
-- or more as the answer; errors begin with a minus sign.

local quote = ngx.quote_sql_str


-- Runs `sql` on a connection from the pool. What it returns after an error is
-- for the log; the client need not know what the database is like.
local function query(sql)
    local db = mysql.new()
    db:set_timeout(2000)
    local ok, err = db:connect(database)
    if not ok then
        return nil, err
    end
    local res, errno
    res, err, errno = db:query(sql)
    if res or errno then
        -- Also after an error of the server's the connection is good.
        db:set_keepalive(pool.idle_ms, pool.size)
    end
    return res, err
end


local commands = {}

function commands.SET(name, number)
    if number == "" then
        return "-usage: SET name number"
    end
    local res, err = query("REPLACE INTO numbers VALUES (" .. quote(name)
        .. ", " .. quote(number) .. ")")
    return res and "+OK", err
end


function commands.GET(name)
    local rows, err = query("SELECT number FROM numbers WHERE name = "
        .. quote(name))
    if not rows then
        return nil, err
    end
    return rows[1] and "+" .. rows[1].number or "+"
end


function commands.DEL(name)
    local res, err = query("DELETE FROM numbers WHERE name = " .. quote(name))
    return res and "+" .. res.affected_rows, err
end


function commands.FIND(beginning)
    -- In a pattern these two are not what they look like.
    beginning = beginning:gsub("[%%_\\]", "\\%0")
    local rows, err = query("SELECT name, number FROM numbers WHERE name LIKE "
        .. quote(beginning .. "%") .. " ORDER BY name LIMIT 100")
    if not rows then
        return nil, err
    end
    local lines = { "+" .. #rows }
    for i, row in ipairs(rows) do
        lines[i + 1] = row.name .. " " .. row.number
    end
    return table.concat(lines, "\n")
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end
    local command, name, number = line:match("^(%u+) (%S+) ?(.*)$")
    local run = commands[command]
    if not run then
        ngx.say("-unknown command")
    else
        local answer, err = run(name, number)
        if not answer then
            ngx.log(ngx.ERR, command, " failed: ", err)
            answer = "-failed"
        end
        ngx.say(answer)
    end
    ngx.wait_next_request()
end
