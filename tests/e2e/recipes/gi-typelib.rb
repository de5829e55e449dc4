# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

# GdkPixbuf's typelib names a library that nothing else of this check needs.
repository = Fiddle.dlopen("libgirepository-1.0.so.1")
library = call(repository, "g_irepository_require", [P, P, P, I, P], P, nil, "GdkPixbuf", "2.0", 0, nil)
info = call(repository, "g_irepository_find_by_name", [P, P, P], P, nil, "GdkPixbuf", "Pixbuf")
check !library.null? && !info.null? &&
      call(repository, "g_registered_type_info_get_g_type", [P], Fiddle::TYPE_LONG, info) > 4
