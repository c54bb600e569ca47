--------------common-----------------------
cjson = require "cjson"
cjson_safe = require "cjson.safe"
bit = require "bit"
-- comes with the shipped Lua libraries:
-- luuid = require "luuid"
-- netutil = require "netutil"
-- mysql = require "mysql"
-- db_ml = require "db_ml"
--...
