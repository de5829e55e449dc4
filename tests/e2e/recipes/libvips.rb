# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

# HEIC is a module in Debian's build.
vips = Fiddle.dlopen("libvips.so.42")
call(vips, "vips_init", [P], I, "check")
check call(vips, "vips_type_find", [P, P], Fiddle::TYPE_LONG, "VipsOperation", "heifload") != 0
