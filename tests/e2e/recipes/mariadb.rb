# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

mariadb = Fiddle.dlopen("libmariadb.so.3")
connection = call(mariadb, "mysql_init", [P], P, nil)
plugin = call(mariadb, "mysql_client_find_plugin", [P, P, I], P, connection, "caching_sha2_password", 2)
check !plugin.null?
