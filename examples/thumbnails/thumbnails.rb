#!/usr/bin/env ruby
# frozen_string_literal: true

# Makes small pictures of large ones: thumbnails.rb WIDTH FILE...
# The libraries behind ruby-vips, and the modules that they load, are packed along.
require "vips"

width = Integer(ARGV.shift)
ARGV.each do |file|
  small = "#{file.delete_suffix(File.extname(file))}-#{width}.png"
  Vips::Image.thumbnail(file, width).write_to_file(small)
  puts small
end
