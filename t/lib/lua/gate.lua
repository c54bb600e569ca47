-- A file below nginx's prefix that a test opens when it likes.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--     --- user_files
--     >>> gate
--     closed
-- and the step
--     write_file gate "open"


local _M = {}


-- Waits until the file says "open", or until the worker is to quit.
function _M.wait(name)
    local path = ngx.config.prefix() .. (name or "gate")
    local text
    repeat
        ngx.sleep(0.02)
        local f = io.open(path)
        text = f and f:read("*a") or ""
        if f then f:close() end
    until text:find("open", 1, true) or ngx.worker.exiting()
end


return _M
