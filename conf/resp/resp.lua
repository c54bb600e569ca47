ngx.print("x")
