-- One request a connection.
ngx.print(ngx.receive(10))
