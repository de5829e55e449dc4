# SPDX-License-Identifier: MIT
# names.rb OBJECT MUTATIONS SEED: names_differ() of names.c, on the image that this Ruby is from.
require "fiddle"

object, mutations, seed = ARGV
root = RbConfig::CONFIG["rubylibdir"][%r{\A.*/m(?=/)}]
libc = File.read("/proc/self/maps")[%r{#{root}.*/(libc\.so\.6|libc-[\d.]+\.so)$}]
differ = Fiddle::Function.new(Fiddle.dlopen(object)["names_differ"],
                              [Fiddle::TYPE_VOIDP, Fiddle::TYPE_VOIDP, Fiddle::TYPE_LONG, Fiddle::TYPE_LONG],
                              Fiddle::TYPE_INT)
exit differ.call(root, libc, Integer(mutations), Integer(seed)).zero?
