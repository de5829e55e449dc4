# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

pixbuf = Fiddle.dlopen("libgdk_pixbuf-2.0.so.0")
File.write("/tmp/x.pnm", "P3 2 1 255 255 0 0 0 0 255\n")
image = call(pixbuf, "gdk_pixbuf_new_from_file", [P, P], P, "/tmp/x.pnm", nil)
check !image.null? && call(pixbuf, "gdk_pixbuf_get_width", [P], I, image) == 2
