-- A database connection from a pool, with a record of its queries: mysql with
-- the options of both its connect() and set_keepalive() in one place.
--
--     local db = db_ml.new()
--     db:init { host = "127.0.0.1", user = "me", password = "secret" }
--     local rows = db:query("SELECT 1 AS one")
--     db:done()

local mysql = require "mysql"
local log_of = require "tcp_lua.record"

local format = string.format
local setmetatable, tostring = setmetatable, tostring
local ngx = ngx

local TIMEOUT, POOL_SIZE, KEEPALIVE = 5000, 10, 0

local db_ml = { _VERSION = "1.0" }
local metatable = { __index = db_ml }


function db_ml.new()
    local db, err = mysql.new()
    if not db then
        return nil, err
    end
    return setmetatable({ db = db }, metatable)
end


local function complain(text)
    local log = log_of("derror")
    if log then
        log(text)
    end
end


function db_ml.init(self, opts)
    local db = self.db
    if not db then
        return nil, "not initialized"
    end
    db:set_timeout(opts.connect_timeout or TIMEOUT,
        opts.send_timeout or TIMEOUT, opts.read_timeout or TIMEOUT)
    local ok, err, errno, sqlstate = db:connect(opts)
    if not ok then
        complain("connect failed: " .. tostring(err))
        return nil, err, errno, sqlstate
    end
    self.keepalive_timeout = opts.keepalive_timeout or KEEPALIVE
    self.pool_size = opts.pool_size or POOL_SIZE
    self.db_host = opts.host or opts.path
    return 1, "ok"
end

function db_ml.query(self, sql)
    local db = self.db
    if not db then
        return nil, "not initialized"
    end
    local start = ngx.now()
    local res, err, errno, sqlstate = db:query(sql)
    self.elapsed_sql = ngx.now() - start
    local log = log_of("sql")
    if log then
        log(self.db_host, format("%.3f", self.elapsed_sql), sql)
    end
    if not res then
        complain("bad result: " .. tostring(err) .. ":" .. tostring(sql))
    end
    return res, err, errno, sqlstate
end

-- The further results of a query that returned "again".
function db_ml.read_result(self)
    local db = self.db
    if not db then
        return nil, "not initialized"
    end
    return db:read_result()
end

function db_ml.done(self, close)
    local db = self.db
    if not db then
        return nil, "not initialized"
    end
    if close then
        return db:close()
    end
    return db:set_keepalive(self.keepalive_timeout, self.pool_size)
end

-- As the module() of the original did.
getfenv(0).db_ml = db_ml

return db_ml
