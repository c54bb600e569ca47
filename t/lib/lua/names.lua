-- What connecting to a name comes to.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local _M = {}


-- What the server there says, or why there is no connection to it.
function _M.ask(name, port)
    local sock = ngx.socket.tcp()
    local ok, err = sock:connect(name, port)
    if not ok then
        return err
    end
    local text = assert(sock:receive("*a"))
    sock:close()
    return text
end


return _M
