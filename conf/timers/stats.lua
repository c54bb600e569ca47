-- The periodic job: once a second, as long as the worker lives.

local before = 0


local function sample(premature)
    if premature then
        -- The worker is told to quit. This was the last call.
        ngx.log(ngx.NOTICE, "served ", stats.requests, " requests")
        return
    end
    stats.rate = stats.requests - before
    before = stats.requests
end


local ok, err = ngx.timer.every(1, sample)
if not ok then
    ngx.log(ngx.ERR, "no statistics: ", err)
end
