# The rule that builds the module in nginx's own build; config has the rest.
# Sourced by nginx's auto/make when it writes objs/Makefile.

case $NGX_OBJS in
    /*) ngx_tcp_lua_objs=$NGX_OBJS ;;
    *) ngx_tcp_lua_objs=`pwd`/$NGX_OBJS ;;
esac

cat << END                                                    >> $NGX_MAKEFILE

modules:	ngx_tcp_lua_module

install:	install_ngx_tcp_lua_module

.PHONY:	ngx_tcp_lua_module install_ngx_tcp_lua_module

# Always: cargo knows what is out of date.
ngx_tcp_lua_module:
	cd '$ngx_addon_dir' \\
		&& NGINX_SOURCE_DIR='`pwd`' \\
			NGINX_BUILD_DIR='$ngx_tcp_lua_objs' \\
			CARGO_TARGET_DIR='$ngx_tcp_lua_objs/ngx_tcp_lua' \\
			cargo rustc --release --lib --crate-type cdylib
	cp '$ngx_tcp_lua_objs/ngx_tcp_lua/release/libngx_tcp_lua_module.so' \\
		'$ngx_tcp_lua_objs/ngx_tcp_lua_module.so'

install_ngx_tcp_lua_module:	ngx_tcp_lua_module
	mkdir -p '\$(DESTDIR)$NGX_MODULES_PATH'
	cp '$ngx_tcp_lua_objs/ngx_tcp_lua_module.so' \\
		'\$(DESTDIR)$NGX_MODULES_PATH/.ngx_tcp_lua_module.so'
	mv -f '\$(DESTDIR)$NGX_MODULES_PATH/.ngx_tcp_lua_module.so' \\
		'\$(DESTDIR)$NGX_MODULES_PATH/ngx_tcp_lua_module.so'

END
