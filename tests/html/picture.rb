# frozen_string_literal: true
# SPDX-License-Identifier: MIT
# Pixels of a PNG, by ImageMagick.

require "open3"

class Picture
  attr_reader :width, :height

  def self.read(png)
    new(*magick(png, "%w %h").split.map(&:to_i), png)
  end

  def self.magick(png, format)
    out, status = Open3.capture2("identify", "-format", format, "png:-", stdin_data: png, binmode: true)
    raise "identify failed" unless status.success?

    out
  end

  def initialize(width, height, png)
    @width = width
    @height = height
    @png = png
  end

  # [red, green, blue]
  def pixel(x, y)
    @rgb ||= convert("-depth", "8", "rgb:-")
    @rgb.byteslice(3 * (y * @width + x), 3).bytes
  end

  # How much two pictures have their dark and light at the same places, whatever they show in detail:
  # the correlation of coarse ones, -1 to 1.
  def likeness(other)
    a = coarse
    b = other.coarse
    Math.sqrt(product(a, a) * product(b, b)).then { |norm| norm.zero? ? 0.0 : product(a, b) / norm }
  end

  def coarse
    bytes = convert("-resize", "48x36!", "-colorspace", "Gray", "-depth", "8", "gray:-").bytes
    mean = bytes.sum.to_f / bytes.size
    bytes.map { |byte| byte - mean }
  end

  private

  def product(a, b) = a.zip(b).sum { |x, y| x * y }

  def convert(*arguments)
    out, status = Open3.capture2("convert", "png:-", *arguments, stdin_data: @png, binmode: true)
    raise "convert failed" unless status.success?

    out
  end
end
