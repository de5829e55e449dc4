# frozen_string_literal: true
# SPDX-License-Identifier: MIT

# An application of gems whose libraries open others by name. /up is Puma alone; / is all of them at work.
require "ffi"
require "iconv"
require "mysql2"
require "openssl"
require "pg"
require "rmagick"
require "tempfile"

module Magic
  extend FFI::Library
  ffi_lib "magic"
  attach_function :magic_open, [:int], :pointer
  attach_function :magic_load, %i[pointer string], :int
  attach_function :magic_buffer, %i[pointer buffer_in size_t], :string

  def self.type_of(bytes)
    cookie = magic_open(0x10)
    magic_load(cookie, nil)
    magic_buffer(cookie, bytes, bytes.bytesize)
  end
end

# A client that has come as far as the server's silence has found all that it opens by name.
def refused
  yield
  "connected"
rescue PG::ConnectionBad, Mysql2::Error => e
  e.message[/refused|Can't connect/] ? "refused" : e.message
end

WORK = {
  "rmagick" => lambda {
    image = Magick::Image.new(8, 8) { |info| info.background_color = "red" }
    %w[PNG JPEG GIF TIFF WEBP].map do |format|
      blob = image.to_blob { |info| info.format = format }
      Magick::Image.from_blob(blob).first.columns == 8 ? format : "#{format}?"
    end.join(" ")
  },
  "ffi" => -> { Magic.type_of("%PDF-1.4\n") },
  "iconv" => -> { Iconv.conv("EUC-JP", "UTF-8", "\u65e5\u672c").unpack1("H*") },
  "pg" => -> { refused { PG.connect(host: "127.0.0.1", port: 1, user: "app", sslmode: "require") } },
  "mysql2" => -> { refused { Mysql2::Client.new(host: "127.0.0.1", port: 1) } },
  "openssl" => -> { OpenSSL::Digest.new("SHA256").hexdigest("")[0, 8] },
  "tz" => -> { ENV["TZ"] = "Asia/Tokyo"; Time.at(0).zone },
}.freeze

run lambda { |env|
  body = env["PATH_INFO"] == "/up" ? "ok" : WORK.map { |name, work| "#{name}: #{work.call}\n" }.join
  [200, { "content-type" => "text/plain" }, [body]]
}
