//! Safe types over `ngx_*`: all that touches nginx's memory lives here.
