# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

wand = Fiddle.dlopen("libMagickWand-6.Q16.so.6")
call(wand, "MagickWandGenesis", [], Fiddle::TYPE_VOID)
image = call(wand, "NewMagickWand", [], P)
File.write("/tmp/x.pnm", "P3 2 1 255 255 0 0 0 0 255\n")
check call(wand, "MagickReadImage", [P, P], I, image, "/tmp/x.pnm") == 1 &&
      call(wand, "MagickWriteImage", [P, P], I, image, "/tmp/x.png") == 1 &&
      File.binread("/tmp/x.png", 4) == "\x89PNG".b
